"""Matrix products: large ones are tasks of their own, thin ones are loops that join those around.

A thin product has a side of at most `THIN`: a policy with two actions, a single state, a loss that
is a scalar product. The register tile of a real product would be nearly empty, and what comes
before and after would go through memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scg._compile._buffers import View, contiguous, reviewed
from scg._compile._work import Product, Reduce

if TYPE_CHECKING:
    from scg._compile._lower import Lowering
    from scg._compile._program import Apply

__all__ = ["PRODUCTS"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
THIN = 4


def _product(low: Lowering, instruction: Apply) -> bool:
    (value,), (a, b, *bias) = instruction.outputs, [low.view(v) for v in instruction.inputs]
    if not all(v.dtype == value.dtype for v in (a, b, *bias)) or value.dtype not in FLOATS:
        return False
    out = low.new(value)
    if len(a.shape) > 2 and len(b.shape) == 2:
        # All rows at once.
        rows = (math.prod(a.shape[:-1]), a.shape[-1])
        a = reviewed(low.contiguous(a), lambda x: x.reshape(rows)) or a
        out = View(out.buffer, (rows[0], b.shape[1]), contiguous((rows[0], b.shape[1])))
    if len(a.shape) > 3 or len(b.shape) > 3 or (bias and len(a.shape) > 2):
        return False
    if max(len(a.shape), len(b.shape)) == 3:
        return _batch(low, a, b, out)
    a, b, out = _as_matrices(a, b, out)
    if min(*a.shape, b.shape[1]) > THIN:
        low.work.append(Product([a, b, *map(low.contiguous, bias)], [out]))
    else:
        _thin(low, a, b, bias, out)
    return True


def _as_matrices(a: View, b: View, out: View) -> tuple[View, View, View]:
    """See a vector as a row on the left, and as a column on the right."""
    if len(a.shape) == 1:
        a = View(a.buffer, (1, *a.shape), (0, *a.strides), a.offset)
    if len(b.shape) == 1:
        b = View(b.buffer, (*b.shape, 1), (*b.strides, 0), b.offset)
    shape = (a.shape[0], b.shape[1])
    return a, b, View(out.buffer, shape, contiguous(shape), out.offset)


def _batch(low: Lowering, a: View, b: View, out: View) -> bool:
    """Multiply matrices pair by pair, one of them perhaps the same in all pairs."""
    if len(a.shape) == 1 or len(b.shape) == 1:
        return False
    low.work.append(Product([_matrices(a, out.shape[0]), _matrices(b, out.shape[0])], [out]))
    return True


def _matrices(x: View, count: int) -> View:
    step = x.strides[0] if len(x.shape) == 3 else 0
    return View(x.buffer, (count, *x.shape[-2:]), (step, *x.strides[-2:]), x.offset)


# --- thin products ---------------------------------------------------------------------------


def _thin(low: Lowering, a: View, b: View, bias: Sequence[View], out: View) -> None:
    (m, k), n = a.shape, b.shape[1]
    if k <= THIN and min(m, n) > 1:
        _few_terms(low, a, b, bias, out)
    elif n <= m:
        for j in range(n):
            _column(low, a, _part(b, 1, j), [_element(c, j) for c in bias], _part(out, 1, j))
    else:
        for i in range(m):
            row = [View(c.buffer, (n, 1), (c.strides[0], 0), c.offset) for c in bias]
            _column(low, _flipped(b), _flipped(_part(a, 0, i)), row, _flipped(_part(out, 0, i)))


def _part(x: View, axis: int, place: int) -> View:
    """Return one column, or row, of a matrix as a matrix."""
    shape = tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    strides = tuple(0 if i == axis else s for i, s in enumerate(x.strides))
    return View(x.buffer, shape, strides, x.offset + place * x.strides[axis])


def _element(x: View, place: int) -> View:
    return View(x.buffer, (1, 1), (0, 0), x.offset + place * x.strides[0])


def _flipped(x: View) -> View:
    return View(x.buffer, x.shape[::-1], x.strides[::-1], x.offset)


def _few_terms(low: Lowering, a: View, b: View, bias: Sequence[View], out: View) -> None:
    """Add so few products that they can be written down: an elementwise expression."""
    inputs = {}
    for p in range(a.shape[1]):
        inputs[f"a{p}"], inputs[f"b{p}"] = _part(a, 1, p), _part(b, 0, p)
    text = " + ".join(f"a{p} * b{p}" for p in range(a.shape[1]))
    for c in bias:
        inputs["c"] = View(c.buffer, (1, *c.shape), (0, *c.strides), c.offset)
        text += " + c"
    low.express(text, out, inputs)


def _column(low: Lowering, a: View, x: View, bias: Sequence[View], out: View) -> None:
    """Multiply a matrix by a column, in the direction in which the matrix lies in memory."""
    weights, axis = _flipped(x), 1
    if abs(a.strides[0]) == 1 and a.shape[0] > 1:
        a, weights, out, axis = _flipped(a), x, _flipped(out), 0
        bias = [_flipped(c) for c in bias]
    elif weights.strides[1] > 1:
        weights = low.copied(weights)  # once, instead of gathered for every row
    terms = low.map("a * b", low.fresh(a.shape, out.dtype), a=a, b=weights)
    total = low.fresh(out.shape, out.dtype) if bias else out
    if a.shape[axis] == 1:
        low.map("x", total, x=terms)
    else:
        low.work.append(Reduce([terms], [total], a.shape, "sum", (axis,)))
    for c in bias:
        low.map("s + c", out, s=total, c=c)


def _relu(low: Lowering, instruction: Apply) -> bool:
    """Let the product whose result this is, and that nobody else reads, do it as it stores it."""
    (value,), (x,) = instruction.outputs, instruction.inputs
    source = low.view(x)
    product = next((w for w in reversed(low.work) if source in w.outputs), None)
    if not isinstance(product, Product) or product.relu or low.uses[x] > 1:
        return False
    product.relu = True
    low.views[value] = source
    return True


PRODUCTS: dict[str, Callable[[Lowering, Apply], bool]] = {
    "matmul": _product, "linear": _product, "relu": _relu,
}  # fmt: skip
