"""The LLVM functions of `_product.py`: register tiles, what ends them, a square's transpose.

Written as LLVM code because no loop in Python makes LLVM hold 28 accumulators in registers over
the whole inner dimension. The file is named `simd_*` so that a change in it invalidates compiled
kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scg.kernels._jit import cgutils, intrinsic, ir, types
from scg.kernels.simd_tile import (
    COLUMNS,
    FINISH,
    LINE,
    REALS,
    ROWS,
    TILE,
    TRANSPOSE,
    VECTOR_BYTES,
    WIDE_COLUMNS,
    WIDE_ROWS,
)
from scg.kernels.simd_vector import (
    I32,
    I64,
    broadcast,
    fetch,
    fma,
    lanes_within,
    masked_read,
    masked_write,
    read,
    write,
)

__all__ = ["functions", "transpose_tile"]

# Steps of the inner loop by which A is fetched ahead: packed tiles lie in one stream.
AHEAD = 16
SIZES = [
    *((rows, columns) for rows in range(1, ROWS + 1) for columns in range(1, COLUMNS + 1)),
    *((rows, WIDE_COLUMNS) for rows in range(1, WIDE_ROWS + 1)),
]


def functions(real: Any) -> dict[str, Callable[[], ir.Module]]:
    """Return what writes the modules of the three functions for a dtype, by their names."""
    writers = {
        "scg_tile": (TILE, _write_choice),
        "scg_finish": (FINISH, _write_finish),
        "scg_transpose": (TRANSPOSE, _write_transpose),
    }
    return {name: partial(_module, name, *how, *REALS[real]) for name, how in writers.items()}


def _module(name: str, kind: Any, write: Any, real: Any, size: int) -> ir.Module:
    module = ir.Module(name)
    function = ir.Function(module, kind, name)
    builder = ir.IRBuilder(function.append_basic_block())
    write(builder, function.args, real, size)
    builder.ret_void()
    return module


def _write_choice(builder: Any, args: Any, real: Any, size: int) -> None:
    """Choose among the tiles of all sizes."""
    done = builder.append_basic_block("done")
    choice = builder.add(builder.mul(args[0], I64(WIDE_COLUMNS + 1)), args[1])
    switch = builder.switch(choice, done)
    for rows, columns in SIZES:
        block = builder.append_basic_block(f"tile.{rows}.{columns}")
        switch.add_case(I64(rows * (WIDE_COLUMNS + 1) + columns), block)
        builder.position_at_end(block)
        builder.call(_tile(builder.module, real, size, rows, columns), args[2:])
        builder.branch(done)
    builder.position_at_end(done)


def _write_finish(builder: Any, args: Any, real: Any, size: int) -> None:
    sums, c, c_row, bias, rows, width, apart, add, relu = args
    lanes = VECTOR_BYTES // size
    zero = ir.Constant(ir.VectorType(real, lanes), [0.0] * lanes)
    with cgutils.for_range(builder, rows) as loop:
        for j in range(COLUMNS):
            step, mask = I64(j * VECTOR_BYTES), lanes_within(builder, lanes, width, j * lanes)
            source = builder.add(builder.add(sums, builder.mul(loop.index, apart)), step)
            goal = builder.add(builder.add(c, builder.mul(loop.index, c_row)), step)
            cell = cgutils.alloca_once_value(
                builder, masked_read(builder, real, lanes, source, mask)
            )
            for place, wanted in ((goal, add), (builder.add(bias, step), bias)):
                with builder.if_then(builder.icmp_signed("!=", wanted, I64(0))):
                    term = masked_read(builder, real, lanes, place, mask)
                    builder.store(builder.fadd(builder.load(cell), term), cell)
            with builder.if_then(builder.icmp_signed("!=", relu, I64(0))):
                _cut(builder, cell, zero)
            masked_write(builder, real, lanes, builder.load(cell), goal, mask)


def _cut(builder: Any, cell: Any, zero: Any) -> None:
    # "x < 0 gives 0" and not "x > 0 gives x": a NaN must stay a NaN.
    x = builder.load(cell)
    builder.store(builder.select(builder.fcmp_ordered("<", x, zero), zero, x), cell)


@intrinsic
def transpose_tile(
    typingctx: Any, like: Any, source: Any, step: Any, rows: Any, depth: Any, target: Any,
    target_row: Any,
) -> Any:  # fmt: skip
    """Write the transpose of a square of one vector per side.

    Row i of the source begins at `source + i * step`. Rows from `rows` on repeat the last one and
    columns from `depth` on read as zero, so nothing outside the source is touched.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _write_transpose(builder, args[1:], *REALS[signature.args[0].dtype])
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 6), codegen


def _write_transpose(builder: Any, args: Any, real: Any, size: int) -> None:
    source, step, rows, depth, target, target_row = args
    lanes = VECTOR_BYTES // size
    mask = lanes_within(builder, lanes, depth, 0)
    last = builder.sub(rows, I64(1))
    vectors = []
    for i in range(lanes):
        row = builder.select(builder.icmp_signed("<", I64(i), last), I64(i), last)
        place = builder.add(source, builder.mul(row, step))
        vectors.append(masked_read(builder, real, lanes, place, mask))
    for i, vector in enumerate(_transposed(builder, vectors, lanes)):
        write(builder, vector, builder.add(target, builder.mul(target_row, I64(i))))


def _transposed(builder: Any, vectors: list[Any], lanes: int) -> list[Any]:
    """Transpose by log2(lanes) perfect shuffles: each interleaves vector i with i + lanes / 2."""
    half = lanes // 2
    low = [i // 2 + (i % 2) * lanes for i in range(lanes)]
    pick = ir.VectorType(I32, lanes)
    for _ in range(lanes.bit_length() - 1):
        vectors = [
            builder.shuffle_vector(
                vectors[i // 2],
                vectors[i // 2 + half],
                ir.Constant(pick, [j + half * (i % 2) for j in low]),
            )
            for i in range(lanes)
        ]
    return vectors


def _tile(module: Any, real: Any, size: int, rows: int, columns: int) -> Any:
    """Return the LLVM function for a tile of that many rows and vectors, written on first use.

    A function of its own, never inlined: in one body with its callers LLVM runs out of registers.
    """
    name = f"scg_tile_{real}_{rows}_{columns}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 15), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    _write_tiles(builder, function.args, real, VECTOR_BYTES // size, rows, columns)
    builder.ret_void()
    return function


def _write_tiles(builder: Any, args: Any, real: Any, lanes: int, rows: int, columns: int) -> None:
    """Write a loop over tiles: called one by one, shallow ones take a tenth more time."""
    a, a_row, a_col, b, b_row, c, c_row, bias, depth, add, relu, count, a_next, ahead, share = args
    # Rows of A that lie side by side share lines: then the first lines of the next tile are
    # fetched, which hold its first columns, and its loop fetches the others.
    line = builder.select(builder.icmp_signed(">", a_row, I64(LINE)), a_row, I64(LINE))
    c_next = builder.mul(c_row, I64(rows))
    with cgutils.for_range(builder, count) as tiles:
        start = _at(builder, a, tiles.index, a_next)
        goal = _at(builder, c, tiles.index, c_next)
        goals = [_at(builder, goal, I64(i), c_row) for i in range(rows)]
        for i, place in enumerate(goals):
            fetch(builder, place, 3)
            fetch(builder, _at(builder, builder.add(start, a_next), I64(i), line), 3)
        lines = _at(builder, ahead, builder.mul(tiles.index, share), b_row)
        with cgutils.for_range(builder, share) as loop:
            fetch(builder, _at(builder, lines, loop.index, b_row), 3)
        cells = [_cells(builder, real, lanes, columns) for _ in goals]
        with cgutils.for_range(builder, depth) as loop:
            column = _at(builder, start, loop.index, a_col)
            fetch(builder, _at(builder, column, I64(AHEAD), a_col), 3)
            row = _at(builder, b, loop.index, b_row)
            _multiply(builder, cells, column, a_row, row)
        _finish(builder, cells, goals, bias, add, relu)


def _at(builder: Any, base: Any, index: Any, step: Any) -> Any:
    return builder.add(base, builder.mul(index, step))


def _cells(builder: Any, real: Any, lanes: int, columns: int) -> list[Any]:
    """Return what holds the sums of a row, at 0."""
    zero = ir.Constant(ir.VectorType(real, lanes), [0.0] * lanes)
    cells = [cgutils.alloca_once(builder, zero.type) for _ in range(columns)]
    for cell in cells:
        builder.store(zero, cell)
    return cells


def _vector(builder: Any, cell: Any, place: Any, j: int) -> Any:
    """Read vector j of those that begin at a place."""
    return read(builder, cell.type.pointee, builder.add(place, I64(j * VECTOR_BYTES)))


def _multiply(builder: Any, cells: Any, column: Any, a_row: Any, row: Any) -> None:
    """Add a column of A times a row of B to the sums.

    The shorter of the two stays in registers: the other way round a tile of 3 rows and 4 vectors
    needs more than there are, and takes three times as long.
    """
    vector = cells[0][0].type.pointee
    multiply_add = fma(builder.module, vector.element, vector.count)

    def factor(i: int) -> Any:
        x = read(builder, vector.element, _at(builder, column, I64(i), a_row))
        return broadcast(builder, x, vector.count)

    def add(x: Any, y: Any, cell: Any) -> None:
        builder.store(builder.call(multiply_add, [x, y, builder.load(cell)]), cell)

    rows, columns = len(cells), len(cells[0])
    if rows < columns:
        xs = [factor(i) for i in range(rows)]
        for j in range(columns):
            y = _vector(builder, cells[0][0], row, j)
            for x, sums in zip(xs, cells, strict=True):
                add(x, y, sums[j])
    else:
        ys = [_vector(builder, cell, row, j) for j, cell in enumerate(cells[0])]
        for i, sums in enumerate(cells):
            x = factor(i)
            for y, cell in zip(ys, sums, strict=True):
                add(x, y, cell)


def _finish(builder: Any, cells: Any, goals: Any, bias: Any, add: Any, relu: Any) -> None:
    """Add what is asked for to the sums, cut them, and write them to the rows of C."""
    vector = cells[0][0].type.pointee

    def plus(place: Any, sums: Any) -> None:
        for j, cell in enumerate(sums):
            term = _vector(builder, cell, place, j)
            builder.store(builder.fadd(builder.load(cell), term), cell)

    with builder.if_then(builder.icmp_signed("!=", add, I64(0))):
        for place, sums in zip(goals, cells, strict=True):
            plus(place, sums)
    with builder.if_then(builder.icmp_signed("!=", bias, I64(0))):
        for sums in cells:
            plus(bias, sums)
    with builder.if_then(builder.icmp_signed("!=", relu, I64(0))):
        for cell in (cell for sums in cells for cell in sums):
            _cut(builder, cell, ir.Constant(vector, [0.0] * vector.count))
    for place, sums in zip(goals, cells, strict=True):
        for j, cell in enumerate(sums):
            write(builder, builder.load(cell), builder.add(place, I64(j * VECTOR_BYTES)))
