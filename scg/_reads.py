"""Raw reads of random values: what Python may do with a number that left the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scg._run import Draw, Escape, current_run
from scg._smoothness import JUMP
from scg.tape import NOISE, TRAINABLE, Node, place_of_caller

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["noise_from_reads", "note_read"]

_BOTH = NOISE | TRAINABLE
# What these return moves in jumps only.
_WHOLE = ("bool", "int", "index", "round", "trunc", "floor", "ceil")
# A copy that becomes a parameter is a new beginning, whatever it started from.
_HARMLESS = (*_WHOLE, "parameter")


def note_read(node: Node, kind: str) -> None:
    """Note that the value of a node left the graph, if a gradient could be biased by that."""
    if node.cut is not None or node.flags & _BOTH == _BOTH:
        _note_escape(node.draw, kind)
    elif node.flags & NOISE and node.dtype.kind == "f" and kind not in _HARMLESS:
        _note_noise(node.draw, kind)
    elif node.flags & TRAINABLE and kind in _WHOLE and current_run().noise_read is not None:
        _note_escape(current_run().noise_read.draw, kind)  # type: ignore[union-attr]


def _note_escape(draw: Draw | None, kind: str) -> None:
    """Refuse the gradients of the run that made the draw, and of this one, which acts on it.

    After an update the draw is a constant from the past.
    """
    if draw is None or draw.run.updated:
        return
    escape = Escape(kind, place_of_caller(), draw)
    draw.run.add_escape(escape)
    if current_run() is not draw.run and draw.run.ended:
        current_run().add_escape(escape)


def _note_noise(draw: Draw | None, kind: str) -> None:
    if draw is None:
        return
    for run in {current_run(), draw.run}:  # two, if another thread reads it
        run.noise_read = run.noise_read or Escape(kind, place_of_caller(), draw)


def noise_from_reads(op: Op, flags: int, nodes: Sequence[Node | None], statics: Any) -> int:
    """Return NOISE for a jump in a parameter after a raw read of noise: `theta > float(u)`.

    The number compared with may be that noise, or anything computed from it.
    """
    if flags & _BOTH != TRAINABLE or current_run().noise_read is None:
        return 0
    classes = op.smoothness(len(nodes), statics)
    jumps = (n for n, smooth in zip(nodes, classes, strict=True) if n and smooth is JUMP)
    return NOISE if any(n.flags & TRAINABLE for n in jumps) else 0
