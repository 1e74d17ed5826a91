"""Axis alignment: which output index an input index can reach, axis by axis.

A rule maps `(input shapes, output shape, **statics)` to one tuple per input with one entry per
input axis. An entry `Along(axis, start, step)` says: element `p` on this input axis reaches only
outputs whose index `q` on output `axis` satisfies `p = start + step * q`. None says mixed: it may
reach any output. Unknown is always None, which costs variance and never correctness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from scg._typing import Axis, Shape

__all__ = ["Along", "AxisMap", "AxisRule", "elementwise", "mixed", "normalize_axes", "reduced"]


class Along(NamedTuple):
    """Where an input axis goes: the output axis, and the index map `start + step * q`."""

    axis: int
    start: int = 0
    step: int = 1


AxisMap: TypeAlias = tuple[Along | None, ...]
AxisRule: TypeAlias = Callable[..., Sequence[AxisMap]]


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return `axis` as a sorted tuple of non-negative axes; None means all."""
    if axis is None:
        return tuple(range(ndim))
    given = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    return tuple(sorted(a + ndim if a < 0 else a for a in given))


def elementwise(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep every axis that is not repeated by broadcasting."""
    return [_broadcast(shape, out) for shape in shapes]


def _broadcast(shape: Shape, out: Shape) -> AxisMap:
    offset = len(out) - len(shape)
    return tuple(
        Along(offset + axis) if size == out[offset + axis] else None
        for axis, size in enumerate(shape)
    )


def mixed(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep nothing."""
    return [(None,) * len(shape) for shape in shapes]


def reduced(
    shapes: Sequence[Shape], out: Shape, *, axis: Axis = None, keepdims: bool = False, **_: Any
) -> list[AxisMap]:
    """Keep the axes that a reduction leaves."""
    gone = normalize_axes(axis, len(shapes[0]))
    maps: list[Along | None] = []
    place = 0
    for index in range(len(shapes[0])):
        if index in gone:
            maps.append(None)
            place += keepdims
        else:
            maps.append(Along(place))
            place += 1
    return [tuple(maps)] + [(None,) * len(shape) for shape in shapes[1:]]


def along_axis(shapes: Sequence[Shape], out: Shape, *, axis: int = -1, **_: Any) -> list[AxisMap]:
    """Keep every axis but the one along which the op works (cumsum, sort, softmax)."""
    maps: list[AxisMap] = []
    for shape in shapes:
        mixed_axes = normalize_axes(axis, len(shape))
        maps.append(tuple(None if i in mixed_axes else Along(i) for i in range(len(shape))))
    return maps


def reshaped(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep an axis of a reshape when the sizes before it and of it are unchanged."""
    return [_reshape(shape, out) for shape in shapes]


def _reshape(shape: Shape, out: Shape) -> AxisMap:
    starts = {(before, size): axis for axis, (before, size) in enumerate(_prefixes(out))}
    found = [starts.get(key) for key in _prefixes(shape)]
    return tuple(None if axis is None else Along(axis) for axis in found)


def _prefixes(shape: Shape) -> list[tuple[int, int]]:
    """Return, for each axis, the number of blocks before it and its size."""
    result = []
    before = 1
    for size in shape:
        result.append((before, size))
        before *= size
    return result
