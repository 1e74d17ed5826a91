"""Raw reads of random values: what Python may do with a number that left the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scg._run import Escape, Run, current_run, order
from scg._smoothness import JUMP, Passage
from scg.tape import (
    DRAWN,
    NOISE,
    REQUIRES,
    ROUTED,
    TRAINABLE,
    DrawNode,
    Leaf,
    Node,
    place_of_caller,
)  # fmt: skip

if TYPE_CHECKING:
    from scg._op import Op

__all__ = [
    "DRAWN_INSIDE", "is_over", "is_whole", "noise_from_reads", "note_read", "passage_of_read",
    "runs_of",
]  # fmt: skip

DRAWN_INSIDE = "compiled draw"  # the name of what a draw inside a compiled function reached

_BOTH = NOISE | TRAINABLE
# What these return moves in jumps only.
_WHOLE = ("bool", "int", "index", "round", "trunc", "floor", "ceil", "boolean mask")
# A copy that becomes a parameter is a new beginning, whatever it started from.
_HARMLESS = (*_WHOLE, "parameter")


def is_whole(kind: str) -> bool:
    """Tell whether a read of this kind returns a whole number, as one that decides does."""
    return kind in _WHOLE


def passage_of_read(escape: Escape) -> Passage:
    """Tell how a raw read passes on what it depends on.

    A whole number moves in jumps, which show only where continuous noise crosses them.
    """
    flat = escape.kind in _WHOLE and not escape.noisy
    return Passage.FLAT if flat else Passage.READ


def note_read(node: Node, kind: str) -> None:
    """Note that the value of a node left the graph, if a gradient could depend on that."""
    flags = node.flags
    if flags & DRAWN:
        run = current_run()
        if run.compiled_read is None:
            noisy = bool(flags & NOISE)
            run.compiled_read = Escape(kind, place_of_caller(), node, next(order), noisy)
    if flags & (NOISE | ROUTED) and is_over(node):
        return
    if flags & NOISE and node.dtype.kind == "f" and kind not in _HARMLESS:
        _note_noise(node, kind)
    if flags & ROUTED or flags & _BOTH == _BOTH:
        _note_escape(node, kind)
    elif flags & TRAINABLE and kind != "parameter" and not flags & NOISE:
        _note_parameter(node, kind)


def _note_parameter(node: Node, kind: str) -> None:
    """Note a read of what depends on parameters alone, between a draw and its backward.

    At other times it is what a person does to look at a parameter, unless noise was read that
    Python may compare it with. A whole number made from it is harmless without such noise.
    """
    root = current_run().root
    if kind not in _WHOLE and not root.pending and root.noise_read is None:
        return
    if kind not in _WHOLE:
        read = Escape(kind, place_of_caller(), node, next(order), True)
        root.parameter_reads.setdefault(node, read)
    elif root.noise_read is not None:
        _note_escape(node, kind)


def _note_escape(node: Node, kind: str) -> None:
    """Note a read in the runs that made its draws, and in this one, which acts on it."""
    here = current_run()
    noisy = bool(node.flags & NOISE) or here.root.noise_read is not None
    escape = Escape(kind, place_of_caller(), node, next(order), noisy)
    recorded = node.draw is None or node.draw.recorded
    for run in _acting(here, node):
        run.add_escape(escape, recorded=recorded)


def _acting(here: Run, node: Node) -> list[Run]:
    """Return where a read counts: in the reader's run, and in the draws' unless they enclose it."""
    return [here, *(run for run in runs_of(node) if not run.updated and run not in here.chain)]


def runs_of(node: Node) -> tuple[Run, ...]:
    """Return the runs whose draws reach a node: all that have trained parameters, one of others."""
    if node.draw is None or node.draw.run in node.runs:
        return node.runs
    return (*node.runs, node.draw.run)


def is_over(node: Node) -> bool:
    """Tell whether a value is a constant from before the last update, draws and parameters too.

    What was made since may still be computed from such values alone. One draw from before says
    nothing: `old + new` has the first draw's name.
    """
    runs = runs_of(node)
    if not runs or not all(run.updated for run in runs):
        return False
    since, known = current_run().root.since, {node}
    for current in (reached := [node]):  # grows while it is read
        if isinstance(current, Leaf):
            return False
        if current.order < since:
            continue
        if isinstance(current, DrawNode) or not current.parents:
            return False
        fresh = [p for p in current.parents if p is not None and p not in known]
        known.update(fresh)
        reached.extend(fresh)
    return True


def _note_noise(node: Node, kind: str) -> None:
    if node.draw is None:
        return
    for run in {current_run().root, node.draw.run.root}:  # two, if another thread reads it
        if run.noise_read is None:
            run.noise_read = Escape(kind, place_of_caller(), node, next(order), True)


def noise_from_reads(op: Op, flags: int, nodes: Sequence[Node | None], statics: Any) -> int:
    """Return NOISE for a jump in a parameter after a raw read of noise: `theta > float(u)`.

    The number compared with may be that noise, or anything computed from it.
    """
    if flags & _BOTH != TRAINABLE or current_run().root.noise_read is None:
        return 0
    classes = op.smoothness(len(nodes), statics)
    jumps = (n for n, smooth in zip(nodes, classes, strict=True) if n and smooth is JUMP)
    return NOISE | ROUTED if any(n.flags & (TRAINABLE | REQUIRES) for n in jumps) else 0
