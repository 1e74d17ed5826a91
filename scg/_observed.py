"""Observations from before an update: what reached them was drawn from parameters that are gone.

The last observation of one iteration is where the next begins. Its draws belong to a distribution
that no longer exists, so to the new run it is a number like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from scg._run import PAST
from scg._sweep import sources
from scg.tape import HELD, OBSERVED, RANDOM, REQUIRES, ROUTED, TRAINABLE, Leaf, Node, NoisyNode

__all__ = ["all_moved", "is_past", "note_observed", "without_past"]


def without_past(nodes: Sequence[Node | None]) -> Sequence[Node | None]:
    """Return an op's inputs with observations from before an update as constants."""
    kept = [None if n is None or is_past(n) else n for n in nodes]
    return kept if kept != list(nodes) else nodes


def is_past(node: Node) -> bool:
    """Tell whether a value is an observation all of whose parameters were updated since.

    If one was not, the value may still stand for a draw from it, and is followed or refused.
    """
    if not node.flags & OBSERVED or not isinstance(node, NoisyNode):
        return False
    if PAST in node.runs or not all(run.updated for run in node.runs):
        return False
    if node.more.past is None and all_moved(node):
        node.notes().past = True
    return bool(node.more.past)


def all_moved(node: Node) -> bool:
    """Tell whether every parameter that reaches a value was updated after it was used for it."""
    known, seen = {node}, [node]
    for current in seen:  # grows while it is read
        upstream = sources(current)
        if any(isinstance(n, Leaf) and n.moved < current.order for n in upstream):
            return False
        if not upstream and _is_lost(current, node):
            return False
        fresh = [n for n in upstream if n not in known]
        known.update(fresh)
        seen.extend(fresh)
    return True


def _is_lost(end: Node, node: Node) -> bool:
    """Tell whether it is not known which parameters reached an end of the graph.

    What was computed from them under no_grad does not tell: there an update of any will do, since
    the run has ended by it.
    """
    if isinstance(end, Leaf):
        return False
    if end.flags & TRAINABLE:
        return not (end.flags & HELD and node.runs)
    return bool(end.flags & ROUTED)


def note_observed(name: str, result: NoisyNode, nodes: Sequence[Node | None]) -> None:
    """Note that all randomness reaches a value by a way that passes no derivative on.

    What the user detached is one, like an answer of the outside world; a draw itself is not.
    """
    others = (n for n in nodes if n is not None and n.flags & RANDOM)
    if name == "detach" or (
        not result.flags & REQUIRES and all(n.flags & OBSERVED for n in others)
    ):
        result.flags |= OBSERVED
    else:
        result.flags &= ~OBSERVED
