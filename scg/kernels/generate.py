"""Kernels generated from scalar expressions, as source files in the user's cache folder.

A generated kernel is an ordinary module, named by the digest of its text: Numba can cache it like
a hand-written one, a debugger can step through it, and a changed expression is another file.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import linecache
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from scg._config import cache_dir
from scg.kernels import simd

__all__ = ["CONSTANTS", "Expression", "elementwise_kernel", "vectorizable"]

CONSTANTS = {"pi": "3.141592653589793", "inf": "inf", "nan": "nan"}

# What LLVM turns into one packed instruction each, and where it comes from: math.floor and its
# kin return integers, which have no NaN, no infinity and nothing beyond 2**63.
_BUILT_IN = {"abs": "builtins", "sqrt": "math", "floor": "numpy", "ceil": "numpy", "trunc": "numpy"}


class Expression:
    """A scalar expression in a closed vocabulary: arithmetic, comparison, `where`, named functions.

    Attributes
    ----------
    text : str
        As written, for example `"g * (1 - y * y)"`.
    names : frozenset of str
        The variables it uses.
    functions : frozenset of str
        The functions it calls.
    nodes : tuple of ast.AST
        Its syntax tree, each node once.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = tuple(ast.walk(ast.parse(text, mode="eval")))
        calls = [n.func for n in self.nodes if isinstance(n, ast.Call)]
        self.functions = frozenset(f.id for f in calls if isinstance(f, ast.Name))
        used = {n.id for n in self.nodes if isinstance(n, ast.Name)}
        self.names = frozenset(used - self.functions - CONSTANTS.keys())
        for node in self.nodes:
            if not isinstance(node, _ALLOWED):
                raise ValueError(f"{type(node).__name__} is not in the vocabulary: {text}")

    def numba(self) -> str:
        """Return the text with constants typed as the operands and `where` as a select."""
        return ast.unparse(_Typed().visit(ast.parse(self.text, mode="eval")))


_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip


class _Typed(ast.NodeTransformer):
    """Give constants the operand's dtype: a bare `0.5` would turn float32 arithmetic to float64."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        assert isinstance(node.value, int | float)
        return _expression(f"T({float(node.value)!r})")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in CONSTANTS:
            return _expression(f"T({CONSTANTS[node.id]})")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        args = [self.visit(a) for a in node.args]
        if isinstance(node.func, ast.Name) and node.func.id == "where":
            # Not `a if c else b`: LLVM may keep that branch, and with it a scalar loop.
            return ast.Call(func=ast.Name("select", ast.Load()), args=args, keywords=[])
        return ast.Call(func=node.func, args=args, keywords=[])


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@cache
def vectorizable(functions: frozenset[str]) -> bool:
    """Tell whether every function has a packed form, so that a loop over it beats a ufunc."""
    return all(f == "where" or f in _BUILT_IN or hasattr(simd, f + "_f32") for f in functions)


@cache
def elementwise_kernel(
    name: str, inputs: tuple[str, ...], scalars: tuple[str, ...], outputs: tuple[str, ...],
    dtype: str,
) -> Callable[..., Any]:  # fmt: skip
    """Return a compiled-on-first-use loop `kernel(*inputs, *scalars, *outs)` over 1-d arrays.

    Parameters
    ----------
    name : str
        Of the kernel, for profiles and files.
    inputs, scalars : tuple of str
        Variable names: read from arrays, or the same for every element.
    outputs : tuple of str
        One expression per output array.
    dtype : {"float32", "float64"}
        Of every array.
    """
    module = _module(name, _source(name, inputs, scalars, outputs, dtype))
    # Another name than the op's, which a device function of `simd` may have.
    return getattr(module, f"{name}_loop")  # type: ignore[no-any-return]


def _source(
    name: str, inputs: Sequence[str], scalars: Sequence[str], outputs: Sequence[str], dtype: str
) -> str:
    expressions = [Expression(text) for text in outputs]
    functions = sorted(set().union(*(e.functions for e in expressions)) - {"where"})
    outs = [f"out{i}" for i in range(len(outputs))]
    arguments = ", ".join([*(f"{x}_" for x in inputs), *(f"{s}_" for s in scalars), *outs])
    lines = [
        f'"""Generated by scg: {name} ({dtype})."""',
        "",
        f"from numpy import {dtype} as T",
        "from numpy import inf, nan",
    ]
    lines += _imports(functions, dtype)
    if any("where" in e.functions for e in expressions):
        lines.append("from scg.kernels.simd_bits import select")
    lines += [
        "from scg.kernels._jit import kernel",
        "",
        "",
        "@kernel",
        f"def {name}_loop({arguments}):",
    ]
    lines += [f"    {s} = T({s}_)" for s in scalars]
    lines += ["    for i in range(out0.size):"]
    lines += [f"        {x} = {x}_[i]" for x in inputs]
    lines += [
        f"        {o} [i] = {e.numba()}".replace(" [", "[")
        for o, e in zip(outs, expressions, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _imports(functions: Sequence[str], dtype: str) -> list[str]:
    suffix = "f32" if dtype == "float32" else "f64"
    result = []
    for f in functions:
        if hasattr(simd, f"{f}_{suffix}"):
            result.append(f"from scg.kernels.simd import {f}_{suffix} as {f}")
        else:
            result.append(f"from {_BUILT_IN[f]} import {f}")
    return result


def _module(name: str, source: str) -> ModuleType:
    """Import generated source from the cache folder, or from memory if that cannot be written."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    qualified = f"scg_generated_{name}_{digest}"
    if qualified in sys.modules:
        return sys.modules[qualified]
    path = cache_dir() / "generated" / f"{name}_{digest}.py"
    try:
        _write_once(path, source)
        spec = importlib.util.spec_from_file_location(qualified, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except OSError:
        module = _from_memory(qualified, source)
    sys.modules[qualified] = module
    return module


def _write_once(path: Path, source: str) -> None:
    """Write a file that other processes may be writing too: they all write the same text."""
    if path.exists() and path.read_text() == source:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(source)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _from_memory(qualified: str, source: str) -> ModuleType:
    module = ModuleType(qualified)
    filename = f"<{qualified}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), module.__dict__)
    return module


def namespace(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names an evaluated expression may use, with the constants added."""
    return {**functions, "pi": 3.141592653589793, "inf": float("inf"), "nan": float("nan")}
