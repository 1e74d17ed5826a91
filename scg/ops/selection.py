"""Magnitudes and choices: abs, maximum, minimum, clip, where."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import JUMP, KINK, SMOOTH, Smoothness, stands_for
from scg._tensor import Tensor, as_tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE

__all__ = ["abs", "clip", "maximum", "minimum", "where"]


@elementwise(
    y="abs(x)", dx="where(x > 0, g, where(x < 0, -g, 0))", ufunc=np.absolute, smooth=KINK,
    sign=lambda same, x: x | NONNEGATIVE, numpy=(np.fabs,),
    samples=_samples.elementwise((0.5, 3), ulps=0),
)  # fmt: skip
def abs(x: Any, /) -> Tensor:
    """Compute the absolute value, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Non-negative.

    Notes
    -----
    Gradient: the sign of `x`, which is 0 at 0.

    Examples
    --------
    >>> import scg
    >>> scg.abs([-2.0, 3.0])
    Tensor([2., 3.])
    """
    ...


@elementwise(
    y="where(a > b, a, where(a == a, b, a))",
    da="where(a > b, g, where(a == b, 0.5 * g, 0))",
    db="where(b > a, g, where(a == b, 0.5 * g, 0))",
    ufunc=np.maximum, smooth=KINK, sign=lambda same, a, b: a | b,
    samples=_samples.elementwise((-3, 3), (-3, 3), ulps=0),
)  # fmt: skip
def maximum(a: Any, b: Any, /) -> Tensor:
    """Take the larger of two values, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other. NaN in either gives NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: goes to the larger; at ties, one half to each.

    Examples
    --------
    >>> import scg
    >>> scg.maximum([1.0, 4.0], 2.0)
    Tensor([2., 4.])
    """
    ...


@elementwise(
    y="where(a < b, a, where(a == a, b, a))",
    da="where(a < b, g, where(a == b, 0.5 * g, 0))",
    db="where(b < a, g, where(a == b, 0.5 * g, 0))",
    ufunc=np.minimum, smooth=KINK, sign=lambda same, a, b: a & b,
    samples=_samples.elementwise((-3, 3), (-3, 3), ulps=0),
)  # fmt: skip
def minimum(a: Any, b: Any, /) -> Tensor:
    """Take the smaller of two values, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other. NaN in either gives NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: goes to the smaller; at ties, one half to each.

    Examples
    --------
    >>> import scg
    >>> scg.minimum([1.0, 4.0], 2.0)
    Tensor([1., 2.])
    """
    ...


@elementwise(
    name="clip",
    y="where(x > min, where(x < max, x, max), where(x == x, where(min > max, max, min), x))",
    dx="where(x > min, where(x < max, g, where(x == max, 0.5 * g, 0)), "
       "where(x == min, where(x < max, 0.5 * g, 0), 0))",
    library=lambda x, min, max: np.minimum(np.maximum(x, min), max), smooth=KINK, reference=np.clip,
    numpy=(np.clip,),
    samples=_samples.elementwise((-0.9, 0.9), statics=[{"min": -1.0, "max": 2.5}], ulps=0),
)  # fmt: skip
def _clip(x: Any, /, min: float, max: float) -> Tensor:
    """Restrict to an interval whose ends are numbers, in one pass."""
    ...


@stands_for(_clip)
def clip(x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """Restrict values to an interval, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
    min, max : Tensor or array_like, optional
        Ends of the interval; None leaves that side open.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 inside and 0 outside; at an end, one half, the other half going to that end.

    Examples
    --------
    >>> import scg
    >>> scg.clip([-2.0, 0.5, 7.0], 0.0, max=1.0)
    Tensor([0. , 0.5, 1. ])
    """
    x = as_tensor(x)
    if _is_number(min) and _is_number(max) and x.dtype.kind == "f":
        return _clip(x, min=min, max=max)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def _is_number(value: Any) -> bool:
    return value.__class__ is float or value.__class__ is int


def _where_smoothness(count: int, continuous: bool = False) -> tuple[Smoothness, ...]:
    return (KINK if continuous else JUMP, SMOOTH, SMOOTH)


def _choose(c: Any, a: Any, b: Any, continuous: bool = False) -> Any:
    return np.where(c, a, b)


def _where_samples() -> Any:
    """Make the condition random booleans; the values any numbers."""
    drawn = _samples.elementwise((-1, 1), (-3, 3), (-3, 3), edges=_samples.MODERATE)

    def boolean(cases: Any) -> Any:
        for (c, *values), statics in cases:
            yield (c > 0, *values), statics

    return _samples.Samples(
        lambda rng, dtype: boolean(drawn.cases(rng, dtype)),
        lambda dtype: boolean(drawn.edges(dtype)),
        ulps=0,
    )


@elementwise(
    y="where(c, a, b)", da="where(c, g, 0)", db="where(c, 0, g)", ufunc=_choose,
    smooth=_where_smoothness, sign=lambda same, c, a, b: a & b, reference=_choose,
    numpy=(np.where,), samples=_where_samples(),
)  # fmt: skip
def where(c: Any, a: Any, b: Any, /, *, continuous: bool = False) -> Tensor:
    """Choose from `a` where the condition holds and from `b` elsewhere.

    Parameters
    ----------
    c : Tensor or array_like
        Condition.
    a, b : Tensor or array_like
        Broadcast against `c` and each other.
    continuous : bool
        Your assertion that `a` and `b` agree wherever the condition changes, so that a pathwise
        gradient stays right although the condition is a jump.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: goes to the chosen side; none to the condition. The side not chosen is computed too:
    an infinite slope there times its zero cotangent is NaN, so keep its argument in its domain.

    Examples
    --------
    >>> import scg
    >>> scg.where([True, False], 1.0, [2.0, 3.0])
    Tensor([1., 3.])
    """
    ...
