"""Products of matrices and vectors, and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import KINK, SMOOTH, Linear, op, serves
from scg._tensor import Tensor, as_tensor
from scg._typing import Axis, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels import matmul as kernels
from scg.kernels import reduce
from scg.ops import _samples
from scg.ops._reduced import CASES, restore, rule, shared
from scg.tape import NONNEGATIVE

__all__ = ["matmul", "norm", "outer"]


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
    shape=_product_shape, axes=_product_axes,
    linear=Linear.EACH, smooth=SMOOTH, sign=lambda same, a, b: a & b,
    reference=np.matmul, numpy=(np.matmul,),
    samples=_samples.arrays(
        (((3, 4), (4, 2)), {}), (((4,), (4,)), {}), (((3, 4), (4,)), {}), (((4,), (4, 2)), {}),
        (((5, 3, 4), (4, 2)), {}), (((3, 4), (5, 4, 2)), {}), (((2, 1, 3, 4), (5, 4, 2)), {}),
        (((5, 3, 4), (4,)), {}), (((4,), (2, 5, 4, 3)), {}), (((0, 4), (4, 2)), {}),
        (((3, 0), (0, 2)), {}), (((1, 3, 4), (0, 4, 2)), {}), (((1, 1), (1, 1)), {}),
        complex_step=True,
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

    Numbers below the least normal one of their dtype (1.2e-38 in float32) may count as 0.

    Examples
    --------
    >>> import scg
    >>> scg.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    Tensor([-1., -1.])
    """
    a, b = np.asarray(a), np.asarray(b)
    try:
        return kernels.matmul(a, b)
    except ShapeError:
        _product_shape(a.shape, b.shape)  # says the same in the words of the op
        raise


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


@op(
    shape=lambda a, b: (math.prod(a), math.prod(b)),
    linear=Linear.EACH, smooth=SMOOTH, reference=np.outer,
    numpy=(np.outer,), sign=lambda same, a, b: a & b,
    axes=lambda shapes, out: [
        (Along(i),) if len(s) == 1 else (None,) * len(s) for i, s in enumerate(shapes)
    ],
    samples=_samples.arrays(
        (((3,), (4,)), {}), (((2, 3), (2,)), {}), (((), (3,)), {}), (((3,), ()), {}),
        (((0,), (3,)), {}), complex_step=True,
    ),
)  # fmt: skip
def outer(a: Any, b: Any, /) -> Any:
    """Multiply each element of `a` with each of `b`.

    Parameters
    ----------
    a, b : Tensor or array_like
        Read in row-major order if they have more than one axis.

    Returns
    -------
    Tensor, shape (a.size, b.size)

    Notes
    -----
    Gradient: `g @ b` and `a @ g`.

    Examples
    --------
    >>> import scg
    >>> scg.outer([1.0, 2.0], [3.0, 4.0])
    Tensor([[3., 4.],
            [6., 8.]])
    """
    return np.outer(a, b)


@outer.vjp
def _(F: Any, g: Any, needs: Sequence[Any], _y: Any, a: Any, b: Any) -> Any:
    ga = F.matmul(g, b.reshape(-1)).reshape(a.shape) if needs[0] else None
    gb = F.matmul(a.reshape(-1), g).reshape(b.shape) if needs[1] else None
    return ga, gb


def _norm(x: Any, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Any:
    numpy_norm: Any = np.linalg.vector_norm  # its stubs do not know that the axis may be None
    return numpy_norm(x, ord=ord, axis=axis, keepdims=keepdims)


@op(
    shape=rule("norm"), axes=_axes.reduced, smooth=KINK, sign=NONNEGATIVE, reference=_norm,
    numpy=(np.linalg.vector_norm,), samples=_samples.arrays(*(
        (shapes, {"ord": ord, **statics}) for ord in (2, 1, math.inf) for shapes, statics in CASES
    )),
)  # fmt: skip
def norm(x: Any, /, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Any:
    """Compute the norm of vectors.

    Parameters
    ----------
    x : Tensor or array_like
    ord : {2, 1, inf}
        Euclidean length, sum of absolute values, or the largest of them.
    axis : int or tuple of int, optional
        Over which one vector runs; None means all axes, so that a matrix gives its Frobenius norm.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor
        Not negative.

    Raises
    ------
    OptionError
        If `ord` is another number.

    Notes
    -----
    Gradient: `x / norm(x)`, `sign(x)`, or `sign(x)` of the largest, which equal ones share; 0 at 0.

    Examples
    --------
    >>> import scg
    >>> scg.norm([3.0, -4.0])
    Tensor(5.)
    """
    x = np.asarray(x)
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if ord == 2:
        return np.sqrt(reduce.sum(x * x, axis, keepdims))
    if ord == 1:
        return reduce.sum(np.abs(x), axis, keepdims)
    if ord == math.inf:
        return np.max(np.abs(x), axis=reduce.numpy_axis(axis), keepdims=keepdims, initial=0)
    raise OptionError(f"scg.norm: ord={ord!r}; choose 2, 1 or inf")


@norm.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, ord: float, axis: Axis, keepdims: bool) -> Any:
    g, y = restore(g, x, axis, keepdims), restore(y, x, axis, keepdims)
    if ord == 2:
        return g * F.divide_or_zero(x, y)
    if ord == 1:
        return g * F.sign(x)
    return g * F.sign(x) * shared(F.abs(x), y, axis)


@serves(np.linalg.norm)
def _numpy_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Serve the vector norms of NumPy's function; a matrix with `ord` means another one."""
    if ord is not None and (isinstance(axis, tuple) or (axis is None and as_tensor(x).ndim != 1)):
        raise OptionError(
            f"numpy.linalg.norm with ord={ord!r} and axis={axis!r} is a matrix norm, which scg has "
            "not; use scg.norm for vector norms"
        )
    return norm(x, 2 if ord is None else ord, axis, keepdims)
