"""Error functions and the normal distribution function."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import POLE
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["erf", "erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]

_BOTH = POSITIVE | NONNEGATIVE


@elementwise(
    y="erf(x)", dx="1.1283791670955126 * exp(-x * x)", library=sp.erf,
    sign=lambda same, x: x, samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def erf(x: Any, /) -> Tensor:
    """Compute the error function, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Between -1 and 1, with the sign of `x`.

    Notes
    -----
    Gradient: `2 / sqrt(pi) * exp(-x**2)`.

    Examples
    --------
    >>> import scg
    >>> scg.erf([0.0, 1.0])
    Tensor([0.        , 0.84270079])
    """
    ...


@elementwise(
    y="erfc(x)", dx="-1.1283791670955126 * exp(-x * x)", library=sp.erfc,
    sign=_BOTH, samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def erfc(x: Any, /) -> Tensor:
    """Compute `1 - erf(x)` without cancellation, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `-2 / sqrt(pi) * exp(-x**2)`.

    Examples
    --------
    >>> import scg
    >>> scg.erfc([0.0, 1.0])
    Tensor([1.        , 0.15729921])
    """
    ...


@elementwise(
    y="erfcx(x)", dx="2 * x * y - 1.1283791670955126", ufunc=sp.erfcx, sign=_BOTH,
    # At large x two terms cancel in the slope.
    samples=_samples.elementwise((-2, 3), complex_step=True, slope_ulps=8),
)  # fmt: skip
def erfcx(x: Any, /) -> Tensor:
    """Compute `exp(x**2) * erfc(x)`, which does not underflow, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `2 * x * y - 2 / sqrt(pi)`, which cancels for large `x`: the relative error is about
    `x**2` units in the last place.

    Examples
    --------
    >>> import scg
    >>> scg.erfcx([0.0, 100.0])
    Tensor([1.        , 0.00564161])
    """
    ...


@elementwise(
    y="erfinv(x)", dx="0.886226925452758 * exp(y * y)", ufunc=sp.erfinv, smooth=POLE,
    pole_safe=0, sign=lambda same, x: x, samples=_samples.elementwise((-0.8, 0.8)),
)  # fmt: skip
def erfinv(x: Any, /) -> Tensor:
    """Invert the error function, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Between -1 and 1; the ends give infinities, anything outside NaN.

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `sqrt(pi) / 2 * exp(y**2)`. The ends are poles, so where noise reaches `x` the
    pathwise gradient is refused.

    Examples
    --------
    >>> import scg
    >>> scg.erfinv(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="ndtr(x)", dx="0.3989422804014327 * exp(-0.5 * x * x)", ufunc=sp.ndtr, sign=_BOTH,
    samples=_samples.elementwise((-4, 4), complex_step=True),
)  # fmt: skip
def ndtr(x: Any, /) -> Tensor:
    """Compute the distribution function of the standard normal distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Between 0 and 1.

    Notes
    -----
    Gradient: `exp(-x**2 / 2) / sqrt(2 * pi)`.

    Examples
    --------
    >>> import scg
    >>> scg.ndtr(0.0)
    Tensor(0.5)
    """
    ...


@elementwise(
    # The quotient of density and distribution function, without underflow of either.
    y="log_ndtr(x)", dx="0.7978845608028654 / erfcx(-0.7071067811865476 * x)", ufunc=sp.log_ndtr,
    samples=_samples.elementwise((-4, 4), complex_step=True),
)  # fmt: skip
def log_ndtr(x: Any, /) -> Tensor:
    """Compute `log(ndtr(x))` without underflow, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Negative.

    Notes
    -----
    Gradient: `sqrt(2 / pi) / erfcx(-x / sqrt(2))`, the inverse Mills ratio.

    Examples
    --------
    >>> import scg
    >>> scg.log_ndtr([0.0, -100.0])
    Tensor([-6.93147181e-01, -5.00552421e+03])
    """
    ...


@elementwise(
    y="ndtri(x)", dx="2.5066282746310002 * exp(0.5 * y * y)", ufunc=sp.ndtri, smooth=POLE,
    pole_safe=0, samples=_samples.elementwise((0.1, 0.9)),
)  # fmt: skip
def ndtri(x: Any, /) -> Tensor:
    """Compute the quantile of the standard normal distribution: invert `ndtr`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Between 0 and 1; the ends give infinities, anything outside NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `sqrt(2 * pi) * exp(y**2 / 2)`. The ends are poles, so where noise reaches `x` the
    pathwise gradient is refused.

    Examples
    --------
    >>> import scg
    >>> scg.ndtri(0.5)
    Tensor(0.)
    """
    ...
