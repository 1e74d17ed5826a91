"""Reductions: sums, means and their kin over some or all axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg import _axes
from scg._op import SMOOTH, op
from scg._typing import Axis, Shape
from scg.errors import ShapeError
from scg.kernels import reduce as kernels
from scg.ops import _samples
from scg.tensor import Tensor

__all__ = ["sum"]

CASES: list[Any] = [
    (((),), {}), (((5,),), {}), (((3, 4),), {"axis": 0}), (((3, 4),), {"axis": -1}),
    (((3, 4),), {"axis": (0, 1), "keepdims": True}), (((2, 3, 4),), {"axis": (0, 2)}),
    (((2, 3, 4),), {"axis": 1, "keepdims": True}),
]  # fmt: skip


def reduced_shape(
    shape: Shape, *, axis: Axis = None, keepdims: bool = False, name: str = "reduction", **_: Any
) -> Shape:
    """Return the shape after a reduction, or raise `ShapeError` for an axis that is not there."""
    ndim = len(shape)
    axes = _axes.normalize_axes(axis, ndim)
    if any(not 0 <= a < ndim for a in axes) or len(set(axes)) < len(axes):
        raise ShapeError(
            f"scg.{name}: axis {axis} does not fit shape {shape}; axes go from {-ndim} to {ndim - 1}"
        )
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def restore(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Give a reduced cotangent its lost axes back, with size 1."""
    if keepdims or axis is None and g.ndim == len(x.shape):
        return g
    axes = _axes.normalize_axes(axis, len(x.shape))
    return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@op(
    shape=reduced_shape, axes=_axes.reduced, smooth=SMOOTH, reference=np.sum, numpy=(np.sum,),
    sign=lambda same, x: x, samples=_samples.arrays(*CASES, (((0, 3),), {"axis": 0})),
)  # fmt: skip
def sum(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sum over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the summed axes with size 1.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 for every element. Floating-point sums are pairwise.

    Examples
    --------
    >>> import scg
    >>> scg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([4., 6.])
    """
    return kernels.sum(np.asarray(x), axis, keepdims)


@sum.vjp  # type: ignore[attr-defined]
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return F.broadcast_to(restore(g, _x, axis, keepdims), shape=_x.shape)
