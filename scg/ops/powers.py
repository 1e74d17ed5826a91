"""Powers: an exponent that is a number says more about smoothness and sign than one that varies."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg import _axes
from scg._elementwise import elementwise
from scg._op import OPS, POLE, SMOOTH, Smoothness, op, stands_for
from scg._tensor import Tensor
from scg.ops import _samples
from scg.ops.arithmetic import multiply, reciprocal, square
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["power"]


@elementwise(
    name="power", y="power(a, b)", da="b * power(a, b - 1)", db="xlogy(y, a)", ufunc=np.power,
    # 0**b jumps at b = 0 too, so that only a positive base makes the exponent smooth.
    smooth=POLE, pole_safe=lambda a, b: (a & POSITIVE,) * 2,
    sign=lambda same, a, b: POSITIVE | NONNEGATIVE if a & POSITIVE else 0,
    samples=_samples.elementwise((0.5, 3), (-2, 2), complex_step=True),
)  # fmt: skip
def _power(a: Any, b: Any, /) -> Tensor:
    """Raise to a power that varies."""
    ...


def _smoothness(count: int, exponent: float) -> tuple[Smoothness, ...]:
    return (SMOOTH if exponent >= 0 and float(exponent).is_integer() else POLE,)


def _shape(x: Any, *, exponent: float) -> Any:
    return x


@op(
    name="constant_power", shape=_shape, axes=_axes.elementwise, smooth=_smoothness,
    sign=lambda same, x: x, reference=lambda x, exponent: np.power(x, exponent),
    samples=_samples.elementwise(
        (0.5, 3), statics=[{"exponent": p} for p in (1.5, 3, 5.0, -3, -0.5)],
        complex_step=True,
    ),
)  # fmt: skip
def _constant_power(x: Any, /, exponent: float) -> Any:
    """Raise to a power that is a number."""
    return np.asarray(x) ** exponent  # the operator takes squares and roots by shorter ways


@_constant_power.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, exponent: float) -> Any:
    if exponent == 1:  # not 1 * x**0, whose own derivative would be 0 * x**-1
        return g
    return g * (exponent * F.constant_power(x, exponent=exponent - 1))


@stands_for(_power)
def power(a: Any, b: Any, /) -> Tensor:
    """Raise `a` to the power `b`, elementwise; `a ** b` is the same.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other. A negative `a` with a fractional `b` gives NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `b * a**(b - 1)` and `a**b * log(a)`, the latter 0 where `a = 0 < b`. A number `b`
    that is a non-negative integer makes a polynomial, smooth everywhere; with any other `b` zero is
    a pole: where noise can reach it, the pathwise gradient is refused unless `a` is known to be
    positive.

    Examples
    --------
    >>> import scg
    >>> scg.tensor([1.0, 2.0, 3.0]) ** 3
    Tensor([ 1.,  8., 27.])
    """
    if a.__class__ is Tensor and a.dtype.kind == "f":
        if b.__class__ is float or b.__class__ is int:
            return _of_number(a, b)
        if isinstance(b, np.number) and np.result_type(a.dtype, b.dtype) == a.dtype:
            return power(a, b.item())
    return _power(a, b)


def _of_number(x: Tensor, exponent: float) -> Tensor:
    if exponent == 2:
        return square(x)
    if exponent == 1:
        return multiply(x, 1.0)
    if exponent == 0:
        return Tensor(np.ones_like(x._data))
    if exponent == 0.5:
        return OPS["sqrt"].public(x)  # type: ignore[no-any-return]
    if exponent == -1:
        return reciprocal(x)
    if exponent % 2 == 0:  # a square is known to be non-negative, which may exclude a pole
        return square(_of_number(x, exponent / 2))
    return _constant_power(x, exponent)
