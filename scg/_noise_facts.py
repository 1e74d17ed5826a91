"""What flows forward with a value that a draw reaches: the draw, sign facts, and lost gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._run import merge
from scg._smoothness import JUMP, POLE
from scg.tape import (
    BOXED,
    DRAWN,
    MIXED,
    NOISE,
    NONNEGATIVE,
    POSITIVE,
    TRAINABLE,
    Cut,
    Node,
    NoisyNode,
    grad_enabled,
)  # fmt: skip

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["note_noise"]

_BOTH = NOISE | TRAINABLE


def note_noise(
    op: Op, result: NoisyNode, arrays: Sequence[Any], nodes: Sequence[Node | None], statics: Any
) -> None:
    """Fill in what a noisy node knows, from its inputs and from the op's record."""
    tracked = [n for n in nodes if n is not None]
    result.draw = next((n.draw for n in tracked if n.draw), None)
    result.cut = next((n.cut for n in tracked if n.cut and not _waived(n, statics)), None)
    result.runs = merge(run for n in tracked for run in n.runs)
    if result.flags & BOXED and any(_is_unboxed(n) for n in tracked):
        result.flags |= MIXED
    if result.flags & NOISE:
        facts = [_facts(a, n) for a, n in zip(arrays, nodes, strict=True)]
        result.cut = result.cut or _new_cut(op, result, facts, nodes, statics)
        if op.sign:
            same = len(nodes) == 2 and nodes[0] is nodes[1]
            result.flags |= op.sign if isinstance(op.sign, int) else op.sign(same, *facts)


def _new_cut(
    op: Op, result: NoisyNode, facts: list[int], nodes: Sequence[Node | None], statics: Any
) -> Cut | None:
    """Tell whether noise and a trainable parameter meet in a jump, pole or opaque step."""
    if not result.flags & TRAINABLE:
        return None
    jump = pole = 0
    classes = op.smoothness(len(nodes), statics)
    for node, smooth, fact in zip(nodes, classes, facts, strict=True):
        if node is None:
            continue
        if smooth >= JUMP:
            jump |= node.flags
        elif smooth is POLE and not fact & op.pole_safe:
            pole |= node.flags
    if jump & _BOTH == _BOTH:
        return Cut(op.name, max(classes).name, result.place, result.draw)
    if pole & _BOTH == _BOTH:
        return Cut(op.name, POLE.name, result.place, result.draw)
    if not grad_enabled() and result.flags & _BOTH == _BOTH:
        return Cut(op.name, "no_grad", result.place, result.draw)
    return None


def _waived(node: Node, statics: Any) -> bool:
    """Tell whether the user asserts that jumps in a condition do not show: `continuous=True`."""
    return node.dtype.kind == "b" and bool(statics.get("continuous"))


def _is_unboxed(node: Node) -> bool:
    return bool(node.flags & (TRAINABLE | DRAWN)) and not node.flags & BOXED


def _facts(value: Any, node: Node | None) -> int:
    """Return what is known of an operand's sign: of a noisy one by its ops, else by its values."""
    if node is not None and node.flags & NOISE:
        return node.flags & (POSITIVE | NONNEGATIVE)
    if value is None:
        return 0
    if np.all(np.greater(value, 0)):
        return POSITIVE | NONNEGATIVE
    return NONNEGATIVE if np.all(np.greater_equal(value, 0)) else 0
