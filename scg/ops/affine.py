"""The affine map of a layer: a product with a bias, in one pass over the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import RAW, SMOOTH, op
from scg._typing import Shape
from scg.errors import ShapeError
from scg.kernels import matmul as kernels
from scg.kernels.reduce import sum as sum_over
from scg.ops import _samples

__all__ = ["linear"]


def _affine_shape(x: Shape, weight: Shape, bias: Shape) -> Shape:
    if not x or len(weight) != 2 or x[-1] != weight[0] or bias != weight[1:]:
        raise ShapeError(
            f"scg.linear: shapes {x}, {weight} and {bias} must be (..., k), (k, n) and (n,)"
        )
    return (*x[:-1], weight[1])


def _affine_axes(shapes: Sequence[Shape], out: Shape) -> list[AxisMap]:
    """Keep the rows of `x` and the columns of the others; the inner dimension is mixed."""
    last = Along(len(out) - 1)
    return [(*(Along(i) for i in range(len(out) - 1)), None), (None, last), (last,)]


@op(
    shape=_affine_shape, axes=_affine_axes, smooth=SMOOTH, fresh=True,
    sign=lambda same, x, w, b: x & w & b,
    reference=lambda x, w, b: x @ w + b,
    samples=_samples.arrays(
        (((3, 4), (4, 2), (2,)), {}), (((4,), (4, 2), (2,)), {}), (((5, 3, 4), (4, 1), (1,)), {}),
        (((0, 4), (4, 2), (2,)), {}), (((3, 0), (0, 2), (2,)), {}), (((3, 4), (4, 0), (0,)), {}),
        complex_step=True,
    ),
)  # fmt: skip
def linear(x: Any, weight: Any, bias: Any, /) -> Any:
    """Compute `x @ weight + bias` in one pass: what `scg.nn.Linear` does.

    Parameters
    ----------
    x : Tensor or array_like, shape (..., k)
    weight : Tensor or array_like, shape (k, n)
    bias : Tensor or array_like, shape (n,)

    Returns
    -------
    Tensor, shape (..., n)

    Raises
    ------
    ShapeError
        If the shapes are others.

    Notes
    -----
    Gradient: `g @ weight.T`, `x.T @ g`, and `g`, the last two summed over the axes before the last.

    Examples
    --------
    >>> import scg
    >>> scg.linear([1.0, 2.0], [[3.0], [4.0]], [0.5])
    Tensor([11.5])
    """
    x, weight, bias = np.asarray(x), np.asarray(weight), np.asarray(bias)
    shape = weight.shape
    if not (x.ndim and len(shape) == 2 and x.shape[-1] == shape[0] and bias.shape == shape[1:]):
        _affine_shape(x.shape, shape, bias.shape)  # which says so
    if bias.dtype != x.dtype or bias.dtype != weight.dtype:
        return kernels.matmul(x, weight) + bias  # in the common dtype of all three
    return kernels.matmul(x, weight, bias=bias)


@linear.vjp
def _(F: Any, g: Any, needs: Sequence[Any], _y: Any, x: Any, weight: Any, _bias: Any) -> Any:
    every = g
    if x.ndim != 2:  # else they are matrices already, as nearly always
        depth, width = weight.shape
        rows = math.prod(x.shape[:-1])
        every, x = g.reshape((rows, width)), x.reshape((rows, depth))
    # Of arrays, without the ops around the kernels, which first turn their operands into arrays.
    product, total = (kernels.matmul, sum_over) if F is RAW else (F.matmul, F.sum)
    return (
        product(g, weight.T) if needs[0] else None,
        product(x.T, every) if needs[1] else None,
        total(every, axis=0) if needs[2] else None,
    )
