"""Rules that replace a computation by a simpler one with the same value up to rounding.

Each takes the writer of the new program and an instruction whose operands are written already, and
returns the value to use instead, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scg._axes import normalize_axes
from scg._compile._pieces import joined
from scg._compile._program import Apply, Value
from scg._compile._rewriter import FOLDED, Rewriter, Rule, constant_of, number_of, source_of
from scg._op import OPS

__all__ = ["RULES"]

RULES: dict[str, list[Rule]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule for ops of some names; "" stands for every op, after their own rules."""

    def enter(function: Rule) -> Rule:
        for name in names:
            RULES.setdefault(name, []).append(function)
        return function

    return enter


rule("add")(joined)  # before what else there is about sums


def _same_kind(step: Apply, value: Value | None) -> bool:
    """Tell whether a value can stand for the result without a cast."""
    return value is not None and value.dtype == step.outputs[0].dtype


def _as_result(w: Rewriter, step: Apply, value: Value | None) -> Value | None:
    """Return a value in the shape of the result, if it has its dtype."""
    if value is None or not _same_kind(step, value):
        return None
    shape = step.outputs[0].shape
    return value if value.shape == shape else w.repeated(value, shape)


# --- constants -------------------------------------------------------------------------------


@rule("")
def _folded(w: Rewriter, step: Apply) -> Value | None:
    """Compute what depends on constants alone, once."""
    arrays = [constant_of(v) for v in step.inputs]
    out = step.outputs[0]
    if not arrays or any(a is None for a in arrays):
        return None
    if math.prod(out.shape) > max(1, min(FOLDED, sum(a.size for a in arrays if a is not None))):
        return None
    with np.errstate(all="ignore"):
        y = np.asarray(step.op.forward(*arrays, **step.statics))
    return w.constant(np.array(y))


# --- arithmetic ------------------------------------------------------------------------------


@rule("add")
def _add(w: Rewriter, step: Apply) -> Value | None:
    a, b = step.inputs
    if number_of(a) == 0.0:
        a, b = b, a
    if number_of(b) == 0.0:
        return _as_result(w, step, a)
    if a is b and a is not None and _same_kind(step, a):
        return w.elementwise("multiply", a, w.number(2.0, a.dtype), dtype=a.dtype)
    inner = source_of(a, "add")
    if inner is not None and b is not None and b in inner.inputs and _same_kind(step, b):
        other = inner.inputs[0] if inner.inputs[1] is b else inner.inputs[1]
        assert other is not None
        twice = w.elementwise("multiply", b, w.number(2.0, b.dtype), dtype=b.dtype)
        return w.elementwise("add", other, twice, dtype=step.outputs[0].dtype)
    minus = source_of(b, "negative")
    if minus is not None and a is not None:
        taken = minus.inputs[0]
        assert taken is not None
        return w.elementwise("subtract", a, taken, dtype=step.outputs[0].dtype)
    return None


@rule("subtract")
def _subtract(w: Rewriter, step: Apply) -> Value | None:
    a, b = step.inputs
    if number_of(b) == 0.0:
        return _as_result(w, step, a)
    minus = source_of(b, "negative")
    if minus is not None and a is not None:
        added = minus.inputs[0]
        assert added is not None
        return w.elementwise("add", a, added, dtype=step.outputs[0].dtype)
    return None


@rule("multiply")
def _multiply(w: Rewriter, step: Apply) -> Value | None:
    a, b = step.inputs
    if number_of(a) is not None:
        a, b = b, a
    factor = number_of(b)
    if factor is None or a is None or not _same_kind(step, a):
        return None
    if factor == 1.0:
        return _as_result(w, step, a)
    if factor == -1.0:
        return _as_result(w, step, w.elementwise("negative", a, dtype=a.dtype))
    inner = source_of(a, "multiply")
    for number, other in (inner.inputs, inner.inputs[::-1]) if inner is not None else ():
        product = _product(number_of(number), factor)
        if product is not None and _same_kind(step, other):
            assert other is not None
            scaled = w.elementwise("multiply", other, w.number(product, a.dtype), dtype=a.dtype)
            return _as_result(w, step, scaled)
    minus = source_of(a, "negative")
    if minus is not None and minus.inputs[0] is not None:
        number = w.number(-factor, a.dtype)
        scaled = w.elementwise("multiply", minus.inputs[0], number, dtype=a.dtype)
        return _as_result(w, step, scaled)
    return None


def _product(a: float | None, b: float) -> float | None:
    """Return a product of two numbers, if multiplying by it rounds as by one after the other."""
    if a is None or not math.isfinite(a * b) or 0.0 in (a, b):
        return None
    exact = _is_power_of_two(a) or _is_power_of_two(b)
    return a * b if exact and 1e-30 < abs(a * b) < 1e30 else None


def _is_power_of_two(number: float) -> bool:
    """Tell whether to multiply by a number, or by its inverse, rounds nothing."""
    return abs(math.frexp(number)[0]) == 0.5 and 1e-30 < abs(number) < 1e30


@rule("divide")
def _divide(w: Rewriter, step: Apply) -> Value | None:
    a, b = step.inputs
    number = number_of(b)
    if number is None or a is None or not _same_kind(step, a):
        return None
    if number == 1.0:
        return _as_result(w, step, a)
    if not _is_power_of_two(number):  # 49 * (1 / 49) is less than 1, which a floor would show
        return None
    inverse = w.number(1.0 / number, a.dtype)
    return _as_result(w, step, w.elementwise("multiply", a, inverse, dtype=a.dtype))


@rule("negative")
def _negative(w: Rewriter, step: Apply) -> Value | None:
    inner = source_of(step.inputs[0], "negative", "subtract", "multiply")
    if inner is None:
        return None
    if inner.op.name == "negative":
        return inner.inputs[0]
    a, b = inner.inputs
    assert a is not None
    assert b is not None
    dtype = step.outputs[0].dtype
    if inner.op.name == "subtract":
        return w.elementwise("subtract", b, a, dtype=dtype)
    factor = number_of(b)
    if factor is None or b.dtype != dtype:
        return None
    return _as_result(w, step, w.elementwise("multiply", a, w.number(-factor, dtype), dtype=dtype))


# --- shapes ----------------------------------------------------------------------------------


@rule("reshape", "expand_dims", "squeeze")
def _reshape(w: Rewriter, step: Apply) -> Value | None:
    x, shape = step.inputs[0], step.outputs[0].shape
    assert x is not None
    if x.shape == shape:
        return x
    inner = source_of(x, "reshape")
    if inner is not None and inner.inputs[0] is not None:
        return w.reshaped(inner.inputs[0], shape)
    spread = source_of(x, "broadcast_to")
    if spread is not None and spread.inputs[0] is not None:
        narrow = _before_repeating(spread.inputs[0].shape, x.shape, shape)
        if narrow is not None:
            return w.repeated(w.reshaped(spread.inputs[0], narrow), shape)
    if step.op.name != "reshape" or step.statics["shape"] != shape:
        return w.reshaped(x, shape)
    return None


def _before_repeating(narrow: Any, wide: Any, shape: Any) -> Any:
    """Return the shape that, repeated, gives the reshaped repetition; None if there is none.

    One number may be repeated to anything. Otherwise only axes of size 1 may come and go.
    """
    if math.prod(narrow) == 1:
        return ()
    if [n for n in wide if n != 1] != [n for n in shape if n != 1]:
        return None
    full = (1,) * (len(wide) - len(narrow)) + tuple(narrow)
    kept = iter([n for n, m in zip(full, wide, strict=True) if m != 1])
    return tuple([1 if m == 1 else next(kept) for m in shape])


@rule("broadcast_to")
def _broadcast(w: Rewriter, step: Apply) -> Value | None:
    x, shape = step.inputs[0], step.outputs[0].shape
    assert x is not None
    if x.shape == shape:
        return x
    inner = source_of(x, "broadcast_to")
    if inner is not None and inner.inputs[0] is not None:
        return w.repeated(inner.inputs[0], shape)
    flat = source_of(x, "reshape")
    if flat is not None and flat.inputs[0] is not None and flat.inputs[0].shape == ():
        return w.repeated(flat.inputs[0], shape)
    return None


@rule("swapaxes", "transpose")
def _transposed(w: Rewriter, step: Apply) -> Value | None:
    """Write every change of the order of axes as one transposition, and two as one."""
    x = step.inputs[0]
    assert x is not None
    order = _order(step)
    inner = source_of(x, "transpose")
    if inner is not None and inner.inputs[0] is not None:
        before = _order(inner)
        x, order = inner.inputs[0], tuple([before[axis] for axis in order])
    if order == tuple(range(len(order))):
        return x
    if x is step.inputs[0] and step.op.name == "transpose" and step.statics["axes"] == order:
        return None
    shape = tuple([x.shape[axis] for axis in order])
    return w.apply(OPS["transpose"], (x,), {"axes": order}, shape, x.dtype)


def _order(step: Apply) -> tuple[int, ...]:
    count = len(step.outputs[0].shape)
    order = list(range(count))
    if step.op.name == "swapaxes":
        i, j = step.statics["axis1"] % count, step.statics["axis2"] % count
        order[i], order[j] = order[j], order[i]
        return tuple(order)
    axes = step.statics["axes"]
    return tuple(order[::-1] if axes is None else [int(a) % count for a in axes])


@rule("astype", "detach", "identity", "cost")
def _unchanged(w: Rewriter, step: Apply) -> Value | None:
    return step.inputs[0] if _same_kind(step, step.inputs[0]) else None


@rule("getitem")
def _whole(w: Rewriter, step: Apply) -> Value | None:
    """Replace the index of everything, and of everything with new axes, by a reshape."""
    x, out = step.inputs[0], step.outputs[0]
    assert x is not None
    index = step.statics["index"]
    if all(entry in (None, Ellipsis, slice(None)) for entry in index):
        return w.reshaped(x, out.shape)
    return None


@rule("")
def _unspread(w: Rewriter, step: Apply) -> Value | None:
    """Let an elementwise op repeat its operands itself, or be repeated after it was computed."""
    if step.op.rules is None or None in step.inputs:
        return None
    narrow = [_narrow(v) for v in step.inputs if v is not None]
    if all(a is b for a, b in zip(narrow, step.inputs, strict=True)):
        return None
    out = step.outputs[0]
    shape = np.broadcast_shapes(*[v.shape for v in narrow])
    y = w.apply(step.op, narrow, step.statics, shape, out.dtype)
    return y if shape == out.shape else w.repeated(y, out.shape)


@rule("")
def _unturned(w: Rewriter, step: Apply) -> Value | None:
    """Let an elementwise op read transposed operands as they lie, and transpose what it makes.

    Otherwise every element would be read from a line of memory of its own.
    """
    turned = [source_of(v, "transpose") for v in step.inputs]
    orders = {_order(t) for t in turned if t is not None}
    out = step.outputs[0]
    alike = all(
        (v is not None and v.shape == ()) if t is None else t.outputs[0].shape == out.shape
        for v, t in zip(step.inputs, turned, strict=True)
    )
    if step.op.rules is None or len(orders) != 1 or not alike:
        return None
    (order,) = orders
    inputs = [v if t is None else t.inputs[0] for v, t in zip(step.inputs, turned, strict=True)]
    shape = tuple([out.shape[order.index(axis)] for axis in range(len(order))])
    y = w.apply(step.op, inputs, step.statics, shape, out.dtype)
    return w.apply(OPS["transpose"], (y,), {"axes": order}, out.shape, out.dtype)


def _narrow(value: Value) -> Value:
    spread = source_of(value, "broadcast_to")
    return value if spread is None or spread.inputs[0] is None else spread.inputs[0]


# --- sums ------------------------------------------------------------------------------------


@rule("sum", "mean")
def _sum(w: Rewriter, step: Apply) -> Value | None:
    """Multiply instead of adding up what was repeated, and add up nothing along an axis of 1."""
    x = step.inputs[0]
    assert x is not None
    if not _same_kind(step, x) or x.dtype.kind != "f":
        return None
    axes = normalize_axes(step.statics["axis"], len(x.shape))
    narrow = _narrow(x)
    full = (1,) * (len(x.shape) - len(narrow.shape)) + tuple(narrow.shape)
    if any(full[axis] != 1 for axis in axes) or 0 in x.shape:
        return None
    count = math.prod([x.shape[axis] for axis in axes]) if step.op.name == "sum" else 1
    kept = tuple([n for axis, n in enumerate(full) if axis not in axes])
    shape = full if step.statics["keepdims"] else kept
    scaled = w.elementwise("multiply", narrow, w.number(float(count), x.dtype), dtype=x.dtype)
    return _as_result(w, step, w.reshaped(scaled, shape))
