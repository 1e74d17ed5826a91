"""What Python may have decided: which raw reads a cost depends on without an edge.

Everything read in the run, or in an episode that a part of the loss was made in, counts for every
cost formed later; an unmarked cost is formed when backward is called.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

from scg._run import Escape, Run, current_run
from scg._surrogate.costs import Cost, Costs
from scg._surrogate.origins import formed_between, made_within, touched
from scg._surrogate.refusals import check_evaluations, refuse_compiled_read
from scg.tape import Node

__all__ = ["decided", "matters", "parameters_read", "reads"]


def parameters_read(*, random: bool) -> bool:
    """Tell whether parameters were read raw in a way that matters to a loss.

    That is where something random is in it, or where noise was read that Python may have compared
    them with.
    """
    root = current_run().root
    return bool(root.parameter_reads) and (random or root.noise_read is not None)


def decided(node: Node | None) -> bool:
    """Tell whether anything was read that a loss could depend on."""
    run: Run | None = current_run()
    while run is not None:  # asked at every backward: no list, no generator
        if run.closed or run.forgotten or run.cleared or run.decided:
            return True
        run = run.parent
    return node is not None and any([r.decided for r in node.runs])


def matters(node: Node | None, *, random: bool) -> bool:
    """Tell whether anything was read that a loss, random or not, could depend on."""
    return decided(node) or parameters_read(random=random)


def reads(parts: Costs, *, random: bool) -> list[tuple[Escape, int]]:
    """Return every raw read that matters, with the costs that may depend on it."""
    chain = current_run().chain
    found: list[tuple[Escape, int]] = []
    later = _Later(parts.costs)
    others: list[Run] = []
    spans: list[tuple[int, int]] = []
    for run in chain:
        others += [r for r in run.closed if r not in chain] if run.closed else ()
        spans += run.forgotten
    others = list(
        dict.fromkeys([*others, *(r for r in _elsewhere(parts, chain) if r not in chain)])
    )
    outside = ~made_within(parts, [run for run in others if run.fresh]) if others else -1
    for run in chain:
        if run.escapes:
            found.extend((e, later(e.order) & outside) for e in run.escapes)
        if run.evaluations or run.compiled_read is not None:
            check_evaluations(run)
        if run.cleared is not None and formed_between(parts, *run.cleared[1:]):
            refuse_compiled_read(run.cleared[0])
    if parameters_read(random=random):
        found.extend((e, later(e.order)) for e in chain[-1].parameter_reads.values())
    if others or spans:
        for run, mask in touched(parts, others, spans, chain).items():
            for r in run.chain:
                if mask and r not in chain:
                    check_evaluations(r)
                    found.extend((e, mask & later(e.order)) for e in r.escapes)
    return found


def _elsewhere(parts: Costs, chain: Sequence[Run]) -> Sequence[Run]:
    """Return the runs that a loss comes from: that of another thread is in no list of this one."""
    top = parts.linear[0][0][0] if parts.linear else parts.costs[0].node
    made = () if top is None else [run for run in top.runs if run not in chain]
    if not made:
        return ()
    found = (outer for run in made if not run.updated for outer in run.chain)
    return list(dict.fromkeys(r for outer in found for r in (outer, *outer.closed)))


class _Later:
    """Costs formed after a read, as a mask; nothing is sorted unless something was read."""

    def __init__(self, costs: Sequence[Cost]) -> None:
        self._costs = costs

    @cached_property
    def _table(self) -> tuple[list[float], list[int]]:
        """The times of the costs, and for each the mask of those formed then or later."""
        costs = self._costs
        ordered = sorted(range(len(costs)), key=lambda i: costs[i].time)
        masks = [0] * (len(costs) + 1)
        for place in range(len(ordered) - 1, -1, -1):
            masks[place] = masks[place + 1] | 1 << ordered[place]
        return [costs[i].time for i in ordered], masks

    def __call__(self, order: int) -> int:
        times, masks = self._table
        return masks[bisect_left(times, order)]
