"""LLVM vector code for `_product.py`: register tiles, and what packs their operands.

Written as intrinsics because no loop in Python makes LLVM hold 28 accumulators in registers over
the whole inner dimension. All addresses are integers and all strides are in bytes, so one build
serves every layout. The file is named `simd_*` so that a change in it invalidates compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scg.kernels._jit import cgutils, cpu_features, intrinsic, ir, types
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

__all__ = [
    "COLUMNS", "HAS_TILE", "ROWS", "VECTOR_BYTES", "WIDE_COLUMNS", "WIDE_ROWS", "address",
    "call_finish", "call_tile", "call_transpose", "copy_column", "copy_row", "functions", "load",
    "prefetch", "store", "transpose_tile",
]  # fmt: skip

# Rows x vectors of a tile: accumulators, the row of B and one broadcast of A fill the register
# file (32 registers of 64 bytes, or 16 of 32); one row more spills. Up to WIDE_ROWS rows a tile is
# wider, because too few accumulators would wait for each other.
COLUMNS = 2
VECTOR_BYTES, ROWS, WIDE_COLUMNS, WIDE_ROWS = (
    (64, 14, 8, 3) if "avx512f" in cpu_features() else (32, 6, 4, 3)
)
# Steps of the inner loop by which A is fetched ahead: packed tiles lie in one stream.
AHEAD = 16
HAS_TILE = "avx512f" in cpu_features() or {"avx2", "fma"} <= cpu_features()

SIZES = [
    *((rows, columns) for rows in range(1, ROWS + 1) for columns in range(1, COLUMNS + 1)),
    *((rows, WIDE_COLUMNS) for rows in range(1, WIDE_ROWS + 1)),
]
REALS = {types.float32: (ir.FloatType(), 4), types.float64: (ir.DoubleType(), 8)}


@intrinsic
def address(typingctx: Any, array: Any) -> Any:
    """Address of an array's first element, as an integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, I64)

    return types.intp(array), codegen


@intrinsic
def load(typingctx: Any, like: Any, place: Any) -> Any:
    """Read the number at an address, of the dtype of the array `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real, _ = REALS[signature.return_type]
        return read(builder, real, args[1])

    return like.dtype(like, types.intp), codegen


@intrinsic
def store(typingctx: Any, like: Any, place: Any, value: Any) -> Any:
    """Write a number of the dtype of the array `like` to an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        write(builder, args[2], args[1])
        return context.get_dummy_value()

    return types.void(like, types.intp, like.dtype), codegen


def _copier(vectors: Any) -> Any:
    @intrinsic
    def copy(typingctx: Any, like: Any, source: Any, width: Any, target: Any) -> Any:
        """Write some whole vectors, whose numbers from `width` on are zeros and are not read."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            real, size = REALS[signature.args[0].dtype]
            lanes = VECTOR_BYTES // size
            steps = [j * VECTOR_BYTES for j in range(vectors(lanes))]
            _, source, width, target = args
            full = builder.icmp_signed(">=", width, I64(len(steps) * lanes))
            with builder.if_else(full) as (whole, part):
                with whole:
                    for step in steps:
                        here, there = (builder.add(x, I64(step)) for x in (source, target))
                        vector = read(builder, ir.VectorType(real, lanes), here)
                        write(builder, vector, there)
                with part:
                    for j, step in enumerate(steps):
                        here, there = (builder.add(x, I64(step)) for x in (source, target))
                        mask = lanes_within(builder, lanes, width, j * lanes)
                        write(builder, masked_read(builder, real, lanes, here, mask), there)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 3), codegen

    return copy


# A row of a panel, and what a tile reads of a column of A.
copy_row = _copier(lambda lanes: COLUMNS)
copy_column = _copier(lambda lanes: -(-ROWS // lanes))


@intrinsic
def prefetch(typingctx: Any, place: Any) -> Any:
    """Fetch a line into the first cache."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        fetch(builder, args[0], 3)
        return context.get_dummy_value()

    return types.void(types.intp), codegen


# --- functions of their own ------------------------------------------------------------------
#
# A task and a kernel of Numba use the same code: it is compiled by itself, once, and called by its
# address.

_TILE = ir.FunctionType(ir.VoidType(), [I64] * 13)
_FINISH = ir.FunctionType(ir.VoidType(), [I64] * 9)
_TRANSPOSE = ir.FunctionType(ir.VoidType(), [I64] * 6)


def _calling(kind: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * (len(kind.args) + 1)), codegen


@intrinsic
def call_tile(
    typingctx: Any, tile: Any, rows: Any, columns: Any, a: Any, a_row: Any, a_col: Any, b: Any,
    b_row: Any, c: Any, c_row: Any, bias: Any, depth: Any, add: Any, relu: Any,
) -> Any:  # fmt: skip
    """C[rows, columns] = A[rows, depth] @ B[depth, columns] (+ C if `add`) (+ bias if not 0), relu.

    Columns are counted in whole vectors, of B, C and bias: a masked load in the inner loop costs a
    twentieth of the speed (a seventh without mask registers), and a masked store without mask
    registers as much as 24 multiplications.
    """
    return _calling(_TILE)


@intrinsic
def call_finish(
    typingctx: Any, finish: Any, sums: Any, c: Any, c_row: Any, bias: Any, rows: Any, width: Any,
    apart: Any, add: Any, relu: Any,
) -> Any:  # fmt: skip
    """Do what a tile does with its sums, `width` numbers wide, its rows `apart` bytes apart."""
    return _calling(_FINISH)


@intrinsic
def call_transpose(
    typingctx: Any, transpose: Any, source: Any, step: Any, rows: Any, depth: Any, target: Any,
    target_row: Any,
) -> Any:  # fmt: skip
    """Do as `transpose_tile`."""
    return _calling(_TRANSPOSE)


def functions(real: Any) -> dict[str, Callable[[], ir.Module]]:
    """Return what writes the modules of the three functions for a dtype, by their names."""
    writers = {
        "scg_tile": (_TILE, _write_choice),
        "scg_finish": (_FINISH, _write_finish),
        "scg_transpose": (_TRANSPOSE, _write_transpose),
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
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 11), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    _write_tile(builder, function.args, real, VECTOR_BYTES // size, rows, columns)
    return function


def _write_tile(builder: Any, args: Any, real: Any, lanes: int, rows: int, columns: int) -> None:
    a, a_row, a_col, b, b_row, c, c_row, bias, depth, add, relu = args
    vector = ir.VectorType(real, lanes)
    zero = ir.Constant(vector, [0.0] * lanes)
    cells = [
        [cgutils.alloca_once_value(builder, zero) for _ in range(columns)] for _ in range(rows)
    ]

    def vectors(base: Any) -> list[Any]:
        places = [builder.add(base, I64(j * VECTOR_BYTES)) for j in range(columns)]
        return [read(builder, vector, place) for place in places]

    def each_row(change: Any) -> None:
        for i, row in enumerate(cells):
            for cell, value in zip(row, change(i, [builder.load(x) for x in row]), strict=True):
                builder.store(value, cell)

    def row_of_c(i: int) -> Any:
        return builder.add(c, builder.mul(c_row, I64(i)))

    for i in range(rows):
        fetch(builder, row_of_c(i), 3)
    multiply_add = fma(builder.module, real, lanes)
    with cgutils.for_range(builder, depth) as loop:
        b_vectors = vectors(builder.add(b, builder.mul(loop.index, b_row)))
        column = builder.add(a, builder.mul(loop.index, a_col))
        fetch(builder, builder.add(column, builder.mul(a_col, I64(AHEAD))), 3)

        def multiply(i: int, sums: list[Any]) -> list[Any]:
            place = builder.add(column, builder.mul(a_row, I64(i)))
            x = broadcast(builder, read(builder, real, place), lanes)
            return [
                builder.call(multiply_add, [x, y, s]) for y, s in zip(b_vectors, sums, strict=True)
            ]

        each_row(multiply)

    def plus(terms: list[Any], sums: list[Any]) -> list[Any]:
        return [builder.fadd(s, t) for s, t in zip(sums, terms, strict=True)]

    with builder.if_then(builder.icmp_signed("!=", add, I64(0))):
        each_row(lambda i, sums: plus(vectors(row_of_c(i)), sums))
    with builder.if_then(builder.icmp_signed("!=", bias, I64(0))):
        terms = vectors(bias)
        each_row(lambda i, sums: plus(terms, sums))
    with builder.if_then(builder.icmp_signed("!=", relu, I64(0))):
        for cell in (cell for row in cells for cell in row):
            _cut(builder, cell, zero)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            write(builder, builder.load(cell), builder.add(row_of_c(i), I64(j * VECTOR_BYTES)))
    builder.ret_void()
