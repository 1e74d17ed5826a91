"""How each op is taken apart that generated loops can do; a rule declines what it does not know."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._compile._buffers import View, reviewed
from scg._compile._indices import BY_COMPARISON, SHORT
from scg._compile._products import PRODUCTS
from scg._compile._work import Reduce
from scg._elementwise import ElementwiseOp
from scg._op import OPS
from scg._typing import Array, DType
from scg.kernels.generate import vectorizable

if TYPE_CHECKING:
    from scg._compile._lower import Lowering
    from scg._compile._program import Apply, Value

__all__ = ["BOOL", "KNOWN", "RULES", "VIEWS", "elementwise"]

BOOL, INT64 = np.dtype(np.bool_), np.dtype(np.int64)
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
INTEGERS = tuple(map(np.dtype, ("int8", "int16", "int32", "int64")))
KNOWN = (*FLOATS, *INTEGERS, BOOL, *map(np.dtype, ("uint8", "uint16", "uint32")))

# Expressions that mean the same for integers; the others would divide or take logarithms.
OF_INTEGERS = frozenset({
    "abs", "add", "equal", "greater", "greater_equal", "less", "less_equal", "maximum", "minimum",
    "multiply", "negative", "not_equal", "square", "subtract", "where", "logical_and", "logical_or",
    "logical_xor", "logical_not",
})  # fmt: skip
OF_TRUTHS = frozenset({
    "equal", "not_equal", "where", "logical_and", "logical_or", "logical_xor", "logical_not",
})  # fmt: skip
# Where rounding decides, NumPy's own way is the one that counts: floor(1 / 0.1) is 10, and 1 // 0.1
# is 9. And 2**x as an exponential loses digits as x grows.
NOT_BY_EXPRESSION = frozenset({"exp2", "floor_divide", "mod", "round"})


# --- elementwise -----------------------------------------------------------------------------


def elementwise(low: Lowering, instruction: Apply) -> bool:
    """Lower an op that is an expression."""
    op, (value,) = instruction.op, instruction.outputs
    assert isinstance(op, ElementwiseOp)
    rule = op.value
    names = tuple(rule.variables[i] for i in rule.used)
    if not names or op.name in NOT_BY_EXPRESSION or not vectorizable(rule.expression.functions):
        return False
    values = [instruction.inputs[i] for i in rule.used]
    truths = ("c",) if op.name == "where" else ()
    arithmetic = _arithmetic(op, value, [v for v, n in zip(values, names, strict=True)
                                         if n not in truths and v is not None])  # fmt: skip
    statics = {s: instruction.statics[s] for s in rule.scalars}
    numbers = all(isinstance(s, int | float) for s in statics.values())
    if arithmetic is None or not numbers or None in values:
        return False
    inputs = {n: low.view(v) for n, v in zip(names, values, strict=True)}
    low.map(rule.text, low.new(value), arithmetic, truths, statics, **inputs)
    return True


def _arithmetic(op: ElementwiseOp, value: Value, inputs: list[Value]) -> DType | None:
    """Return the dtype that an op computes in, None if its expression does not serve there."""
    dtype = value.dtype if value.dtype != BOOL else np.result_type(*(v.dtype for v in inputs))
    if dtype in FLOATS:
        return dtype
    if dtype in INTEGERS and op.name in OF_INTEGERS:
        return dtype
    return dtype if dtype == BOOL and op.name in OF_TRUTHS else None


def _astype(low: Lowering, instruction: Apply) -> bool:
    (x,), (value,) = instruction.inputs, instruction.outputs
    source = low.view(x)
    if source.dtype == value.dtype:
        low.views[value] = source
    elif value.dtype in (*FLOATS, *INTEGERS, BOOL):
        low.map("x", low.new(value), x=source)
    else:
        return False
    return True


def _constant_power(low: Lowering, instruction: Apply) -> bool:
    (x,), (value,) = instruction.inputs, instruction.outputs
    exponent = instruction.statics["exponent"]
    if value.dtype not in FLOATS or not float(exponent).is_integer() or not 0 < abs(exponent) <= 8:
        return False
    product = _power("x", abs(int(exponent)))
    text = product if exponent > 0 else f"1 / ({product})"
    low.map(text, low.new(value), x=low.view(x))
    return True


def _power(x: str, n: int) -> str:
    if n == 1:
        return x
    half = _power(x, n // 2)
    return f"({half}) * ({half})" + (f" * {x}" if n % 2 else "")


# --- views -----------------------------------------------------------------------------------


def _viewing(function: Callable[..., Any]) -> Callable[[Lowering, Apply], bool]:
    """Return the rule of an op that only looks at memory in another way."""

    def rule(low: Lowering, instruction: Apply) -> bool:
        x, *arrays = instruction.inputs
        (value,) = instruction.outputs
        if arrays:
            return False
        source, statics = low.view(x), instruction.statics
        view = reviewed(source, lambda a: function(a, **statics))
        if view is None and low.loops:
            view = reviewed(low.copied(source), lambda a: function(a, **statics))
        if view is None or view.shape != value.shape:
            return False
        low.views[value] = view
        return True

    return rule


def _item(x: Array, index: tuple[Any, ...]) -> Array:
    item: Array = x[index if any(i is Ellipsis for i in index) else (*index, ...)]
    return item


VIEWS: dict[str, Callable[[Lowering, Apply], bool]] = {
    "reshape": _viewing(lambda x, shape: np.reshape(x, shape, copy=False)),
    "getitem": _viewing(_item),
    "detach": _viewing(lambda x: x),
} | {
    name: _viewing(OPS[name].forward)
    for name in ("broadcast_to", "expand_dims", "squeeze", "transpose", "swapaxes", "moveaxis",
                 "flip")
}  # fmt: skip


# --- reductions ------------------------------------------------------------------------------


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(int(a) % ndim for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def _as(low: Lowering, x: View, dtype: DType) -> View:
    """Convert, if it has another dtype."""
    return x if x.dtype == dtype else low.map("x", low.fresh(x.shape, dtype), x=x)


def _reduction(kind: str) -> Callable[[Lowering, Apply], bool]:
    def rule(low: Lowering, instruction: Apply) -> bool:
        (value,), x = instruction.outputs, low.view(instruction.inputs[0])
        if value.dtype not in (*FLOATS, *INTEGERS, BOOL):
            return False
        axes = _axes(instruction.statics["axis"], len(x.shape))
        low.reduce(kind, _as(low, x, value.dtype), axes, low.new(value))
        return True

    return rule


def _mean(low: Lowering, instruction: Apply) -> bool:
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axes = _axes(instruction.statics["axis"], len(x.shape))
    count = math.prod(x.shape[a] for a in axes)
    total = low.reduce("sum", _as(low, x, value.dtype), axes)
    out = low.new(value)
    low.map("x / n", View(out.buffer, total.shape, total.strides), x=total,
            statics={"n": float(count)})  # fmt: skip
    return True


def _var(low: Lowering, instruction: Apply) -> bool:
    return _spread(low, instruction, "s / n")


def _std(low: Lowering, instruction: Apply) -> bool:
    return _spread(low, instruction, "sqrt(s / n)")


def _spread(low: Lowering, instruction: Apply, text: str) -> bool:
    """Lower what is made of the sum of squared distances from the mean."""
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axes = _axes(instruction.statics["axis"], len(x.shape))
    count = math.prod(x.shape[a] for a in axes)
    n = count - instruction.statics["ddof"]
    if n <= 0:
        return False
    x = _as(low, x, value.dtype)
    total = low.reduce("sum", x, axes)
    statics = {"n": float(count)}
    far = low.map("x - t / n", low.fresh(x.shape, x.dtype), statics=statics, x=x, t=total)
    square = low.map("x * x", low.fresh(x.shape, x.dtype), x=far)
    spread = low.reduce("sum", square, axes)
    out = low.new(value)
    low.map(text, View(out.buffer, spread.shape, spread.strides), s=spread, statics={"n": float(n)})
    return True


def _softmax(low: Lowering, instruction: Apply) -> bool:
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axes, x = _axes(instruction.statics["axis"], len(x.shape)), _as(low, x, value.dtype)
    shifted, total = _exponentials(low, x, axes, "x - t")
    low.map("e / s", low.new(value), e=shifted, s=total)
    return True


def _exponentials(low: Lowering, x: View, axes: tuple[int, ...], text: str) -> tuple[View, View]:
    """Return exp(x - max(x)) and its sum."""
    top = low.reduce("max", x, axes)
    e = low.map(f"exp({text})", low.fresh(x.shape, x.dtype), x=x, t=top)
    return e, low.reduce("sum", e, axes)


FINITE = "where(abs(t) == inf, 0, t)"  # inf - inf would be NaN; 0 leaves the right infinity


def _log_softmax(low: Lowering, instruction: Apply) -> bool:
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axes, x = _axes(instruction.statics["axis"], len(x.shape)), _as(low, x, value.dtype)
    top = low.reduce("max", x, axes)
    _, total = _exponentials(low, x, axes, f"x - {FINITE}")
    low.map(f"(x - {FINITE}) - log(s)", low.new(value), x=x, t=top, s=total)
    return True


def _logsumexp(low: Lowering, instruction: Apply) -> bool:
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axes, x = _axes(instruction.statics["axis"], len(x.shape)), _as(low, x, value.dtype)
    top = low.reduce("max", x, axes)
    _, total = _exponentials(low, x, axes, f"x - {FINITE}")
    out = low.new(value)
    low.map(f"log(s) + {FINITE}", View(out.buffer, total.shape, total.strides), s=total, t=top)
    return True


def _cumsum(low: Lowering, instruction: Apply) -> bool:
    (value,), x = instruction.outputs, low.view(instruction.inputs[0])
    axis = instruction.statics["axis"]
    short = axis is not None and x.shape and x.shape[axis] <= SHORT
    if not short or value.dtype not in (*FLOATS, INT64):
        return False
    x = _as(low, x, value.dtype)
    axes = _axes(axis, len(x.shape))
    if x.shape[axes[0]] == 1:
        low.map("x", low.new(value), x=x)
    else:
        low.work.append(Reduce([x], [low.new(value)], x.shape, "scan", axes))
    return True


# --- joining ---------------------------------------------------------------------------------


def _concatenate(low: Lowering, instruction: Apply) -> bool:
    (value,) = instruction.outputs
    axis = instruction.statics["axis"] % len(value.shape)
    out, start = low.new(value), 0
    for part in instruction.inputs:
        x = low.view(part)
        strides = tuple(0 if n == 1 else s for n, s in zip(x.shape, out.strides, strict=True))
        low.map("x", View(out.buffer, x.shape, strides, start * out.strides[axis]), x=x)
        start += x.shape[axis]
    return True


def _stack(low: Lowering, instruction: Apply) -> bool:
    (value,) = instruction.outputs
    axis = instruction.statics["axis"] % len(value.shape)
    out = low.new(value)
    strides = out.strides[:axis] + out.strides[axis + 1 :]
    for place, part in enumerate(instruction.inputs):
        x = low.view(part)
        low.map("x", View(out.buffer, x.shape, strides, place * out.strides[axis]), x=x)
    return True


RULES: dict[str, Callable[[Lowering, Apply], bool]] = {
    **VIEWS,
    "astype": _astype, "constant_power": _constant_power, "sum": _reduction("sum"),
    "max": _reduction("max"), "min": _reduction("min"), "any": _reduction("max"),
    "all": _reduction("min"), "mean": _mean, "softmax": _softmax, "log_softmax": _log_softmax,
    "var": _var, "std": _std, "logsumexp": _logsumexp, "cumsum": _cumsum,
    "concatenate": _concatenate, "stack": _stack, **BY_COMPARISON,
    **PRODUCTS,
}  # fmt: skip
