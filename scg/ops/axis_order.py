"""Ops that put axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op
from scg._typing import Shape
from scg.ops import _samples
from scg.ops.shape import as_numpy

__all__ = ["moveaxis", "swapaxes", "transpose"]


def _permuted(order: Sequence[int]) -> list[AxisMap]:
    """Say where each axis went when output axis `k` is input axis `order[k]`."""
    return [tuple(Along(order.index(axis)) for axis in range(len(order)))]


def _transpose_axes(
    shapes: Sequence[Shape], out: Shape, *, axes: Sequence[int] | None = None
) -> list[AxisMap]:
    ndim = len(out)
    return _permuted([a % ndim for a in axes] if axes is not None else [*range(ndim)][::-1])


@op(
    shape=as_numpy(np.transpose), axes=_transpose_axes,
    linear=Linear.MOVES, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.transpose, numpy=(np.transpose,),
    samples=_samples.arrays(
        (((),), {}), (((4,),), {}), (((2, 3),), {}), (((2, 3, 4),), {"axes": (2, 0, 1)}),
        (((2, 3, 4),), {"axes": (0, -1, 1)}), (((0, 3),), {}), ulps=0,
    ),
)  # fmt: skip
def transpose(x: Any, /, axes: Sequence[int] | None = None) -> Any:
    """Put the axes in another order.

    Parameters
    ----------
    x : Tensor or array_like
    axes : sequence of int, optional
        The input axis that each output axis is; None reverses the order.

    Returns
    -------
    Tensor
        A view.

    Notes
    -----
    Gradient: transposed back.

    Examples
    --------
    >>> import scg
    >>> scg.transpose([[1.0, 2.0], [3.0, 4.0]])
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return np.transpose(x, axes)


@transpose.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axes: Sequence[int] | None) -> Any:
    if axes is None:
        return F.transpose(g)
    ndim = len(_x.shape)
    order = [a % ndim for a in axes]
    return F.transpose(g, axes=tuple(order.index(axis) for axis in range(ndim)))


def _swapaxes_axes(shapes: Sequence[Shape], out: Shape, *, axis1: int, axis2: int) -> list[AxisMap]:
    order = list(range(len(out)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _permuted(order)


@op(
    shape=as_numpy(np.swapaxes), axes=_swapaxes_axes,
    linear=Linear.MOVES, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.swapaxes, numpy=(np.swapaxes,),
    samples=_samples.arrays(
        (((4,),), {"axis1": 0, "axis2": 0}), (((2, 3),), {"axis1": 0, "axis2": 1}),
        (((2, 3, 4),), {"axis1": -1, "axis2": 0}), (((0, 3),), {"axis1": -1, "axis2": -2}), ulps=0,
    ),
)  # fmt: skip
def swapaxes(x: Any, /, axis1: int, axis2: int) -> Any:
    """Exchange two axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis1, axis2 : int

    Returns
    -------
    Tensor
        A view.

    Notes
    -----
    Gradient: the same two axes exchanged.

    Examples
    --------
    >>> import scg
    >>> scg.swapaxes([[[1.0, 2.0, 3.0]]], 0, 2).shape
    (3, 1, 1)
    """
    return np.swapaxes(x, axis1, axis2)


@swapaxes.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis1: int, axis2: int) -> Any:
    return F.swapaxes(g, axis1=axis1, axis2=axis2)


def _moveaxis_axes(
    shapes: Sequence[Shape], out: Shape, *, source: int | Sequence[int],
    destination: int | Sequence[int],
) -> list[AxisMap]:  # fmt: skip
    ndim = len(out)
    # NumPy moves the axes of an array whose sizes are their own numbers.
    labels = np.broadcast_to(False, tuple(range(ndim)))
    return _permuted(np.moveaxis(labels, source, destination).shape)


@op(
    shape=as_numpy(np.moveaxis), axes=_moveaxis_axes,
    linear=Linear.MOVES, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.moveaxis, numpy=(np.moveaxis,),
    samples=_samples.arrays(
        (((4,),), {"source": 0, "destination": 0}),
        (((2, 3, 4),), {"source": 0, "destination": -1}),
        (((2, 3, 4),), {"source": (0, 1), "destination": (-1, 0)}),
        (((0, 3),), {"source": -1, "destination": 0}), ulps=0,
    ),
)  # fmt: skip
def moveaxis(x: Any, /, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move some axes to other places; the others keep their order.

    Parameters
    ----------
    x : Tensor or array_like
    source, destination : int or sequence of int
        Where each axis is, and where it goes.

    Returns
    -------
    Tensor
        A view.

    Notes
    -----
    Gradient: moved back.

    Examples
    --------
    >>> import scg
    >>> scg.moveaxis([[[1.0, 2.0, 3.0]]], -1, 0).shape
    (3, 1, 1)
    """
    return np.moveaxis(x, source, destination)


@moveaxis.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, source: Any, destination: Any) -> Any:
    return F.moveaxis(g, source=destination, destination=source)
