"""Intrinsics for `_product.py`: calls of register tiles (`simd_tile_code.py`), copies of vectors.

All addresses are integers and all strides are in bytes, so one build
serves every layout. The file is named `simd_*` so that a change in it invalidates compiled kernels.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import cpu_features, intrinsic, ir, types
from scg.kernels.simd_vector import (
    I64,
    lanes_within,
    masked_read,
    read,
    write,
)

__all__ = [
    "COLUMNS", "FINISH", "HAS_TILE", "LINE", "REALS", "ROWS", "TILE", "TRANSPOSE", "VECTOR_BYTES",
    "WIDE_COLUMNS", "WIDE_ROWS", "add_row", "address", "call_finish", "call_tiles",
    "call_transpose", "copy_column", "copy_row", "load", "store",
]  # fmt: skip

# Rows x vectors of a tile: accumulators, the row of B and one broadcast of A fill the register
# file (32 registers of 64 bytes, or 16 of 32); one row more spills. Up to WIDE_ROWS rows a tile is
# wider, because too few accumulators would wait for each other.
COLUMNS = 2
VECTOR_BYTES, ROWS, WIDE_COLUMNS, WIDE_ROWS = (
    (64, 14, 8, 3) if "avx512f" in cpu_features() else (32, 6, 4, 3)
)
# Bytes of a cache line.
LINE = 64
HAS_TILE = "avx512f" in cpu_features() or {"avx2", "fma"} <= cpu_features()

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


@intrinsic
def add_row(typingctx: Any, like: Any, source: Any, width: Any, target: Any) -> Any:
    """Add a row of a panel to numbers, of which those from `width` on get zeros added."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real, size = REALS[signature.args[0].dtype]
        lanes = VECTOR_BYTES // size
        _, source, width, target = args
        for j in range(COLUMNS):
            here, there = (builder.add(x, I64(j * VECTOR_BYTES)) for x in (source, target))
            mask = lanes_within(builder, lanes, width, j * lanes)
            term = masked_read(builder, real, lanes, here, mask)
            write(builder, builder.fadd(read(builder, term.type, there), term), there)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 3), codegen


# A row of a panel, and what a tile reads of a column of A.
copy_row = _copier(lambda lanes: COLUMNS)
copy_column = _copier(lambda lanes: -(-ROWS // lanes))


# --- functions of their own ------------------------------------------------------------------
#
# A task and a kernel of Numba use the same code: that of `simd_tile_code.py`, which is compiled by
# itself, once, and called by its address.

TILE = ir.FunctionType(ir.VoidType(), [I64] * 17)
FINISH = ir.FunctionType(ir.VoidType(), [I64] * 9)
TRANSPOSE = ir.FunctionType(ir.VoidType(), [I64] * 6)


def _calling(kind: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * (len(kind.args) + 1)), codegen


@intrinsic
def call_tiles(
    typingctx: Any, tile: Any, rows: Any, columns: Any, a: Any, a_row: Any, a_col: Any, b: Any,
    b_row: Any, c: Any, c_row: Any, bias: Any, depth: Any, add: Any, relu: Any, count: Any,
    a_next: Any, ahead: Any, share: Any,
) -> Any:  # fmt: skip
    """C[rows, columns] = A[rows, depth] @ B[depth, columns] (+ C if `add`) (+ bias if not 0), relu.

    `count` times, with the rows of A that begin `a_next` bytes further and the next rows of C.
    Meanwhile lines are fetched that begin at `ahead`, apart as the rows of B: `share` for a tile.

    Columns are counted in whole vectors, of B, C and bias: a masked load in the inner loop costs a
    twentieth of the speed (a seventh without mask registers), and a masked store without mask
    registers as much as 24 multiplications.
    """
    return _calling(TILE)


@intrinsic
def call_finish(
    typingctx: Any, finish: Any, sums: Any, c: Any, c_row: Any, bias: Any, rows: Any, width: Any,
    apart: Any, add: Any, relu: Any,
) -> Any:  # fmt: skip
    """Do what a tile does with its sums, `width` numbers wide, its rows `apart` bytes apart."""
    return _calling(FINISH)


@intrinsic
def call_transpose(
    typingctx: Any, transpose: Any, source: Any, step: Any, rows: Any, depth: Any, target: Any,
    target_row: Any,
) -> Any:  # fmt: skip
    """Do as `transpose_tile` of `simd_tile_code.py`."""
    return _calling(TRANSPOSE)
