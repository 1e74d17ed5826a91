"""The compiled step: from a traced program to a plan that is replayed."""

from scg._compile._jit import TRACED_CALLS, jit
from scg._compile._warmup import warmup

__all__ = ["TRACED_CALLS", "jit", "warmup"]
