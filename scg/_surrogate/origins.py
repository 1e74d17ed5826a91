"""Where the parts of a loss were made: in which ended run or closed episode.

What Python read there may have decided any part that was made there.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from scg._run import Run
from scg._smoothness import Linear
from scg._surrogate.costs import NEVER, Cost, Costs, Key
from scg._surrogate.refusals import check_forgotten
from scg._sweep import sources
from scg.tape import Node

__all__ = ["formed_between", "made_within", "sources", "touched"]


def touched(
    parts: Costs, others: Sequence[Run], spans: Sequence[tuple[int, int]], here: Sequence[Run]
) -> dict[Run, int]:
    """Return for each ended run or closed episode the costs that what was read there may decide.

    For an ended run these are the costs with a part that was made in it. For an episode also those
    made outside of any other episode, whose parts Python may have chosen in it; only siblings do
    not see each other. `here` are the current run and what encloses it.
    """
    found = dict.fromkeys(others, 0)
    places = Places(others, spans)
    for index, cost in enumerate(parts.costs):
        for run in places.at(cost.made):
            found[run] |= 1 << index
    for run, costs in _outside_of_siblings(parts, places, here).items():
        found[run] |= costs
    for node, mask in _spread(_masks(parts)):
        for run in places.makers(node):
            found[run] |= mask
    above = _above(parts, places)
    for index, cost in enumerate(parts.costs):
        for run in above.get(cost, ()):
            found[run] |= 1 << index
    return found


class Places:
    """Ended runs and closed episodes, to be found by what was made in them.

    Thousands of episodes may have been closed, and each lasted from one order to another. They are
    sorted, so that to find those that were open at some time costs what is found.

    Parameters
    ----------
    runs : sequence of Run
        The ended runs and closed episodes.
    spans : sequence of (int, int)
        Orders between which others lie that are not kept.
    """

    def __init__(self, runs: Sequence[Run], spans: Sequence[tuple[int, int]]) -> None:
        self.runs = dict.fromkeys(runs)
        self._spans = spans
        self._sorted = sorted(runs, key=lambda run: run.span[0])
        self._firsts = [run.span[0] for run in self._sorted]
        # How late any run lasted that began no later; that of another thread still goes on.
        ends = (run.span[1] or NEVER for run in self._sorted)
        self._latest = list(accumulate(ends, max))

    def at(self, order: int) -> list[Run]:
        """Return those that were open at an order."""
        found = []
        place = bisect_right(self._firsts, order) - 1
        while place >= 0 and self._latest[place] >= order:
            run = self._sorted[place]
            if _within(run, order):
                found.append(run)
            place -= 1
        return found

    def makers(self, node: Node) -> list[Run]:
        """Return those in which a node was made, or whose draws it depends on."""
        if node.op is None:
            return []
        check_forgotten(node.order, self._spans)
        inside = self.at(node.order)
        return [*inside, *(r for r in node.runs if r in self.runs and r not in inside)]


def _outside_of_siblings(parts: Costs, places: Places, here: Sequence[Run]) -> dict[Run, int]:
    """Return for each closed episode the costs that were made in no sibling of it.

    An episode that encloses it, or that it encloses, is none. One that is not closed yet may be.
    """
    episodes = [run for run in places.runs if run.parent is not None]
    current = [run for run in here if run.parent is not None]
    within: dict[Run, list[Run]] = {}
    for run in episodes:
        for outer in run.chain:
            within.setdefault(outer, []).append(run)
    found, anywhere = dict.fromkeys(episodes, 0), 0
    for index, cost in enumerate(parts.costs):
        homes = [run for run in places.at(cost.made) if run.parent is not None]
        homes += [run for run in current if run.start <= cost.made]
        if not homes:
            anywhere |= 1 << index
            continue
        for run in dict.fromkeys([*homes[0].chain, *within.get(homes[0], ())]):
            if run in found and all(home in run.chain or run in home.chain for home in homes):
                found[run] |= 1 << index
    return {run: costs | anywhere for run, costs in found.items()}


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


def made_within(parts: Costs, runs: Sequence[Run]) -> int:
    """Return the costs that were made in one of some runs."""
    made = (any(_within(run, cost.made) for run in runs) for cost in parts.costs)
    return sum(1 << index for index, inside in enumerate(made) if inside)


def _within(run: Run, order: int) -> bool:
    first, last = run.span
    return first <= order and (order <= last or not last)  # that of another thread still goes on


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


def _above(parts: Costs, places: Places) -> dict[Cost, set[Run]]:
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
        makers = places.makers(node)
        if node.op is not None and node.op.linear is not Linear.MOVES:
            here = here.union(makers)
        for operand in (*operands, *rests.get(key, ())):
            if isinstance(operand, Cost):
                found.setdefault(operand, set()).update(here)
            elif operand is not None and here:
                runs.setdefault(operand, set()).update(here)
    return found
