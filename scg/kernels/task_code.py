"""Tasks as LLVM code: what Python with integers and addresses says, written down without Numba.

A task is a loop around hand-written vector code. Numba takes three seconds to find out that all of
it is integers, and as much again to optimise each function on its way into the task. Here the
syntax tree is walked once, every function is written where it is called, and LLVM sees one body.

The language is what tasks need: integers of 64 bits, floating-point numbers, tuples, functions of
the module, `range` loops, `while`, `if`, arrays from `np.empty` and `np.zeros` (freed when the
function that made them is left), and the intrinsics of `simd_*.py`. A name is bound by its first
assignment to one LLVM type; what is no number (a tuple, a function, an array) is known here.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from scg.kernels import simd
from scg.kernels._jit import cgutils, ir, types
from scg.kernels.task_numbers import F32, F64, I1, I32, I64, Numbers, Unsupported, is_number

__all__ = ["module_of"]

_REALS: dict[Any, tuple[Any, Any]] = {
    np.float32: (F32, types.float32), np.float64: (F64, types.float64),
    np.int64: (I64, types.int64),
}  # fmt: skip
_KINDS = {
    I1: types.boolean, I32: types.int32, I64: types.int64, F32: types.float32, F64: types.float64,
}  # fmt: skip
_BACK = {kind: real for real, kind in _KINDS.items()}
_CACHE_LINE = 64


class _Array(NamedTuple):
    """A one-dimensional array: where it begins, and of what it is."""

    place: Any
    size: Any
    dtype: Any

    @property
    def itemsize(self) -> int:
        return int(np.dtype(self.dtype).itemsize)


class _Slot(NamedTuple):
    """Where the number is that a name stands for."""

    cell: Any


def module_of(function: FunctionType, name: str, flags: Sequence[str]) -> ir.Module:
    """Return an LLVM module with a function of integers under a name.

    Parameters
    ----------
    function : function
        Of 64-bit integers; it returns nothing.
    name : str
        What it is called in the module.
    flags : sequence of str
        What LLVM may do to floating-point arithmetic.
    """
    module = ir.Module(name)
    count = function.__code__.co_argcount
    target = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * count), name)
    target.attributes.add("nounwind")
    builder = ir.IRBuilder(target.append_basic_block())
    _Body(function, builder, tuple(flags)).call(list(target.args))
    builder.ret_void()
    return module


class _Body(Numbers):
    """One call of a function, while it is written."""

    def __init__(self, function: FunctionType, builder: Any, flags: tuple[str, ...]) -> None:
        super().__init__(builder, flags)
        self.function = function
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        closure = {name: cell.cell_contents for name, cell in cells}
        self.outer = {**vars(builtins), **function.__globals__, **closure}
        self.names: dict[str, Any] = {}
        self.owned: list[Any] = []
        self.breaks: list[Any] = []
        self.depth = 0

    def call(self, args: Sequence[Any]) -> Any:
        """Write the body, and return what it returns: numbers, or tuples of them."""
        tree = _tree(self.function)
        for parameter, value in zip(tree.args.args, args, strict=True):
            self._bind(parameter.arg, value)
        *before, last = tree.body
        for statement in before:
            self.statement(statement)
        result = None
        if isinstance(last, ast.Return):
            result = None if last.value is None else self.value(last.value)
        else:
            self.statement(last)
        for place in self.owned:
            self._library("free", ir.VoidType(), place)
        return result

    # --- statements -------------------------------------------------------------------------

    def statement(self, node: ast.stmt) -> None:
        name = type(node).__name__
        write = getattr(self, f"_write_{name}", None)
        if write is None:
            raise Unsupported(f"{self.function.__name__}, line {node.lineno}: no {name} in a task")
        write(node)

    def _body(self, statements: Sequence[ast.stmt]) -> None:
        self.depth += 1
        for statement in statements:
            if self.builder.block.is_terminated:  # after a break
                break
            self.statement(statement)
        self.depth -= 1

    def _write_Pass(self, node: ast.Pass) -> None:
        pass

    def _write_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.value(node.value)

    def _write_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._assign(target, value)

    def _write_AugAssign(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        old = self._read_Name(node.target)
        self._bind(node.target.id, self.binary(node.op, old, self.value(node.value)))

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Tuple):
            for element, part in zip(target.elts, value, strict=True):
                self._assign(element, part)
        elif isinstance(target, ast.Subscript):
            array, index = self.value(target.value), self.value(target.slice)
            self.builder.store(self.ir(value, _REALS[array.dtype][0]), self._element(array, index))
        else:
            assert isinstance(target, ast.Name)
            self._bind(target.id, value)

    def _bind(self, name: str, value: Any) -> None:
        if not is_number(value):
            self.names[name] = value
            return
        known = self.names.get(name)
        if isinstance(known, _Slot):
            self.builder.store(self.ir(value, known.cell.type.pointee), known.cell)
        else:
            self.names[name] = self._slot(value)

    def _slot(self, value: Any) -> _Slot:
        number = self.ir(value)
        number = self.ir(number, I64) if number.type == I1 else number
        cell = cgutils.alloca_once(self.builder, number.type)
        self.builder.store(number, cell)
        return _Slot(cell)

    def _write_If(self, node: ast.If) -> None:
        condition = self.value(node.test)
        if not isinstance(condition, ir.Value):
            self._body(node.body if condition else node.orelse)
            return
        with self.builder.if_else(self.truth(condition)) as (then, otherwise):
            with then:
                self._body(node.body)
            with otherwise:
                self._body(node.orelse)

    def _write_While(self, node: ast.While) -> None:
        self._loop(lambda: self.truth(self.value(node.test)), node.body, lambda: None)

    def _write_For(self, node: ast.For) -> None:
        start, stop, step = self._range(node)
        builder, counter = self.builder, cgutils.alloca_once(self.builder, I64)
        builder.store(start, counter)

        def more() -> Any:
            index = builder.load(counter)
            up, down = (builder.icmp_signed(sign, index, stop) for sign in "<>")
            return builder.select(builder.icmp_signed(">", step, I64(0)), up, down)

        def advance() -> None:
            index = builder.load(counter)
            builder.store(builder.add(index, step, flags=("nsw",)), counter)

        assert isinstance(node.target, ast.Name)
        name = node.target.id
        self._loop(more, node.body, advance, lambda: self._bind(name, builder.load(counter)))

    def _range(self, node: ast.For) -> tuple[Any, Any, Any]:
        if not isinstance(node.iter, ast.Call) or self.value(node.iter.func) is not range:
            raise Unsupported(f"{self.function.__name__}, line {node.lineno}: a loop is over range")
        given = [self.ir(self.value(a), I64) for a in node.iter.args]
        return (I64(0), *given, I64(1)) if len(given) == 1 else (*given, I64(1))[:3]

    def _loop(
        self, more: Callable[[], Any], body: Sequence[ast.stmt], advance: Callable[[], None],
        begin: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        builder = self.builder
        test, turn, end = (builder.append_basic_block(n) for n in ("test", "turn", "end"))
        builder.branch(test)
        builder.position_at_end(test)
        builder.cbranch(more(), turn, end)
        builder.position_at_end(turn)
        self.breaks.append(end)
        begin()
        self._body(body)
        self.breaks.pop()
        if not builder.block.is_terminated:
            advance()
            builder.branch(test)
        builder.position_at_end(end)

    def _write_Break(self, node: ast.Break) -> None:
        self.builder.branch(self.breaks[-1])

    # --- expressions ------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Any:
        """Return what an expression means: a number that is known when the task runs, or now."""
        name = type(node).__name__
        read = getattr(self, f"_read_{name}", None)
        if read is None:
            raise Unsupported(f"{self.function.__name__}, line {node.lineno}: no {name} in a task")
        return read(node)

    def _read_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def _read_Name(self, node: ast.Name) -> Any:
        value = self.names[node.id] if node.id in self.names else self.outer[node.id]
        return self.builder.load(value.cell) if isinstance(value, _Slot) else value

    def _read_Tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.value(element) for element in node.elts)

    def _read_Attribute(self, node: ast.Attribute) -> Any:
        return getattr(self.value(node.value), node.attr)

    def _read_Subscript(self, node: ast.Subscript) -> Any:
        whole = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = (node.slice.lower, node.slice.upper, node.slice.step)
            return whole[slice(*(None if b is None else self.value(b) for b in bounds))]
        index = self.value(node.slice)
        if isinstance(whole, _Array):
            return self.builder.load(self._element(whole, index))
        return whole[index]

    def _element(self, array: _Array, index: Any) -> Any:
        first = self.builder.inttoptr(array.place, _REALS[array.dtype][0].as_pointer())
        return self.builder.gep(first, [self.ir(index, I64)])

    def _read_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return self.unary(node.op, self.value(node.operand))

    def _read_BinOp(self, node: ast.BinOp) -> Any:
        return self.binary(node.op, self.value(node.left), self.value(node.right))

    def _read_Compare(self, node: ast.Compare) -> Any:
        left, result = self.value(node.left), None
        for op, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            found = self.compared(op, left, right)
            both = (result, found)
            result = found if result is None else self.builder.and_(*map(self.truth, both))
            left = right
        return result

    def _read_BoolOp(self, node: ast.BoolOp) -> Any:
        """Choose an operand; a later one is looked at only where those before ask for it."""
        first, *others = node.values
        result = self.value(first)
        for other in others:
            result = self._chosen(result, other, stays=isinstance(node.op, ast.Or))
        return result

    def _chosen(self, first: Any, other: ast.expr, *, stays: bool) -> Any:
        if not isinstance(first, ir.Value):
            return first if bool(first) is stays else self.value(other)
        slot, truth = self._slot(first), self.truth(first)
        with self.builder.if_then(self.builder.not_(truth) if stays else truth):
            self.builder.store(self.ir(self.value(other), slot.cell.type.pointee), slot.cell)
        return self.builder.load(slot.cell)

    def _read_IfExp(self, node: ast.IfExp) -> Any:
        condition = self.value(node.test)
        if not isinstance(condition, ir.Value):
            return self.value(node.body if condition else node.orelse)
        with self.builder.if_else(self.truth(condition)) as (then, otherwise):
            with then:
                slot = self._slot(self.value(node.body))
            with otherwise:
                value = self.ir(self.value(node.orelse), slot.cell.type.pointee)
                self.builder.store(value, slot.cell)
        return self.builder.load(slot.cell)

    # --- calls ------------------------------------------------------------------------------

    def _read_Call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        args = [self.value(a) for a in node.args]
        if hasattr(function, "_defn"):
            return self._intrinsic(function._defn, args)
        if function in (min, max):
            return self.extreme(function, args)
        if function in (np.empty, np.zeros):
            return self._new(*args, zeros=function is np.zeros)
        if function is np.sqrt:
            return self.root(args[0])
        plain = getattr(function, "py_func", function)
        if getattr(simd, getattr(plain, "__name__", ""), None) is function:
            return self.straight(function, args)
        if isinstance(plain, FunctionType):
            return _Body(plain, self.builder, self.flags).call(args)
        raise Unsupported(f"{self.function.__name__}, line {node.lineno}: a call of {function!r}")

    def _intrinsic(self, define: Any, args: Sequence[Any]) -> Any:
        """Write an intrinsic as Numba would, which asks for types and gets values."""
        args = [a if isinstance(a, _Array) else self.ir(a) for a in args]
        signature, write = define(None, *(_kind(a) for a in args))
        values = [
            a if isinstance(a, _Array) else self.ir(a, _BACK.get(kind))
            for a, kind in zip(args, signature.args, strict=True)
        ]
        result = write(_CONTEXT, self.builder, signature, values)
        return None if signature.return_type == types.void else result

    # --- memory -----------------------------------------------------------------------------

    def _new(self, size: Any, dtype: Any, *, zeros: bool) -> _Array:
        """Return an array whose memory is given back at the end of this function."""
        if not isinstance(size, ir.Value) and size == 0:  # stands for its dtype alone
            return _Array(I64(0), 0, dtype)
        if self.depth:
            raise Unsupported(f"{self.function.__name__}: an array is made in a loop or a branch")
        builder = self.builder
        count = builder.mul(self.ir(size, I64), I64(np.dtype(dtype).itemsize))
        room = builder.add(count, I64(_CACHE_LINE))
        start = (
            self._library("calloc", I64, room, I64(1)) if zeros
            else self._library("malloc", I64, room)
        )  # fmt: skip
        self.owned.append(start)
        past = builder.add(start, I64(_CACHE_LINE - 1))
        return _Array(builder.and_(past, I64(-_CACHE_LINE)), size, dtype)

    def _library(self, name: str, result: Any, *args: Any) -> Any:
        kind = ir.FunctionType(result, [I64] * len(args))
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, name), list(args)
        )


def _data(context: Any, builder: Any, array: _Array) -> Any:
    kind = _REALS[array.dtype][0]
    return SimpleNamespace(data=builder.inttoptr(array.place, kind.as_pointer()))


# What intrinsics ask of the context that Numba gives them.
_CONTEXT = SimpleNamespace(get_dummy_value=lambda: None, make_array=lambda kind: _data)


def _kind(value: Any) -> Any:
    if isinstance(value, _Array):
        return types.Array(_REALS[value.dtype][1], 1, "C")
    return _KINDS[value.type]


def _tree(function: FunctionType) -> ast.FunctionDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    return tree
