"""LLVM vector code for pools of 2 x 2: the largest of four neighbours, and where it is.

Numba's loop takes a branch for each comparison, half of which are mispredicted: ten times as
long. The file is named `simd_*` so that a change in it invalidates compiled kernels.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import intrinsic, ir, types
from scg.kernels.simd_tile import REALS, VECTOR_BYTES
from scg.kernels.simd_vector import (
    I32,
    I64,
    broadcast,
    lanes_within,
    masked_read,
    masked_write,
)

__all__ = ["largest_of_four"]


@intrinsic
def largest_of_four(
    typingctx: Any, like: Any, top: Any, line: Any, at: Any, below: Any, width: Any, value: Any,
    index: Any,
) -> Any:  # fmt: skip
    """Pool a vector of windows that begin at an address; the second row is `line` bytes further.

    Of the windows only the first `width` are there. Their largest numbers are written to `value`,
    and to `index` their positions, the first number having the position `at` and the one under it
    `at + below`.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real, size = REALS[signature.args[0].dtype]
        _, top, line, at, below, width, value, index = args
        lanes = VECTOR_BYTES // size
        first = builder.add(broadcast(builder, at, lanes), _numbers(I64, lanes, 2))
        one = _numbers(I64, lanes, 0, 1)
        under = builder.add(first, broadcast(builder, below, lanes))
        a, b = _neighbours(builder, real, lanes, top, width)
        c, d = _neighbours(builder, real, lanes, builder.add(top, line), width)
        best = _better(builder, (a, first), (b, builder.add(first, one)))
        best = _better(builder, best, (c, under))
        best = _better(builder, best, (d, builder.add(under, one)))
        mask = lanes_within(builder, lanes, width, 0)
        # Positions are as wide as float64, and are written as such.
        wide = ir.VectorType(ir.DoubleType(), lanes)
        positions = builder.bitcast(best[1], wide)
        masked_write(builder, real, lanes, best[0], value, mask)
        masked_write(builder, ir.DoubleType(), lanes, positions, index, mask)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 7), codegen


def _numbers(kind: Any, lanes: int, step: int, first: int = 0) -> Any:
    return ir.Constant(ir.VectorType(kind, lanes), [first + step * i for i in range(lanes)])


def _neighbours(builder: Any, real: Any, lanes: int, place: Any, width: Any) -> tuple[Any, Any]:
    """Read two vectors, and return their even and their odd numbers."""
    both = builder.mul(width, I64(2))
    halves = [
        masked_read(builder, real, lanes, builder.add(place, I64(start * VECTOR_BYTES)),
                    lanes_within(builder, lanes, both, start * lanes))
        for start in (0, 1)
    ]  # fmt: skip
    even, odd = (
        builder.shuffle_vector(*halves, _numbers(I32, lanes, 2, first)) for first in (0, 1)
    )
    return even, odd


def _better(builder: Any, best: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """Choose the larger number and its position; NaN beats every number, the first NaN all."""
    larger = builder.fcmp_ordered(">", other[0], best[0])
    nan, number = (
        builder.fcmp_unordered("uno", other[0], other[0]),
        builder.fcmp_ordered("ord", best[0], best[0]),
    )
    take = builder.or_(larger, builder.and_(nan, number))
    value, where = (builder.select(take, new, old) for new, old in zip(other, best, strict=True))
    return value, where
