"""Elementwise ops, each declared once as scalar expressions.

From `y="tanh(x)"` and `dx="1 - y * y"` come the Numba kernel of the op, the kernel of its vjp (one
pass, no temporaries), the NumPy evaluation for strided or broadcast operands, and the vjp on
tensors for higher derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import scipy.special as sp

from scg import _axes
from scg._op import OPS, RAW, Op, Smoothness, register
from scg._typing import Shape
from scg.errors import ShapeError
from scg.kernels.generate import Expression, elementwise_kernel, namespace, vectorizable

__all__ = ["elementwise"]

Fn = TypeVar("Fn", bound=Callable[..., Any])

_FLOATS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}

# Below this many elements a chain of ufuncs and one kernel call cost about the same
# (benchmarks/elementwise.py).
KERNEL_FROM = 1

NUMPY_FUNCTIONS: dict[str, Any] = {
    "where": np.where, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "tanh": np.tanh, "sigmoid": sp.expit, "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "erf": sp.erf, "erfc": sp.erfc, "gammaln": sp.gammaln, "digamma": sp.digamma, "sqrt": np.sqrt,
    "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
}  # fmt: skip


class _Tensors(dict[str, Any]):
    """Expression namespace in which every function is a public op."""

    def __missing__(self, name: str) -> Any:
        return OPS[name].public


class _Arrays(dict[str, Any]):
    """Expression namespace in which every function is the op's forward pass on arrays."""

    def __missing__(self, name: str) -> Any:
        if name in NUMPY_FUNCTIONS:
            return NUMPY_FUNCTIONS[name]
        return OPS[name].forward


_TENSORS = _Tensors(namespace({}))
_ARRAYS = _Arrays(namespace({}))


def broadcast_shape(*shapes: Shape, name: str = "elementwise", **_: Any) -> Shape:
    """Return the broadcast shape or raise `ShapeError` with the shapes of all operands."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        given = " and ".join(map(str, shapes))
        raise ShapeError(
            f"scg.{name}: shapes {given} cannot be broadcast together; sizes of an axis must be "
            "equal, or one of them 1"
        ) from None


class _Rule:
    """One expression with its three evaluations."""

    def __init__(self, name: str, text: str, scalars: tuple[str, ...]) -> None:
        self.name = name
        self.expression = Expression(text)
        self.scalars = tuple(s for s in scalars if s in self.expression.names)
        self.arrays = tuple(sorted(self.expression.names - set(scalars)))
        self.packed = vectorizable(self.expression.functions)
        self.code = compile(text, f"<scg {name}>", "eval")

    def kernel(self, dtype: str) -> Callable[..., Any]:
        """Return the loop for one dtype, generated on first use."""
        return elementwise_kernel(
            self.name, self.arrays, self.scalars, (self.expression.text,), dtype
        )

    def on_arrays(self, values: Mapping[str, Any], statics: Mapping[str, Any]) -> Any:
        """Evaluate in one pass where operands are contiguous and alike, else by ufuncs."""
        if self.expression.text == "g":
            return values["g"]
        operands = [values[name] for name in self.arrays]
        if self.packed and operands:
            first = operands[0]
            dtype = _FLOATS.get(getattr(first, "dtype", None))  # type: ignore[arg-type]
            if dtype is not None and first.size >= KERNEL_FROM and _alike(operands):
                out = np.empty_like(first)
                flat = [_flat(a) for a in operands]
                self.kernel(dtype)(*flat, *(statics[s] for s in self.scalars), _flat(out))
                return out
        return eval(self.code, _ARRAYS, {**statics, **values})

    def on_tensors(self, values: Mapping[str, Any], statics: Mapping[str, Any]) -> Any:
        """Evaluate with differentiable ops."""
        return eval(self.code, _TENSORS, {**statics, **values})


def _alike(arrays: list[Any]) -> bool:
    first = arrays[0]
    shape, dtype = first.shape, first.dtype
    for a in arrays:
        if a.__class__ is not np.ndarray or a.dtype != dtype or a.shape != shape:
            return False
        if not a.flags.c_contiguous or not a.flags.aligned:
            return False
    return True


def _flat(array: Any) -> Any:
    """Return a 1-d view: one compiled kernel then serves every rank.

    A read-only array would be another Numba type, hence another compilation, so the view is made
    writable where it can be; the kernels never write to an input.
    """
    flat = array if array.ndim == 1 else array.reshape(-1)
    return flat if flat.flags.writeable else flat.copy()


def elementwise(
    *, y: str, ufunc: Any = None, smooth: Any = Smoothness.SMOOTH, **fields: Any
) -> Callable[[Fn], Fn]:
    """Declare an elementwise op; the decorated function gives name, signature and docstring.

    Parameters
    ----------
    y : str
        The value, in terms of the positional-only inputs and the statics.
    ufunc : callable, optional
        A ufunc to use for the forward pass instead of a kernel, where it is as fast.
    smooth : Smoothness or tuple
        Per input.
    **fields
        `d<input>="expression in inputs, y and statics"` for each derivative (absent means zero
        almost everywhere), and the fields of `Op`.
    """

    def decorate(function: Fn) -> Fn:
        derivatives = {k[1:]: fields.pop(k) for k in list(fields) if k[0] == "d" and len(k) <= 3}
        fields.setdefault("shape", _named_broadcast(function.__name__))
        fields.setdefault("axes", _axes.elementwise)
        op = Op(function.__name__, function, smooth=smooth, **fields)
        op.forward = _forward(op, y, ufunc)
        if ufunc is not None and isinstance(ufunc, np.ufunc):
            op.numpy = (ufunc, *op.numpy)
        if op.reference is None:
            op.reference = ufunc
        rules = _rules(op, derivatives)
        op.vjp = _vjp(op, rules)
        wanted = set().union(*(r.expression.names for r in rules.values() if r)) if rules else set()
        op._kept = tuple(name in wanted for name in ("y", *op.inputs))
        register(op)
        return op.public  # type: ignore[return-value]

    return decorate


def _named_broadcast(name: str) -> Callable[..., Shape]:
    def shape(*shapes: Shape, **_: Any) -> Shape:
        return broadcast_shape(*shapes, name=name)

    return shape


def _forward(op: Op, text: str, ufunc: Any) -> Callable[..., Any]:
    if ufunc is not None and not op.static_names:
        return ufunc  # type: ignore[no-any-return]
    rule = _Rule(op.name, text, op.static_names)
    inputs = op.inputs
    defaults = op.defaults

    def forward(*arrays: Any, **statics: Any) -> Any:
        operands = _as_floats(arrays)
        if ufunc is not None:
            return ufunc(*operands, **statics)
        with np.errstate(all="ignore"):  # kernels do not warn, so their fall-back must not either
            return rule.on_arrays(dict(zip(inputs, operands, strict=True)), {**defaults, **statics})

    return forward


def _as_floats(arrays: tuple[Any, ...]) -> list[Any]:
    """Turn numbers and integer arrays into floating-point arrays of the common dtype (NEP 50)."""
    dtype = np.result_type(*arrays)
    if dtype.kind != "f":
        dtype = np.result_type(dtype, np.float64) if dtype.itemsize > 2 else np.dtype(np.float64)
    return [np.asarray(a, dtype=dtype) for a in arrays]


def _rules(op: Op, derivatives: Mapping[str, str]) -> dict[str, _Rule | None]:
    unknown = derivatives.keys() - set(op.inputs)
    if unknown:
        raise TypeError(f"op '{op.name}' has no input {sorted(unknown)}")
    return {
        name: _Rule(f"{op.name}_vjp_{name}", _times_g(derivatives[name]), op.static_names)
        if name in derivatives else None
        for name in op.inputs
    }  # fmt: skip


def _times_g(derivative: str) -> str:
    return {"1": "g", "-1": "-g"}.get(derivative, f"g * ({derivative})")


def _vjp(op: Op, rules: Mapping[str, _Rule | None]) -> Callable[..., Any]:
    """Build the vjp from the derivative of each input; it runs only those that are needed."""
    ordered = [rules[name] for name in op.inputs]
    names = ("y", *op.inputs)

    def vjp(F: Any, g: Any, needs: tuple[bool, ...], *saved: Any, **statics: Any) -> Any:  # noqa: N803
        values = dict(zip(names, saved, strict=True))
        values["g"] = g
        evaluate = _Rule.on_arrays if F is RAW else _Rule.on_tensors
        return tuple(
            evaluate(rule, values, statics) if rule is not None and need else None
            for rule, need in zip(ordered, needs, strict=True)
        )

    op._has_needs = True
    return vjp


