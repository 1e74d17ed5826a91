"""What Python may have decided: which raw reads a cost depends on without an edge.

Everything read in the run, or in an episode that a part of the loss was made in, counts for every
cost formed later; an unmarked cost is formed when backward is called.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Sequence

from scg._run import Escape, Run, current_run
from scg._surrogate.costs import Cost
from scg._surrogate.refusals import check_evaluations, check_forgotten
from scg.tape import DrawNode, Node

__all__ = ["decided", "reads", "sources"]


def decided(node: Node | None) -> bool:
    """Tell whether anything was read that a loss could depend on."""
    run = current_run()
    if any(r.decided or r.closed or r.forgotten for r in run.chain):
        return True
    return node is not None and any(r.decided for r in node.runs)


def reads(costs: Sequence[Cost], *, random: bool) -> list[tuple[Escape, int]]:
    """Return every raw read that matters, with the costs that may depend on it."""
    here = current_run()
    found: list[tuple[Escape, int]] = []
    later = _Later(costs)
    for run in here.chain:
        found.extend((e, later(e.order)) for e in run.escapes)
        check_evaluations(run)
    if random:
        found.extend((e, later(e.order)) for e in here.root.parameter_reads.values())
    others = [r for run in here.chain for r in run.closed if r not in here.chain]
    spans = [span for run in here.chain for span in run.forgotten]
    if others or spans:
        touched = _touched(costs, others, spans)
        for run, mask in touched.items():
            for r in run.chain:
                if mask and r not in here.chain:
                    check_evaluations(r)
                    found.extend((e, mask) for e in r.escapes)
    return found


class _Later:
    """Costs formed after a read, as a mask."""

    def __init__(self, costs: Sequence[Cost]) -> None:
        ordered = sorted(range(len(costs)), key=lambda i: costs[i].time)
        self._times = [costs[i].time for i in ordered]
        self._masks = [0] * (len(costs) + 1)
        for place in range(len(ordered) - 1, -1, -1):
            self._masks[place] = self._masks[place + 1] | 1 << ordered[place]

    def __call__(self, order: int) -> int:
        return self._masks[bisect_left(self._times, order)]


def _touched(
    costs: Sequence[Cost], others: Sequence[Run], spans: Sequence[tuple[int, int]]
) -> dict[Run, int]:
    """Return for each ended run or episode the costs with a part that was made in it.

    Through a draw's parameters too, since they are part of what the cost depends on.
    """
    touched = dict.fromkeys(others, 0)
    masks: dict[Node, int] = {}
    constants: list[tuple[Node, int]] = []
    for index, cost in enumerate(costs):
        if cost.node is not None:
            masks[cost.node] = masks.get(cost.node, 0) | 1 << index
        elif cost.origin is not None:
            constants.append((cost.origin, 1 << index))
    for node, mask in (*_spread(masks), *constants):
        if node.op is not None:
            check_forgotten(node.order, spans)
            for run in others:
                if run in node.runs or run.span[0] <= node.order <= run.span[1]:
                    touched[run] |= mask
    return touched


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
