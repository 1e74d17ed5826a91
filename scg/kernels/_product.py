"""The loops of a matrix product: panels of B, blocks of rows of A, one register tile at a time.

The tile (`simd_tile.py`) holds its part of C in registers while the inner dimension streams past.
A may have any strides. B is read in place when its rows are contiguous and packed panel by panel
when they are not.

Every element of C is one chain of fused multiply-adds in the order of the inner dimension, cut
into blocks that depend on that dimension alone. So a row of a product has the same bits whatever
the other rows, the layout of the arrays, the batch and the number of threads.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from scg._typing import Array, DType
from scg.kernels._dtypes import FLOAT32
from scg.kernels._jit import device, kernel, parallel_call, prange, threads, types
from scg.kernels.simd_tile import (
    COLUMNS,
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

__all__ = ["HAS_KERNEL", "run"]

# Depth of a block of the inner dimension: its panel of B is 64 KiB, which second-level caches hold
# beside the rows of A. The sums of the blocks are added up, which also keeps rounding small.
DEPTH = 512
# Rows of A per unit of work; more when a panel must be packed for them.
BLOCK_ROWS, PACKED_ROWS = 4 * ROWS, 16 * ROWS
# Rows of B so many bytes apart push each other out of the caches: they are packed as well if A has
# enough rows to pay for it.
COLLISION, PACKED_FROM = 4096, 8 * ROWS
# Below this many multiply-adds, some 20 us, a second thread saves too little to be worth waking.
SERIAL_SIZE = 2_000_000


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
    bias: Any, rows: Any, width: Any, columns: Any, k: Any, packed: Any, relu: Any,
    accumulate: Any,
) -> None:  # fmt: skip
    """C[rows, width] = A[rows, k] @ B[k, width] for one panel; all places are addresses."""
    size = like.itemsize
    lanes = VECTOR_BYTES // size
    if columns == COLUMNS:
        columns = -(-width // lanes)
        packed = packed or columns * lanes != width
    wide = columns * VECTOR_BYTES
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
                like, height, columns, a + i * a_row + p * a_col, a_row, a_col, panel, panel_row,
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
    columns = WIDE_COLUMNS if m <= WIDE_ROWS and not packed else COLUMNS
    wide = columns * VECTOR_BYTES // size
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
            rows, min(wide, n - j), columns, k, packed, relu, accumulate,
        )  # fmt: skip


_serial, _threaded = kernel(_product), kernel(_product, parallel=True)
# Without tiles for this CPU, or under NUMBA_DISABLE_JIT=1 (which leaves plain functions), BLAS.
HAS_KERNEL = HAS_TILE and hasattr(_serial, "compile")

_serial_for: set[DType] = set()
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


def run(
    a: Array, b: Array, c: Array, bias: Array, batch: int, a_step: int, b_step: int, relu: bool,
    accumulate: bool,
) -> None:  # fmt: skip
    """Multiply on as many threads as the size is worth; arguments as in `_product`."""
    if c.dtype not in _serial_for:
        _serial_for.add(_build(_serial, c.dtype))
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
