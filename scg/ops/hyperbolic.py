"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import POLE
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["arccosh", "arcsinh", "arctanh", "cosh", "sinh", "tanh"]


@elementwise(
    y="sinh(x)", dx="cosh(x)", ufunc=np.sinh, sign=lambda same, x: x,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def sinh(x: Any, /) -> Tensor:
    """Compute the hyperbolic sine, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `cosh(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.sinh(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="cosh(x)", dx="sinh(x)", ufunc=np.cosh, sign=POSITIVE | NONNEGATIVE,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def cosh(x: Any, /) -> Tensor:
    """Compute the hyperbolic cosine, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        At least 1.

    Notes
    -----
    Gradient: `sinh(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.cosh(0.0)
    Tensor(1.)
    """
    ...


@elementwise(
    y="tanh(x)", dx="1 - y * y", ufunc=np.tanh, sign=lambda same, x: x,
    # Where y comes close to 1, 1 - y * y has the rounding error of y.
    samples=_samples.elementwise((-3, 3), complex_step=True, slope_ulps=16),
)  # fmt: skip
def tanh(x: Any, /) -> Tensor:
    """Compute the hyperbolic tangent, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Between -1 and 1, with the sign of `x`.

    Notes
    -----
    Gradient: `1 - tanh(x)**2`.

    Examples
    --------
    >>> import scg
    >>> scg.tanh(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="arcsinh(x)", dx="1 / sqrt(1 + x * x)", ufunc=np.arcsinh, sign=lambda same, x: x,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def arcsinh(x: Any, /) -> Tensor:
    """Compute the inverse hyperbolic sine, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `1 / sqrt(1 + x**2)`.

    Examples
    --------
    >>> import scg
    >>> scg.arcsinh(0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="arccosh(x)", dx="1 / sqrt((x - 1) * (x + 1))", ufunc=np.arccosh, smooth=POLE, pole_safe=0,
    sign=NONNEGATIVE, samples=_samples.elementwise((1.3, 4), complex_step=True),
)  # fmt: skip
def arccosh(x: Any, /) -> Tensor:
    """Compute the non-negative inverse hyperbolic cosine, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        At least 1; less gives NaN.

    Returns
    -------
    Tensor
        Non-negative.

    Notes
    -----
    Gradient: `1 / sqrt(x**2 - 1)`. 1 is a pole, so where noise reaches `x` the pathwise gradient is
    refused.

    Examples
    --------
    >>> import scg
    >>> scg.arccosh(1.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="arctanh(x)", dx="1 / ((1 - x) * (1 + x))", ufunc=np.arctanh, smooth=POLE, pole_safe=0,
    sign=lambda same, x: x, samples=_samples.elementwise((-0.8, 0.8), complex_step=True),
)  # fmt: skip
def arctanh(x: Any, /) -> Tensor:
    """Compute the inverse hyperbolic tangent, elementwise.

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
    Gradient: `1 / (1 - x**2)`. The ends are poles, so where noise reaches `x` the pathwise gradient
    is refused.

    Examples
    --------
    >>> import scg
    >>> scg.arctanh(0.0)
    Tensor(0.)
    """
    ...
