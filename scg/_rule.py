"""One scalar expression and its evaluations: a kernel, NumPy, differentiable ops."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.special as sp

from scg._op import OPS
from scg.kernels._once import once
from scg.kernels.generate import Expression, elementwise_kernel, namespace, vectorizable

__all__ = ["FLOATS", "Rule", "are_floats", "as_floats", "promoting"]

FLOATS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}

# From how many elements a kernel call, which costs about 2 us more than a ufunc, beats the chain of
# ufuncs, by the work in the chain: arithmetic counts 1 each, np.where 3, an exp or the like 4.
# Measured by benchmarks/elementwise.py. One pass by a ufunc is never beaten.
KERNEL_FROM = {2: 8192, 3: 4096, 4: 1024, 5: 512, 6: 512, 7: 512}
KERNEL_FROM_LONG = 256

CHEAP = frozenset({"abs", "sqrt", "floor", "ceil", "trunc"})

NUMPY_FUNCTIONS: dict[str, Any] = {
    "where": np.where, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "tanh": np.tanh, "sigmoid": sp.expit, "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "erf": sp.erf, "erfc": sp.erfc, "gammaln": sp.gammaln, "digamma": sp.digamma, "sqrt": np.sqrt,
    "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
}  # fmt: skip


class Rule:
    """One expression with its three evaluations, each called as `f(*variables, **statics)`."""

    def __init__(
        self, name: str, text: str, variables: tuple[str, ...], scalars: tuple[str, ...]
    ) -> None:
        self.name = name
        self.text = text
        self.is_identity = text == "g"
        self.variables = variables
        self.expression = Expression(text)
        self.scalars = tuple(s for s in scalars if s in self.expression.names)
        self.used = tuple(i for i, v in enumerate(variables) if v in self.expression.names)
        self.first = self.used[0] if self.used else 0
        self.alone = len(self.used) == 1
        self.packed = vectorizable(self.expression.functions) and bool(self.used)
        self.kernel_from = _kernel_from(self.expression)
        signature = ", ".join([*variables, *(f"{s}=None" for s in scalars)])
        self.source = f"lambda {signature}: {text}"
        self.kernels: dict[Any, Callable[..., Any]] = {}

    @cached_property
    def by_ufuncs(self) -> Callable[..., Any]:
        """Evaluate with NumPy: any strides, any broadcasting."""
        return self._bind(_array_function)

    @cached_property
    def on_tensors(self) -> Callable[..., Any]:
        """Evaluate with differentiable ops."""
        return self._bind(lambda name: OPS[name].public)

    def _bind(self, resolve: Callable[[str], Any]) -> Callable[..., Any]:
        # On first use, because an expression may name an op that is declared after it, and because
        # compiling all of them would be felt at import.
        code = compile(self.source, f"<scg {self.name}>", "eval")
        return eval(code, namespace({f: resolve(f) for f in self.expression.functions}))  # type: ignore[no-any-return]

    def on_arrays(self, *values: Any, **statics: Any) -> Any:
        """Evaluate in one pass where operands are contiguous and alike, else by ufuncs."""
        if self.packed and values[self.first].size >= self.kernel_from:
            operands = self.packable(values)
            if operands is not None:
                return self.in_one_pass(operands, statics)
        return self.by_ufuncs(*values, **statics)

    def packable(self, values: Sequence[Any]) -> list[Any] | None:
        """Return the operands used, if the kernel takes them and is faster than ufuncs."""
        if not self.packed:
            return None
        first = values[self.first]
        if first.__class__ is not np.ndarray or first.size < self.kernel_from:
            return None
        dtype = first.dtype
        if dtype not in FLOATS or once():
            return None
        if self.alone:
            return [first]
        shape, operands = first.shape, []
        for number in self.used:
            value = values[number]
            if value.__class__ is not np.ndarray or value.dtype is not dtype:
                return None
            if value.shape != shape:
                return None
            operands.append(value)
        return operands

    def in_one_pass(self, operands: list[Any], statics: Mapping[str, Any]) -> Any:
        """Evaluate by the generated kernel; `operands` are alike and only those used."""
        first = operands[0]
        dtype = first.dtype
        run = self.kernels.get(dtype)
        if run is None:
            names = tuple(self.variables[i] for i in self.used)
            run = self.kernels[dtype] = elementwise_kernel(
                self.name, names, self.scalars, (self.text,), FLOATS[dtype]
            )
        out = np.empty(first.shape, dtype)
        scalars = [statics[s] for s in self.scalars] if self.scalars else ()
        run(*map(_flat, operands), *scalars, out if out.ndim == 1 else out.reshape(-1))
        return out


def _kernel_from(expression: Expression) -> int:
    work = sum(map(_work, expression.nodes))
    return KERNEL_FROM.get(work, KERNEL_FROM_LONG) if work > 1 else sys.maxsize


def _work(node: ast.AST) -> int:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        return 3 if name == "where" else 1 if name in CHEAP else 4
    if isinstance(node, ast.UnaryOp):
        return 0 if isinstance(node.operand, ast.Constant) else 1
    return 1 if isinstance(node, ast.BinOp | ast.Compare) else 0


def _array_function(name: str) -> Any:
    return NUMPY_FUNCTIONS[name] if name in NUMPY_FUNCTIONS else OPS[name].forward


def _flat(array: Any) -> Any:
    """Return the elements in row-major order in one dimension: one kernel then serves every rank.

    A strided operand (the cotangent of a sum, say) is copied, which costs less than the temporaries
    of a chain of ufuncs. So is a read-only one, which would be another Numba type and compilation.
    """
    flat = array if array.ndim == 1 else array.reshape(-1)
    return flat if flat.flags.carray else flat.copy()  # contiguous, aligned and writeable


def are_floats(arrays: tuple[Any, ...]) -> bool:
    """Tell whether all are arrays of one floating-point dtype: the usual case, told quickly."""
    first = arrays[0]
    if first.__class__ is not np.ndarray or first.dtype not in FLOATS:
        return False
    for a in arrays[1:]:
        if a.__class__ is not np.ndarray or a.dtype is not first.dtype:
            return False
    return True


def as_floats(arrays: tuple[Any, ...]) -> Sequence[Any]:
    """Turn numbers and integer arrays into floating-point arrays of the common dtype (NEP 50)."""
    dtype = np.result_type(*arrays)
    if dtype.kind != "f":
        dtype = np.result_type(dtype, np.float64) if dtype.itemsize > 2 else np.dtype(np.float64)
    return [np.asarray(a, dtype=dtype) for a in arrays]


def promoting(ufunc: Any) -> Callable[..., Any]:
    """Return a SciPy ufunc that leaves float32 as it is when the other operand is a number.

    SciPy's loops are searched in the old way, in which a Python float counts as a float64.
    """

    def forward(*arrays: Any) -> Any:
        return ufunc(*(arrays if are_floats(arrays) else as_floats(arrays)))

    return forward
