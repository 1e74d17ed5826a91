"""Running sums, products and kin along an axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.special as sp

from scg import _axes
from scg._axes import AxisMap
from scg._op import SMOOTH, op
from scg._typing import DType, Shape
from scg.errors import ShapeError
from scg.kernels import scan as kernels
from scg.ops import _samples
from scg.ops._reduced import check_axes
from scg.tape import NONNEGATIVE

__all__ = ["cumprod", "cumsum", "logcumsumexp"]

_CASES: list[Any] = [
    (((5,),), {"axis": 0}), (((3, 4),), {"axis": 1}), (((3, 4),), {"axis": 0}),
    (((2, 3, 4),), {"axis": -2}), (((2, 3),), {"axis": None}), (((),), {"axis": None}),
    (((),), {"axis": -1}), (((0, 3),), {"axis": 1}), (((1,),), {"axis": -1}),
]  # fmt: skip


def _scan_shape(x: Shape, *, axis: int | None = None, name: str = "scan", **_: Any) -> Shape:
    if axis is None or not x:  # NumPy scans a scalar as a vector of one element
        return (int(np.prod(x)),)
    check_axes(x, axis, name)
    return x


def backwards(x: Any, axis: int) -> Any:
    """Reverse an array or a tensor along an axis."""
    return x[(slice(None),) * (axis % x.ndim) + (slice(None, None, -1),)]


def _along(x: Any, axis: int | None) -> tuple[Any, int]:
    """Return what a scan runs over: all elements in row-major order where the axis is None."""
    return (x.reshape(-1), 0) if axis is None or x.ndim == 0 else (x, axis)


# --- the linear recurrence, which is closed under differentiation ----------------------------


def _shift_shape(x: Shape, *, axis: int = -1, **_: Any) -> Shape:
    check_axes(x, axis, "shift")
    return x


def _shifted(shapes: Sequence[Shape], out: Shape, *, axis: int = -1, **_: Any) -> list[AxisMap]:
    """Keep every axis; on the shifted one, input p reaches output p + 1."""
    axis = axis % len(out)
    return [tuple(_axes.Along(i, -1 if i == axis else 0) for i in range(len(out)))]


def _shift_by_hand(x: Any, fill: float = 0.0, axis: int = -1) -> Any:
    moved = np.moveaxis(np.array(x), axis, -1)
    first = np.full((*moved.shape[:-1], min(1, moved.shape[-1])), fill, moved.dtype)
    return np.moveaxis(np.concatenate([first, moved[..., :-1]], -1), -1, axis)


@op(
    shape=_shift_shape, axes=_shifted, smooth=SMOOTH, reference=_shift_by_hand,
    samples=_samples.arrays(
        (((5,),), {}), (((3, 4),), {"fill": 1.0, "axis": 0}), (((2, 0),), {}), (((1,),), {}),
        ulps=0,
    ),
)  # fmt: skip
def shift(x: Any, /, fill: float = 0.0, axis: int = -1) -> Any:
    """Move every element one place on along an axis; `fill` comes in and the last drops out."""
    y = np.empty_like(x)
    after, before = np.moveaxis(y, axis, 0), np.moveaxis(x, axis, 0)
    after[1:] = before[:-1]
    after[:1] = fill
    return y


@shift.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, fill: float, axis: int) -> Any:
    return backwards(F.shift(backwards(g, axis), fill=0.0, axis=axis), axis)


def _recurrence_by_hand(a: Any, b: Any, axis: int = -1) -> Any:
    rows = zip(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0), strict=True)
    result: list[Any] = []
    for factor, term in rows:
        result.append(factor * result[-1] + term if result else term)
    return np.moveaxis(np.reshape(result, np.moveaxis(b, axis, 0).shape), 0, axis)


def _recurrence_shape(a: Shape, b: Shape, *, axis: int = -1) -> Shape:
    if a != b:
        raise ShapeError(f"scg.linear_recurrence: shapes {a} and {b} differ")
    check_axes(b, axis, "linear_recurrence")
    return b


@op(
    shape=_recurrence_shape, axes=_axes.along_axis, smooth=SMOOTH, reference=_recurrence_by_hand,
    sign=lambda same, a, b: a & b & NONNEGATIVE,
    samples=_samples.arrays(
        (((5,), (5,)), {}), (((3, 4), (3, 4)), {"axis": 0}), (((2, 3, 4), (2, 3, 4)), {"axis": 1}),
        (((0, 3), (0, 3)), {}), (((3, 0), (3, 0)), {}),
        complex_step=True,
    ),
)  # fmt: skip
def linear_recurrence(a: Any, b: Any, /, axis: int = -1) -> Any:
    """Compute `y[i] = a[i] * y[i - 1] + b[i]` along an axis, with `y[0] = b[0]`."""
    return kernels.linear_recurrence(a, b, axis)


@linear_recurrence.vjp
def _(F: Any, g: Any, y: Any, a: Any, _b: Any, *, axis: int) -> Any:
    back = _carried_back(F, a, g, axis)
    return back * F.shift(y, axis=axis), back


def _carried_back(F: Any, a: Any, g: Any, axis: int) -> Any:
    """Return the cotangents of a recurrence's states: `t[i] = a[i + 1] * t[i + 1] + g[i]`."""
    factors = F.shift(backwards(a, axis), axis=axis)
    return backwards(F.linear_recurrence(factors, backwards(g, axis), axis=axis), axis)


# --- the scans -------------------------------------------------------------------------------


@op(
    shape=lambda x, **s: _scan_shape(x, **s, name="cumsum"), axes=_axes.along_axis, smooth=SMOOTH,
    reference=np.cumsum, numpy=(np.cumsum,), sign=lambda same, x: x,
    samples=_samples.arrays(*_CASES, complex_step=True),
)  # fmt: skip
def cumsum(x: Any, /, axis: int | None = None) -> Any:
    """Sum up to and including each element along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means over all elements in row-major order.

    Returns
    -------
    Tensor
        Of the shape of `x`; with one axis where `axis` is None.

    Notes
    -----
    Gradient: the running sum of the cotangent from the end.

    Examples
    --------
    >>> import scg
    >>> scg.cumsum([1.0, 2.0, 3.0])
    Tensor([1., 3., 6.])
    """
    return np.cumsum(x, axis=axis)


@cumsum.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: int | None) -> Any:
    along = 0 if axis is None or _x.ndim == 0 else axis
    return backwards(F.cumsum(backwards(g, along), axis=along), along).reshape(_x.shape)


def _with_zeros(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    """Draw products with no, one and two zero factors."""
    yield from _samples.arrays(*_CASES).cases(rng, dtype)
    for zeros in ([1], [0, 2]):
        x = rng.uniform(-2, 2, (2, 4)).astype(dtype)
        x[0, zeros] = 0
        yield (x,), {"axis": 1}


@op(
    shape=lambda x, **s: _scan_shape(x, **s, name="cumprod"), axes=_axes.along_axis, smooth=SMOOTH,
    reference=np.cumprod, numpy=(np.cumprod,), sign=lambda same, x: x,
    samples=_samples.Samples(_with_zeros, complex_step=True),
)  # fmt: skip
def cumprod(x: Any, /, axis: int | None = None) -> Any:
    """Multiply up to and including each element along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means over all elements in row-major order.

    Returns
    -------
    Tensor
        Of the shape of `x`; with one axis where `axis` is None.

    Notes
    -----
    Gradient: formed by a recurrence from the end, without a division, hence right at zeros and to
    any order.

    Examples
    --------
    >>> import scg
    >>> scg.cumprod([1.0, 2.0, 3.0])
    Tensor([1., 2., 6.])
    """
    return np.cumprod(x, axis=axis)


@cumprod.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: int | None) -> Any:
    row, along = _along(x, axis)
    before = F.shift(y, fill=1.0, axis=along)
    return (before * _carried_back(F, row, g, along)).reshape(x.shape)


def _logcumsumexp(x: Any, axis: int | None = None) -> Any:
    """Sum the exponentials of each beginning afresh."""
    row, along = _along(np.asarray(x), axis)
    lines = np.moveaxis(row, along, 0)
    sums = [sp.logsumexp(lines[: i + 1], axis=0) for i in range(len(lines))]
    return np.moveaxis(np.array(sums, lines.dtype).reshape(lines.shape), 0, along)


@op(
    shape=lambda x, **s: _scan_shape(x, **s, name="logcumsumexp"), axes=_axes.along_axis,
    smooth=SMOOTH, reference=_logcumsumexp, samples=_samples.arrays(*_CASES, complex_step=True),
)  # fmt: skip
def logcumsumexp(x: Any, /, axis: int | None = None) -> Any:
    """Compute log(cumsum(exp(x))) along an axis, without overflow.

    Parameters
    ----------
    x : Tensor or array_like
        Logarithms; -inf stands for 0.
    axis : int, optional
        None means over all elements in row-major order.

    Returns
    -------
    Tensor
        Of the shape of `x`; with one axis where `axis` is None.

    Notes
    -----
    Gradient: `exp(x[j] - y[i])` of element j in result i, summed by a recurrence whose factors
    `exp(y[i] - y[i + 1])` never exceed 1; 0 for terms of -inf.

    Examples
    --------
    >>> import scg
    >>> scg.logcumsumexp([1000.0, 1000.0])
    Tensor([1000.        , 1000.69314718])
    """
    row, along = _along(np.asarray(x), axis)
    return np.logaddexp.accumulate(row, axis=along)


@logcumsumexp.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: int | None) -> Any:
    row, along = _along(x, axis)
    total = F.finite_part(y)
    decay = F.exp(F.shift(y, axis=along) - total)
    return (F.exp(row - total) * _carried_back(F, decay, g, along)).reshape(x.shape)
