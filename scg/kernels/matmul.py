"""Matrix products of raw arrays: register tiles in LLVM vector code, BLAS where it is faster.

A product is cut into panels of B one tile wide and blocks of rows of A; the tile (`simd_tile.py`)
holds its part of C in registers while the inner dimension streams past. A may have any strides.
B is read in place when its rows are contiguous and packed panel by panel when they are not.

Every element of C is one chain of fused multiply-adds in the order of the inner dimension, cut
into blocks that depend on that dimension alone. So a row of a product has the same bits whatever
the other rows, the layout of the arrays, the batch and the number of threads. (Only products with a
vector may go to BLAS: `uses_blas` has the rule.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from scg._typing import Array, DType, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels._jit import device, kernel, parallel_call, prange, threads, types
from scg.kernels.simd_tile import (
    COLUMNS,
    FREE_MASKS,
    HAS_TILE,
    ROWS,
    VECTOR_BYTES,
    WIDE_COLUMNS,
    WIDE_ROWS,
    address,
    copy_row,
    load,
    register_tile,
    transpose_tile,
)

__all__ = ["ACTIVATIONS", "matmul", "uses_blas"]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# Depth of a block of the inner dimension: its panel of B is 64 KiB, which second-level caches hold
# beside the rows of A. The sums of the blocks are added up, which also keeps rounding small.
DEPTH = 512
# Rows of A per unit of work; more when a panel must be packed for them.
BLOCK_ROWS, PACKED_ROWS = 4 * ROWS, 16 * ROWS
# Rows of B so many bytes apart push each other out of the caches: they are packed as well if A has
# enough rows to pay for it.
COLLISION, PACKED_FROM = 4096, 8 * ROWS
# Below this many multiply-adds threads cost more than they save (`benchmarks/matmul.py`).
SERIAL_SIZE = 500_000


@device
def _pack(
    like: Any, source: Any, row: Any, column: Any, depth: Any, width: Any, panel: Any, wide: Any
) -> None:
    """Copy B[depth, width] to a panel whose rows are contiguous, `wide` bytes apart."""
    size = like.itemsize
    if row == size:
        lanes = VECTOR_BYTES // size
        for p in range(0, depth, lanes):
            for j in range(0, width, lanes):
                corner = source + p * size + j * column
                goal = address(panel) + p * wide + j * size
                transpose_tile(like, corner, column, width - j, depth - p, goal, wide)
    elif column == size:
        for p in range(depth):
            copy_row(like, source + p * row, width, address(panel) + p * wide)
    else:
        for p in range(depth):
            for j in range(width):
                panel[p * (wide // size) + j] = load(like, source + p * row + j * column)


@device
def _block(
    like: Any, a: Any, a_row: Any, a_col: Any, b: Any, b_row: Any, b_col: Any, c: Any, c_row: Any,
    bias: Any, rows: Any, width: Any, k: Any, packed: Any, relu: Any, accumulate: Any,
) -> None:  # fmt: skip
    """C[rows, width] = A[rows, k] @ B[k, width] for one panel; all places are addresses."""
    size = like.itemsize
    lanes = VECTOR_BYTES // size
    wide = -(-width // lanes) * VECTOR_BYTES
    packed = packed or not (FREE_MASKS or wide == width * size)
    # The transposition writes whole squares: up to `lanes` rows more than the block is deep.
    scratch = np.empty((DEPTH + lanes) * wide // size if packed else 0, like.dtype)
    depths, tiles = -(-k // DEPTH), -(-rows // ROWS)
    for d in range(depths):
        p = d * k // depths
        depth = (d + 1) * k // depths - p
        last = d == depths - 1
        panel, panel_row = b + p * b_row, b_row
        if packed:
            _pack(like, panel, b_row, b_col, depth, width, scratch, wide)
            panel, panel_row = address(scratch), wide
        for t in range(tiles):
            i = t * rows // tiles
            height = (t + 1) * rows // tiles - i
            register_tile(
                like, height, a + i * a_row + p * a_col, a_row, a_col, panel, panel_row,
                c + i * c_row, c_row, bias if last else 0, depth, width,
                accumulate or d > 0, relu and last,
            )  # fmt: skip


def _product(
    a: Any, b: Any, c: Any, bias: Any, batch: Any, a_step: Any, b_step: Any, relu: Any,
    accumulate: Any,
) -> None:  # fmt: skip
    """Multiply `batch` pairs of matrices; the next of each lies that many bytes further."""
    m, k = a.shape
    n = b.shape[1]
    size = c.itemsize
    a_place, (a_row, a_col) = address(a), a.strides
    b_place, (b_row, b_col) = address(b), b.strides
    c_place, c_row = address(c), n * size
    bias_place = address(bias) if bias.size else 0
    packed = (b_col != size and n > 1) or (m >= PACKED_FROM and b_row % COLLISION == 0)
    wide = (WIDE_COLUMNS if m <= WIDE_ROWS and not packed else COLUMNS) * VECTOR_BYTES // size
    panels = -(-n // wide)
    blocks = -(-m // (PACKED_ROWS if packed else BLOCK_ROWS))
    for part in prange(batch * panels * blocks):
        item = part // (panels * blocks)
        j = part // blocks % panels * wide
        i = part % blocks * m // blocks
        rows = (part % blocks + 1) * m // blocks - i
        _block(
            c, a_place + item * a_step + i * a_row, a_row, a_col,
            b_place + item * b_step + j * b_col, b_row, b_col,
            c_place + (item * m + i) * c_row + j * size, c_row,
            bias_place + j * size if bias_place else 0,
            rows, min(wide, n - j), k, packed, relu, accumulate,
        )  # fmt: skip


_serial, _threaded = kernel(_product), kernel(_product, parallel=True)
# Without tiles for this CPU, or under NUMBA_DISABLE_JIT=1 (which leaves plain functions), BLAS.
HAS_KERNEL = HAS_TILE and hasattr(_serial, "compile")

_no_bias: dict[DType, Array] = {}  # by dtype, once the serial kernel is compiled for it
_threaded_for: set[DType] = set()
_building = threading.Lock()


def _build(dispatcher: Any, dtype: DType) -> DType:
    """Compile for one dtype, any strides, inputs read-only or not.

    Left to itself Numba would compile again for every mixture of layouts, seconds each.
    """
    real = types.float32 if dtype == FLOAT32 else types.float64
    anything = types.Array(real, 2, "A", readonly=True)
    vector = types.Array(real, 1, "C", readonly=True)
    signature = (
        anything, anything, types.Array(real, 2, "C"), vector,
        *[types.intp] * 3, *[types.boolean] * 2,
    )  # fmt: skip
    with _building:
        dispatcher.disable_compile(False)
        dispatcher.compile(signature)
        dispatcher.disable_compile()
    return dtype


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


# --- activations that follow the kernel ------------------------------------------------------


def _relu(x: Array) -> None:
    np.maximum(x, 0, out=x)


def _tanh(x: Array) -> None:
    np.tanh(x, out=x)


def _sigmoid(x: Array) -> None:
    np.tanh(np.multiply(x, 0.5, out=x), out=x)
    np.add(np.multiply(x, 0.5, out=x), 0.5, out=x)


def _softplus(x: Array) -> None:
    np.logaddexp(x, 0, out=x)


ACTIVATIONS: dict[str, Callable[[Array], None]] = {
    "relu": _relu, "tanh": _tanh, "sigmoid": _sigmoid, "softplus": _softplus,
}  # fmt: skip


# --- the face --------------------------------------------------------------------------------


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
        if uses_blas(full[-2], left.shape[-1], full[-1], dtype):
            _by_blas(left, right, c, bias, accumulate)
        else:
            relu = activation == "relu"
            _by_kernel(left, right, c, bias, relu, accumulate, dtype)
            activation = None if relu else activation
        if activation is not None:
            ACTIVATIONS[activation](target)
    if out is None or out is target:
        return target
    np.copyto(out, target, casting="same_kind")
    return out


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
    if dtype not in _no_bias:
        _no_bias[_build(_serial, dtype)] = np.empty(0, dtype)
    if bias is None:
        bias = _no_bias[dtype]
    if a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous:
        a, c = a.reshape(-1, a.shape[-1]), c.reshape(-1, c.shape[-1])
    if a.ndim == b.ndim == 2:
        _run(a, b, c, bias, 1, 0, 0, relu, accumulate)
        return
    batch = c.shape[:-2]
    a, b = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (a, b))
    outer, a_step, b_step = _runs(batch, a, b)
    for index in np.ndindex(batch[:outer]):
        x, y, z = a[index], b[index], c[index]
        first = (0,) * (x.ndim - 2)
        z = z.reshape(-1, z.shape[-1])
        count = len(z) // x.shape[-2]
        _run(x[first], y[first], z, bias, count, a_step, b_step, relu, accumulate)


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


def _run(
    a: Array, b: Array, c: Array, bias: Array, batch: int, a_step: int, b_step: int, relu: bool,
    accumulate: bool,
) -> None:  # fmt: skip
    small = c.size * a.shape[1] < SERIAL_SIZE
    call = _serial if small or threads() == 1 else _by_threads
    try:
        call(a, b, c, bias, batch, a_step, b_step, relu, accumulate)
    except TypeError:
        # Numba refuses unaligned arrays: they are copied. Any other cause raises again.
        a, b = np.array(a, order="C"), np.array(b, order="C")
        call(a, b, c, bias, batch, a_step, b_step, relu, accumulate)


def _by_threads(*args: Any) -> None:
    dtype = args[2].dtype
    if dtype not in _threaded_for:
        _threaded_for.add(_build(_threaded, dtype))
    parallel_call(_serial, _threaded, *args)
