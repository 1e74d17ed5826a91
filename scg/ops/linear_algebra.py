"""Products of matrices and vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import SMOOTH, op
from scg._typing import Shape
from scg.errors import ShapeError
from scg.kernels import matmul as kernels
from scg.ops import _samples

__all__ = ["matmul"]


def _as_matrices(a: Shape, b: Shape) -> tuple[Shape, Shape]:
    """Read a vector as a row on the left and as a column on the right."""
    return (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))


def _product_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ShapeError(
            f"scg.matmul: shapes {a} and {b}: a scalar has no rows; multiply it with * instead"
        )
    left, right = _as_matrices(a, b)
    if left[-1] != right[-2]:
        raise ShapeError(
            f"scg.matmul: shapes {a} and {b} differ in the inner dimension ({left[-1]} and "
            f"{right[-2]}); transpose or reshape one of them"
        )
    try:
        batch = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise ShapeError(
            f"scg.matmul: the batch axes of shapes {a} and {b} cannot be broadcast together; sizes "
            "must be equal, or one of them 1"
        ) from None
    return (*batch, *left[-2:-1][: len(a) - 1], *right[-1:][: len(b) - 1])


def _product_axes(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep batch axes, the rows of `a` and the columns of `b`; the inner dimension is mixed."""
    a, b = shapes
    batch = len(out) - (len(a) > 1) - (len(b) > 1)
    rows = (Along(batch),) if len(a) > 1 else ()
    columns = (Along(len(out) - 1),) if len(b) > 1 else ()
    left, right = _axes.elementwise([a[:-2], b[:-2]], out[:batch])
    return [(*left, *rows, None), (*right, *((None, *columns) if columns else (None,)))]


@op(
    shape=_product_shape, axes=_product_axes, smooth=SMOOTH, sign=lambda same, a, b: a & b,
    reference=np.matmul, numpy=(np.matmul,),
    samples=_samples.arrays(
        (((3, 4), (4, 2)), {}), (((4,), (4,)), {}), (((3, 4), (4,)), {}), (((4,), (4, 2)), {}),
        (((5, 3, 4), (4, 2)), {}), (((3, 4), (5, 4, 2)), {}), (((2, 1, 3, 4), (5, 4, 2)), {}),
        (((5, 3, 4), (4,)), {}), (((4,), (2, 5, 4, 3)), {}), (((0, 4), (4, 2)), {}),
        (((3, 0), (0, 2)), {}), (((1, 3, 4), (0, 4, 2)), {}), (((1, 1), (1, 1)), {}),
    ),
)  # fmt: skip
def matmul(a: Any, b: Any, /) -> Any:
    """Multiply matrices: what `a @ b` does.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., m, k) or (k,)
    b : Tensor or array_like, shape (..., k, n) or (k,)
        Batch axes are broadcast against those of `a`.

    Returns
    -------
    Tensor, shape (..., m, n)
        Without m where `a` is a vector, without n where `b` is one.

    Raises
    ------
    ShapeError
        If the inner dimensions differ, the batch axes do not broadcast, or an input is a scalar.

    Notes
    -----
    Gradient: `g @ b.T` and `a.T @ g`, summed over the axes that were broadcast.

    Examples
    --------
    >>> import scg
    >>> scg.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    Tensor([-1., -1.])
    """
    return kernels.matmul(np.asarray(a), np.asarray(b))


@matmul.vjp
def _(F: Any, g: Any, needs: Sequence[Any], _y: Any, a: Any, b: Any) -> Any:
    left, right = _as_matrices(a.shape, b.shape)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    g = g.reshape((*batch, left[-2], right[-1]))
    ga = F.matmul(g, b.reshape(right).swapaxes(-1, -2)) if needs[0] else None
    if not needs[1]:
        return ga, None
    x = a.reshape(left)
    if len(right) == 2 and len(left) > 2:
        # One product over all rows at once: a batch of small ones would have to be summed after.
        count = math.prod(left[:-1])
        x, g = x.reshape((count, left[-1])), g.reshape((count, right[-1]))
    gb = F.matmul(x.swapaxes(-1, -2), g)
    return ga, gb if len(b.shape) > 1 else gb.reshape(gb.shape[:-1])
