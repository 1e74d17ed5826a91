"""Gradients of slices: written to zeros and added up, they are one concatenation.

T slices of one array would otherwise cost T times the array.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from scg._compile._program import Apply, Value
from scg._compile._rewriter import Rewriter, source_of
from scg._op import OPS

__all__ = ["joined"]


class Piece(NamedTuple):
    """What stands between two ends of an axis of an array that is zero elsewhere."""

    begin: int
    end: int
    value: Value


def joined(w: Rewriter, step: Apply) -> Value | None:
    """Join slices of one axis as soon as they fill it."""
    a, b = step.inputs
    out = step.outputs[0]
    if a is None or b is None or not a.shape == b.shape == out.shape:
        return None
    first, second = pieces_of(w, a), pieces_of(w, b)
    if first is None or second is None or first[0] != second[0]:
        return None
    axis = first[0]
    pieces = sorted((*first[1], *second[1]), key=lambda p: p[:2])
    if any(p.end > q.begin for p, q in pairwise(pieces)):
        return None
    w.pieces[w.written(step)] = axis, tuple(pieces)
    if sum(p.end - p.begin for p in pieces) != out.shape[axis]:
        return None
    values = [p.value for p in pieces]
    return w.apply(OPS["concatenate"], values, {"axis": axis}, out.shape, out.dtype)


def pieces_of(w: Rewriter, value: Value) -> tuple[int, tuple[Piece, ...]] | None:
    """Return the axis and the pieces of what is a slice written to zeros, or a sum of such."""
    if value in w.pieces:
        return w.pieces[value]
    step = source_of(value, "scatter")
    if step is None or len(step.inputs) != 1 or step.inputs[0] is None:
        return None
    index = step.statics["index"]
    if Ellipsis in index or None in index:
        return None
    cut = [axis for axis, entry in enumerate(index) if entry != slice(None)]
    return None if len(cut) != 1 else _piece(w, value, step.inputs[0], cut[0], index[cut[0]])


def _piece(
    w: Rewriter, value: Value, inner: Value, axis: int, entry: slice | int
) -> tuple[int, tuple[Piece, ...]] | None:
    size = value.shape[axis]
    if isinstance(entry, slice):
        begin, end, stride = entry.indices(size)
    else:
        begin, stride = entry % size, 1
        end = begin + 1
    if stride != 1 or end <= begin:
        return None
    shape = (*value.shape[:axis], end - begin, *value.shape[axis + 1 :])
    return axis, (Piece(begin, end, w.reshaped(inner, shape)),)
