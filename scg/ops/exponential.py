"""Exponentials, logarithms and roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import POLE
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = [
    "cbrt", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "sqrt",
]  # fmt: skip


@elementwise(
    y="exp(x)", dx="y", library=np.exp, kernel_from=8192, sign=POSITIVE | NONNEGATIVE,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def exp(x: Any, /) -> Tensor:
    """Compute e to the power `x`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `exp(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.exp(0.0)
    Tensor(1.)
    """
    ...


@elementwise(
    y="log(x)", dx="1 / x", ufunc=np.log, smooth=POLE,
    samples=_samples.elementwise((0.1, 5), complex_step=True),
)  # fmt: skip
def log(x: Any, /) -> Tensor:
    """Compute the natural logarithm, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Positive; zero gives -inf, a negative number NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / x`. Zero is a pole: where noise can reach it, the pathwise gradient is refused
    unless `x` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.log(1.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="exp(0.6931471805599453 * x)", dx="0.6931471805599453 * y", ufunc=np.exp2,
    sign=POSITIVE | NONNEGATIVE,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def exp2(x: Any, /) -> Tensor:
    """Compute 2 to the power `x`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `log(2) * 2**x`.

    Examples
    --------
    >>> import scg
    >>> scg.exp2([1.0, 3.0])
    Tensor([2., 8.])
    """
    ...


@elementwise(
    y="expm1(x)", dx="exp(x)", library=np.expm1, kernel_from=8192,
    sign=lambda same, x: x,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def expm1(x: Any, /) -> Tensor:
    """Compute `exp(x) - 1`, accurately near zero, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `exp(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.expm1(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="log1p(x)", dx="1 / (1 + x)", ufunc=np.log1p, smooth=POLE, sign=lambda same, x: x,
    pole_safe=NONNEGATIVE,
    samples=_samples.elementwise((-0.8, 5), complex_step=True),
)  # fmt: skip
def log1p(x: Any, /) -> Tensor:
    """Compute `log(1 + x)`, accurately near zero, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Above -1; -1 gives -inf, less NaN.

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `1 / (1 + x)`. `x = -1` is a pole, excluded where `x` is known to be non-negative.

    Examples
    --------
    >>> import scg
    >>> scg.log1p(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="1.4426950408889634 * log(x)", dx="1.4426950408889634 / x", ufunc=np.log2, smooth=POLE,
    samples=_samples.elementwise((0.1, 5), complex_step=True),
)  # fmt: skip
def log2(x: Any, /) -> Tensor:
    """Compute the logarithm to base 2, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Positive; zero gives -inf, a negative number NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / (x * log(2))`. Zero is a pole, excluded where `x` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.log2([1.0, 2.0])
    Tensor([0., 1.])
    """
    ...


@elementwise(
    y="0.4342944819032518 * log(x)", dx="0.4342944819032518 / x", ufunc=np.log10, smooth=POLE,
    samples=_samples.elementwise((0.1, 5), complex_step=True),
)  # fmt: skip
def log10(x: Any, /) -> Tensor:
    """Compute the logarithm to base 10, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Positive; zero gives -inf, a negative number NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / (x * log(10))`. Zero is a pole, excluded where `x` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.log10([1.0, 10.0])
    Tensor([0., 1.])
    """
    ...


@elementwise(
    y="sqrt(x)", dx="0.5 / y", library=np.sqrt, kernel_from=8192,
    smooth=POLE, sign=lambda same, x: x, pole_safe=NONNEGATIVE,
    samples=_samples.elementwise((0.3, 5), complex_step=True),
)  # fmt: skip
def sqrt(x: Any, /) -> Tensor:
    """Compute the square root, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Non-negative; a negative number gives NaN.

    Returns
    -------
    Tensor
        Non-negative.

    Notes
    -----
    Gradient: `0.5 / sqrt(x)`, infinite at 0. The pathwise gradient is refused where noise can cross
    zero; where `x` is known to be non-negative its infinite slope has a finite mean.

    Examples
    --------
    >>> import scg
    >>> scg.sqrt([1.0, 4.0])
    Tensor([1., 2.])
    """
    ...


@elementwise(
    y="cbrt(x)", dx="1 / (3 * y * y)", ufunc=np.cbrt, smooth=POLE, sign=lambda same, x: x,
    samples=_samples.elementwise((0.3, 5)),
)  # fmt: skip
def cbrt(x: Any, /) -> Tensor:
    """Compute the real cube root, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `1 / (3 * cbrt(x)**2)`. Zero is a pole of it.

    Examples
    --------
    >>> import scg
    >>> scg.cbrt([-8.0, 27.0])
    Tensor([-2.,  3.])
    """
    ...


@elementwise(
    y="where(a == b, a + 0.6931471805599453, where(a > b, a, b) + log1p(exp(-abs(a - b))))",
    da="sigmoid(a - b)", db="sigmoid(b - a)", library=np.logaddexp,
    samples=_samples.elementwise((-3, 3), (-3, 3), conditioned=True),
)  # fmt: skip
def logaddexp(a: Any, b: Any, /) -> Tensor:
    """Compute `log(exp(a) + exp(b))` without overflow, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `sigmoid(a - b)` and `sigmoid(b - a)`.

    Examples
    --------
    >>> import scg
    >>> scg.logaddexp(0.0, [0.0, 1000.0])
    Tensor([6.93147181e-01, 1.00000000e+03])
    """
    ...
