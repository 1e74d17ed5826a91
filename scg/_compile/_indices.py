"""Reading and writing at an index along a short axis: every place is compared with the index.

For a few classes that is faster than to look them up, and it is arithmetic, which joins the loops
around it: the score of a categorical draw is one loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from scg._compile._buffers import Buffer, View
from scg._typing import Shape

if TYPE_CHECKING:
    from scg._compile._lower import Lowering
    from scg._compile._program import Apply

__all__ = ["BY_COMPARISON", "SHORT"]

SHORT = 16
INT64 = np.dtype(np.int64)


def _numbers(n: int, axis: int, ndim: int) -> View:
    """Return 0 to n - 1 along an axis."""
    array = np.arange(n)
    strides = tuple(int(i == axis and n > 1) for i in range(ndim))
    shape = tuple(n if i == axis else 1 for i in range(ndim))
    return View(Buffer(array.shape, array.dtype, array, pinned=True), shape, strides)


def _hits(low: Lowering, index: View, n: int, axis: int) -> View:
    """Tell of each place along an axis whether it is the one that the index names."""
    shape = tuple(n if i == axis else size for i, size in enumerate(index.shape))
    found = low.fresh(shape, np.dtype(np.bool_))
    return low.map("where(i < 0, i + k, i) == n", found, INT64, statics={"k": n}, i=index,
                   n=_numbers(n, axis, len(shape)))  # fmt: skip


def _checked(low: Lowering, instruction: Apply, index: View, first: int, n: int) -> None:
    """Let the op raise if an index is not among `first` to `n - 1`."""
    outside = low.fresh(index.shape, np.dtype(np.bool_))
    low.map("(i < first) | (i >= n)", outside, INT64, statics={"first": first, "n": n}, i=index)
    low.check(instruction, low.reduce("max", outside, range(len(index.shape))))


def _is_one(index: View, n: int, axis: int) -> bool:
    return index.shape[axis] == 1 and n <= SHORT and index.dtype.kind == "i"


def _take(low: Lowering, instruction: Apply) -> bool:
    (value,), (x, index) = instruction.outputs, map(low.view, instruction.inputs)
    axis = instruction.statics["axis"] % len(x.shape)
    n = x.shape[axis]
    if not _is_one(index, n, axis) or x.dtype.kind == "b":
        return False
    _checked(low, instruction, index, -n, n)
    wide = tuple(n if i == axis else size for i, size in enumerate(value.shape))
    # Minus zero adds nothing, not even a sign.
    chosen = low.map("where(h, x, -0.0)", low.fresh(wide, x.dtype), truths=("h",),
                     h=_hits(low, index, n, axis), x=x)  # fmt: skip
    low.reduce("sum", chosen, (axis,), low.new(value))
    return True


def _scatter(low: Lowering, instruction: Apply) -> bool:
    (value,), (g, index) = instruction.outputs, map(low.view, instruction.inputs)
    axis = instruction.statics["axis"] % len(value.shape)
    shape: Shape = tuple(1 if i == axis else n for i, n in enumerate(value.shape))
    if not _is_one(index, value.shape[axis], axis) or g.shape != shape:
        return False
    hits = _hits(low, index, value.shape[axis], axis)
    low.map("where(h, g, 0)", low.new(value), truths=("h",), h=hits, g=g)
    return True


def _one_hot(low: Lowering, instruction: Apply) -> bool:
    (value,), index = instruction.outputs, low.view(instruction.inputs[0])
    n = value.shape[-1]
    if n > SHORT or index.dtype.kind != "i":
        return False
    _checked(low, instruction, index, 0, n)
    last = View(index.buffer, (*index.shape, 1), (*index.strides, 0), index.offset)
    low.map("x", low.new(value), x=_hits(low, last, n, len(index.shape)))
    return True


BY_COMPARISON: dict[str, Callable[[Lowering, Apply], bool]] = {
    "take_along_axis": _take, "scatter_along_axis": _scatter, "one_hot": _one_hot,
}  # fmt: skip
