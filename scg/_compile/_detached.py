"""What a compiled function returns: numbers without a graph that have not forgotten their origin.

They count as what `scg.detach` returns: a gradient that lacks them is tagged, and a jump in which
a parameter meets noise that came out of a compiled function is refused. So is the gradient of what
Python may have decided by a draw that was made in there, whose score nobody has.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from scg import _axes
from scg._observed import all_moved
from scg._op import OPAQUE, Op
from scg._reads import DRAWN_INSIDE, is_over, runs_of
from scg._run import PAST, Draw
from scg._tensor import Tensor
from scg._typing import Array
from scg.tape import DRAWN, NOISE, REQUIRES, ROUTED, STOPPED, TRAINABLE, Node, NoisyNode

__all__ = ["MAY_ENTER", "Definition", "detached", "flags_after", "flags_of"]

MAY_ENTER = NOISE | TRAINABLE | STOPPED | DRAWN

_COMPILED = Op("compiled", lambda x, /: x, smooth=OPAQUE, axes=_axes.elementwise, alias=True)
_DRAWN = Op(DRAWN_INSIDE, lambda x, /: x, smooth=OPAQUE, axes=_axes.elementwise, alias=True)
_OVER = 1 << 40  # beside the flags of a node: an update came after it
_BEFORE = Draw("", "a draw", None, PAST)


def flags_of(node: Node | None) -> int:
    """Return what is known of a value without its graph."""
    if node is None:
        return 0
    flags = node.flags & (NOISE | DRAWN)
    if any(not run.updated for run in node.runs):
        flags |= DRAWN
    return flags | TRAINABLE | STOPPED if node.flags & (TRAINABLE | REQUIRES | ROUTED) else flags


def flags_after(node: Node | None) -> int:
    """Return what is left of what was known of a value, when it leaves a compiled function.

    The loss of a step that updates whatever it was computed from is a number like any other.
    """
    if node is None or _is_past(node):
        return 0
    return flags_of(node) | (_OVER if is_over(node) else 0)


def _is_past(node: Node) -> bool:
    """Tell whether draws and parameters that reach a value are those from before an update."""
    random = node.flags & NOISE or runs_of(node)
    return (not random or is_over(node)) and all_moved(node)


class Definition:
    """Stands for the frame in which a value was made: the line on which a function begins.

    Looking for the user's frame would take as long as all else about a result.
    """

    f_back = None
    f_lasti = 0

    def __init__(self, function: Any) -> None:
        function = inspect.unwrap(getattr(function, "__func__", function))
        self.f_code = getattr(function, "__code__", None) or sys._getframe().f_code


def detached(array: Array, flags: int, made: Any) -> Tensor:
    """Return an array as a tensor of which so much is known, and where it was made."""
    if not flags:
        return Tensor(array)
    op, known = _DRAWN if flags & DRAWN else _COMPILED, flags & ~_OVER
    kind = NoisyNode if flags & NOISE else Node
    node = kind(op, (), (), {}, known, 0, array.shape, array.dtype, made)
    if flags & _OVER and isinstance(node, NoisyNode):
        node.draw, node.order = _BEFORE, -1  # to read it is free, as `is_over` tells
    return Tensor(array, node)
