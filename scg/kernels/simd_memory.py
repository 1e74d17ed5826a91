"""Numbers at addresses, for tasks: kernels that get addresses in place of arrays.

`load_f32(place, i)` is the i-th float32 at an address, `store_f32(place, i, value)` writes it, and
`read_f32` is a load that promises: nothing that this task stores is read by it. With the promise
LLVM vectorises a loop without comparing addresses first. In a loop that works in place, load from
the same variable that is stored to: LLVM then sees that the two are one.

The suffixes are f32, f64, i64, i32 and b8 (a boolean of one byte).
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import intrinsic, ir, types

__all__ = [
    "call_region", "call_task", "keep", "load_b8", "load_f32", "load_f64", "load_i32", "load_i64",
    "read_b8", "read_f32", "read_f64", "read_i32", "read_i64", "store_b8", "store_f32",
    "store_f64", "store_i32", "store_i64",
]  # fmt: skip


def _loader(kind: Any, real: Any, *, promised: bool) -> Any:
    @intrinsic
    def load(typingctx: Any, place: Any, i: Any) -> Any:
        """Return the i-th number at an address."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(_element(builder, real, *args))
            value.align = _SIZES[real]
            if promised:
                value.set_metadata("noalias", _written(builder.module))
            return _to_bool(builder, value) if kind is types.boolean else value

        return kind(types.intp, types.intp), codegen

    return load


def _storer(kind: Any, real: Any) -> Any:
    @intrinsic
    def store(typingctx: Any, place: Any, i: Any, value: Any) -> Any:
        """Write the i-th number at an address."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.zext(args[2], real) if kind is types.boolean else args[2]
            done = builder.store(value, _element(builder, real, *args[:2]))
            done.align = _SIZES[real]
            done.set_metadata("alias.scope", _written(builder.module))
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, kind), codegen

    return store


def _element(builder: Any, real: Any, place: Any, i: Any) -> Any:
    """Point to an element by an index from the base: LLVM does not see through address sums."""
    return builder.gep(builder.inttoptr(place, real.as_pointer()), [i])


def _to_bool(builder: Any, byte: Any) -> Any:
    return builder.icmp_unsigned("!=", byte, ir.Constant(byte.type, 0))


def _written(module: Any) -> Any:
    """Return the alias scope of all stores: a list of one scope, named within one domain."""
    domain = module.add_metadata([ir.MetaDataString(module, "scg")])
    scope = module.add_metadata([ir.MetaDataString(module, "scg: written"), domain])
    return module.add_metadata([scope])


@intrinsic
def keep(typingctx: Any, array: Any) -> Any:
    """Do nothing with an array: Numba frees it after its last use, and an address is none."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), codegen


def _caller(arity: int) -> Any:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * arity)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * (arity + 1)), codegen


@intrinsic
def call_task(typingctx: Any, task: Any, begin: Any, end: Any, row: Any) -> Any:
    """Call the task at an address."""
    return _caller(3)


@intrinsic
def call_region(
    typingctx: Any, region: Any, table: Any, lines: Any, team: Any, entry: Any, member: Any
) -> Any:
    """Call the function at an address that runs lines of tasks on a team of threads."""
    return _caller(5)


_F32, _F64, _I64, _I32, _I8 = (
    ir.FloatType(), ir.DoubleType(), ir.IntType(64), ir.IntType(32), ir.IntType(8),
)  # fmt: skip
_SIZES = {_F32: 4, _F64: 8, _I64: 8, _I32: 4, _I8: 1}

load_f32 = _loader(types.float32, _F32, promised=False)
load_f64 = _loader(types.float64, _F64, promised=False)
load_i64 = _loader(types.int64, _I64, promised=False)
load_i32 = _loader(types.int32, _I32, promised=False)
load_b8 = _loader(types.boolean, _I8, promised=False)
read_f32 = _loader(types.float32, _F32, promised=True)
read_f64 = _loader(types.float64, _F64, promised=True)
read_i64 = _loader(types.int64, _I64, promised=True)
read_i32 = _loader(types.int32, _I32, promised=True)
read_b8 = _loader(types.boolean, _I8, promised=True)
store_f32, store_f64 = _storer(types.float32, _F32), _storer(types.float64, _F64)
store_i64, store_i32 = _storer(types.int64, _I64), _storer(types.int32, _I32)
store_b8 = _storer(types.boolean, _I8)
