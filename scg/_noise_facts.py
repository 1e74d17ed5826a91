"""What flows forward with a value that a draw reaches: the draw, sign facts, and lost gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._run import current_run, merge
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
    if result.flags & BOXED and not _keeps_boxed(op, nodes):
        result.flags |= MIXED
    if result.flags & NOISE:
        facts = [_facts(a, n) for a, n in zip(arrays, nodes, strict=True)]
        result.cut = result.cut or _new_cut(op, result, facts, nodes, statics)
        if op.sign:
            same = len(nodes) == 2 and nodes[0] is nodes[1]
            sign = op.sign if isinstance(op.sign, int) else op.sign(same, *facts)
            # All of nothing is positive, but its sum is 0.
            result.flags |= sign & ~POSITIVE if any(0 in n.shape for n in tracked) else sign


def _new_cut(
    op: Op, result: NoisyNode, facts: list[int], nodes: Sequence[Node | None], statics: Any
) -> Cut | None:
    """Tell whether noise and a trainable parameter meet in a jump, pole or opaque step."""
    if not result.flags & TRAINABLE:
        return None
    jump = pole = 0
    classes = op.smoothness(len(nodes), statics)
    for node, smooth, safe in zip(nodes, classes, _safe(op, facts), strict=True):
        if node is None:
            continue
        if smooth >= JUMP:
            jump |= node.flags
        elif smooth is POLE and not safe:
            pole |= node.flags
    read = None if jump & NOISE else current_run().noise_read
    if jump & TRAINABLE and read is not None:
        result.draw = result.draw or read.draw
        return Cut(op.name, "JUMP", result.place, read.draw)
    if jump & _BOTH == _BOTH:
        return Cut(op.name, max(classes).name, result.place, result.draw)
    if pole & _BOTH == _BOTH:
        return Cut(op.name, POLE.name, result.place, result.draw)
    if not grad_enabled() and result.flags & _BOTH == _BOTH:
        return Cut(op.name, "no_grad", result.place, result.draw)
    return None


def _safe(op: Op, facts: Sequence[int]) -> Sequence[int]:
    """Tell of each input whether what is known of the inputs excludes a pole in it."""
    rule = op.pole_safe
    if callable(rule):
        return rule(*facts)
    needed = rule if isinstance(rule, tuple) else (rule,) * len(facts)
    return [fact & n for fact, n in zip(facts, needed, strict=True)]


def _waived(node: Node, statics: Any) -> bool:
    """Tell whether the user asserts that jumps in a condition do not show: `continuous=True`."""
    return node.dtype.kind == "b" and bool(statics.get("continuous"))


# In what is linear in a derivative of the surrogate, the scores stay right; in its square they
# would count twice.
_LINEAR = frozenset({
    "add", "subtract", "negative", "sum", "mean", "identity", "astype", "detach", "reshape",
    "transpose", "swapaxes", "moveaxis", "expand_dims", "squeeze", "broadcast_to", "concatenate",
    "stack", "getitem", "take_along_axis", "flip", "roll", "trace", "diag", "tril", "triu",
})  # fmt: skip
_LINEAR_IN_EACH = frozenset({"multiply", "matmul", "dot", "outer", "tensordot", "einsum"})


def _keeps_boxed(op: Op, nodes: Sequence[Node | None]) -> bool:
    """Tell whether the result still is a derivative of the surrogate, as some input is."""
    boxed = [n is not None and bool(n.flags & BOXED) for n in nodes]
    if any(n.flags & (TRAINABLE | DRAWN) for n, b in zip(nodes, boxed, strict=True) if n and not b):
        return False
    if op.name == "divide":
        return not boxed[1]
    return op.name in _LINEAR or (op.name in _LINEAR_IN_EACH and sum(boxed) == 1)


def _facts(value: Any, node: Node | None) -> int:
    """Return what is known of an operand's sign: of a noisy one by its ops, else by its values."""
    if node is not None and node.flags & NOISE:
        return node.flags & (POSITIVE | NONNEGATIVE)
    if value is None:
        return 0
    if np.all(np.greater(value, 0)):
        return POSITIVE | NONNEGATIVE
    return NONNEGATIVE if np.all(np.greater_equal(value, 0)) else 0
