"""Arithmetic: what the operators `+ - * / ** -x` do."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import POLE, SMOOTH, Linear
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["add", "divide", "multiply", "negative", "reciprocal", "square", "subtract"]

_BOTH = POSITIVE | NONNEGATIVE


def _sum_sign(same: bool, a: int, b: int) -> int:
    """Tell the sign of a sum: one positive term and one non-negative give a positive sum."""
    if a & NONNEGATIVE and b & NONNEGATIVE:
        return _BOTH if (a | b) & POSITIVE else NONNEGATIVE
    return 0


def _product_sign(same: bool, a: int, b: int) -> int:
    return NONNEGATIVE if same else a & b


def _quotient_sign(same: bool, a: int, b: int) -> int:
    return a & b if b & POSITIVE else 0


@elementwise(
    y="a + b", da="1", db="1", linear=Linear.MOVES, ufunc=np.add, sign=_sum_sign,
    samples=_samples.elementwise((-3, 3), (-3, 3), complex_step=True),
)  # fmt: skip
def add(a: Any, b: Any, /) -> Tensor:
    """Add, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 for both.

    Examples
    --------
    >>> import scg
    >>> scg.add([1.0, 2.0], 3.0)
    Tensor([4., 5.])
    """
    ...


@elementwise(
    y="a - b", da="1", db="-1", linear=Linear.MOVES, ufunc=np.subtract,
    samples=_samples.elementwise((-3, 3), (-3, 3), complex_step=True),
)  # fmt: skip
def subtract(a: Any, b: Any, /) -> Tensor:
    """Subtract `b` from `a`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 and -1.

    Examples
    --------
    >>> import scg
    >>> scg.subtract([1.0, 2.0], 3.0)
    Tensor([-2., -1.])
    """
    ...


@elementwise(
    y="a * b", da="b", db="a", linear=Linear.EACH, ufunc=np.multiply, sign=_product_sign,
    samples=_samples.elementwise((-3, 3), (-3, 3), complex_step=True),
)  # fmt: skip
def multiply(a: Any, b: Any, /) -> Tensor:
    """Multiply, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `b` and `a`.

    Examples
    --------
    >>> import scg
    >>> scg.multiply([1.0, 2.0], 3.0)
    Tensor([3., 6.])
    """
    ...


@elementwise(
    y="a / b", da="1 / b", db="-y / b",
    linear=Linear.FIRST, ufunc=np.divide, smooth=(SMOOTH, POLE), sign=_quotient_sign,
    samples=_samples.elementwise((-3, 3), (0.5, 3), complex_step=True),
)  # fmt: skip
def divide(a: Any, b: Any, /) -> Tensor:
    """Divide `a` by `b`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other. Integers divide to floating point.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / b` and `-a / b**2`. `b = 0` is a pole: where noise can reach it, the pathwise
    gradient is refused unless `b` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.divide([1.0, 2.0], 4.0)
    Tensor([0.25, 0.5 ])
    """
    ...


@elementwise(
    y="-x", dx="-1", linear=Linear.MOVES, ufunc=np.negative,
    samples=_samples.elementwise((-3, 3), complex_step=True, ulps=0),
)  # fmt: skip
def negative(x: Any, /) -> Tensor:
    """Change the sign, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: -1.

    Examples
    --------
    >>> import scg
    >>> scg.negative([1.0, -2.0])
    Tensor([-1.,  2.])
    """
    ...


@elementwise(
    y="x * x", dx="2 * x", ufunc=np.square, sign=NONNEGATIVE,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def square(x: Any, /) -> Tensor:
    """Square, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `2 * x`.

    Examples
    --------
    >>> import scg
    >>> scg.square([1.0, -2.0])
    Tensor([1., 4.])
    """
    ...


@elementwise(
    y="1 / x", dx="-y * y", library=np.reciprocal, kernel_from=8192, smooth=POLE,
    sign=lambda same, x: x,
    samples=_samples.elementwise((0.5, 3), complex_step=True),
)  # fmt: skip
def reciprocal(x: Any, /) -> Tensor:
    """Compute `1 / x`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Integers divide to floating point.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `-1 / x**2`. Zero is a pole: where noise can reach it, the pathwise gradient is
    refused unless `x` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.reciprocal([1.0, 4.0])
    Tensor([1.  , 0.25])
    """
    ...
