"""The loops of a matrix product: blocks of A and panels of B, one register tile at a time.

The tile (`simd_tile_code.py`) holds its part of C in registers while the inner dimension streams
past. A unit of work is a block of rows by a block of columns of C. It goes through the inner
dimension in blocks; for each it packs its part of A if the strides ask for it, and then panel after
panel of B is packed and multiplied by all rows of the unit. In place, rows of a panel may push each
other out of the first cache; where they cannot, the panel after it is fetched instead.

Every element of C is one chain of fused multiply-adds in the order of the inner dimension, cut
into blocks that depend on that dimension alone. So a row of a product has the same bits whatever
the other rows, the layout of the arrays, the batch and the number of threads. Subnormal numbers
count as 0 (`simd_mode.py`).
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from scg._typing import Array, DType
from scg.kernels import machine
from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import CAN_COMPILE, device, kernel, parallel_call, threads, types
from scg.kernels.execute import TOGETHER, team
from scg.kernels.machine import task
from scg.kernels.simd_memory import call_region, call_task, keep, load_i64
from scg.kernels.simd_mode import flush_subnormal, restore_mode
from scg.kernels.simd_packing import write_panels, write_tiles
from scg.kernels.simd_tile import (
    COLUMNS,
    HAS_TILE,
    LINE,
    ROWS,
    VECTOR_BYTES,
    WIDE_COLUMNS,
    WIDE_ROWS,
    address,
    call_finish,
    call_tiles,
)
from scg.kernels.simd_tile_code import functions

__all__ = [
    "BLOCKS", "BLOCK_SIZE", "DEPTH", "FIELDS", "HAS_KERNEL", "MULTIPLY", "addresses", "partition",
    "run",
]  # fmt: skip

# Without tiles for this CPU, or under NUMBA_DISABLE_JIT=1 (which leaves plain functions), BLAS.
HAS_KERNEL = HAS_TILE and CAN_COMPILE

# What a product finds in its row: addresses, then strides and the steps from one matrix of the
# batch to the next in bytes, flags, sizes, and in how many blocks C is cut each way.
FIELDS = (
    "a", "a_row", "a_col", "a_step", "b", "b_row", "b_col", "b_step", "c", "c_row", "c_step",
    "bias", "relu", "accumulate", "m", "k", "n", "down", "across",
    "tile", "finish", "transpose",
)  # fmt: skip
(
    A, A_ROW, A_COL, A_STEP, B, B_ROW, B_COL, B_STEP, C, C_ROW, C_STEP, BIAS, RELU, ACCUMULATE,
    M, K, N, DOWN, ACROSS, TILE, FINISH, TRANSPOSE,
) = range(len(FIELDS))  # fmt: skip

# Depth of a block of the inner dimension: a panel of B (16 KiB, or 32 with vectors of 64 bytes)
# stays in the first cache with a tile of A beside it. The sums of the blocks are added up, which
# also keeps rounding small.
DEPTH = 256
# A block of A stays in the second cache. Panels of B that several blocks share come by one at a
# time and need not: each further group of panels reads, or packs, all of A again (with groups of a
# quarter of this a product with A turned took a tenth more time).
BLOCK_BYTES = 1 << 18
PANELS = max((1 << 19) // (DEPTH * COLUMNS * VECTOR_BYTES), 1)
# Rows of A from which packing a panel of B pays, and panels from which packing A does.
PACK_FROM, PACK_A_FROM = 4 * ROWS, 3
# Rows of B an odd number of lines apart lie in all sets of a cache in turn: a panel of one line a
# row needs no packing.
# Columns of A so many bytes apart lie on as many pages, and may push each other out of the first
# cache: they are packed. A whole number of pages apart they do, for one panel already.
FAR, PAGE = 2048, 4096
# Tiles of a block of rows that pay for the packing of its panels: few enough that rows of common
# sizes, 400 and 784, are cut into as many equal blocks for two threads or four (measured).
ENOUGH = 7
FEWER = 8
REAL_F64, REAL_F32 = np.float64, np.float32


@cache
def addresses(dtype: DType) -> tuple[int, ...]:
    """Return the addresses of a dtype's functions that are written in LLVM code."""
    real = types.float32 if dtype == FLOAT32 else types.float64
    return tuple(
        machine.address_of(name, f"{name} {real}", write) for name, write in functions(real).items()
    )


def partition(m: int, n: int, size: int, pieces: int, rows_first: bool) -> tuple[int, int]:
    """Return in how many blocks C is cut down and across, for about so many where it can be.

    What is cut across packs its part of A again, which costs more, and cut down its panels of B.
    """
    panels, tiles = -(-n * size // (COLUMNS * VECTOR_BYTES)), -(-m // ROWS)
    down = across = 1
    if pieces > 1 and rows_first:
        down = min(pieces, max(tiles // ENOUGH, 1))
        down -= down % 4 if down > 4 else 0  # the same for two threads, or four
        across = min(-(-pieces // (FEWER * down)), panels)
    elif pieces > 1:
        across = min(pieces, panels)
        down = min(-(-pieces // across), max(tiles // ENOUGH, 1))
    return down, across


@device
def _rows(
    like: Any, tile: Any, finish: Any, a: Any, a_row: Any, a_col: Any, a_tile: Any, vectors: Any,
    b: Any, b_row: Any, c: Any, c_row: Any, bias: Any, depth: Any, rows: Any, width: Any, add: Any,
    relu: Any, sums: Any, ahead: Any,
) -> None:  # fmt: skip
    """Multiply all rows of a block by a panel of B, tiles of equal height one after the other.

    The next panel, which begins `ahead` bytes further, is fetched by and by; with 0 there is none.
    """
    size = like.itemsize
    apart = vectors * VECTOR_BYTES
    tiles = -(-rows // ROWS)
    low, high = rows // tiles, rows % tiles
    share = -(-depth // tiles) if ahead else 0
    t = 0
    while t < tiles:
        height = low + (t < high)
        i = t * low + min(t, high)
        place = a + (t * a_tile if a_tile else i * a_row)
        goal, a_next = c + i * c_row, a_tile if a_tile else height * a_row
        lines = b + ahead + t * share * b_row
        if apart == width * size:
            count = high if t < high else tiles - t
            call_tiles(
                tile, height, vectors, place, a_row, a_col, b, b_row, goal, c_row, bias, depth,
                add, relu, count, a_next, lines, share,
            )  # fmt: skip
            t += count
        else:
            call_tiles(
                tile, height, vectors, place, a_row, a_col, b, b_row, sums, apart, 0, depth, 0, 0,
                1, a_next, lines, share,
            )  # fmt: skip
            call_finish(finish, sums, goal, c_row, bias, height, width, apart, add, relu)
            t += 1


@device
def _unit(like: Any, row: Any, item: Any, i: Any, rows: Any, j: Any, width: Any) -> None:
    """Compute the block of C that begins at row i and column j."""
    size = like.itemsize
    m, k, relu = load_i64(row, M), load_i64(row, K), load_i64(row, RELU)
    a_row, a_col = load_i64(row, A_ROW), load_i64(row, A_COL)
    b_row, b_col, c_row = load_i64(row, B_ROW), load_i64(row, B_COL), load_i64(row, C_ROW)
    a = load_i64(row, A) + item * load_i64(row, A_STEP) + i * a_row
    b = load_i64(row, B) + item * load_i64(row, B_STEP) + j * b_col
    c = load_i64(row, C) + item * load_i64(row, C_STEP) + i * c_row + j * size
    bias, turn = load_i64(row, BIAS), load_i64(row, TRANSPOSE)
    lanes = VECTOR_BYTES // size
    narrow = COLUMNS * lanes
    collides = COLUMNS * VECTOR_BYTES != LINE or b_row % (2 * LINE) != LINE or b % LINE
    pack_b = (m >= PACK_FROM and collides) or (b_col != size and width > 1)
    worth = width >= PACK_A_FROM * narrow or a_col % PAGE == 0
    pack_a = a_row == size and a_col >= FAR and worth
    wide = WIDE_COLUMNS * lanes if m <= WIDE_ROWS and not pack_b else width + 1
    blocks, depths = -(-rows * DEPTH * size // BLOCK_BYTES), -(-k // DEPTH)
    group = min(PANELS, -(-width // narrow)) * narrow if pack_b else width
    groups = -(-width // group)
    # A transposition writes whole squares, up to `lanes` rows more than the block is deep, and a
    # column of A whole vectors.
    b_apart = (DEPTH + lanes) * COLUMNS * VECTOR_BYTES
    a_apart = ROWS * min(DEPTH, k) * size + VECTOR_BYTES
    panels = np.empty((group // narrow if pack_b else 1) * b_apart // size, like.dtype)
    tiles = (-(-rows // blocks) + ROWS - 1) // ROWS
    block = np.empty(tiles * a_apart // size if pack_a else 0, like.dtype)
    sums = np.empty(ROWS * narrow, like.dtype)
    for step in range(groups * depths * blocks):
        # Several blocks of rows share packed panels; one block is packed for all of them.
        g, d, y = step // (depths * blocks), step // blocks % depths, step % blocks
        if blocks == 1:
            g, d = step % groups, step // groups
        p, x = d * k // depths, y * rows // blocks
        depth, high = (d + 1) * k // depths - p, (y + 1) * rows // blocks - x
        last = d == depths - 1
        place, place_row, place_col, apart = a + x * a_row + p * a_col, a_row, a_col, 0
        if pack_a:
            if blocks > 1 or g == 0:
                write_tiles(like, place, a_col, high, depth, address(block), a_apart)
            place, place_row, place_col, apart = address(block), size, ROWS * size, a_apart
        q, end = g * group, min((g + 1) * group, width)
        panel, first = address(panels), q
        while q < end:
            part = wide if end - q >= wide else min(narrow, end - q)
            vectors = -(-part // lanes)
            source, source_row = b + p * b_row + q * b_col, b_row
            if pack_b or vectors * lanes != part:
                # All panels of the group at once, and once for all blocks of rows.
                if not pack_b or (y == 0 and q == first):
                    rest = end - q if pack_b else part
                    write_panels(like, turn, source, b_row, b_col, depth, rest, panel, b_apart)
                source, source_row = panel, vectors * VECTOR_BYTES
            _rows(
                like, load_i64(row, TILE), load_i64(row, FINISH), place, place_row, place_col,
                apart, vectors, source, source_row,
                c + x * c_row + q * size, c_row, bias + (j + q) * size if bias and last else 0,
                depth, high, part, d > 0 or load_i64(row, ACCUMULATE), relu and last,
                address(sums), 0 if pack_b or q + part >= end else LINE,
            )  # fmt: skip
            q += part
            panel += b_apart if pack_b else 0
    keep(sums)
    keep(panels)
    keep(block)


def _multiply_f64(begin: int, end: int, row: int) -> None:
    """Do blocks of the product that `row` describes: numbered down, across, along the batch.

    Neighbours are computed as one, of packed A as many rows as one block of it has.
    """
    like = np.empty(0, REAL_F64)
    size = like.itemsize
    m, n, narrow = load_i64(row, M), load_i64(row, N), COLUMNS * (VECTOR_BYTES // size)
    down, across = load_i64(row, DOWN), load_i64(row, ACROSS)
    panels, most = -(-n // narrow), down
    if load_i64(row, A_ROW) == size:
        most = max(BLOCK_BYTES // (DEPTH * size) * down // m, 1)
    unit, mode = begin, flush_subnormal()
    while unit < end:
        item, x, y = unit // (down * across), unit // down % across, unit % down
        wide, high = 1, min(end - unit, down - y, most)
        if high == down:
            wide = min((end - unit) // down, across - x)
        i, j = y * m // down, x * panels // across * narrow
        rows = (y + high) * m // down - i
        width = min((x + wide) * panels // across * narrow, n) - j
        _unit(like, row, item, i, rows, j, width)
        unit += wide * high
    restore_mode(mode)


MULTIPLY = {FLOAT32: task(float32_twin(_multiply_f64)), FLOAT64: task(_multiply_f64)}


# --- products of arrays ----------------------------------------------------------------------

# Below this many multiply-adds, some 20 us, a second thread saves too little to be worth waking.
SERIAL_SIZE = 2_000_000
# Blocks for each thread: the last ones are so small that the threads end together.
BLOCKS = 32
# Multiply-adds of a block, some 5 us.
BLOCK_SIZE = 200_000
_partition = device(partition)


@kernel
def _run(
    a: Any, b: Any, c: Any, bias: Any, batch: Any, a_step: Any, b_step: Any, relu: Any,
    accumulate: Any, tools: Any,
) -> None:  # fmt: skip
    """Multiply `batch` pairs of matrices; the next of each lies that many bytes further.

    `tools` is the address of eight numbers: the task; the function that runs a table of tasks, or
    0 to stay on the calling thread; its team; and the functions in LLVM code.
    """
    multiply, region, team = load_i64(tools, 0), load_i64(tools, 1), load_i64(tools, 2)
    m, k = a.shape
    n, size = b.shape[1], c.itemsize
    blocks = min(BLOCKS * team, batch * m * k * n // BLOCK_SIZE) if region else 1
    pieces = -(-blocks // batch)
    down, across = _partition(m, n, size, pieces, a.strides[0] == size)
    row = np.empty(len(FIELDS) + 5, np.int64)
    row[A], row[A_STEP], (row[A_ROW], row[A_COL]) = address(a), a_step, a.strides
    row[B], row[B_STEP], (row[B_ROW], row[B_COL]) = address(b), b_step, b.strides
    row[C], row[C_STEP], row[C_ROW] = address(c), m * n * size, n * size
    row[BIAS] = address(bias) if bias.size else 0
    row[RELU], row[ACCUMULATE], row[DOWN], row[ACROSS] = relu, accumulate, down, across
    row[M], row[K], row[N], row[TILE] = m, k, n, load_i64(tools, 5)
    row[FINISH], row[TRANSPOSE] = load_i64(tools, 6), load_i64(tools, 7)
    units = batch * down * across
    if region:
        line = row[len(FIELDS) :]
        line[0], line[1], line[2], line[3], line[4] = multiply, units, 1, address(row), 0
        call_region(region, address(line), 1, team, load_i64(tools, 3), load_i64(tools, 4))
    else:
        call_task(multiply, 0, units, address(row))
    keep(row)


class _Tools(NamedTuple):
    """What `_run` is given for a dtype; the arrays hold the numbers at the addresses."""

    arrays: tuple[Array, Array]
    one: int
    several: int


_tools: dict[DType, _Tools] = {}
_building = threading.Lock()


def _build(dtype: DType) -> _Tools:
    """Compile for one dtype, any strides, inputs read-only or not.

    Left to itself Numba would compile again for every mixture of layouts.
    """
    real = types.float32 if dtype == FLOAT32 else types.float64
    anything = types.Array(real, 2, "A", readonly=True)
    vector = types.Array(real, 1, "C", readonly=True)
    signature = (
        anything, anything, types.Array(real, 2, "C"), vector,
        *[types.intp] * 3, *[types.boolean] * 2, types.intp,
    )  # fmt: skip
    with _building:
        _run.disable_compile(False)
        _run.compile(signature)
        _run.disable_compile()
        multiply = MULTIPLY[dtype].address
        written = addresses(dtype)
        arrays = (
            np.array([multiply, 0, 1, 0, 0, *written]),
            np.array([multiply, TOGETHER.address, *team(), *written]),
        )
        _tools[dtype] = _Tools(arrays, arrays[0].ctypes.data, arrays[1].ctypes.data)
    return _tools[dtype]


def run(
    a: Array, b: Array, c: Array, bias: Array, batch: int, a_step: int, b_step: int, relu: bool,
    accumulate: bool,
) -> None:  # fmt: skip
    """Multiply on as many threads as the size is worth; arguments as in `_run`."""
    tools = _tools.get(c.dtype) or _build(c.dtype)
    try:
        if c.size * a.shape[1] < SERIAL_SIZE or threads() == 1:
            _run(a, b, c, bias, batch, a_step, b_step, relu, accumulate, tools.one)
        else:
            parallel_call(_by_one, _by_team, a, b, c, bias, batch, a_step, b_step, relu, accumulate)
    except TypeError:
        # Numba refuses unaligned arrays: they are copied. Any other cause raises again.
        a, b = np.array(a, order="C"), np.array(b, order="C")
        _by_one(a, b, c, bias, batch, a_step, b_step, relu, accumulate)


def _by_one(*arguments: Any) -> None:
    _run(*arguments, _tools[arguments[2].dtype].one)


def _by_team(*arguments: Any) -> None:
    _run(*arguments, _tools[arguments[2].dtype].several)
