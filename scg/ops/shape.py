"""Ops that give the same elements another shape, in the same order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op, serves
from scg._tensor import Tensor
from scg._typing import Axis, Shape
from scg.errors import ShapeError
from scg.ops import _samples

__all__ = ["broadcast_to", "expand_dims", "flatten", "reshape", "squeeze"]


def as_numpy(function: Callable[..., Any]) -> Callable[..., Shape]:
    """Return a shape rule that asks NumPy, with a stand-in array that takes no memory."""

    def rule(x: Shape, **statics: Any) -> Shape:
        shape: Shape = function(np.broadcast_to(False, x), **statics).shape
        return shape

    return rule


def _broadcast_shape(x: Shape, *, shape: Shape) -> Shape:
    try:
        np.broadcast_shapes(x, shape)
    except ValueError:
        raise ShapeError(f"scg.broadcast_to: shape {x} cannot be repeated to {shape}") from None
    return shape


@op(
    shape=_broadcast_shape, axes=_axes.elementwise, linear=Linear.ALL, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.broadcast_to, numpy=(np.broadcast_to,),
    samples=_samples.arrays(
        (((),), {"shape": (3,)}), (((2, 1),), {"shape": (3, 2, 4)}), (((0,),), {"shape": (2, 0)}),
        ulps=0,
    ),
)  # fmt: skip
def broadcast_to(x: Any, /, shape: Shape) -> Any:
    """Repeat axes of size 1, and add leading ones, up to a shape.

    Parameters
    ----------
    x : Tensor or array_like
    shape : tuple of int

    Returns
    -------
    Tensor
        A view, if it is large.

    Notes
    -----
    Gradient: summed over the repeated axes.

    Examples
    --------
    >>> import scg
    >>> scg.broadcast_to([1.0, 2.0], (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    x = np.asarray(x)
    if shape.__class__ is tuple and math.prod(shape) < _SMALL and x.ndim <= len(shape):
        repeated = np.empty(shape, x.dtype)
        repeated[...] = x
        return repeated
    return np.broadcast_to(x, shape)


# Below this many elements a copy takes a fifth of the time that NumPy takes to make a view.
_SMALL = 1024


@broadcast_to.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, shape: Shape) -> Any:
    return g  # the engine undoes broadcasting


def _reshaped(x: Shape, *, shape: Shape | int) -> Shape:
    try:
        return np.empty(x, dtype=np.bool_).reshape(shape).shape
    except ValueError:
        raise ShapeError(
            f"scg.reshape: {int(np.prod(x))} elements of shape {x} do not fill shape {shape}"
        ) from None


@op(
    shape=_reshaped, axes=_axes.reshaped,
    linear=Linear.MOVES, smooth=SMOOTH, alias=True, sign=lambda same, x: x,
    reference=np.reshape, numpy=(np.reshape,),
    samples=_samples.arrays(
        (((),), {"shape": (1,)}), (((2, 6),), {"shape": (3, 4)}),
        (((2, 6),), {"shape": (2, 3, -1)}), (((0, 3),), {"shape": (3, 0)}),
        (((2, 3),), {"shape": -1}), ulps=0,
    ),
)  # fmt: skip
def reshape(x: Any, /, shape: Shape | int) -> Any:
    """Give the elements, in row-major order, another shape.

    Parameters
    ----------
    x : Tensor or array_like
    shape : int or tuple of int
        One size may be -1: whatever is left.

    Returns
    -------
    Tensor
        A view where possible.

    Notes
    -----
    Gradient: reshaped back. An axis is followed through when the sizes before it are unchanged.

    Examples
    --------
    >>> import scg
    >>> scg.reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return np.reshape(x, shape)


@reshape.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, shape: Shape | int) -> Any:
    return F.reshape(g, shape=_x.shape)


@serves(np.ravel)
def flatten(x: Any) -> Tensor:
    """Give the elements, in row-major order, a single axis.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor, shape (x.size,)
        A view where possible.

    Notes
    -----
    Gradient: reshaped back.

    Examples
    --------
    >>> import scg
    >>> scg.flatten([[1.0, 2.0], [3.0, 4.0]])
    Tensor([1., 2., 3., 4.])
    """
    return reshape(x, -1)


# --- axes of size 1 --------------------------------------------------------------------------


def _expand_dims_axes(
    shapes: Sequence[Shape], out: Shape, *, axis: int | Sequence[int]
) -> list[AxisMap]:
    new = _axes.normalize_axes(axis, len(out))
    return [tuple(Along(place) for place in range(len(out)) if place not in new)]


@op(
    shape=as_numpy(np.expand_dims), axes=_expand_dims_axes,
    linear=Linear.MOVES, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.expand_dims, numpy=(np.expand_dims,),
    samples=_samples.arrays(
        (((),), {"axis": 0}), (((4,),), {"axis": -1}), (((2, 3),), {"axis": (0, 2)}),
        (((2, 3),), {"axis": 1}), (((0,),), {"axis": 0}), ulps=0,
    ),
)  # fmt: skip
def expand_dims(x: Any, /, axis: int | Sequence[int]) -> Any:
    """Add axes of size 1.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or sequence of int
        Their places in the result.

    Returns
    -------
    Tensor
        A view.

    Notes
    -----
    Gradient: reshaped back.

    Examples
    --------
    >>> import scg
    >>> scg.expand_dims([1.0, 2.0], 0)
    Tensor([[1., 2.]])
    """
    return np.expand_dims(x, axis)


@expand_dims.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: int | Sequence[int]) -> Any:
    return F.reshape(g, shape=_x.shape)


def _squeeze_axes(shapes: Sequence[Shape], out: Shape, *, axis: Axis = None) -> list[AxisMap]:
    shape = shapes[0]
    if axis is None:
        axis = [place for place, size in enumerate(shape) if size == 1]
    return _axes.reduced(shapes, out, axis=axis)


@op(
    shape=as_numpy(np.squeeze), axes=_squeeze_axes, linear=Linear.MOVES, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.squeeze, numpy=(np.squeeze,),
    samples=_samples.arrays(
        (((),), {}), (((1, 1),), {}), (((2, 1, 3, 1),), {}), (((2, 1, 3, 1),), {"axis": 1}),
        (((1, 2, 1),), {"axis": (0, -1)}), (((1, 0),), {"axis": 0}), ulps=0,
    ),
)  # fmt: skip
def squeeze(x: Any, /, axis: Axis = None) -> Any:
    """Remove axes of size 1.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        Which; None means all of size 1.

    Returns
    -------
    Tensor
        A view.

    Raises
    ------
    ShapeError
        If an axis to remove is not of size 1.

    Notes
    -----
    Gradient: reshaped back.

    Examples
    --------
    >>> import scg
    >>> scg.squeeze([[1.0], [2.0]], axis=1)
    Tensor([1., 2.])
    """
    return np.squeeze(x, axis)


@squeeze.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: Axis) -> Any:
    return F.reshape(g, shape=_x.shape)
