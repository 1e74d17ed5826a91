"""The loop of `uniform.py` in LLVM code: steps of PCG64, and the numbers that NumPy makes of them.

The file is named `simd_*` so that a change in it invalidates compiled code.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import cgutils, ir
from scg.kernels.simd_vector import I32, I64, write

__all__ = ["NAME", "STREAMS", "UNIT", "task"]

NAME = "scg_uniform"
# Steps side by side, and those of a unit, some 8 us.
STREAMS, UNIT = 4, 1 << 12
I128 = ir.IntType(128)
# A row: where the numbers go, how many steps there are, multiplier and increment of one step, of
# STREAMS and of UNIT, and the state before the first; all as two halves, the lower one first.
OUT, STEPS, STEP, SEVERAL, LEAP, FIRST = 0, 1, 2, 6, 10, 14


def task(per: int) -> ir.Module:
    """Write the task: units of steps, `per` numbers from each of them."""
    module = ir.Module(NAME)
    kind = ir.FunctionType(ir.VoidType(), [I64, I64, I64.as_pointer()])
    function = ir.Function(module, kind, NAME)
    builder = ir.IRBuilder(function.append_basic_block())
    begin, end, row = function.args

    def number(at: Any) -> Any:
        return builder.load(builder.gep(row, [at]))

    def whole(at: Any) -> Any:
        low, high = (builder.zext(number(builder.add(at, I64(i))), I128) for i in (0, 1))
        return builder.or_(low, builder.shl(high, I128(64)))

    def constants(at: int) -> tuple[Any, Any]:
        return whole(I64(at)), whole(I64(at + 2))

    out, steps = number(I64(OUT)), number(I64(STEPS))
    one, several, leap = constants(STEP), constants(SEVERAL), constants(LEAP)
    before = cgutils.alloca_once_value(builder, whole(I64(FIRST)))
    _leap(builder, before, leap, begin)
    with cgutils.for_range_slice(builder, begin, end, I64(1)) as (unit, _):
        at = builder.mul(unit, I64(UNIT))
        stop = builder.add(at, I64(UNIT))
        stop = builder.select(builder.icmp_signed("<", stop, steps), stop, steps)
        state = builder.load(before)
        builder.store(_after(builder, state, leap), before)
        cells = []
        for _ in range(STREAMS):
            state = _after(builder, state, one)
            cells.append(cgutils.alloca_once_value(builder, state))
        with cgutils.for_range_slice(builder, at, stop, I64(STREAMS)) as (index, _):
            states = [builder.load(cell) for cell in cells]
            for cell, now in zip(cells, states, strict=True):
                builder.store(_after(builder, now, several), cell)
            goal = builder.add(out, builder.mul(index, I64(8)))
            write(builder, _numbers(builder, [_bits(builder, s) for s in states], per), goal)
    builder.ret_void()
    return module


def _after(builder: Any, state: Any, jump: tuple[Any, Any]) -> Any:
    return builder.add(builder.mul(state, jump[0]), jump[1])


def _leap(builder: Any, cell: Any, jump: tuple[Any, Any], count: Any) -> None:
    """Make so many jumps from the state in a cell, by those of 1, 2, 4, ... in the count."""
    multiplier, increment, left = (cgutils.alloca_once_value(builder, x) for x in (*jump, count))
    loop, body, done = (builder.append_basic_block(name) for name in ("leap", "jump", "leapt"))
    builder.branch(loop)
    builder.position_at_end(loop)
    rest = builder.load(left)
    builder.cbranch(builder.icmp_signed(">", rest, I64(0)), body, done)
    builder.position_at_end(body)
    now = builder.load(multiplier), builder.load(increment)
    state = builder.load(cell)
    odd = builder.trunc(rest, ir.IntType(1))
    builder.store(builder.select(odd, _after(builder, state, now), state), cell)
    builder.store(builder.mul(now[0], now[0]), multiplier)
    builder.store(_after(builder, now[1], now), increment)  # a (a s + c) + c
    builder.store(builder.lshr(rest, I64(1)), left)
    builder.branch(loop)
    builder.position_at_end(done)


def _bits(builder: Any, state: Any) -> Any:
    """Fold a state to 64 bits, rotated by its first six."""
    low = builder.trunc(state, I64)
    high = builder.trunc(builder.lshr(state, I128(64)), I64)
    folded, by = builder.xor(low, high), builder.lshr(high, I64(58))
    kind = ir.FunctionType(I64, [I64] * 3)
    rotate = cgutils.get_or_insert_function(builder.module, kind, "llvm.fshr.i64")
    return builder.call(rotate, [folded, folded, by])


def _numbers(builder: Any, bits: list[Any], per: int) -> Any:
    """Return the numbers that NumPy makes of bits: 24 of each half for float32, or 53 of all."""
    vector = ir.Constant(ir.VectorType(I64, len(bits)), ir.Undefined)
    for i, value in enumerate(bits):
        vector = builder.insert_element(vector, value, I32(i))
    integer, real, kept = (I32, ir.FloatType(), 24) if per == 2 else (I64, ir.DoubleType(), 53)
    lanes = per * len(bits)
    parts = builder.bitcast(vector, ir.VectorType(integer, lanes))
    shift = ir.Constant(parts.type, [integer.width - kept] * lanes)
    kind = ir.VectorType(real, lanes)
    scale = ir.Constant(kind, [2.0**-kept] * lanes)
    return builder.fmul(builder.sitofp(builder.lshr(parts, shift), kind), scale)
