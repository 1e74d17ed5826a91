"""Order along an axis: sort, argsort, topk."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from scg import _axes
from scg._op import JUMP, KINK, OPS, RAW, SMOOTH, op
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.errors import ShapeError
from scg.ops import _samples
from scg.ops._reduced import check_axes

__all__ = ["TopK", "argsort", "sort", "topk"]

_CASES: list[Any] = [
    (((5,),), {}), (((3, 4),), {"axis": 0}), (((2, 3, 4),), {"axis": 1}),
    (((2, 3),), {"axis": None}), (((0, 3),), {}), (((3, 0),), {}), (((1,),), {}),
    (((),), {"axis": None}),
]  # fmt: skip


def _sorted_shape(x: Shape, *, axis: int | None = -1, name: str = "sort") -> Shape:
    if axis is None:
        return (int(np.prod(x)),)
    check_axes(x, axis, name)
    return x


# --- equal elements share --------------------------------------------------------------------


def _tie_mean_by_hand(g: Any, y: Any, axis: int = -1) -> Any:
    result = np.array(g)
    for index in np.ndindex(*np.delete(np.shape(g), axis)):
        place = (*index[: axis % np.ndim(g)], slice(None), *index[axis % np.ndim(g) :])
        row, values = np.array(g)[place], np.array(y)[place]
        starts = [i for i, v in enumerate(values) if i == 0 or v != values[i - 1]]
        runs = [slice(*ends) for ends in pairwise([*starts, len(row)])]
        result[place] = [row[run].mean() for run in runs for _ in row[run]]
    return result


def _tie_shape(g: Shape, y: Shape, *, axis: int = -1) -> Shape:
    if g != y:
        raise ShapeError(f"scg.tie_mean: shapes {g} and {y} differ")
    check_axes(g, axis, "tie_mean")
    return g


def _tied(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    for shape, axis in (((6,), -1), ((3, 5), 0), ((2, 5, 2), 1), ((0, 3), -1), ((3, 0), -1)):
        y = np.sort(rng.integers(0, 3, shape), axis).astype(dtype)
        yield (rng.normal(size=shape).astype(dtype), y), {"axis": axis}


@op(
    shape=_tie_shape, axes=_axes.along_axis, smooth=(SMOOTH, JUMP),
    reference=_tie_mean_by_hand, samples=_samples.Samples(_tied),
)  # fmt: skip
def tie_mean(g: Any, y: Any, /, axis: int = -1) -> Any:
    """Average `g` over every run of equal elements of `y` along an axis."""
    values = np.moveaxis(y, axis, -1)
    first = np.ones(values.shape, bool)
    np.not_equal(values[..., 1:], values[..., :-1], out=first[..., 1:])
    if first.all():
        return g
    run = np.cumsum(first) - 1
    rows = np.ascontiguousarray(np.moveaxis(g, axis, -1)).reshape(-1)
    totals = np.add.reduceat(rows, np.flatnonzero(first))
    means = totals / np.bincount(run).astype(g.dtype)
    return np.moveaxis(means[run].reshape(values.shape), -1, axis)


@tie_mean.vjp
def _(F: Any, g: Any, _y: Any, _g: Any, y: Any, *, axis: int) -> Any:
    # Averaging over runs is an orthogonal projection, hence its own transpose.
    return F.tie_mean(g, y, axis=axis), None


# --- sort ------------------------------------------------------------------------------------


@op(
    shape=_sorted_shape, axes=_axes.along_axis, smooth=KINK, reference=np.sort, numpy=(np.sort,),
    sign=lambda same, x: x, samples=_samples.arrays(*_CASES, ulps=0),
)  # fmt: skip
def sort(x: Any, /, axis: int | None = -1) -> Any:
    """Sort along an axis, smallest first.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means all elements.

    Returns
    -------
    Tensor
        Of the shape of `x`, or with one axis where `axis` is None. NaN comes last.

    Notes
    -----
    Gradient: each cotangent goes to the element it belongs to; equal elements share theirs.

    Examples
    --------
    >>> import scg
    >>> scg.sort([3.0, 1.0, 2.0])
    Tensor([1., 2., 3.])
    """
    return np.sort(x, axis=axis)


@sort.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: int | None) -> Any:
    row, along = (x.reshape(-1), 0) if axis is None else (x, axis)
    shares = F.tie_mean(g, y, axis=along)
    if F is RAW:
        return _unsorted(shares, row, along).reshape(x.shape)
    order = F.argsort(row, axis=along)
    return F.scatter_along_axis(shares, order, shape=row.shape, axis=along).reshape(x.shape)


def _unsorted(g: Array, x: Array, axis: int) -> Array:
    """Return what belongs to the sorted elements of `x` in the order of `x`.

    Equal elements must have equal shares: then any order among them will do, and that is found in
    half the time of the stable one.
    """
    rows = np.moveaxis(x, axis, -1)
    place = np.argsort(rows, axis=-1)
    if place.size:  # numbers of elements instead of places in a row: one index is written fastest
        place += np.arange(0, place.size, place.shape[-1]).reshape(*place.shape[:-1], 1)
    back = np.empty(place.size, g.dtype)
    back[place.reshape(-1)] = np.moveaxis(g, axis, -1).reshape(-1)
    return np.moveaxis(back.reshape(place.shape), -1, axis)


@op(
    shape=lambda x, *, axis=-1: _sorted_shape(x, axis=axis, name="argsort"),
    axes=_axes.along_axis, smooth=JUMP, reference=np.argsort, numpy=(np.argsort,),
    samples=_samples.arrays(*_CASES, low=1.0, high=1.005),
)  # fmt: skip
def argsort(x: Any, /, axis: int | None = -1) -> Any:
    """Find the indices that sort along an axis, smallest first.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means indices into all elements in row-major order.

    Returns
    -------
    Tensor of int
        Equal elements keep their order.

    Notes
    -----
    A jump: it passes no gradient.

    Examples
    --------
    >>> import scg
    >>> scg.argsort([3.0, 1.0, 2.0])
    Tensor([1, 2, 0], dtype=int64)
    """
    _sorted_shape(x.shape, axis=axis, name="argsort")  # NumPy finds axis 0 in a number
    return np.argsort(x, axis=axis, stable=True)


# --- topk ------------------------------------------------------------------------------------


class TopK(NamedTuple):
    """The largest elements along an axis and where they are.

    Examples
    --------
    >>> import scg
    >>> scg.topk([3.0, 1.0, 2.0], 1).indices
    Tensor([0], dtype=int64)
    """

    values: Tensor
    indices: Tensor


def _topk_shape(x: Shape, *, k: int, axis: int = -1) -> Shape:
    (along,) = check_axes(x, axis, "topk")
    if not 0 <= k <= x[along]:
        raise ShapeError(f"scg.topk: k={k} of {x[along]} elements along axis {axis} of shape {x}")
    return (*x[:along], k, *x[along + 1 :])


def _head(x: Any, k: int, axis: int) -> Any:
    """Return the first k along an axis."""
    return x[(slice(None),) * (axis % x.ndim) + (slice(k),)]


def _largest(x: Any, k: int, axis: int = -1) -> Any:
    return np.take_along_axis(x, _largest_at(x, k, axis), axis)


def _largest_at(x: Any, k: int, axis: int = -1) -> Any:
    order = np.lexsort((-x, ~np.isnan(x)), axis=axis)  # NaN first, then from large to small
    return np.take(order, range(k), axis=axis)


_TOP: list[Any] = [
    (((5,),), {"k": 2}), (((3, 4),), {"k": 3, "axis": 0}), (((2, 3, 4),), {"k": 1, "axis": 1}),
    (((4,),), {"k": 4}), (((4,),), {"k": 0}), (((0, 3),), {"k": 2}),
]  # fmt: skip


@op(
    name="topk", shape=_topk_shape, axes=_axes.along_axis, smooth=KINK, reference=_largest,
    sign=lambda same, x: x, samples=_samples.arrays(*_TOP, ulps=0),
)  # fmt: skip
def _topk(x: Any, /, k: int, axis: int = -1) -> Any:
    """Find the k largest elements along an axis and where they are."""
    x = np.asarray(x)
    _topk_shape(x.shape, k=k, axis=axis)
    return _head(np.flip(np.sort(x, axis=axis), axis), k, axis)


@_topk.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, k: int, axis: int) -> Any:
    # Elements equal to the last of the k share its cotangent, so the whole order is needed.
    if F is RAW:
        padded = np.zeros(x.shape, g.dtype)
        _head(np.flip(padded, axis), k, axis)[...] = g
        return _unsorted(F.tie_mean(padded, np.sort(x, axis=axis), axis=axis), x, axis)
    n = x.shape[axis]
    places = np.expand_dims(np.arange(k), [i for i in range(x.ndim) if i != axis % x.ndim])
    padded = F.scatter_along_axis(g, np.broadcast_to(places, g.shape), shape=x.shape, axis=axis)
    shares = F.tie_mean(padded, F.topk(x, k=n, axis=axis), axis=axis)
    order = F.topk_indices(x, k=n, axis=axis)
    return F.scatter_along_axis(shares, order, shape=x.shape, axis=axis)


@op(
    shape=_topk_shape, axes=_axes.along_axis, smooth=JUMP, reference=_largest_at,
    samples=_samples.arrays(*_TOP, low=1.0, high=1.005),
)  # fmt: skip
def topk_indices(x: Any, /, k: int, axis: int = -1) -> Any:
    """Find where the k largest elements along an axis are; of equal ones the first."""
    x = np.asarray(x)
    _topk_shape(x.shape, k=k, axis=axis)
    # Sorted backwards from the end, equal elements keep their order; negating could overflow.
    from_end = np.argsort(np.flip(x, axis), axis=axis, stable=True)
    return _head(x.shape[axis] - 1 - np.flip(from_end, axis), k, axis)


def topk(x: Any, k: int, axis: int = -1) -> TopK:
    """Find the k largest elements along an axis and where they are.

    Parameters
    ----------
    x : Tensor or array_like
    k : int
        How many, at most the size of the axis.
    axis : int

    Returns
    -------
    values : Tensor
        Largest first, k along `axis`; NaN counts as larger than any number, as in `sort`.
    indices : Tensor of int
        Of equal elements the first.

    Raises
    ------
    ShapeError
        If there are fewer than k elements.

    Notes
    -----
    Gradient of the values: as for `sort`, so elements that tie with the last value share its
    cotangent. The indices are a jump and pass none.

    Examples
    --------
    >>> import scg
    >>> values, indices = scg.topk([3.0, 1.0, 2.0], 2)
    >>> values
    Tensor([3., 2.])
    """
    values = OPS["topk"].public(x, k=k, axis=axis)
    return TopK(values, OPS["topk_indices"].public(x, k=k, axis=axis))
