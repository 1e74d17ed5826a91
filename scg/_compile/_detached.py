"""What a compiled function returns: numbers without a graph that have not forgotten their origin.

They count as what `scg.detach` returns: a gradient that lacks them is tagged, and a jump in which
a parameter meets noise that came out of a compiled function is refused.
"""

from __future__ import annotations

import sys

from scg import _axes
from scg._op import OPAQUE, Op
from scg._tensor import Tensor
from scg._typing import Array
from scg.tape import NOISE, REQUIRES, ROUTED, STOPPED, TRAINABLE, Node, NoisyNode

__all__ = ["MAY_ENTER", "detached", "flags_after"]

MAY_ENTER = NOISE | TRAINABLE | STOPPED

_COMPILED = Op("compiled", lambda x, /: x, smooth=OPAQUE, axes=_axes.elementwise, alias=True)


def flags_after(node: Node | None) -> int:
    """Return what is left of what was known of a value, when it leaves a compiled function."""
    if node is None:
        return 0
    flags = node.flags & NOISE
    return flags | TRAINABLE | STOPPED if node.flags & (TRAINABLE | REQUIRES | ROUTED) else flags


def detached(array: Array, flags: int) -> Tensor:
    """Return an array as a tensor of which so much is known."""
    if not flags:
        return Tensor(array)
    kind = NoisyNode if flags & NOISE else Node
    frame = sys._getframe(1)
    return Tensor(array, kind(_COMPILED, (), (), {}, flags, 0, array.shape, array.dtype, frame))
