"""Single vector instructions as LLVM code, at addresses that are integers."""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import cgutils, ir

__all__ = [
    "broadcast",
    "fetch",
    "fma",
    "lanes_within",
    "masked_read",
    "masked_write",
    "read",
    "write",
]

I32, I64 = ir.IntType(32), ir.IntType(64)


def read(builder: Any, kind: Any, place: Any) -> Any:
    """Read a number or vector."""
    value = builder.load(builder.inttoptr(place, kind.as_pointer()))
    value.align = 1
    return value


def write(builder: Any, vector: Any, place: Any) -> None:
    """Write a number or vector."""
    builder.store(vector, builder.inttoptr(place, vector.type.as_pointer())).align = 1


def fetch(builder: Any, place: Any, locality: int) -> None:
    """Fetch a line that will be read or written, into all caches (3) or all but the first (2)."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.inttoptr(place, pointer), I32(0), I32(locality), I32(1)])


def broadcast(builder: Any, value: Any, lanes: int) -> Any:
    """Repeat a number in all lanes."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    )


def lanes_within(builder: Any, lanes: int, width: Any, start: int) -> Any:
    """Lanes that lie within a row of `width` elements, for the vector beginning at `start`."""
    index = ir.Constant(ir.VectorType(I64, lanes), list(range(start, start + lanes)))
    return builder.icmp_signed("<", index, broadcast(builder, width, lanes))


def _kind_name(real: Any, lanes: int) -> str:
    return f"v{lanes}f{32 if isinstance(real, ir.FloatType) else 64}"


def fma(module: Any, real: Any, lanes: int) -> Any:
    """Return the function that multiplies and adds vectors with one rounding."""
    vector = ir.VectorType(real, lanes)
    kind = ir.FunctionType(vector, [vector] * 3)
    return cgutils.get_or_insert_function(module, kind, f"llvm.fma.{_kind_name(real, lanes)}")


def masked_read(builder: Any, real: Any, lanes: int, place: Any, mask: Any) -> Any:
    """Read the lanes of a mask; the others are zeros."""
    vector = ir.VectorType(real, lanes)
    pointer = vector.as_pointer()
    kind = ir.FunctionType(vector, [pointer, I32, mask.type, vector])
    name = f"llvm.masked.load.{_kind_name(real, lanes)}.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    zero = ir.Constant(vector, [0.0] * lanes)
    return builder.call(function, [builder.inttoptr(place, pointer), I32(1), mask, zero])


def masked_write(builder: Any, real: Any, lanes: int, value: Any, place: Any, mask: Any) -> None:
    """Write the lanes of a mask."""
    pointer = value.type.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [value.type, pointer, I32, mask.type])
    name = f"llvm.masked.store.{_kind_name(real, lanes)}.p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(function, [value, builder.inttoptr(place, pointer), I32(1), mask])
