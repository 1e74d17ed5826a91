"""Arithmetic of numbers that are known when a task runs, mixed with those that are known now.

A number is an LLVM value, a Python int (of 64 bits when it runs) or a Python float (which takes the
type of what it meets). Truths are converted to integers and back as Python does.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._typing import DType
from scg.kernels._jit import cgutils, ir
from scg.kernels.vectors import Code, on_vectors

__all__ = ["F32", "F64", "I1", "I32", "I64", "Numbers", "Unsupported", "is_number"]

I1, I32, I64, F32, F64 = (
    ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType(),
)  # fmt: skip

_DTYPES: dict[Any, DType] = {F32: np.dtype(np.float32), F64: np.dtype(np.float64)}
_BINARY: dict[Any, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Div: operator.truediv,
}  # fmt: skip
_UNARY: dict[Any, Any] = {ast.USub: operator.neg, ast.Not: operator.not_}
_INTEGERS: dict[Any, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
_FLOATS: dict[Any, str] = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARISONS: dict[Any, tuple[str, Any]] = {
    ast.Lt: ("<", operator.lt), ast.LtE: ("<=", operator.le), ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge), ast.Eq: ("==", operator.eq), ast.NotEq: ("!=", operator.ne),
}  # fmt: skip


def is_number(value: Any) -> bool:
    """Tell whether a name that is bound to it may be bound to another number later."""
    return isinstance(value, ir.Value | int | float)


class Unsupported(TypeError):
    """What a task may not contain; a mistake of the kernel's author."""


def _meaning(table: dict[Any, Any], op: ast.AST) -> Any:
    if type(op) not in table:
        raise Unsupported(f"no {type(op).__name__} of these numbers in a task")
    return table[type(op)]


def _known(*values: Any) -> bool:
    return not any(isinstance(value, ir.Value) for value in values)


class Numbers:
    """Where the instructions go, and what LLVM may do to floating-point arithmetic."""

    def __init__(self, builder: Any, flags: tuple[str, ...]) -> None:
        self.builder, self.flags = builder, flags

    # --- conversion -------------------------------------------------------------------------

    def ir(self, value: Any, kind: Any = None) -> Any:
        """Return a number as an LLVM value, converted if a type is asked for."""
        if not isinstance(value, ir.Value):
            kind = kind or (F64 if isinstance(value, float) else I64)
            return ir.Constant(kind, float(value) if kind in (F32, F64) else int(value))
        if kind is None or kind == value.type:
            return value
        if value.type == I1 and kind == I64:
            return self.builder.zext(value, I64)
        if kind == I1:
            return self.truth(value)
        raise Unsupported(f"a task has a number of LLVM's type {value.type} where {kind} is wanted")

    def truth(self, value: Any) -> Any:
        """Return whether a number is not zero, as an LLVM value."""
        if not isinstance(value, ir.Value):
            return I1(bool(value))
        return value if value.type == I1 else self.builder.icmp_signed("!=", value, I64(0))

    def _alike(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Return both operands with one type; what is known now takes that of the other."""
        (kind,) = {x.type for x in (a, b) if isinstance(x, ir.Value)} - {I1} or {I64}
        return self.ir(a, kind), self.ir(b, kind)

    # --- operators --------------------------------------------------------------------------

    def unary(self, op: ast.unaryop, x: Any) -> Any:
        """Negate a number or a truth."""
        if _known(x):
            return _meaning(_UNARY, op)(x)
        if isinstance(op, ast.Not):
            return self.builder.not_(self.truth(x))
        assert isinstance(op, ast.USub)
        return self.builder.fneg(x) if x.type in _DTYPES else self.builder.neg(self.ir(x, I64))

    def binary(self, op: ast.operator, a: Any, b: Any) -> Any:
        """Do one operation of arithmetic."""
        if _known(a, b):
            return _meaning(_BINARY, op)(a, b)
        a, b = self._alike(a, b)
        if a.type != I64:
            return getattr(self.builder, _meaning(_FLOATS, op))(a, b, flags=self.flags)
        if isinstance(op, ast.FloorDiv | ast.Mod):
            return self._divided(a, b, rest=isinstance(op, ast.Mod))
        return getattr(self.builder, _meaning(_INTEGERS, op))(a, b)

    def _divided(self, a: Any, b: Any, *, rest: bool) -> Any:
        """Divide and round down, as Python does: LLVM rounds towards zero."""
        builder = self.builder
        remainder = builder.srem(a, b)
        differ = builder.icmp_signed("<", builder.xor(remainder, b), I64(0))
        down = builder.and_(differ, builder.icmp_signed("!=", remainder, I64(0)))
        if rest:
            return builder.add(remainder, builder.select(down, b, I64(0)))
        return builder.sub(builder.sdiv(a, b), builder.zext(down, I64))

    def compared(self, op: ast.cmpop, a: Any, b: Any) -> Any:
        """Compare two numbers."""
        sign, known = _meaning(_COMPARISONS, op)
        if _known(a, b):
            return known(a, b)
        a, b = self._alike(a, b)
        if a.type == I64:
            return self.builder.icmp_signed(sign, a, b)
        # NaN differs from everything, so that it is unordered for `!=` alone.
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return compare(sign, a, b)

    # --- functions --------------------------------------------------------------------------

    def extreme(self, function: Any, args: Sequence[Any]) -> Any:
        """Return the least or the largest of some integers."""
        if _known(*args):
            return function(*args)
        result = args[0]
        for other in args[1:]:
            a, b = self._alike(result, other)
            beyond = self.builder.icmp_signed("<" if function is min else ">", b, a)
            result = self.builder.select(beyond, b, a)
        return result

    def root(self, x: Any) -> Any:
        """Return a square root."""
        name = f"llvm.sqrt.{'f32' if x.type == F32 else 'f64'}"
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(x.type, [x.type]), name
        )
        return self.builder.call(function, [x])

    def straight(self, function: Any, args: Sequence[Any]) -> Any:
        """Write a function of `simd.py`, which writes itself when it is called with vectors."""
        code = Code(self.builder, 1)
        vectors = [code.splat(a, _DTYPES[a.type]) for a in map(self.ir, args)]
        return self.builder.extract_element(on_vectors(function)(*vectors).value, I32(0))
