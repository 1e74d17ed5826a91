"""Where the parts of a loss were made: in which ended run or closed episode.

What Python read there may have decided any part that was made there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scg._run import Run
from scg._smoothness import Linear
from scg._surrogate.costs import NEVER, Cost, Costs
from scg._surrogate.refusals import check_forgotten
from scg.tape import DrawNode, Node

__all__ = ["sources", "touched"]


def touched(
    parts: Costs, others: Sequence[Run], spans: Sequence[tuple[int, int]]
) -> dict[Run, int]:
    """Return for each ended run or episode the costs with a part that was made in it.

    A part is what a cost is computed from, the parameters of its draws too, and the linear
    operations between it and the loss.
    """
    found = dict.fromkeys(others, 0)
    masks: dict[Node, int] = {}
    for index, cost in enumerate(parts.costs):
        if cost.node is not None:
            masks[cost.node] = masks.get(cost.node, 0) | 1 << index
    for node, mask in _spread(masks):
        for run in _makers(node, others, spans):
            found[run] |= mask
    above = _above(parts, others, spans)
    for index, cost in enumerate(parts.costs):
        for run in above.get(cost, ()):
            found[run] |= 1 << index
    return found


def _makers(node: Node, others: Iterable[Run], spans: Sequence[tuple[int, int]]) -> list[Run]:
    """Return the runs in which a node was made, or whose draws it depends on."""
    if node.op is None:
        return []
    check_forgotten(node.order, spans)
    return [r for r in others if r in node.runs or r.span[0] <= node.order <= r.span[1]]


def _spread(masks: dict[Node, int]) -> list[tuple[Node, int]]:
    """Carry masks back to everything a cost depends on, newest first."""
    heap = [(-node.order, node) for node in masks]
    heapq.heapify(heap)
    done: list[tuple[Node, int]] = []
    while heap:
        _, node = heapq.heappop(heap)
        mask = masks[node]
        done.append((node, mask))
        for parent in sources(node):
            if parent not in masks:
                heapq.heappush(heap, (-parent.order, parent))
            masks[parent] = masks.get(parent, 0) | mask
    return done


def sources(node: Node) -> list[Node]:
    """Return what a node depends on: its operands, or a draw's sampler and parameters."""
    sources = [p for p in node.parents if p is not None]
    if isinstance(node, DrawNode) and node.site is not None:
        parameters = node.site.distribution.parameters.values()
        sources.extend(p._node for p in parameters if p._node is not None)
    return sources


@dataclass(slots=True)
class _Path:
    """The runs in which the linear operations above a node were made.

    Attributes
    ----------
    unmarked : set of Run or None
        Of all of them, on paths without a mark; None if there is no such path.
    scaled : set of Run
        Of those among them that scale: they count for a marked cost too.
    marked : set of Run
        Of what counts on paths with a mark.
    """

    unmarked: set[Run] | None = None
    scaled: set[Run] = field(default_factory=set)
    marked: set[Run] = field(default_factory=set)

    def add(self, other: _Path) -> None:
        """Add the paths of another child."""
        if other.unmarked is not None:
            self.unmarked = (self.unmarked or set()) | other.unmarked
        self.scaled |= other.scaled
        self.marked |= other.marked

    def through(self, node: Node, makers: set[Run]) -> _Path:
        """Return the paths that go on through a linear operation."""
        marked = self.marked | makers if self.marked else set()
        if self.unmarked is None:
            return _Path(None, set(), self.marked | makers)
        if node.name == "cost":
            return _Path(None, set(), marked | self.scaled | makers)
        moves = node.op is not None and node.op.linear is Linear.MOVES
        scaled = self.scaled if moves else self.scaled | makers
        return _Path(self.unmarked | makers, scaled, marked)


def _above(
    parts: Costs, others: Sequence[Run], spans: Sequence[tuple[int, int]]
) -> dict[Cost, set[Run]]:
    """Return for each cost the runs in which the operations above it were made."""
    found: dict[Cost, set[Run]] = {}
    if not parts.linear:
        return found
    paths = {parts.linear[0][0]: _Path(set())}
    for node, operands in parts.linear:
        onward = paths[node].through(node, set(_makers(node, others, spans)))
        for parent, operand in zip(node.parents, operands, strict=True):
            if isinstance(operand, Cost):
                runs = onward.marked if operand.time != NEVER else onward.unmarked or set()
                found.setdefault(operand, set()).update(runs)
            elif operand and parent is not None:
                paths.setdefault(parent, _Path()).add(onward)
    return found
