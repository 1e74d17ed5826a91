"""The regularised incomplete gamma functions, with the slope in the shape parameter as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg import _axes
from scg._elementwise import broadcast_shape
from scg._op import POLE, op
from scg._rule import promoting
from scg._typing import Shape
from scg.kernels.incomplete_gamma import log_slopes
from scg.ops import _samples
from scg.tape import NONNEGATIVE

__all__ = ["gammainc", "gammaincc"]


_lower, _upper = promoting(sp.gammainc), promoting(sp.gammaincc)


def shape_slope(a: Any, x: Any) -> Any:
    """Compute the derivative of `gammainc(a, x)` in `a`, on arrays.

    Below `x = max(a, 1)` from the power series of P, above from the continued fraction of Q, as
    Moore (1982, Applied Statistics 31, algorithm AS 187), but in logarithms.
    """
    dtype = np.result_type(a, x, np.float32)
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    result = np.where(np.isnan(a) | np.isnan(x) | (a <= 0) | (x < 0), np.nan, 0.0)
    inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    result[inside] = _inside(a[inside], x[inside])
    return result.astype(dtype)


def _inside(a: Any, x: Any) -> Any:
    slopes = np.empty_like(a)
    log_slopes(a, x, slopes)
    below = x <= np.maximum(a, 1.0)
    of_power = np.log(x) - sp.digamma(np.where(below, a + 1, a))
    return np.where(below, sp.gammainc(a, x), -sp.gammaincc(a, x)) * (of_power + slopes)


def density(a: Any, x: Any) -> Any:
    """Compute the gamma density of shape `a` and rate 1, on arrays: the slope of P in `x`."""
    return np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def _shape(a: Shape, x: Shape) -> Shape:
    return broadcast_shape(a, x, name="gammainc")


_SAMPLES = _samples.elementwise((0.5, 4), (0.5, 4))


@op(
    shape=_shape, axes=_axes.elementwise, smooth=POLE, sign=NONNEGATIVE, reference=sp.gammainc,
    numpy=(sp.gammainc,), max_order=1, samples=_SAMPLES,
)  # fmt: skip
def gammainc(a: Any, x: Any, /) -> Any:
    """Compute the regularised lower incomplete gamma function, elementwise.

    Parameters
    ----------
    a : Tensor or array_like
        Shape parameter, positive.
    x : Tensor or array_like
        Not negative; broadcast against `a`.

    Returns
    -------
    Tensor
        Between 0 and 1: the probability that a gamma variable of shape `a` and rate 1 is below `x`.

    Notes
    -----
    Gradient: the gamma density in `x`; in `a` from the derivative of a series or of a continued
    fraction, to 1e-12 of its value for `a` up to 1e4. It can be differentiated once. Zero is a
    pole, excluded where the input is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.gammainc(1.0, [0.0, 2.0])
    Tensor([0.        , 0.86466472])
    """
    return _lower(a, x)


@gammainc.vjp
def _(F: Any, g: Any, needs: Any, _y: Any, a: Any, x: Any) -> Any:
    return g * shape_slope(a, x) if needs[0] else None, g * density(a, x) if needs[1] else None


@op(
    shape=_shape, axes=_axes.elementwise, smooth=POLE, sign=NONNEGATIVE, reference=sp.gammaincc,
    numpy=(sp.gammaincc,), max_order=1, samples=_SAMPLES,
)  # fmt: skip
def gammaincc(a: Any, x: Any, /) -> Any:
    """Compute the regularised upper incomplete gamma function, elementwise.

    Parameters
    ----------
    a : Tensor or array_like
        Shape parameter, positive.
    x : Tensor or array_like
        Not negative; broadcast against `a`.

    Returns
    -------
    Tensor
        `1 - gammainc(a, x)`, without cancellation.

    Notes
    -----
    Gradient: minus that of `gammainc`. It can be differentiated once.

    Examples
    --------
    >>> import scg
    >>> scg.gammaincc(1.0, [0.0, 2.0])
    Tensor([1.        , 0.13533528])
    """
    return _upper(a, x)


@gammaincc.vjp
def _(F: Any, g: Any, needs: Any, _y: Any, a: Any, x: Any) -> Any:
    return -g * shape_slope(a, x) if needs[0] else None, -g * density(a, x) if needs[1] else None
