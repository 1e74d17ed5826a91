"""Elementwise ops, each declared once as scalar expressions.

From `y="tanh(x)"` and `dx="1 - y * y"` come the Numba kernel of the op, the kernel of its vjp (one
pass, no temporaries), the NumPy evaluation for strided or broadcast operands, and the vjp on
tensors for higher derivatives.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import scipy.special as sp

from scg import _axes
from scg._op import OPS, Op, Smoothness, register
from scg._typing import Shape
from scg.errors import ShapeError
from scg.kernels.generate import Expression, elementwise_kernel, namespace, vectorizable
from scg.tape import REQUIRES, TRAINABLE, Node, _grad_enabled
from scg.tensor import Tensor, as_array

__all__ = ["broadcast_shape", "elementwise", "promoting"]

Fn = TypeVar("Fn", bound=Callable[..., Any])

_FLOATS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}

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
        self.packed = vectorizable(self.expression.functions) and bool(self.used)
        self.kernel_from = _kernel_from(self.expression)
        signature = ", ".join([*variables, *(f"{s}=None" for s in scalars)])
        self.kernels: dict[Any, Callable[..., Any]] = {}
        self.code = compile(f"lambda {signature}: {text}", f"<scg {name}>", "eval")

    @cached_property
    def by_ufuncs(self) -> Callable[..., Any]:
        """Evaluate with NumPy: any strides, any broadcasting."""
        return self._bind(_array_function)

    @cached_property
    def on_tensors(self) -> Callable[..., Any]:
        """Evaluate with differentiable ops."""
        return self._bind(lambda name: OPS[name].public)

    def _bind(self, resolve: Callable[[str], Any]) -> Callable[..., Any]:
        # On first use, because an expression may name an op that is declared after it.
        return eval(self.code, namespace({f: resolve(f) for f in self.expression.functions}))  # type: ignore[no-any-return]

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
        operands = [values[i] for i in self.used]
        return operands if first.dtype in _FLOATS and _alike(operands) else None

    def in_one_pass(self, operands: list[Any], statics: Mapping[str, Any]) -> Any:
        """Evaluate by the generated kernel; `operands` are alike and only those used."""
        first = operands[0]
        dtype = first.dtype
        run = self.kernels.get(dtype)
        if run is None:
            names = tuple(self.variables[i] for i in self.used)
            run = self.kernels[dtype] = elementwise_kernel(
                self.name, names, self.scalars, (self.text,), _FLOATS[dtype]
            )
        out = np.empty(first.shape, dtype)
        scalars = [statics[s] for s in self.scalars]
        run(*[_flat(a) for a in operands], *scalars, out if out.ndim == 1 else out.reshape(-1))
        return out


def _kernel_from(expression: Expression) -> int:
    work = sum(map(_work, ast.walk(expression.tree)))
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


def _alike(arrays: list[Any]) -> bool:
    """Tell whether all are aligned row-major arrays of one shape and dtype."""
    first = arrays[0]
    shape, dtype = first.shape, first.dtype
    for a in arrays:
        if a.__class__ is not np.ndarray or a.dtype is not dtype or a.shape != shape:
            return False
        flags = a.flags
        if not flags.c_contiguous or not flags.aligned:
            return False
    return True


def _flat(array: Any) -> Any:
    """Return a 1-d view: one compiled kernel then serves every rank.

    A read-only array would be another Numba type, hence another compilation, so it is copied; the
    kernels never write to an input.
    """
    flat = array if array.ndim == 1 else array.reshape(-1)
    return flat if flat.flags.writeable else flat.copy()


def elementwise(
    *, y: str, name: str | None = None, ufunc: Any = None, library: Any = None,
    kernel_from: int | None = None, smooth: Any = Smoothness.SMOOTH, **fields: Any,
) -> Callable[[Fn], Fn]:  # fmt: skip
    """Declare an elementwise op; the decorated function gives name, signature and docstring.

    Parameters
    ----------
    y : str
        The value, in terms of the positional-only inputs and the statics.
    name : str, optional
        Of the op, if not that of the function.
    ufunc : callable, optional
        Used for the forward pass instead of a kernel, where it is as fast at every size.
    library : callable, optional
        Used where arrays are too small, or too differently laid out, for the kernel.
    kernel_from : int, optional
        From how many elements a kernel pays, if another number than the expression suggests.
    smooth : Smoothness or tuple
        Per input.
    **fields
        `d<input>="expression in inputs, y and statics"` for each derivative (absent means zero
        almost everywhere), and the fields of `Op`. An expression that names `g` is the cotangent
        itself: `where(x > 0, g, 0)` needs no product, and no constant that widens float32.
    """

    def decorate(function: Fn) -> Fn:
        inputs = inspect.signature(function).parameters
        derivatives = {x: fields.pop(f"d{x}") for x in inputs if f"d{x}" in fields}
        op_name = name or function.__name__
        fields.setdefault("shape", _named_broadcast(op_name))
        fields.setdefault("axes", _axes.elementwise)
        op = ElementwiseOp(op_name, function, smooth=smooth, **fields)
        op.value = _Rule(op.name, y, op.inputs, op.static_names)
        op.value.kernel_from = kernel_from or op.value.kernel_from
        op.forward = ufunc if ufunc is not None else _forward(op, library)
        known = ufunc if ufunc is not None else library
        if isinstance(known, np.ufunc):
            op.numpy = (known, *op.numpy)
        if op.reference is None:
            op.reference = known
        op.set_derivatives(derivatives)
        op.make_short()
        register(op)
        return op.public  # type: ignore[return-value]

    return decorate


def _named_broadcast(name: str) -> Callable[..., Shape]:
    def shape(*shapes: Shape, **_: Any) -> Shape:
        return broadcast_shape(*shapes, name=name)

    return shape


def _forward(op: ElementwiseOp, library: Any) -> Callable[..., Any]:
    rule, defaults = op.value, op.defaults

    def forward(*arrays: Any, **statics: Any) -> Any:
        operands = arrays if _are_floats(arrays) else _as_floats(arrays)
        if defaults:
            statics = {**defaults, **statics}
        alike = rule.packable(operands)
        if alike is not None:
            return rule.in_one_pass(alike, statics)
        if library is not None:
            return library(*operands, **statics)
        with np.errstate(all="ignore"):  # kernels do not warn, so their fall-back must not either
            return rule.by_ufuncs(*operands, **statics)

    if library is not None and len(op.inputs) == 1 and not op.static_names:
        return _small_first(op, library, forward)  # type: ignore[no-any-return]
    return forward


def _small_first(op: ElementwiseOp, library: Any, general: Callable[..., Any]) -> Any:
    """Ask first for the usual case, one small array: all else costs more than its arithmetic."""
    below = op.value.kernel_from

    def forward(x: Any, /) -> Any:
        if x.__class__ is np.ndarray and x.size < below and x.dtype in _FLOATS:
            return library(x)
        return general(x)

    return forward


def _are_floats(arrays: tuple[Any, ...]) -> bool:
    """Tell whether all are arrays of one floating-point dtype: the usual case, told quickly."""
    first = arrays[0]
    if first.__class__ is not np.ndarray or first.dtype not in _FLOATS:
        return False
    for a in arrays[1:]:
        if a.__class__ is not np.ndarray or a.dtype is not first.dtype:
            return False
    return True


def _as_floats(arrays: tuple[Any, ...]) -> Sequence[Any]:
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
        return ufunc(*(arrays if _are_floats(arrays) else _as_floats(arrays)))

    return forward


def _times_g(derivative: str) -> str:
    if "g" in Expression(derivative).names:
        return derivative
    return {"1": "g", "-1": "-g"}.get(derivative, f"g * ({derivative})")


class ElementwiseOp(Op):
    """An op whose vjp is a list of expressions, with a shorter path for one and two inputs.

    Attributes
    ----------
    value : _Rule
        Its value, also where a ufunc is used for the forward pass.
    """

    __slots__ = ("value",)

    value: _Rule

    def set_derivatives(self, derivatives: Mapping[str, str]) -> None:
        """Attach the derivative of each input; a missing one is zero almost everywhere."""
        unknown = derivatives.keys() - set(self.inputs)
        if unknown:
            raise TypeError(f"op '{self.name}' has no input {sorted(unknown)}")
        variables = ("g", "y", *self.inputs)
        self.rules = tuple(
            _Rule(f"{self.name}_vjp_{x}", _times_g(derivatives[x]), variables, self.static_names)
            if x in derivatives else None
            for x in self.inputs
        )  # fmt: skip
        used = {name for r in self.rules if r is not None for name in r.expression.names}
        self._kept = tuple(name in used for name in variables[1:])
        self.vjp = self._call

    def _residuals(self, y: Any, arrays: Sequence[Any]) -> tuple[Any, ...]:
        values = (y, *arrays)
        if False in self._kept:
            return tuple([v if k else None for v, k in zip(values, self._kept, strict=True)])
        return values

    def raw_vjp(self, node: Node, g: Any, needs: Sequence[Any]) -> list[Any]:
        """Pull a cotangent array back."""
        saved, statics = node.saved, node.statics
        assert saved is not None
        assert self.rules is not None
        return [
            None if rule is None or not need else
            g if rule.is_identity else
            rule.on_arrays(g, *saved, **statics)
            for rule, need in zip(self.rules, needs, strict=True)
        ]  # fmt: skip

    def _call(self, F: Any, g: Any, needs: Any, saved: Any, statics: Any) -> tuple[Any, ...]:
        assert self.rules is not None
        return tuple(
            rule.on_tensors(g, *saved, **statics) if rule is not None and need else None
            for rule, need in zip(self.rules, needs, strict=True)
        )

    def make_short(self) -> None:
        """Replace the general public function by one without argument handling."""
        if self.static_names or len(self.inputs) > 2:
            return
        short = _unary(self) if len(self.inputs) == 1 else _binary(self)
        short.__name__ = short.__qualname__ = self.name
        short.__doc__ = self.public.__doc__
        short.__module__ = self.public.__module__
        short.__signature__ = self.public.__signature__  # type: ignore[attr-defined]
        short.op = self  # type: ignore[attr-defined]
        self.public = short


# What a node of an ordinary, noise-free graph carries; anything else takes the general road.
_PLAIN = REQUIRES | TRAINABLE


def _unary(op: ElementwiseOp) -> Callable[..., Tensor]:
    keep_y, keep_x = op._kept
    forward, record, plain = op.forward, op.record, op._all_smooth

    def public(x: Any, /) -> Tensor:
        if x.__class__ is not Tensor:
            return op.apply((x,), {})
        data, node = x._data, x._node
        try:
            y = forward(data)
        except TypeError as error:
            raise op._explain(error, [data], {}) from error
        if y.__class__ is not np.ndarray:
            y = np.asarray(y)
        if node is None:
            return Tensor(y, None)
        if plain and node.flags == _PLAIN and _grad_enabled.get():
            saved = (y if keep_y else None, data if keep_x else None)
            return Tensor(y, Node(op, (node,), saved, _NONE, _PLAIN, node.version, y.shape,
                                  y.dtype, sys._getframe(1)))  # fmt: skip
        return record(y, (data,), (node,), _NONE)

    return public


def _binary(op: ElementwiseOp) -> Callable[..., Tensor]:
    keep_y, keep_a, keep_b = op._kept
    forward, record, plain = op.forward, op.record, op._all_smooth

    def public(a: Any, b: Any, /) -> Tensor:
        if a.__class__ is Tensor:
            left, m = a._data, a._node
        else:
            left, m = as_array(a, op.name), None
        if b.__class__ is Tensor:
            right, n = b._data, b._node
        else:
            right, n = as_array(b, op.name), None
        try:
            y = forward(left, right)
        except (TypeError, ValueError) as error:
            raise op._explain(error, [left, right], {}) from error
        if y.__class__ is not np.ndarray:
            y = np.asarray(y)
        if m is None and n is None:
            return Tensor(y, None)
        if (
            plain and (m is None or m.flags == _PLAIN) and (n is None or n.flags == _PLAIN)
            and _grad_enabled.get()
        ):  # fmt: skip
            saved = (y if keep_y else None, left if keep_a else None, right if keep_b else None)
            stamp = (0 if m is None else m.version) + (0 if n is None else n.version)
            return Tensor(y, Node(op, (m, n), saved, _NONE, _PLAIN, stamp, y.shape, y.dtype,
                                  sys._getframe(1)))  # fmt: skip
        return record(y, (left, right), (m, n), _NONE)

    return public


_NONE: dict[str, Any] = {}
