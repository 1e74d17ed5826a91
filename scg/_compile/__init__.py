"""The compiled step: from a traced program to a plan that is replayed."""

from scg._compile._jit import jit
from scg._compile._warmup import warmup

__all__ = ["jit", "warmup"]
