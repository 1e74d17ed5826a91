"""Matrix products of raw arrays: register tiles in LLVM vector code, BLAS where it is faster.

What is written here is NumPy's rules: dtypes, vectors, batch axes, `out`. `_product.py` multiplies,
with the same bits for a row of the product whatever the other rows, the layout of the arrays, the
batch and the number of threads. (Only products with a vector may go to BLAS: `uses_blas`.)
"""

from __future__ import annotations

import numpy as np

from scg._typing import Array, DType, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels import _activations
from scg.kernels._dtypes import FLOAT32, FLOAT64
from scg.kernels._once import once
from scg.kernels._product import HAS_KERNEL, run
from scg.kernels.simd_tile import WIDE_ROWS

__all__ = ["ACTIVATIONS", "matmul", "uses_blas"]

ACTIVATIONS = _activations.NAMES
_NO_BIAS = {dtype: np.empty(0, dtype) for dtype in (FLOAT32, FLOAT64)}


def uses_blas(m: int, k: int, n: int, dtype: DType) -> bool:
    """Tell whether BLAS computes a product of this size.

    It does where the tile cannot, and for a matrix times a vector, where it was measured to be up
    to three times as fast (`benchmarks/matmul.py --sweep`): a tile is as wide as two vectors. A
    vector times a matrix is left to it where there is no tile for a single row.
    """
    return (
        (n == 1 and m > 1)
        or (m == 1 and WIDE_ROWS == 0)
        or not HAS_KERNEL
        or k == 0
        or (dtype is not FLOAT32 and dtype is not FLOAT64)
    )


def matmul(
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    bias: Array | None = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> Array:
    """Compute ``activation(a @ b + bias)``.

    Parameters
    ----------
    a : ndarray, shape (..., m, k) or (k,)
        Any strides; never written to.
    b : ndarray, shape (..., k, n) or (k,)
        Any strides; never written to. Batch axes broadcast against those of `a`.
    out : ndarray, shape of the product, optional
        Where the result goes. It may overlap the inputs, at the price of a copy.
    bias : ndarray, shape (n,), optional
        Added to every row.
    activation : {None, "relu", "tanh", "sigmoid", "softplus"}
        Applied last.
    accumulate : bool
        Add the product to what `out` holds, before bias and activation.

    Returns
    -------
    ndarray, shape (..., m, n)
        `out` if given. float32 and float64 (mixed: float64) come from the kernel, other dtypes
        from `numpy.matmul`.

    Raises
    ------
    ShapeError
        If the inner dimensions, the batch axes, `bias` or `out` do not fit.
    OptionError
        If `activation` is unknown, `out` is read-only, or `accumulate` comes without `out`.

    Examples
    --------
    >>> import numpy as np
    >>> matmul(np.array([[1.0, -2.0]]), np.eye(2), bias=np.array([3.0, 1.0]), activation="relu")
    array([[4., 0.]])
    """
    dtype = a.dtype
    if a.ndim == 2 == b.ndim and out is None and activation is None and not accumulate:
        c = _of_two(a, b, bias, dtype)
        if c is not None:
            return c
    if dtype is not b.dtype or (dtype is not FLOAT32 and dtype is not FLOAT64):
        a, b, dtype = _common(a, b)
    left = a if a.ndim > 1 else _matrix("a", a)
    right = b if b.ndim > 1 else _matrix("b", b)
    full = _shape(left, right)
    shape = full if left is a and right is b else _dropped(full, a.ndim == 1, b.ndim == 1)
    if bias is not None:
        bias = _fitting_bias(bias, full[-1], dtype)
    if activation is not None and activation not in ACTIVATIONS:
        raise OptionError(
            f"matmul: activation is {activation!r}; choose None or one of {', '.join(ACTIVATIONS)}"
        )
    target = np.empty(shape, dtype) if out is None and not accumulate else None
    if target is None:
        target = _target(out, shape, dtype, (a, b, bias), accumulate)
    if target.size:
        c = target if shape is full else target.reshape(full)
        if once() or uses_blas(full[-2], left.shape[-1], full[-1], dtype):
            _by_blas(left, right, c, bias, accumulate)
        else:
            relu = activation == "relu"
            _by_kernel(left, right, c, bias, relu, accumulate, dtype)
            activation = None if relu else activation
        if activation is not None:
            _activations.activate(target, activation)
    if out is None or out is target:
        return target
    np.copyto(out, target, casting="same_kind")
    return out


def _of_two(a: Array, b: Array, bias: Array | None, dtype: DType) -> Array | None:
    """Multiply two matrices of one dtype; None where more has to be asked.

    Of small ones, as in an eager step, every question takes as long as a hundred multiply-adds.
    """
    (m, k), (rows, n) = a.shape, b.shape
    if k != rows or not m or not n or b.dtype is not dtype or once():
        return None
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        return None
    if bias is not None and not (
        bias.dtype is dtype and bias.shape == (n,) and bias.flags.c_contiguous
    ):
        return None
    c = np.empty((m, n), dtype)
    if uses_blas(m, k, n, dtype):
        _by_blas(a, b, c, bias, False)
    else:
        run(a, b, c, _NO_BIAS[dtype] if bias is None else bias, 1, 0, 0, False, False)
    return c


def _common(a: Array, b: Array) -> tuple[Array, Array, DType]:
    """Convert to the dtype of the product; a native float's is one of the two constants."""
    dtype = np.result_type(a, b)
    dtype = next((known for known in (FLOAT32, FLOAT64) if known == dtype), dtype)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False), dtype


def _matrix(name: str, x: Array) -> Array:
    """Promote a vector to a row (`a`) or a column (`b`)."""
    if x.ndim == 0:
        raise ShapeError(f"matmul: {name} is a scalar; multiply with * instead")
    return x[None] if name == "a" else x[:, None]


def _shape(a: Array, b: Array) -> Shape:
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"matmul: a of shape {a.shape} and b of shape {b.shape} differ in the inner dimension "
            f"({a.shape[-1]} and {b.shape[-2]}); transpose or reshape one of them"
        )
    if a.ndim == b.ndim == 2:
        return (a.shape[0], b.shape[1])
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: batch axes {a.shape[:-2]} of a and {b.shape[:-2]} of b do not broadcast; "
            "make them equal or 1"
        ) from None
    return (*batch, a.shape[-2], b.shape[-1])


def _dropped(full: Shape, row: bool, column: bool) -> Shape:
    """Leave out the axes that vectors were given."""
    shape = full[:-1] if column else full
    return shape[: len(full) - 2] + shape[len(full) - 1 :] if row else shape


def _fitting_bias(bias: Array, n: int, dtype: DType) -> Array:
    if bias.shape != (n,):
        raise ShapeError(f"matmul: bias has shape {bias.shape}; the product needs ({n},)")
    return np.ascontiguousarray(bias, dtype)


def _target(
    out: Array | None, shape: Shape, dtype: DType, inputs: tuple[Array | None, ...], keep: bool
) -> Array:
    """Return `out` if it can be written directly, else a new array that is copied to it."""
    if out is None:
        raise OptionError("matmul: accumulate=True adds to out; pass out as well")
    if out.shape != shape:
        raise ShapeError(f"matmul: out has shape {out.shape}; the product has shape {shape}")
    if not out.flags.writeable:
        raise OptionError("matmul: out is read-only; pass a writeable array or none")
    if out.dtype is dtype and out.flags.carray and all(_apart(out, x) for x in inputs):
        return out
    return np.array(out, dtype, order="C") if keep else np.empty(shape, dtype)


def _apart(out: Array, x: Array | None) -> bool:
    if x is None or (x is not out and x.base is None and out.base is None):
        return True  # arrays that own their memory, told apart without NumPy's slower question
    return not np.may_share_memory(out, x)


def _by_blas(a: Array, b: Array, c: Array, bias: Array | None, accumulate: bool) -> None:
    if accumulate:
        c += np.matmul(a, b)
    else:
        np.matmul(a, b, out=c)
    if bias is not None:
        c += bias


def _by_kernel(
    a: Array, b: Array, c: Array, bias: Array | None, relu: bool, accumulate: bool, dtype: DType
) -> None:
    """Cut a product with batch axes into runs of matrices that lie evenly in memory."""
    if bias is None:
        bias = _NO_BIAS[dtype]
    if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:
        a, c = a.reshape(-1, a.shape[-1]), c.reshape(-1, c.shape[-1])
    if a.ndim == b.ndim == 2:
        run(a, b, c, bias, 1, 0, 0, relu, accumulate)
        return
    batch = c.shape[:-2]
    a, b = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (a, b))
    outer, a_step, b_step = _runs(batch, a, b)
    for index in np.ndindex(batch[:outer]):
        x, y, z = a[index], b[index], c[index]
        first = (0,) * (x.ndim - 2)
        z = z.reshape(-1, z.shape[-1])
        count = len(z) // x.shape[-2]
        run(x[first], y[first], z, bias, count, a_step, b_step, relu, accumulate)


def _runs(batch: Shape, a: Array, b: Array) -> tuple[int, int, int]:
    """Return how many batch axes to loop over, and the steps of a and b along the others."""
    for outer in range(len(batch) - 1):
        a_step, b_step = (_step(batch[outer:], x.strides[outer:-2]) for x in (a, b))
        if a_step is not None and b_step is not None:
            return outer, a_step, b_step
    return len(batch) - 1, a.strides[-3], b.strides[-3]


def _step(shape: Shape, strides: Shape) -> int | None:
    """Return the distance in bytes from each matrix of a batch to the next, None if it varies."""
    step, count = 0, 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size == 1:
            continue
        if count == 1:
            step = stride
        elif stride != step * count:
            return None
        count *= size
    return step
