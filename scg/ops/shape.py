"""Ops that move elements without computing on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg import _axes
from scg._op import SMOOTH, op
from scg._typing import Shape
from scg.errors import ShapeError
from scg.ops import _samples
from scg.tensor import Tensor

__all__ = ["broadcast_to", "reshape"]


def _broadcast_shape(x: Shape, *, shape: Shape) -> Shape:
    try:
        np.broadcast_shapes(x, shape)
    except ValueError:
        raise ShapeError(f"scg.broadcast_to: shape {x} cannot be repeated to {shape}") from None
    return shape


@op(
    shape=_broadcast_shape, axes=_axes.elementwise, smooth=SMOOTH, alias=True,
    sign=lambda same, x: x, reference=np.broadcast_to, numpy=(np.broadcast_to,),
    samples=_samples.arrays((((),), {"shape": (3,)}), (((2, 1),), {"shape": (3, 2, 4)})),
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
        A view.

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
    return np.broadcast_to(x, shape)


@broadcast_to.vjp  # type: ignore[attr-defined]
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
    shape=_reshaped, axes=_axes.reshaped, smooth=SMOOTH, alias=True, sign=lambda same, x: x,
    reference=np.reshape, numpy=(np.reshape,),
    samples=_samples.arrays(
        (((),), {"shape": (1,)}), (((2, 6),), {"shape": (3, 4)}), (((2, 6),), {"shape": (2, 3, -1)}),
        (((0, 3),), {"shape": (3, 0)}), (((2, 3),), {"shape": -1}),
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


@reshape.vjp  # type: ignore[attr-defined]
def _(F: Any, g: Any, _y: Any, _x: Any, *, shape: Shape | int) -> Any:
    return F.reshape(g, shape=_x.shape)
