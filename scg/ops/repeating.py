"""Ops that put elements in another order along an axis, or repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op, serves
from scg._tensor import Tensor, as_tensor
from scg._typing import Axis, Shape
from scg.errors import DTypeError, ShapeError
from scg.ops import _gather
from scg.ops._gather import ARRAY, along, checked_axis
from scg.ops._samples import arrays
from scg.ops.indexing import raw_values
from scg.ops.shape import as_numpy, broadcast_to, flatten, reshape

__all__ = ["flip", "repeat", "roll", "tile"]


def _flipped_axes(shapes: Sequence[Shape], out: Shape, *, axis: Axis = None) -> list[AxisMap]:
    turned = _axes.normalize_axes(axis, len(out))
    return [tuple(Along(i, n - 1, -1) if i in turned else Along(i) for i, n in enumerate(out))]


@op(
    shape=as_numpy(np.flip), axes=_flipped_axes,
    linear=Linear.MOVES, smooth=SMOOTH, sign=lambda same, x: x, alias=True,
    reference=np.flip, numpy=(np.flip,),
    samples=arrays(
        (((),), {}), (((4,),), {}), (((3, 4),), {"axis": 0}), (((3, 4),), {"axis": -1}),
        (((2, 3, 4),), {"axis": (0, -1)}), (((2, 3),), {}), (((0, 3),), {"axis": 0}), ulps=0,
    ),
)  # fmt: skip
def flip(x: Any, /, axis: int | tuple[int, ...] | None = None) -> Any:
    """Reverse the order along axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.

    Returns
    -------
    Tensor
        A view.

    Notes
    -----
    Gradient: reversed.

    Examples
    --------
    >>> import scg
    >>> scg.flip([1.0, 2.0, 3.0])
    Tensor([3., 2., 1.])
    """
    return np.flip(x, axis)


@flip.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: Axis) -> Any:
    return F.flip(g, axis=axis)


def _rolled_axes(
    shapes: Sequence[Shape], out: Shape, *, shift: Any, axis: Axis = None
) -> list[AxisMap]:
    """Nothing is said of a rolled axis: the two parts of it are carried by different maps."""
    moved = _axes.normalize_axes(axis, len(out))
    return [tuple(None if i in moved else Along(i) for i in range(len(out)))]


@op(
    shape=lambda x, **_: x, axes=_rolled_axes,
    linear=Linear.MOVES, smooth=SMOOTH, sign=lambda same, x: x,
    reference=np.roll, numpy=(np.roll,),
    samples=arrays(
        (((),), {"shift": 1}), (((5,),), {"shift": 2}), (((3, 4),), {"shift": -1, "axis": 1}),
        (((3, 4),), {"shift": 5}), (((3, 4, 2),), {"shift": (1, -2), "axis": (0, 1)}),
        (((3, 4),), {"shift": 1, "axis": (0, -1)}), (((0,),), {"shift": 1}), ulps=0,
    ),
)  # fmt: skip
def roll(x: Any, /, shift: int | Sequence[int], axis: Axis = None) -> Any:
    """Shift along axes; what leaves at the end comes back at the start.

    Parameters
    ----------
    x : Tensor or array_like
    shift : int or tuple of int
        Places to move towards larger indices.
    axis : int or tuple of int, optional
        None rolls the flattened array.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: rolled back.

    Examples
    --------
    >>> import scg
    >>> scg.roll([1.0, 2.0, 3.0], 1)
    Tensor([3., 1., 2.])
    """
    return np.roll(x, shift, axis)


@roll.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, shift: int | Sequence[int], axis: Axis) -> Any:
    return F.roll(g, shift=np.negative(shift), axis=axis)


@serves(np.tile)
def tile(x: Any, reps: int | Sequence[int]) -> Tensor:
    """Lay copies side by side.

    Parameters
    ----------
    x : Tensor or array_like
    reps : int or sequence of int
        How often along each axis; leading axes are added to the shorter of `reps` and the shape.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: summed over the copies.

    Examples
    --------
    >>> import scg
    >>> scg.tile([1.0, 2.0], 2)
    Tensor([1., 2., 1., 2.])
    """
    tensor = as_tensor(x)
    times = tuple(np.atleast_1d(reps).tolist())
    ndim = max(len(times), tensor.ndim)
    times = (*(1,) * (ndim - len(times)), *times)
    shape = (*(1,) * (ndim - tensor.ndim), *tensor.shape)
    apart = tuple(pair for size in shape for pair in (1, size))
    copies = tuple(pair for both in zip(times, shape, strict=True) for pair in both)
    total = tuple(n * size for n, size in zip(times, shape, strict=True))
    return reshape(broadcast_to(reshape(tensor, apart), copies), total)


@serves(np.repeat)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Repeat each element in place.

    Parameters
    ----------
    x : Tensor or array_like
    repeats : int, Tensor or array_like of int
        How often: each element equally, or one number for each along the axis. They decide the
        shape of the result, so random ones escape.
    axis : int, optional
        None repeats the elements of the flattened array.

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If `repeats` are not integers.
    ShapeError
        If there is not one of them for each element, or one is negative.

    Notes
    -----
    Gradient: summed over the copies.

    Examples
    --------
    >>> import scg
    >>> scg.repeat([1.0, 2.0], 2)
    Tensor([1., 1., 2., 2.])
    >>> scg.repeat([1.0, 2.0], [0, 3])
    Tensor([2., 2., 2.])
    """
    tensor = flatten(x) if axis is None else as_tensor(x)
    place = checked_axis("repeat", axis or 0, tensor.ndim)
    counts = repeats if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.dtype.kind not in "iub":
        raise DTypeError(f"scg.repeat: repeats of dtype {counts.dtype}; use integers")
    size = tensor.shape[place]
    if counts.shape not in ((), (1,), (size,)):
        raise ShapeError(f"scg.repeat: {counts.shape} repeats for an axis of size {size}")
    values = raw_values(counts, "repeat counts")
    if np.any(values < 0):
        raise ShapeError(f"scg.repeat: {values.min()} repeats; use 0 or more")
    counts = broadcast_to(counts, (size,))
    total = int(np.broadcast_to(values, (size,)).sum())
    chosen = _gather.positions(counts, 0, total)
    return _gather.getitem(tensor, chosen, index=along(place, tensor.ndim, ARRAY))
