"""Reading and writing at an index: `x[index]`, its transpose, and overwriting.

An index is kept in two parts. Slices, integers and None are static; arrays of integers are inputs
of the op, because they may be computed from draws. In the static part `ARRAY` holds their places.
A boolean mask is turned into arrays of integers first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import JUMP, RAW, SMOOTH, Linear, Smoothness, op
from scg._partial import Partial
from scg._typing import DType, Shape
from scg.errors import ShapeError
from scg.ops._samples import Case, Samples
from scg.tape import NONNEGATIVE

__all__ = [
    "ARRAY", "along", "checked_axis", "fill", "getitem", "index_set", "indexed_shape", "positions",
    "scatter",
]  # fmt: skip

ARRAY = "array"


def fill(index: tuple[Any, ...], arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Put the arrays back into the static part."""
    if not arrays:
        return index
    rest = iter(arrays)
    return tuple(next(rest) if entry is ARRAY else entry for entry in index)


def along(axis: int, ndim: int, entry: Any) -> tuple[Any, ...]:
    """Return the index that is `entry` on one axis and everything on those before it."""
    return (*(slice(None),) * (axis % ndim), entry)


def checked_axis(name: str, axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ShapeError(f"scg.{name}: axis {axis}, but there are {ndim} axes")
    return axis % ndim


def indexed_shape(x: Shape, arrays: Sequence[Shape], index: tuple[Any, ...]) -> Shape:
    """Return the shape of `x[index]`, found on an array that takes no memory."""
    zeros = [np.broadcast_to(0, shape) for shape in arrays]
    shape: Shape = np.broadcast_to(False, x)[fill(index, zeros)].shape
    return shape


def _layout(x: Shape, arrays: Sequence[Shape], index: tuple[Any, ...]) -> tuple[AxisMap, int]:
    """Say where each axis of `x` goes, and where the axes of the index arrays begin.

    These stand where the arrays stood if those were neighbours, and first otherwise; an integer
    counts as an array once there is one, and `...` separates even where it stands for no axis.
    """
    width = len(np.broadcast_shapes(*arrays))
    places = [i for i, entry in enumerate(index) if arrays and _is_fancy(entry)]
    together = not places or places[-1] - places[0] == len(places) - 1
    begin: int | None = None if together else 0
    place = 0 if together else width
    maps: list[Along | None] = []
    for entry in _expanded(index, len(x)):
        if entry is None:
            place += 1
        elif isinstance(entry, slice):
            start, _, step = entry.indices(x[len(maps)])
            maps.append(Along(place, start, step))
            place += 1
        else:
            maps.append(None)
            if begin is None:
                begin, place = place, place + width
    return tuple(maps), begin or 0


def _is_fancy(entry: Any) -> bool:
    return entry is ARRAY or isinstance(entry, int)


def _expanded(index: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """Write the slices that `...` stands for, or that are missing at the end."""
    used = sum(entry is not None and entry is not Ellipsis for entry in index)
    missing = (slice(None),) * (ndim - used)
    if Ellipsis not in index:
        return index + missing
    place = index.index(Ellipsis)
    return index[:place] + missing + index[place + 1 :]


def _shifted(maps: Iterable[AxisMap], begin: int) -> list[AxisMap]:
    return [tuple(a and Along(a.axis + begin) for a in entry) for entry in maps]


def _first_only(count: int, **_: Any) -> tuple[Smoothness, ...]:
    return (SMOOTH, *[JUMP] * (count - 1))


def _padded(arrays: Sequence[Any], *cotangents: Any) -> tuple[Any, ...]:
    """Add the None that every index array has for a cotangent."""
    return (*cotangents, *(None,) * len(arrays))


# --- reading ---------------------------------------------------------------------------------


def _getitem_axes(shapes: Sequence[Shape], out: Shape, *, index: tuple[Any, ...]) -> list[AxisMap]:
    x, *arrays = shapes
    maps, begin = _layout(x, arrays, index)
    width = len(np.broadcast_shapes(*arrays))
    return [maps, *_shifted(_axes.elementwise(arrays, out[begin : begin + width]), begin)]


_INDICES: tuple[tuple[Shape, tuple[Any, ...], tuple[Any, ...]], ...] = (
    ((), (), ()), ((), (None,), ()), ((4,), (1,), ()), ((4, 3), (-1,), ()),
    ((4, 3), (slice(None, None, -1), slice(1, None)), ()), ((5, 3), (slice(3, 0, -2), None, 2), ()),
    ((6,), (slice(1, None, 2),), ()), ((0, 3), (slice(None), 1), ()),
    ((4, 3), (ARRAY,), ([2, 0, 2],)), ((4, 3), (slice(None), ARRAY), ([[0, 2], [1, 1]],)),
    ((4, 3), (ARRAY, ARRAY), ([[3], [0]], [1, 2, 1])), ((4, 3), (ARRAY,), (1,)),
    ((3, 4, 2), (1, slice(None, None, 2), ARRAY), ([1, 0, 1],)),
    ((3, 4, 2), (slice(None), 1, ARRAY), ([1, 0, 1],)), ((2, 4), (None, ARRAY), ([1, -1, 1],)),
    ((3, 2, 4), (ARRAY, slice(None), ARRAY), ([0, 2], [3, 3])), ((3, 2), (ARRAY,), ([],)),
    ((2, 3, 4), (slice(None), ARRAY, None, ARRAY), ([0, 2], [3, 3])),
    ((2, 3, 4), (..., ARRAY), ([3, 0, 3],)), ((3, 2), (slice(None), ..., ARRAY), ([1, 0, 0],)),
    ((3, 4, 2), (slice(None), 0, ..., ARRAY), ([0, 1, 1, 0],)),
)  # fmt: skip


def _getitem_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, index, arrays in _INDICES:
        x = np.asarray(rng.uniform(1, 2, shape), dtype)
        yield (x, *[np.asarray(a, np.intp) for a in arrays]), {"index": index}


@op(
    shape=lambda x, *arrays, index: indexed_shape(x, arrays, index),
    axes=_getitem_axes,
    linear=Linear.FIRST, smooth=_first_only, sign=lambda same, x, *_: x, alias=True,
    reference=lambda x, *arrays, index: x[fill(index, arrays)],
    samples=Samples(_getitem_cases, ulps=0, complex_step=True),
)  # fmt: skip
def getitem(x: Any, /, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """Read `x[index]`: a view for a basic index, a copy where arrays take part."""
    return x[fill(index, arrays)]


@getitem.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    if F is not RAW:
        return _padded(arrays, F.scatter(g, *arrays, shape=_x.shape, index=index))
    return _padded(arrays, Partial(g, fill(index, arrays), _x.shape, repeats=bool(arrays)))


# --- writing ---------------------------------------------------------------------------------


def _region_axes(value: Shape, x: Shape, arrays: Sequence[Shape], index: Any) -> AxisMap:
    """Say where the axes of a value written to `x[index]` go: the slices run backwards.

    A slice with a longer step would need a fractional map, so it counts as mixed.
    """
    region = indexed_shape(x, arrays, index)
    inverse: list[Along | None] = [None] * len(region)
    for axis, entry in enumerate(_layout(x, arrays, index)[0]):
        if entry is not None and abs(entry.step) == 1:
            inverse[entry.axis] = Along(axis, -entry.start * entry.step, entry.step)
    offset = len(region) - len(value)
    return tuple(
        inverse[offset + axis] if size == region[offset + axis] else None
        for axis, size in enumerate(value)
    )


def _scatter_axes(
    shapes: Sequence[Shape], out: Shape, *, shape: Shape, index: tuple[Any, ...]
) -> list[AxisMap]:
    value, *arrays = shapes
    return [_region_axes(value, shape, arrays, index), *_axes.mixed(arrays, out)]


def _scatter_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, index, arrays in _INDICES:
        given = [np.asarray(a, np.intp) for a in arrays]
        region = indexed_shape(shape, [a.shape for a in given], index)
        g = np.asarray(rng.uniform(1, 2, region), dtype)
        yield (g, *given), {"shape": shape, "index": index}


def _scatter_reference(g: Any, *arrays: Any, shape: Shape, index: tuple[Any, ...]) -> Any:
    """Add the elements one by one."""
    places = np.arange(int(np.prod(shape))).reshape(shape)[fill(index, arrays)]
    z = np.zeros(int(np.prod(shape)))
    for place, value in zip(places.ravel(), np.ravel(g), strict=True):
        z[place] += value
    return z.reshape(shape)


@op(
    shape=lambda g, *arrays, shape, index: shape, axes=_scatter_axes,
    smooth=_first_only, sign=lambda same, g, *_: g & NONNEGATIVE, reference=_scatter_reference,
    samples=Samples(_scatter_cases),
)  # fmt: skip
def scatter(g: Any, /, *arrays: Any, shape: Shape, index: tuple[Any, ...]) -> Any:
    """Add `g` to zeros at an index, once for every time that an element is named."""
    z = np.zeros(shape, g.dtype)
    if arrays:
        np.add.at(z, fill(index, arrays), g)
    else:
        z[index] = g
    return z


@scatter.vjp
def _(F: Any, g: Any, _y: Any, _g: Any, *arrays: Any, shape: Shape, index: Any) -> Any:
    return _padded(arrays, F.getitem(g, *arrays, index=index))


def _in_rows(arrays: Sequence[Any]) -> list[Any]:
    """Lay index arrays out row by row: NumPy writes in the order of memory, from its low end."""
    return [np.asarray(a, order="C") for a in arrays]


def _set_axes(shapes: Sequence[Shape], out: Shape, *, index: tuple[Any, ...]) -> list[AxisMap]:
    x, value, *arrays = shapes
    kept = tuple(Along(axis) for axis in range(len(x)))
    return [kept, _region_axes(value, x, arrays, index), *_axes.mixed(arrays, out)]


def _set_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for (x, *arrays), statics in _getitem_cases(rng, dtype):
        region = indexed_shape(x.shape, [a.shape for a in arrays], statics["index"])
        for shape in {region, region[1:], ()}:
            yield (x, np.asarray(rng.uniform(-2, -1, shape), dtype), *arrays), statics


def _set_reference(x: Any, value: Any, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """Write the elements one by one."""
    places = np.arange(x.size).reshape(x.shape)[fill(index, arrays)]
    z = np.array(x).ravel()
    for place, new in zip(places.ravel(), np.broadcast_to(value, places.shape).flat, strict=True):
        z[place] = new
    return z.reshape(x.shape)


@op(
    shape=lambda x, value, *arrays, index: x, axes=_set_axes,
    smooth=lambda count, **_: (SMOOTH, *_first_only(count - 1)),
    sign=lambda same, x, value, *_: x & value, reference=_set_reference,
    samples=Samples(_set_cases, ulps=0),
)  # fmt: skip
def index_set(x: Any, value: Any, /, *arrays: Any, index: tuple[Any, ...]) -> Any:
    """Return a copy of `x` with `value` at an index; of two writers to one place the last wins."""
    full = fill(index, _in_rows(arrays))
    out = np.array(x, np.result_type(x, value))
    # Assigning would also accept leading axes of size 1 that the value has too many.
    out[full] = np.broadcast_to(np.asarray(value, order="C"), out[full].shape)
    return out


@index_set.vjp
def _(
    F: Any, g: Any, needs: Sequence[bool], _y: Any, _x: Any, _value: Any, *arrays: Any,
    index: tuple[Any, ...],
) -> Any:  # fmt: skip
    gx = F.index_set(g, 0.0, *arrays, index=index) if needs[0] else None
    gv = F.getitem(g, *arrays, index=index) if needs[1] else None
    if arrays and needs[1]:
        gv = F.where(F.last_writer(*arrays, shape=_x.shape, index=index), gv, 0.0)
    return _padded(arrays, gx, gv)


def _writer_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for (_, *arrays), statics in _scatter_cases(rng, dtype):
        if arrays:
            yield tuple(arrays), statics


def _writer_reference(*arrays: Any, shape: Shape, index: tuple[Any, ...]) -> Any:
    places = np.arange(int(np.prod(shape))).reshape(shape)[fill(index, arrays)]
    flat = places.ravel().tolist()
    last = [place not in flat[number + 1 :] for number, place in enumerate(flat)]
    return np.array(last, bool).reshape(places.shape)


@op(
    shape=lambda *arrays, shape, index: indexed_shape(shape, arrays, index),
    smooth=JUMP, reference=_writer_reference, samples=Samples(_writer_cases),
)  # fmt: skip
def last_writer(*arrays: Any, shape: Shape, index: tuple[Any, ...]) -> Any:
    """Tell which of the elements written at an index are not overwritten by a later one."""
    full = fill(index, _in_rows(arrays))
    writer = np.empty(shape, np.intp)
    numbers = np.arange(np.prod(writer[full].shape, dtype=np.intp)).reshape(writer[full].shape)
    writer[full] = numbers
    return writer[full] == numbers


# --- indices whose number depends on values --------------------------------------------------


def _position_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    # One position each: with more, changing a count changes the shape, and the tests of axis rules
    # would have nothing to compare. Masks with more are tested through `x[mask]`.
    for counts in (np.array([0, 1, 0]), np.array([[False, False], [True, False]])):
        for axis in range(counts.ndim):
            yield (counts,), {"axis": axis, "total": 1}
    yield (np.array([4]),), {"axis": 0, "total": 4}
    yield (np.zeros((0, 2), bool),), {"axis": 1, "total": 0}


def _positions_shape(counts: Shape, *, axis: int, total: int) -> Shape:
    checked_axis("positions", axis, len(counts))
    return (total,)


def _position_reference(counts: Any, axis: int, total: int) -> Any:
    times = zip(np.ndindex(counts.shape), counts.ravel().tolist(), strict=True)
    return np.array([place[axis] for place, count in times for _ in range(count)], np.intp)


@op(
    shape=_positions_shape, smooth=JUMP,
    reference=_position_reference, samples=Samples(_position_cases),
)  # fmt: skip
def positions(counts: Any, /, axis: int, total: int) -> Any:
    """Return the index along `axis` of each element, `counts` times, in row-major order.

    For a mask these are the places where it is true. `total`, their number, is static: whoever
    calls this has looked at the values and noted the escape.
    """
    flat = np.repeat(np.arange(counts.size), counts.reshape(-1))
    return np.unravel_index(flat, counts.shape)[axis]
