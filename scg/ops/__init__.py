"""Every operation, by family, and their attachment to the Tensor class."""

from scg.ops import _methods, arithmetic, exponential, likelihood, linear_algebra, reduction, shape
from scg.ops.arithmetic import *  # noqa: F403
from scg.ops.exponential import *  # noqa: F403
from scg.ops.likelihood import *  # noqa: F403
from scg.ops.linear_algebra import *  # noqa: F403
from scg.ops.reduction import *  # noqa: F403
from scg.ops.shape import *  # noqa: F403

_methods.attach()
_families = (arithmetic, exponential, likelihood, linear_algebra, reduction, shape)
__all__ = sorted(name for family in _families for name in family.__all__)
