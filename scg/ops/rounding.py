"""Rounding, remainders and signs: jumps, through which no gradient flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import JUMP
from scg._tensor import Tensor
from scg.ops import _samples

__all__ = ["ceil", "floor", "floor_divide", "mod", "round", "sign", "trunc"]


@elementwise(
    y="floor(x)", ufunc=np.floor, smooth=JUMP, samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def floor(x: Any, /) -> Tensor:
    """Round down, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.floor([-1.5, 1.5])
    Tensor([-2.,  1.])
    """
    ...


@elementwise(
    y="ceil(x)", ufunc=np.ceil, smooth=JUMP, samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def ceil(x: Any, /) -> Tensor:
    """Round up, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.ceil([-1.5, 1.5])
    Tensor([-1.,  2.])
    """
    ...


@elementwise(
    y="trunc(x)", ufunc=np.trunc, smooth=JUMP, numpy=(np.fix,),
    samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def trunc(x: Any, /) -> Tensor:
    """Round towards zero, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.trunc([-1.5, 1.5])
    Tensor([-1.,  1.])
    """
    ...


def _round(x: Any, decimals: int = 0) -> Any:
    return np.round(x, decimals) if decimals else np.rint(x)


@elementwise(
    y="round(x, decimals)", ufunc=_round, smooth=JUMP, reference=np.round,
    numpy=(np.round, np.around, np.rint),
    samples=_samples.elementwise((-3, 3), edges=(0.5, 1.5, *_samples.MODERATE),
        statics=[{}, {"decimals": 1}]),
)  # fmt: skip
def round(x: Any, /, decimals: int = 0) -> Tensor:
    """Round to the nearest number with some decimals, ties to even, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
    decimals : int
        Negative ones round before the decimal point.

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.round([0.5, 1.5, 2.6])
    Tensor([0., 2., 3.])
    """
    ...


@elementwise(
    # abs, for the sign of -0.0 is 0.0, and that of NaN is NaN.
    y="where(x > 0, 1, where(x < 0, -1, abs(x)))", ufunc=np.sign, smooth=JUMP,
    sign=lambda same, x: x, samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def sign(x: Any, /) -> Tensor:
    """Return -1, 0 or 1 as `x` is negative, zero or positive, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.sign([-2.0, 0.0, 3.0])
    Tensor([-1.,  0.,  1.])
    """
    ...


@elementwise(
    y="mod(a, b)", da="1", db="-floor_divide(a, b)", ufunc=np.mod, smooth=JUMP,
    slope_between_jumps=True,
    samples=_samples.elementwise((-3, 3), (0.5, 3)),
)  # fmt: skip
def mod(a: Any, b: Any, /) -> Tensor:
    """Return the remainder of `a / b` with the sign of `b`, elementwise; `a % b` is the same.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 and `-floor(a / b)`, almost everywhere. There is a jump at every multiple of `b`:
    where noise can cross it, the pathwise gradient is refused.

    Examples
    --------
    >>> import scg
    >>> scg.mod([-1.0, 5.0], 3.0)
    Tensor([2., 2.])
    """
    ...


@elementwise(
    y="floor(a / b)", ufunc=np.floor_divide, smooth=JUMP,
    samples=_samples.elementwise((-3, 3), (0.5, 3)),
)  # fmt: skip
def floor_divide(a: Any, b: Any, /) -> Tensor:
    """Divide and round down, elementwise; `a // b` is the same.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.floor_divide([-1.0, 5.0], 3.0)
    Tensor([-1.,  1.])
    """
    ...
