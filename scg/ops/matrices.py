"""Parts of matrices: triangles, diagonals, traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op
from scg._typing import Shape
from scg.errors import ShapeError
from scg.ops import _samples
from scg.ops._reduced import reduced_shape, restore
from scg.tape import NONNEGATIVE

__all__ = ["diag", "trace", "tril", "triu"]


def _matrix_shape(name: str) -> Callable[..., Shape]:
    def shape(x: Shape, **_: Any) -> Shape:
        if len(x) < 2:
            raise ShapeError(f"scg.{name}: shape {x} has no matrices; two axes are needed")
        return x

    return shape


_TRIANGLES: list[Any] = [
    (((3, 4),), {}), (((4, 3),), {"k": 1}), (((2, 3, 3),), {"k": -1}), (((0, 3),), {}),
]  # fmt: skip


@op(
    shape=_matrix_shape("tril"), axes=_axes.elementwise,
    linear=Linear.ALL, smooth=SMOOTH, reference=np.tril,
    numpy=(np.tril,), sign=lambda same, x: x & NONNEGATIVE,
    samples=_samples.arrays(*_TRIANGLES, ulps=0),
)  # fmt: skip
def tril(x: Any, /, k: int = 0) -> Any:
    """Keep the lower triangle of matrices and set the rest to 0.

    Parameters
    ----------
    x : Tensor or array_like, shape (..., m, n)
    k : int
        Diagonal up to which is kept; positive is above the main one.

    Returns
    -------
    Tensor, shape (..., m, n)

    Notes
    -----
    Gradient: the lower triangle of the cotangent.

    Examples
    --------
    >>> import scg
    >>> scg.tril([[1.0, 2.0], [3.0, 4.0]])
    Tensor([[1., 0.],
            [3., 4.]])
    """
    return np.tril(_matrices(x, "tril"), k)


@tril.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, k: int) -> Any:
    return F.tril(g, k=k)


@op(
    shape=_matrix_shape("triu"), axes=_axes.elementwise,
    linear=Linear.ALL, smooth=SMOOTH, reference=np.triu,
    numpy=(np.triu,), sign=lambda same, x: x & NONNEGATIVE,
    samples=_samples.arrays(*_TRIANGLES, ulps=0),
)  # fmt: skip
def triu(x: Any, /, k: int = 0) -> Any:
    """Keep the upper triangle of matrices and set the rest to 0.

    Parameters
    ----------
    x : Tensor or array_like, shape (..., m, n)
    k : int
        Diagonal from which on is kept; positive is above the main one.

    Returns
    -------
    Tensor, shape (..., m, n)

    Notes
    -----
    Gradient: the upper triangle of the cotangent.

    Examples
    --------
    >>> import scg
    >>> scg.triu([[1.0, 2.0], [3.0, 4.0]])
    Tensor([[1., 2.],
            [0., 4.]])
    """
    return np.triu(_matrices(x, "triu"), k)


@triu.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, k: int) -> Any:
    return F.triu(g, k=k)


def _matrices(x: Any, name: str) -> Any:
    """Return an array of matrices; NumPy would make one of a vector by repeating it."""
    array = np.asarray(x)
    _matrix_shape(name)(array.shape)
    return array


def _diag_shape(x: Shape, *, k: int = 0) -> Shape:
    if len(x) == 1:
        return (x[0] + abs(k),) * 2
    if len(x) == 2:
        return (max(0, min(x[0] + min(k, 0), x[1] - max(k, 0))),)
    raise ShapeError(
        f"scg.diag: shape {x} is neither a vector nor a matrix; for batches of matrices use "
        "scg.einsum('...ii->...i', x)"
    )


def _diag_axes(shapes: Sequence[Shape], out: Shape, *, k: int = 0) -> list[AxisMap]:
    """Follow element p of the diagonal k, which is in row `p - min(k, 0)`."""
    below, above = max(-k, 0), max(k, 0)
    if len(shapes[0]) == 1:
        return [(Along(0, -below),)]
    return [(Along(0, below), Along(0, above))]


@op(
    shape=_diag_shape, axes=_diag_axes,
    linear=Linear.ALL, smooth=SMOOTH, reference=np.diag, numpy=(np.diag,),
    sign=lambda same, x: x & NONNEGATIVE,
    samples=_samples.arrays(*(
        ((shape,), {"k": k}) for shape in ((3,), (3, 3), (2, 4), (4, 2), (0, 3)) for k in (0, 1, -2)
    ), ulps=0),
)  # fmt: skip
def diag(x: Any, /, k: int = 0) -> Any:
    """Take a diagonal of a matrix, or make a matrix with a diagonal.

    Parameters
    ----------
    x : Tensor or array_like, shape (m, n) or (n,)
    k : int
        Which diagonal; positive is above the main one.

    Returns
    -------
    Tensor
        The diagonal of a matrix; of a vector, the matrix that is 0 elsewhere.

    Notes
    -----
    Gradient: the cotangent's diagonal, or the cotangent on the diagonal.

    Examples
    --------
    >>> import scg
    >>> scg.diag([[1.0, 2.0], [3.0, 4.0]])
    Tensor([1., 4.])
    """
    return np.diag(x, k).copy()


@diag.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, k: int) -> Any:
    if _x.ndim == 1:
        return F.diag(g, k=k)
    rows, columns = _x.shape
    # Element p of g at its row, then repeated to the columns and kept on the diagonal alone.
    at_rows = F.matmul(np.eye(rows, g.size, min(k, 0), dtype=g.dtype), g)
    return at_rows.reshape((rows, 1)) * np.eye(rows, columns, k, dtype=g.dtype)


def _trace_shape(x: Shape, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Shape:
    return reduced_shape(x, axis=(axis1, axis2), name="trace")


def _trace_axes(
    shapes: Sequence[Shape], out: Shape, *, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> list[AxisMap]:
    return _axes.reduced(shapes, out, axis=(axis1, axis2))


@op(
    shape=_trace_shape, axes=_trace_axes,
    linear=Linear.ALL, smooth=SMOOTH, reference=np.trace, numpy=(np.trace,),
    sign=lambda same, x: x & NONNEGATIVE,
    samples=_samples.arrays(
        (((3, 3),), {}), (((2, 4),), {"offset": 1}), (((4, 2),), {"offset": -1}),
        (((2, 3, 4),), {"axis1": 2, "axis2": 0, "offset": 1}),
        (((5, 3, 3),), {"axis1": -2, "axis2": -1}), (((0, 0),), {}),
        complex_step=True,
    ),
)  # fmt: skip
def trace(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum the diagonal of matrices.

    Parameters
    ----------
    x : Tensor or array_like
    offset : int
        Which diagonal; positive is above the main one.
    axis1, axis2 : int
        Where the rows and columns of the matrices are.

    Returns
    -------
    Tensor
        Without these two axes.

    Notes
    -----
    Gradient: 1 on the diagonal.

    Examples
    --------
    >>> import scg
    >>> scg.trace([[1.0, 2.0], [3.0, 4.0]])
    Tensor(5.)
    """
    return np.trace(x, offset, axis1, axis2)


@trace.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, offset: int, axis1: int, axis2: int) -> Any:
    axis1, axis2 = axis1 % _x.ndim, axis2 % _x.ndim
    ones = np.eye(_x.shape[axis1], _x.shape[axis2], offset, dtype=g.dtype)
    if axis1 > axis2:
        ones = ones.T
    whole = [n if i in (axis1, axis2) else 1 for i, n in enumerate(_x.shape)]
    return restore(g, _x, (axis1, axis2), False) * ones.reshape(whole)
