"""What a thread of an x86 processor does about subnormal numbers; of others it stays as it is.

It takes a hundred cycles and more over each. A network that has learnt its training set by heart
has gradients full of them, or of numbers whose squares are. A product would use every one as often
as the matrix is wide.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import cgutils, cpu_features, intrinsic, ir, types

__all__ = ["flush_subnormal", "restore_mode"]

# Bits of the control register: results that are subnormal become 0, and so do operands.
FLUSH_TO_ZERO, DENORMALS_ARE_ZERO = 1 << 15, 1 << 6
HAS_MODE = "sse" in cpu_features()
_I32, _POINTER = ir.IntType(32), ir.IntType(8).as_pointer()


def _control(builder: Any, name: str, cell: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_POINTER])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
    builder.call(function, [builder.bitcast(cell, _POINTER)])


def _set(builder: Any, cell: Any, mode: Any) -> None:
    builder.store(mode, cell)
    _control(builder, "ldmxcsr", cell)


@intrinsic
def flush_subnormal(typingctx: Any) -> Any:
    """Let this thread take subnormal numbers for 0; return the mode that it was in."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not HAS_MODE:
            return ir.Constant(_I32, 0)
        cell = cgutils.alloca_once(builder, _I32)
        _control(builder, "stmxcsr", cell)
        mode = builder.load(cell)
        flush = FLUSH_TO_ZERO | DENORMALS_ARE_ZERO
        _set(builder, cell, builder.or_(mode, ir.Constant(_I32, flush)))
        return mode

    return types.int32(), codegen


@intrinsic
def restore_mode(typingctx: Any, mode: Any) -> Any:
    """Put this thread back into the mode it was in."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if HAS_MODE:
            _set(builder, cgutils.alloca_once(builder, _I32), args[0])
        return context.get_dummy_value()

    return types.void(types.int32), codegen
