"""Elementwise ops, each declared once as scalar expressions.

From `y="tanh(x)"` and `dx="1 - y * y"` come the Numba kernel of the op, the kernel of its vjp (one
pass, no temporaries), the NumPy evaluation for strided or broadcast operands, and the vjp on
tensors for higher derivatives.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from scg import _axes
from scg._noise_facts import LOUD, keep_for_routing
from scg._op import SMOOTH, Op, Smoothness, register
from scg._recording import ACTIVE, note
from scg._rule import FLOATS, Rule, are_floats, as_floats
from scg._signs import note_sign
from scg._tensor import Tensor, as_array
from scg._typing import Shape
from scg.errors import ShapeError
from scg.tape import (
    HELD,
    INHERITED,
    NOISE,
    OBSERVED,
    PLAIN,
    RANDOM,
    REQUIRES,
    ROUTED,
    Node,
    NoisyNode,
    _grad_enabled,
)

__all__ = ["ElementwiseOp", "broadcast_shape", "elementwise"]

Fn = TypeVar("Fn", bound=Callable[..., Any])


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
        Used where arrays are too small, or too differently laid out, for the kernel; beside a
        `ufunc`, where they are too small for that.
    kernel_from : int, optional
        From how many elements the kernel, or `ufunc` beside a `library`, pays, if another number
        than the expression suggests.
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
        op.value = Rule(op.name, y, op.inputs, op.static_names)
        op.value.kernel_from = kernel_from or op.value.kernel_from
        op.forward = ufunc if ufunc is not None else _forward(op, library)
        if library is not None and not op.static_names:
            op.forward = _small_first(op, library, op.forward)
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
        if defaults:
            statics = {**defaults, **statics}
        operands: Sequence[Any] = arrays
        alike = rule.packable(operands)
        if alike is None and not are_floats(arrays):
            operands = as_floats(arrays)
            alike = rule.packable(operands)
        if alike is not None:
            return rule.in_one_pass(alike, statics)
        if library is not None:
            return library(*operands, **statics)
        with np.errstate(all="ignore"):  # kernels do not warn, so their fall-back must not either
            return rule.by_ufuncs(*operands, **statics)

    return forward


def _small_first(op: ElementwiseOp, library: Any, general: Callable[..., Any]) -> Any:
    """Ask first for the usual case, small arrays: all else costs more than their arithmetic.

    The questions cost about as much as NumPy's call for one element, so they are the cheapest that
    there are: names of this function, and dtypes compared by identity. A dtype that is equal but
    another object only takes the longer road.
    """
    below, ndarray = op.value.kernel_from, np.ndarray
    f32, f64 = FLOATS

    def unary(x: Any, /) -> Any:
        if x.__class__ is ndarray and x.size < below and ((t := x.dtype) is f64 or t is f32):
            return library(x)
        return general(x)

    def binary(a: Any, b: Any, /) -> Any:
        if a.__class__ is ndarray and a.size < below and b.__class__ is ndarray:
            dtype = a.dtype
            if (dtype is f64 or dtype is f32) and b.dtype is dtype:
                return library(a, b)
        return general(a, b)

    return unary if len(op.inputs) == 1 else binary


def _times_g(derivative: str) -> str:
    if re.search(r"\bg\b", derivative):
        return derivative
    return {"1": "g", "-1": "-g"}.get(derivative, f"g * ({derivative})")


class ElementwiseOp(Op):
    """An op whose vjp is a list of expressions, with a shorter path for one and two inputs.

    Attributes
    ----------
    value : Rule
        Its value, also where a ufunc is used for the forward pass.
    """

    __slots__ = ("value",)

    value: Rule

    def set_derivatives(self, derivatives: Mapping[str, str]) -> None:
        """Attach the derivative of each input; a missing one is zero almost everywhere."""
        unknown = derivatives.keys() - set(self.inputs)
        if unknown:
            raise TypeError(f"op '{self.name}' has no input {sorted(unknown)}")
        variables = ("g", "y", *self.inputs)
        self.rules = tuple(
            Rule(f"{self.name}_vjp_{x}", _times_g(derivatives[x]), variables, self.static_names)
            if x in derivatives else None
            for x in self.inputs
        )  # fmt: skip
        used = {name for r in self.rules if r is not None for name in r.expression.names}
        self._kept = tuple(name in used for name in variables[1:])
        self.vjp = self._call

    def _residuals(self, y: Any, arrays: Sequence[Any]) -> tuple[Any, ...]:
        values = [y, *arrays]
        for number, keep in enumerate(self._kept):
            if not keep:
                values[number] = None
        return tuple(values)

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


# What carries these takes the general road.
_LONG = HELD | LOUD | OBSERVED


def _noisy(
    op: ElementwiseOp, y: Any, arrays: tuple[Any, ...], nodes: tuple[Node | None, ...],
    saved: tuple[Any, ...], flags: int, stamp: int,
) -> Tensor:  # fmt: skip
    """Record a smooth op on values that are noisy, or that no cotangent reaches."""
    flags &= INHERITED
    if not flags:
        return Tensor(y, None)
    parents = nodes
    if not flags & REQUIRES:
        parents, saved, stamp = (), (), 0
    if not flags & RANDOM:
        return Tensor(y, Node(op, parents, saved, _NONE, flags, stamp, y.shape, y.dtype,
                              sys._getframe(2)))  # fmt: skip
    node = NoisyNode(op, parents, saved, _NONE, flags, stamp, y.shape, y.dtype, sys._getframe(2),
                     nodes)  # fmt: skip
    if op.sign and flags & NOISE:
        note_sign(op, node, arrays, nodes)
    if flags & ROUTED:
        keep_for_routing(op, node, arrays, nodes)
    return Tensor(y, node)


def _unary(op: ElementwiseOp) -> Callable[..., Tensor]:
    keep_y, keep_x = op._kept
    forward, record, plain = op.forward, op.record, op._all_smooth
    smooth = op.smooth is SMOOTH

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
        if ACTIVE:
            note(op, (data,), (node,), _NONE, y)
        if node is None:
            return Tensor(y, None)
        if plain and not node.flags & _LONG and _grad_enabled.get():
            saved = (y if keep_y else None, data if keep_x else None)
            if node.flags == PLAIN:
                return Tensor(y, Node(op, (node,), saved, _NONE, PLAIN, node.version, y.shape,
                                      y.dtype, sys._getframe(1)))  # fmt: skip
            if smooth:
                return _noisy(op, y, (data,), (node,), saved, node.flags, node.version)
        return record(y, (data,), (node,), _NONE)

    return public


def _binary(op: ElementwiseOp) -> Callable[..., Tensor]:
    keep_y, keep_a, keep_b = op._kept
    forward, record, plain = op.forward, op.record, op._all_smooth
    smooth = op.smooth is SMOOTH

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
        if ACTIVE:
            note(op, (left, right), (m, n), _NONE, y)
        if m is None and n is None:
            return Tensor(y, None)
        flags = (0 if m is None else m.flags) | (0 if n is None else n.flags)
        if plain and not flags & _LONG and _grad_enabled.get():
            saved = (y if keep_y else None, left if keep_a else None, right if keep_b else None)
            stamp = (0 if m is None else m.version) + (0 if n is None else n.version)
            if flags == PLAIN:
                return Tensor(y, Node(op, (m, n), saved, _NONE, PLAIN, stamp, y.shape, y.dtype,
                                      sys._getframe(1)))  # fmt: skip
            if smooth:
                return _noisy(op, y, (left, right), (m, n), saved, flags, stamp)
        return record(y, (left, right), (m, n), _NONE)

    return public


_NONE: dict[str, Any] = {}
