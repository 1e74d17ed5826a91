"""What is known of the sign of a noisy value: it excludes poles.

Signs are worked out when an op with a pole asks for them, and not before: most values never meet
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.tape import (
    BELOW_ONE,
    NOISE,
    NONNEGATIVE,
    POSITIVE,
    UNSIGNED,
    Node,
    NoisyNode,
)  # fmt: skip

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["facts_of", "note_sign"]

_SIGNS = POSITIVE | NONNEGATIVE
_FACTS = _SIGNS | BELOW_ONE
# Rules about signs do not keep BELOW_ONE (the sum of two numbers below 1 may be above); what only
# moves elements does.
_MOVING = frozenset({
    "draw", "identity", "reshape", "transpose", "swapaxes", "moveaxis", "expand_dims", "squeeze",
    "broadcast_to", "getitem", "take_along_axis", "flip", "roll", "concatenate", "stack",
})  # fmt: skip


def note_sign(
    op: Op, result: NoisyNode, arrays: Sequence[Any], nodes: Sequence[Node | None]
) -> None:
    """Note what an op says of the sign of its result, or what it will need to say it."""
    if isinstance(op.sign, int):
        result.flags |= _of_empty(op.sign, nodes)
        return
    constants = list(arrays)
    for place, node in enumerate(nodes):
        if node is not None and node.flags & NOISE:
            constants[place] = None
    result.constants = tuple(constants)
    result.flags |= UNSIGNED
    if len(result.parents) != len(nodes):
        _settle(result, nodes)  # its parents are not kept, so now or never


def facts_of(value: Any, node: Node | None) -> int:
    """Return what is known of an operand's sign: of a noisy one by its ops, else by its values."""
    if node is None or not node.flags & NOISE:
        return _of_values(value)
    stack = [node] if node.flags & UNSIGNED else []
    while stack:
        waiting = [p for p in stack[-1].parents if p is not None and p.flags & UNSIGNED]
        if waiting:
            stack.extend(waiting)
        else:
            last = stack.pop()
            if last.flags & UNSIGNED:
                _settle(last, last.parents)
    return node.flags & _FACTS


def _settle(node: Any, parents: Sequence[Node | None]) -> None:
    """Work out the sign of a node whose parents' signs are known."""
    op, known = node.op, []
    for value, parent in zip(node.constants, parents, strict=True):
        noisy = parent is not None and parent.flags & NOISE
        known.append(facts_of(None, parent) if noisy else _of_values(value))
    kept = _FACTS if op.name in _MOVING else _SIGNS
    same = len(parents) == 2 and parents[0] is parents[1]
    sign = op.sign(same, *[k & kept for k in known])
    node.flags = node.flags & ~UNSIGNED | _of_empty(sign, parents)
    node.constants = None


def _of_empty(sign: int, nodes: Sequence[Node | None]) -> int:
    """All of nothing is positive, but its sum is 0."""
    return sign & ~POSITIVE if any(n is not None and 0 in n.shape for n in nodes) else sign


def _of_values(value: Any) -> int:
    if value is None:
        return 0
    if np.size(value) == 0:
        return _SIGNS
    least = np.min(value)
    return _SIGNS if least > 0 else NONNEGATIVE if least >= 0 else 0
