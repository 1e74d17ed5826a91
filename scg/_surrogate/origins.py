"""Where the parts of a loss were made: in which ended run or closed episode.

What Python read there may have decided any part that was made there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from scg._run import Run
from scg._smoothness import Linear
from scg._surrogate.costs import Cost, Costs, Key
from scg._surrogate.refusals import check_forgotten
from scg._sweep import sources
from scg.tape import Node

__all__ = ["formed_between", "made_within", "sources", "touched"]


def touched(
    parts: Costs, others: Sequence[Run], spans: Sequence[tuple[int, int]]
) -> dict[Run, int]:
    """Return for each ended run or closed episode the costs that what was read there may decide.

    For an ended run these are the costs with a part that was made in it. For an episode also those
    made outside of any other episode, whose parts Python may have chosen in it; only siblings do
    not see each other.
    """
    found = {run: made_within(parts, [run]) for run in others}
    for run in others:
        if run.parent is not None:
            found[run] = _not_in_siblings(parts, run, others)
    for node, mask in _spread(_masks(parts)):
        for run in _makers(node, others, spans):
            found[run] |= mask
    above = _above(parts, others, spans)
    for index, cost in enumerate(parts.costs):
        for run in above.get(cost, ()):
            found[run] |= 1 << index
    return found


def formed_between(parts: Costs, first: int, last: int) -> bool:
    """Tell whether any part of a loss was formed between two orders; a parameter is none."""
    nodes = [*(node for node, _ in _spread(_masks(parts))), *(key[0] for key, _ in parts.linear)]
    return any(node.op is not None and first <= node.order <= last for node in nodes)


def _masks(parts: Costs) -> dict[Node, int]:
    """Return the nodes of elementary costs, with those that each computes."""
    masks: dict[Node, int] = {}
    for index, cost in enumerate(parts.costs):
        if cost.node is not None:
            masks[cost.node] = masks.get(cost.node, 0) | 1 << index
    return masks


def _not_in_siblings(parts: Costs, run: Run, others: Sequence[Run]) -> int:
    mask = 0
    for index, cost in enumerate(parts.costs):
        homes = [r for r in others if r.parent is not None and _within(r, cost.made)]
        if all(home in run.chain or run in home.chain for home in homes):
            mask |= 1 << index
    return mask


def made_within(parts: Costs, runs: Sequence[Run]) -> int:
    """Return the costs that were made in one of some runs."""
    made = (any(_within(run, cost.made) for run in runs) for cost in parts.costs)
    return sum(1 << index for index, inside in enumerate(made) if inside)


def _within(run: Run, order: int) -> bool:
    first, last = run.span
    return first <= order and (order <= last or not last)  # that of another thread still goes on


def _makers(node: Node, others: Iterable[Run], spans: Sequence[tuple[int, int]]) -> list[Run]:
    """Return the runs in which a node was made, or whose draws it depends on."""
    if node.op is None:
        return []
    check_forgotten(node.order, spans)
    return [r for r in others if r in node.runs or _within(r, node.order)]


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


def _above(
    parts: Costs, others: Sequence[Run], spans: Sequence[tuple[int, int]]
) -> dict[Cost, set[Run]]:
    """Return for each cost the runs in which an operation that scales it was made.

    Adding it up does not count: whether it is added shows in an error for a lost mark, or in its
    own dependence on all that was read.
    """
    found: dict[Cost, set[Run]] = {}
    runs: dict[Key, set[Run]] = {}
    rests: dict[Key, list[Cost | Key]] = {}
    for rest in parts.rests:
        rests.setdefault(rest.mark, []).append(rest.part)
    for key, operands in parts.linear:
        node, here = key[0], runs.get(key, set())
        makers = _makers(node, others, spans)
        if node.op is not None and node.op.linear is not Linear.MOVES:
            here = here.union(makers)
        for operand in (*operands, *rests.get(key, ())):
            if isinstance(operand, Cost):
                found.setdefault(operand, set()).update(here)
            elif operand is not None and here:
                runs.setdefault(operand, set()).update(here)
    return found
