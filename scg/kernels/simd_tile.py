"""LLVM vector code for `matmul.py`: a register tile, and the transposition that packs a panel.

Written as intrinsics because no loop in Python makes LLVM hold 28 accumulators in registers over
the whole inner dimension. All addresses are integers and all strides are in bytes, so one build
serves every layout. The file is named `simd_*` so that a change in it invalidates compiled kernels.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import cgutils, cpu_features, intrinsic, ir, types

__all__ = [
    "COLUMNS", "HAS_TILE", "ROWS", "VECTOR_BYTES", "WIDE_COLUMNS", "WIDE_ROWS",
    "address", "copy_column", "copy_row", "load", "prefetch", "register_tile", "store",
    "transpose_tile",
]  # fmt: skip

# Rows x vectors of a tile: accumulators, the row of B and one broadcast of A fill the register
# file (32 registers of 64 bytes, or 16 of 32); one row more spills. Up to WIDE_ROWS rows a tile is
# wider, because too few accumulators would wait for each other.
COLUMNS = 2
VECTOR_BYTES, ROWS, WIDE_COLUMNS, WIDE_ROWS = (
    (64, 14, 8, 3) if "avx512f" in cpu_features() else (32, 6, 4, 3)
)
AHEAD = 16
HAS_TILE = "avx512f" in cpu_features() or {"avx2", "fma"} <= cpu_features()

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
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
        return _load(builder, real, args[1])

    return like.dtype(like, types.intp), codegen


@intrinsic
def store(typingctx: Any, like: Any, place: Any, value: Any) -> Any:
    """Write a number of the dtype of the array `like` to an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[2], args[1])
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
                        vector = _load(builder, ir.VectorType(real, lanes), here)
                        _store(builder, vector, there)
                with part:
                    for j, step in enumerate(steps):
                        here, there = (builder.add(x, I64(step)) for x in (source, target))
                        mask = _mask(builder, lanes, width, j * lanes)
                        _store(builder, _masked_load(builder, real, lanes, here, mask), there)
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
        _prefetch(builder, args[0], 3)
        return context.get_dummy_value()

    return types.void(types.intp), codegen


@intrinsic
def register_tile(
    typingctx: Any, like: Any, rows: Any, columns: Any, a: Any, a_row: Any, a_col: Any, b: Any,
    b_row: Any, c: Any, c_row: Any, bias: Any, depth: Any, add: Any, relu: Any,
) -> Any:  # fmt: skip
    """C[rows, columns] = A[rows, depth] @ B[depth, columns] (+ C if `add`) (+ bias if not 0), relu.

    Columns are counted in whole vectors, of B, C and bias: a masked load in the inner loop costs a
    twentieth of the speed (a seventh without mask registers), and a masked store without mask
    registers as much as 24 multiplications.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real, size = REALS[signature.args[0].dtype]
        done = builder.append_basic_block("tile.done")
        kind = builder.add(builder.mul(args[1], I64(WIDE_COLUMNS + 1)), args[2])
        switch = builder.switch(kind, done)
        for rows, columns in SIZES:
            block = builder.append_basic_block(f"tile.{rows}.{columns}")
            switch.add_case(I64(rows * (WIDE_COLUMNS + 1) + columns), block)
            builder.position_at_end(block)
            builder.call(_tile(builder.module, real, size, rows, columns), args[3:])
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 13), codegen


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
        _, source, step, rows, depth, target, target_row = args
        real, size = REALS[signature.args[0].dtype]
        lanes = VECTOR_BYTES // size
        mask = _mask(builder, lanes, depth, 0)
        last = builder.sub(rows, I64(1))
        vectors = []
        for i in range(lanes):
            row = builder.select(builder.icmp_signed("<", I64(i), last), I64(i), last)
            place = builder.add(source, builder.mul(row, step))
            vectors.append(_masked_load(builder, real, lanes, place, mask))
        for i, vector in enumerate(_transposed(builder, vectors, lanes)):
            _store(builder, vector, builder.add(target, builder.mul(target_row, I64(i))))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 6), codegen


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
        return [_load(builder, vector, place) for place in places]

    def each_row(change: Any) -> None:
        for i, row in enumerate(cells):
            for cell, value in zip(row, change(i, [builder.load(x) for x in row]), strict=True):
                builder.store(value, cell)

    def row_of_c(i: int) -> Any:
        return builder.add(c, builder.mul(c_row, I64(i)))

    for i in range(rows):
        _prefetch(builder, row_of_c(i), 3)
    fma = _fma(builder.module, real, lanes)
    with cgutils.for_range(builder, depth) as loop:
        b_vectors = vectors(builder.add(b, builder.mul(loop.index, b_row)))
        column = builder.add(a, builder.mul(loop.index, a_col))
        _prefetch(builder, builder.add(column, builder.mul(a_col, I64(AHEAD))), 3)

        def multiply(i: int, sums: list[Any]) -> list[Any]:
            place = builder.add(column, builder.mul(a_row, I64(i)))
            x = _broadcast(builder, _load(builder, real, place), lanes)
            return [builder.call(fma, [x, y, s]) for y, s in zip(b_vectors, sums, strict=True)]

        each_row(multiply)

    def plus(terms: list[Any], sums: list[Any]) -> list[Any]:
        return [builder.fadd(s, t) for s, t in zip(sums, terms, strict=True)]

    with builder.if_then(builder.icmp_signed("!=", add, I64(0))):
        each_row(lambda i, sums: plus(vectors(row_of_c(i)), sums))
    with builder.if_then(builder.icmp_signed("!=", bias, I64(0))):
        terms = vectors(bias)
        each_row(lambda i, sums: plus(terms, sums))
    with builder.if_then(builder.icmp_signed("!=", relu, I64(0))):
        # "x < 0 gives 0" and not "x > 0 gives x": a NaN must stay a NaN.
        each_row(
            lambda i, sums: [
                builder.select(builder.fcmp_ordered("<", s, zero), zero, s) for s in sums
            ]
        )
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            _store(builder, builder.load(cell), builder.add(row_of_c(i), I64(j * VECTOR_BYTES)))
    builder.ret_void()


# --- single instructions ---------------------------------------------------------------------


def _load(builder: Any, kind: Any, place: Any) -> Any:
    value = builder.load(builder.inttoptr(place, kind.as_pointer()))
    value.align = 1
    return value


def _store(builder: Any, vector: Any, place: Any) -> None:
    builder.store(vector, builder.inttoptr(place, vector.type.as_pointer())).align = 1


def _prefetch(builder: Any, place: Any, locality: int) -> None:
    """Fetch a line that will be read or written, into all caches (3) or all but the first (2)."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.inttoptr(place, pointer), I32(0), I32(locality), I32(1)])


def _broadcast(builder: Any, value: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    )


def _mask(builder: Any, lanes: int, width: Any, start: int) -> Any:
    """Lanes that lie within a row of `width` elements, for the vector beginning at `start`."""
    index = ir.Constant(ir.VectorType(I64, lanes), list(range(start, start + lanes)))
    return builder.icmp_signed("<", index, _broadcast(builder, width, lanes))


def _name(real: Any, lanes: int) -> str:
    return f"v{lanes}f{32 if isinstance(real, ir.FloatType) else 64}"


def _fma(module: Any, real: Any, lanes: int) -> Any:
    vector = ir.VectorType(real, lanes)
    kind = ir.FunctionType(vector, [vector] * 3)
    return cgutils.get_or_insert_function(module, kind, f"llvm.fma.{_name(real, lanes)}")


def _masked_load(builder: Any, real: Any, lanes: int, place: Any, mask: Any) -> Any:
    vector = ir.VectorType(real, lanes)
    pointer = vector.as_pointer()
    kind = ir.FunctionType(vector, [pointer, I32, mask.type, vector])
    name = f"llvm.masked.load.{_name(real, lanes)}.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    zero = ir.Constant(vector, [0.0] * lanes)
    return builder.call(function, [builder.inttoptr(place, pointer), I32(1), mask, zero])
