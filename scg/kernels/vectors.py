"""Vectors whose arithmetic writes LLVM instructions: scalar expressions become vector code.

The functions of `simd.py` and the expressions of elementwise ops are straight lines of arithmetic.
Called with a `Vector` in place of a number they write themselves down as LLVM code, at full width:
nothing depends on what a loop vectoriser makes of them, and no type has to be inferred, which is
where the time of an ordinary compilation goes.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from scg._typing import DType
from scg.kernels import simd, simd_bits
from scg.kernels._jit import cgutils, ir

__all__ = [
    "Code",
    "Vector",
    "evaluate",
    "function_named",
    "joined",
    "letter",
    "on_vectors",
    "where",
]

BOOL, F32, F64 = np.dtype(np.bool_), np.dtype(np.float32), np.dtype(np.float64)
# As in the kernels: a product and a sum may become one instruction, and no more freedom than that.
CONTRACT = ("contract",)
I32 = ir.IntType(32)


def element(dtype: DType, *, stored: bool = False) -> Any:
    """Return the LLVM type of a number: of a truth, one bit in a register and a byte in memory."""
    if dtype.kind == "f":
        return ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    return ir.IntType(1 if dtype == BOOL and not stored else 8 * dtype.itemsize)


class Code:
    """Where instructions are written, and how many numbers each works on.

    Attributes
    ----------
    builder : llvmlite builder
        At the place where the next instruction goes.
    lanes : int
        How many numbers a vector holds.
    """

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes

    def type(self, dtype: DType, *, stored: bool = False) -> Any:
        """Return the LLVM type of a vector."""
        return ir.VectorType(element(dtype, stored=stored), self.lanes)

    def constant(self, value: Any, dtype: DType) -> Vector:
        """Return a vector with the same number in every lane."""
        number = dtype.type(value).item()
        return Vector(self, ir.Constant(self.type(dtype), [number] * self.lanes), dtype)

    def splat(self, value: Any, dtype: DType) -> Vector:
        """Return a vector with one number, known when the code runs, in every lane."""
        undefined = ir.Constant(self.type(dtype), ir.Undefined)
        first = self.builder.insert_element(undefined, value, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return Vector(self, self.builder.shuffle_vector(first, undefined, zeros), dtype)

    def call(self, name: str, *args: Any) -> Any:
        """Call an LLVM intrinsic whose arguments are vectors of one type, which it returns."""
        kind = args[0].type
        signature = ir.FunctionType(kind, [kind] * len(args))
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"llvm.{name}.v{self.lanes}{letter(kind.element)}"
        )
        return self.builder.call(function, args)


class Vector:
    """One number per lane, of which only the code is known.

    Attributes
    ----------
    code : Code
    value : LLVM value
    dtype : dtype
    """

    __slots__ = ("code", "dtype", "value")
    __array_ufunc__ = None  # NumPy's scalars leave arithmetic with a vector to the vector
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, code: Code, value: Any, dtype: DType) -> None:
        self.code, self.value, self.dtype = code, value, dtype

    # --- arithmetic ------------------------------------------------------------------------

    def _same(self, other: Any) -> Vector:
        """Return the other operand, which if it is a constant takes this one's dtype."""
        if isinstance(other, Vector):
            return other
        return self.code.constant(other, self.dtype)

    def _arithmetic(self, name: str, a: Any, b: Any) -> Vector:
        builder = self.code.builder
        if self.dtype.kind == "f":
            result = getattr(builder, "f" + name)(a.value, b.value, flags=CONTRACT)
        else:
            result = getattr(builder, name)(a.value, b.value)
        return Vector(self.code, result, self.dtype)

    def __add__(self, other: Any) -> Vector:
        return self._arithmetic("add", self, self._same(other))

    def __radd__(self, other: Any) -> Vector:
        return self._arithmetic("add", self._same(other), self)

    def __sub__(self, other: Any) -> Vector:
        return self._arithmetic("sub", self, self._same(other))

    def __rsub__(self, other: Any) -> Vector:
        return self._arithmetic("sub", self._same(other), self)

    def __mul__(self, other: Any) -> Vector:
        return self._arithmetic("mul", self, self._same(other))

    def __rmul__(self, other: Any) -> Vector:
        return self._arithmetic("mul", self._same(other), self)

    def __truediv__(self, other: Any) -> Vector:
        return self._arithmetic("div", self, self._same(other))

    def __rtruediv__(self, other: Any) -> Vector:
        return self._arithmetic("div", self._same(other), self)

    def __neg__(self) -> Vector:
        builder = self.code.builder
        negate = builder.fneg if self.dtype.kind == "f" else builder.neg
        return Vector(self.code, negate(self.value), self.dtype)

    def __abs__(self) -> Vector:
        if self.dtype.kind == "f":
            return Vector(self.code, self.code.call("fabs", self.value), self.dtype)
        return where(self < 0, -self, self)

    # --- bits ------------------------------------------------------------------------------

    def _bitwise(self, name: str, other: Any) -> Vector:
        other = self._same(other)
        result = getattr(self.code.builder, name)(self.value, other.value)
        return Vector(self.code, result, self.dtype)

    def __and__(self, other: Any) -> Vector:
        return self._bitwise("and_", other)

    def __or__(self, other: Any) -> Vector:
        return self._bitwise("or_", other)

    def __lshift__(self, other: Any) -> Vector:
        return self._bitwise("shl", other)

    def __rshift__(self, other: Any) -> Vector:
        return self._bitwise("lshr", other)

    def view(self, to: Any) -> Vector:
        """Return the same bits as numbers of another dtype."""
        dtype = np.dtype(getattr(to, "scalar", to))
        bits = self.code.builder.bitcast(self.value, self.code.type(dtype))
        return Vector(self.code, bits, dtype)

    # --- comparison ------------------------------------------------------------------------

    def _compare(self, sign: str, other: Any) -> Vector:
        builder, b = self.code.builder, self._same(other).value
        if self.dtype.kind == "f":
            # NaN differs from everything, so that it is unordered for `!=` alone.
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
        else:
            compare = builder.icmp_signed if self.dtype.kind == "i" else builder.icmp_unsigned
        return Vector(self.code, compare(sign, self.value, b), BOOL)

    def __lt__(self, other: Any) -> Vector:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Vector:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Vector:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Vector:
        return self._compare(">=", other)

    def __eq__(self, other: Any) -> Vector:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Any) -> Vector:  # type: ignore[override]
        return self._compare("!=", other)

    # --- conversion ------------------------------------------------------------------------

    def astype(self, dtype: DType) -> Vector:
        """Convert as NumPy does."""
        if dtype == self.dtype:
            return self
        if dtype == BOOL:
            return self != 0
        value = _converted(self, dtype)
        return Vector(self.code, value, dtype)


def _converted(x: Vector, to: DType) -> Any:
    builder, kind = x.code.builder, x.code.type(to)
    if x.dtype.kind == to.kind == "f":
        return (builder.fptrunc if to.itemsize < x.dtype.itemsize else builder.fpext)(x.value, kind)
    if to.kind == "f":
        return (builder.sitofp if x.dtype.kind == "i" else builder.uitofp)(x.value, kind)
    if x.dtype.kind == "f":
        return _truncated(x, to)
    if to.itemsize < x.dtype.itemsize:
        return builder.trunc(x.value, kind)
    if to.itemsize == x.dtype.itemsize and x.dtype != BOOL:
        return x.value
    return (builder.sext if x.dtype.kind == "i" else builder.zext)(x.value, kind)


def _truncated(x: Vector, to: DType) -> Any:
    """Round towards zero; what no integer equals becomes the smallest, as on x86."""
    bits = 8 * to.itemsize
    inside = (x >= -(2.0 ** (bits - 1))) & (x < 2.0 ** (bits - 1))
    safe = where(inside, x, 0.0)
    number = Vector(x.code, x.code.builder.fptosi(safe.value, x.code.type(to)), to)
    return where(inside, number, np.iinfo(to).min).value


def where(condition: Any, a: Any, b: Any) -> Vector:
    """Choose lane by lane, both having been computed."""
    if not isinstance(a, Vector):
        a = b._same(a) if isinstance(b, Vector) else condition.code.constant(a, np.asarray(a).dtype)
    b = a._same(b)
    return Vector(a.code, a.code.builder.select(condition.value, a.value, b.value), a.dtype)


def joined(kind: str, a: Vector, b: Vector) -> Vector:
    """Add, or take the larger or the smaller, lane by lane."""
    if kind == "sum":
        return a + b
    if a.dtype == BOOL:
        return a | b if kind == "max" else a & b
    beyond = a > b if kind == "max" else a < b
    kept = where(beyond, a, b)
    return where(a != a, a, kept) if a.dtype.kind == "f" else kept  # a NaN stays


def letter(kind: Any) -> str:
    """Return how LLVM's names of intrinsics abbreviate a type."""
    return {"float": "f32", "double": "f64"}.get(str(kind), str(kind))


# --- functions -------------------------------------------------------------------------------


class _Caster:
    """Stands for `np.float32` and its kin: a vector it is given has that dtype already."""

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar

    def __call__(self, x: Any) -> Any:
        return x if isinstance(x, Vector) else self.scalar(x)


def _intrinsic(name: str) -> Callable[[Vector], Vector]:
    return lambda x: Vector(x.code, x.code.call(name, x.value), x.dtype)


def _copysign(a: Any, b: Vector) -> Vector:
    return Vector(b.code, b.code.call("copysign", b._same(a).value, b.value), b.dtype)


_NUMPY = SimpleNamespace(
    copysign=_copysign, rint=_intrinsic("rint"), inf=np.inf, nan=np.nan, floor=_intrinsic("floor")
)
_BUILT_IN: dict[str, Callable[..., Any]] = {
    "abs": abs, "sqrt": _intrinsic("sqrt"), "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"), "trunc": _intrinsic("trunc"),
}  # fmt: skip


def function_named(name: str, dtype: DType) -> Callable[..., Any] | None:
    """Return what a function of the expressions' vocabulary is on vectors, None if nothing."""
    if name in _BUILT_IN:
        return _BUILT_IN[name] if dtype.kind == "f" or name == "abs" else None
    known = getattr(simd, f"{name}_f{8 * dtype.itemsize}", None) if dtype.kind == "f" else None
    return None if known is None else on_vectors(known)


@cache
def on_vectors(function: Any) -> Callable[..., Any]:
    """Copy a device function, and those it calls, with globals that take vectors."""
    if function is simd_bits.select:
        return where
    plain = getattr(function, "py_func", function)
    names = {n: _stand_in(v) for n, v in plain.__globals__.items() if n in plain.__code__.co_names}
    return FunctionType(plain.__code__, {"__builtins__": builtins, **names}, plain.__name__)


def _stand_in(value: Any) -> Any:
    if value is np:
        return _NUMPY
    if isinstance(value, type) and issubclass(value, np.number):
        return _Caster(value)
    return on_vectors(value) if callable(value) else value


@cache
def _compiled(text: str) -> Any:
    return compile(text, "<scg expression>", "eval")


def evaluate(
    text: str, functions: tuple[str, ...], code: Code, dtype: DType, values: dict[str, Any]
) -> Vector:
    """Write the code of an expression in the vocabulary of elementwise ops.

    Parameters
    ----------
    text : str
        As in `scg.kernels.generate.Expression`.
    functions : tuple of str
        Those it calls.
    code : Code
        Where it is written.
    dtype : dtype
        Of the arithmetic; a constant takes it.
    values : dict
        What its names mean: vectors, or numbers that are the same for all.
    """

    def choose(condition: Any, a: Any, b: Any) -> Any:
        if not isinstance(condition, Vector):  # of numbers alone
            return a if condition else b
        return where(condition, a if isinstance(a, Vector) else code.constant(a, dtype), b)

    named = {f: choose if f == "where" else function_named(f, dtype) for f in functions}
    constants = {"pi": np.pi, "inf": np.inf, "nan": np.nan}
    result = eval(_compiled(text), {"__builtins__": {}, **constants, **named, **values})
    return result if isinstance(result, Vector) else code.constant(result, dtype)
