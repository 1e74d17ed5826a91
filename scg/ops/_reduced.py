"""What every reduction shares: its shape, the way back, and sample inputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from scg import _axes
from scg._typing import Axis, Shape
from scg.errors import ShapeError

__all__ = ["CASES", "check_axes", "count", "reduced_shape", "restore", "rule", "shared"]

CASES: list[Any] = [
    (((),), {}), (((5,),), {}), (((3, 4),), {"axis": 0}), (((3, 4),), {"axis": -1}),
    (((3, 4),), {"axis": (0, 1), "keepdims": True}), (((2, 3, 4),), {"axis": (0, 2)}),
    (((2, 3, 4),), {"axis": 1, "keepdims": True}), (((0, 3),), {"axis": 1}),
]  # fmt: skip


def check_axes(shape: Shape, axis: Axis, name: str) -> tuple[int, ...]:
    """Return non-negative axes, or raise `ShapeError` for one that is not there or comes twice."""
    ndim = len(shape)
    axes = _axes.normalize_axes(axis, ndim)
    if any(not 0 <= a < ndim for a in axes) or len(set(axes)) < len(axes):
        known = f"axes are {-ndim} to {ndim - 1}" if ndim else "it has no axes"
        raise ShapeError(f"scg.{name}: axis {axis} does not fit shape {shape}; {known}")
    return axes


def reduced_shape(
    shape: Shape, *, axis: Axis = None, keepdims: bool = False, name: str = "reduction", **_: Any
) -> Shape:
    """Return the shape after a reduction."""
    axes = check_axes(shape, axis, name)
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def rule(name: str) -> Callable[..., Shape]:
    """Return the shape rule of the reduction of that name."""
    return partial(reduced_shape, name=name)


def count(shape: Shape, axis: Axis) -> int:
    """Return how many elements each result of a reduction comes from."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[a] for a in _axes.normalize_axes(axis, len(shape)))


def restore(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Give a reduced cotangent its lost axes back, with size 1."""
    if keepdims or axis is None:  # of no axes at all: it fits as it is
        return g
    axes = _axes.normalize_axes(axis, len(x.shape))
    return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def shared(x: Any, y: Any, axis: Axis) -> Any:
    """Return weights that sum to 1 over `axis`, equal for the elements that attain `y`."""
    hits = (x == y).astype(x.dtype)
    return hits / hits.sum(axis=_axes.normalize_axes(axis, x.ndim), keepdims=True)
