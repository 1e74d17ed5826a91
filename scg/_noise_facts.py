"""What flows forward with a value that a draw reaches: how it passes derivatives on, and signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._observed import note_observed
from scg._recording import ACTIVE, recorder
from scg._run import PAST
from scg._signs import facts_of, note_sign
from scg._smoothness import JUMP, NOT_LINEAR, OPAQUE, POLE, SMOOTH, Linear, Passage, Smoothness
from scg.tape import (
    BELOW_ONE,
    BOXED,
    HANDMADE,
    HELD,
    KINKED,
    MIXED,
    NOISE,
    OBSERVED,
    RANDOM,
    REQUIRES,
    ROUTED,
    SCORE,
    TAGGED,
    TRAINABLE,
    Node,
    NoisyNode,
    grad_enabled,
)  # fmt: skip

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["BELOW_ONE", "LOUD", "keep_for_routing", "note_noise"]

_BOTH = NOISE | TRAINABLE
# Of what carries these, more is noted than where the noise comes from.
LOUD = BOXED | MIXED | SCORE | HANDMADE | TAGGED


def note_noise(
    op: Op, result: NoisyNode, arrays: Sequence[Any], nodes: Sequence[Node | None], statics: Any
) -> None:
    """Fill in what a noisy node knows, from its inputs and from the op's record."""
    flags = result.flags
    if op.sign and flags & NOISE:
        note_sign(op, result, arrays, nodes)
    if flags & OBSERVED or op.name == "detach":
        note_observed(op.name, result, nodes)
    if op.smooth is not SMOOTH:
        _note_passages(op, result, arrays, nodes, statics)
    if flags & LOUD:
        _note_loud(op, result, nodes)
    if result.flags & ROUTED:
        keep_for_routing(op, result, arrays, nodes)
    recorded = grad_enabled()
    if op.rules is None and (None in result.parents or not recorded):  # else the parents tell
        result.notes().shapes = tuple([np.shape(a) for a in arrays])
    if not recorded:
        _hold(result, [n for n in nodes if n is not None])


def _note_loud(op: Op, result: NoisyNode, nodes: Sequence[Node | None]) -> None:
    tags = frozenset().union(*(n.tags for n in nodes if n is not None))
    if tags:
        result.notes().tags = tags
    if result.flags & BOXED and not _keeps_boxed(op, nodes):
        result.flags |= MIXED
    if result.flags & SCORE and op.linear is Linear.EACH:
        _note_handmade(result, nodes)


def _note_passages(
    op: Op, result: NoisyNode, arrays: Sequence[Any], nodes: Sequence[Node | None], statics: Any
) -> None:
    """Note how each input is passed on; a jump with noise leaves the choice to backward.

    Two inputs of one jump meet in it: `x > theta` is a jump of `theta` that the noise in x crosses.
    """
    facts: list[int] = []
    if result.flags & NOISE:
        facts = [facts_of(a, n) for a, n in zip(arrays, nodes, strict=True)]
    classes = result.notes().classes = _passages(op, result, facts, nodes, statics)
    if ACTIVE and facts and (here := recorder()) is not None:
        for smooth, value in zip(op.smoothness(len(nodes), statics), arrays, strict=True):
            if smooth is POLE:  # excluded, if it was, by signs that another call must find too
                here.relies(value)
    rough = any(
        n is not None and n.flags & (_BOTH | ROUTED) and c > Passage.FLAT
        for n, c in zip(nodes, classes, strict=True)
    )
    if rough and result.flags & TRAINABLE:
        result.flags |= ROUTED
    if Passage.KINK in classes and result.flags & _BOTH == _BOTH:
        result.flags |= KINKED


def _passages(
    op: Op, result: NoisyNode, facts: list[int], nodes: Sequence[Node | None], statics: Any
) -> tuple[Passage, ...]:
    smooth = op.smoothness(len(nodes), statics)
    safe = _safe(op, facts) if facts else (True,) * len(nodes)
    crossed = {
        JUMP: _flags(nodes, [s is JUMP for s in smooth]) | _read_noise(result, nodes),
        POLE: _flags(nodes, [s is POLE and not ok for s, ok in zip(smooth, safe, strict=True)]),
    }
    return tuple(
        _passage(op, s, crossed, bool(ok), n, statics)
        for n, s, ok in zip(nodes, smooth, safe, strict=True)
    )


def _read_noise(result: NoisyNode, nodes: Sequence[Node | None]) -> int:
    """Return NOISE if no input has it but the result has: it was read raw before (`_reads`)."""
    inherited = any(n is not None and n.flags & NOISE for n in nodes)
    return 0 if inherited else result.flags & NOISE


def _flags(nodes: Sequence[Node | None], chosen: Sequence[bool]) -> int:
    flags = 0
    for node, counts in zip(nodes, chosen, strict=True):
        if node is not None and counts:
            flags |= node.flags
    return flags


def _passage(
    op: Op, smooth: Smoothness, crossed: Any, safe: bool, node: Node | None, statics: Any
) -> Passage:
    if node is None:
        return Passage.SMOOTH
    if node.dtype.kind == "b" and statics.get("continuous"):
        return Passage.ASSERTED
    if smooth is JUMP:
        return Passage.JUMP if crossed[JUMP] & NOISE else Passage.FLAT
    if smooth is POLE:
        return Passage.POLE if not safe and crossed[POLE] & NOISE else Passage.SMOOTH
    if smooth is OPAQUE:
        return _opaque(op, node)
    return Passage(int(smooth))


def _opaque(op: Op, node: Node) -> Passage:
    if op.name == "detach":
        return Passage.DETACHED
    trusted = op.vjp is not None and not node.flags & RANDOM
    return Passage.SMOOTH if trusted else Passage.OPAQUE


def _safe(op: Op, facts: Sequence[int]) -> Sequence[int]:
    """Tell of each input whether what is known of the inputs excludes a pole in it."""
    rule = op.pole_safe
    if callable(rule):
        return rule(*facts)
    needed = rule if isinstance(rule, tuple) else (rule,) * len(facts)
    return [fact & n for fact, n in zip(facts, needed, strict=True)]


# --- what backward will need to choose routes ------------------------------------------------


def keep_for_routing(
    op: Op, result: NoisyNode, arrays: Sequence[Any], nodes: Sequence[Node | None]
) -> None:
    """Keep the way to the draws through steps without a derivative, and the values of costs.

    Draws from before an update are constants from the past: keeping the way to them would keep
    every run of a training loop alive.
    """
    if op.name == "detach":  # what is cut off for good keeps its one way, to be judged by
        result.parents = tuple(nodes)
    elif not result.flags & REQUIRES:
        result.parents = tuple(nodes)
        for run in result.runs:
            if run.updated:
                _let_go(result)
                break
    if op.linear is not NOT_LINEAR:
        result.inputs = tuple(arrays)
        if not result.flags & REQUIRES:
            result.saved = op._residuals(None, arrays)


def _let_go(result: NoisyNode) -> None:
    """Cut the way to what was drawn before an update."""
    kept = tuple([None if n is None or _is_past(n) else n for n in result.parents])
    if kept != result.parents:
        result.parents = kept
        result.runs = (PAST, *(r for r in result.runs if not r.updated))


def _is_past(node: Node) -> bool:
    if node.flags & REQUIRES or not node.runs:
        return False
    return False not in [run.updated for run in node.runs]


def _hold(result: NoisyNode, tracked: Sequence[Node]) -> None:
    """Let a value made under no_grad hold what was recorded before, and nothing made there."""
    if not result.flags & (ROUTED | TRAINABLE):
        return
    held: dict[Node, None] = {}
    for node in tracked:
        sources = node.parents if node.flags & HELD else (node,)
        held.update((n, None) for n in sources if n is not None and not _is_past(n))
    result.flags |= HELD | ROUTED | OBSERVED
    result.parents, result.inputs, result.saved = tuple(held), None, ()
    lost = Passage.OPAQUE if result.flags & NOISE else Passage.DETACHED
    result.notes().classes = (lost,) * len(held)


def _note_handmade(result: NoisyNode, nodes: Sequence[Node | None]) -> None:
    """Note a draw's own log-probability times something random: a surrogate written by hand."""
    scores = [n for n in nodes if n is not None and n.flags & SCORE]
    others = [n for n in nodes if n is not None and not n.flags & SCORE]
    draws = {n.draw for n in scores}
    decided = any(d is not None and d.run.decided for d in draws)
    if any(n.flags & (ROUTED | NOISE) for n in others) or (decided and len(scores) < len(nodes)):
        result.flags |= HANDMADE


# --- derivatives of the surrogate -------------------------------------------------------------


def _keeps_boxed(op: Op, nodes: Sequence[Node | None]) -> bool:
    """Tell whether the result still is a derivative of the surrogate, as some input is.

    In what is linear in it the scores stay right; in its square they would count twice.
    """
    boxed = [n is not None and bool(n.flags & BOXED) for n in nodes]
    if any(
        n.flags & (TRAINABLE | ROUTED) for n, b in zip(nodes, boxed, strict=True) if n and not b
    ):
        return False
    if op.linear is Linear.FIRST:
        return not any(boxed[1:])
    jointly = op.linear in (Linear.MOVES, Linear.ALL)
    return jointly or (op.linear is Linear.EACH and sum(boxed) == 1)
