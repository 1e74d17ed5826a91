"""Every operation, by family, and their attachment to the Tensor class."""

from scg.ops import (
    _einsum,
    _methods,
    _softmax,
    activation,
    affine,
    along_axis,
    arithmetic,
    axis_order,
    bessel,
    cast,
    comparison,
    contraction,
    convolution,
    decomposition,
    error_function,
    exponential,
    extremum,
    gamma_function,
    hyperbolic,
    incomplete_gamma,
    indexing,
    joining,
    likelihood,
    linear_algebra,
    linear_systems,
    logic,
    matrices,
    padding,
    pooling,
    powers,
    reduction,
    repeating,
    rounding,
    scan,
    selection,
    shape,
    sorting,
    special,
    trigonometric,
)
from scg.ops import _guarded as _guarded  # ops that only vjps use
from scg.ops._einsum import *  # noqa: F403
from scg.ops._softmax import *  # noqa: F403
from scg.ops.activation import *  # noqa: F403
from scg.ops.affine import *  # noqa: F403
from scg.ops.along_axis import *  # noqa: F403
from scg.ops.arithmetic import *  # noqa: F403
from scg.ops.axis_order import *  # noqa: F403
from scg.ops.bessel import *  # noqa: F403
from scg.ops.cast import *  # noqa: F403
from scg.ops.comparison import *  # noqa: F403
from scg.ops.contraction import *  # noqa: F403
from scg.ops.convolution import *  # noqa: F403
from scg.ops.decomposition import *  # noqa: F403
from scg.ops.error_function import *  # noqa: F403
from scg.ops.exponential import *  # noqa: F403
from scg.ops.extremum import *  # noqa: F403
from scg.ops.gamma_function import *  # noqa: F403
from scg.ops.hyperbolic import *  # noqa: F403
from scg.ops.incomplete_gamma import *  # noqa: F403
from scg.ops.indexing import *  # noqa: F403
from scg.ops.joining import *  # noqa: F403
from scg.ops.likelihood import *  # noqa: F403
from scg.ops.linear_algebra import *  # noqa: F403
from scg.ops.linear_systems import *  # noqa: F403
from scg.ops.logic import *  # noqa: F403
from scg.ops.matrices import *  # noqa: F403
from scg.ops.padding import *  # noqa: F403
from scg.ops.pooling import *  # noqa: F403
from scg.ops.powers import *  # noqa: F403
from scg.ops.reduction import *  # noqa: F403
from scg.ops.repeating import *  # noqa: F403
from scg.ops.rounding import *  # noqa: F403
from scg.ops.scan import *  # noqa: F403
from scg.ops.selection import *  # noqa: F403
from scg.ops.shape import *  # noqa: F403
from scg.ops.sorting import *  # noqa: F403
from scg.ops.special import *  # noqa: F403
from scg.ops.trigonometric import *  # noqa: F403

_methods.attach()
_families = (
    _einsum, _softmax, activation, affine, along_axis, arithmetic, axis_order, bessel, cast,
    comparison, contraction, convolution, decomposition, error_function, exponential, extremum,
    gamma_function, hyperbolic, incomplete_gamma, indexing, joining, likelihood, linear_algebra,
    linear_systems, logic, matrices, padding, pooling, powers, reduction, repeating, rounding, scan,
    selection, shape, sorting, special, trigonometric,
)  # fmt: skip
__all__ = sorted(name for family in _families for name in family.__all__)
