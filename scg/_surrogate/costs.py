"""A loss taken apart through linear operations into its elementary costs.

The gradient is linear in the costs, so every draw may be weighted by those alone that it can reach.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg._partial import Partial
from scg._run import order
from scg._smoothness import Linear, Passage
from scg._sweep import unbroadcast
from scg.tape import REQUIRES, ROUTED, Node

__all__ = ["NEVER", "Cost", "Costs", "take_apart"]

NEVER = float("inf")  # not marked: everything read until backward may have chosen it


@dataclass(slots=True, eq=False)
class Cost:
    """An elementary cost.

    Attributes
    ----------
    node : Node or None
        What computes it; None for a constant, which depends on draws through control alone.
    value : ndarray
        Its elements.
    coefficient : ndarray
        The derivative of the loss with respect to each.
    time : float
        It depends on what was read before that order.
    made : int
        Order of its mark, or of what computes it, or of the operation that took in a constant.
    """

    node: Node | None
    value: Any
    coefficient: Any
    time: float
    made: int

    @property
    def terms(self) -> Any:
        """What each element adds to the loss."""
        return self.coefficient * self.value


@dataclass(slots=True)
class Costs:
    """The parts of a loss.

    Attributes
    ----------
    costs : list of Cost
        The elementary ones.
    coefficients : list of (Node, cotangent)
        Tensors that costs are multiplied by, and their own derivatives.
    linear : list of (Node, list)
        The operations that were taken apart, newest first, and for each operand its cost if it is
        an elementary one, True if it was taken apart too, or None if it is a coefficient.
    """

    costs: list[Cost] = field(default_factory=list)
    coefficients: list[tuple[Node, Any]] = field(default_factory=list)
    linear: list[tuple[Node, list[Any]]] = field(default_factory=list)


@dataclass(slots=True)
class _Visit:
    """What is known of a node on the way down: value, cotangent, control time, the mark above."""

    value: Any
    cotangent: Any
    time: float
    above: float = -1.0
    mark: int | None = None


def take_apart(node: Node | None, value: Any, weight: Any) -> Costs:
    """Return the elementary costs of a loss."""
    parts = Costs()
    if node is None:
        parts.costs.append(Cost(None, value, weight, NEVER, next(order)))
        return parts
    visits: dict[Node, _Visit] = {node: _Visit(value, weight, NEVER)}
    elementary: dict[Node, Cost] = {}
    heap = [(-node.order, node)]
    while heap:
        _, node = heapq.heappop(heap)
        visit = visits.pop(node)
        carrying = _operands(node)
        if carrying is None:
            cost = elementary[node] = _elementary(node, visit)
            parts.costs.append(cost)
        else:
            _open(node, carrying, visit, visits, heap, parts)
    for node, operands in parts.linear:
        for number, parent in enumerate(node.parents):
            if operands[number] is True and parent in elementary:
                operands[number] = elementary[parent]
    return parts


def _elementary(node: Node, visit: _Visit) -> Cost:
    made = node.order if visit.mark is None else visit.mark
    return Cost(node, visit.value, visit.cotangent, visit.time, made)


def _operands(node: Node) -> tuple[bool, ...] | None:
    """Tell which operands carry costs; None if the node is elementary.

    Without the operands' values, or with randomness in more than one factor, it is.
    """
    op = node.op
    if op is None or node.more.inputs is None or op.linear is Linear.NOT or node.saved is None:
        return None
    if any(c is not Passage.SMOOTH for c in node.more.classes or ()):
        return None
    if op.linear in (Linear.MOVES, Linear.ALL):
        return (True,) * len(node.parents)
    random = [p is not None and bool(p.flags & ROUTED or p.runs) for p in node.parents]
    if op.linear is Linear.FIRST:
        return None if any(random[1:]) else (True, *(False,) * (len(random) - 1))
    return tuple(random) if sum(random) == 1 else None


def _open(
    node: Node, operands: tuple[bool, ...], visit: _Visit, visits: dict[Node, _Visit],
    heap: list[Any], parts: Costs,
) -> None:  # fmt: skip
    """Hand a linear node's cotangent on to its operands."""
    op, values = node.op, node.more.inputs
    assert op is not None
    assert values is not None
    time, above, mark = visit.time, visit.above, visit.mark
    if op.name == "cost":
        for run in node.runs:
            run.marks.pop(node, None)
        time = max(above, node.order) if time == NEVER else time
        mark = node.order if mark is None else mark
    elif op.linear is not Linear.MOVES:
        above = max(above, node.order)
    needs = [
        carries or (parent is not None and bool(parent.flags & REQUIRES))
        for carries, parent in zip(operands, node.parents, strict=True)
    ]
    cotangents = op.raw_vjp(node, visit.cotangent, needs)
    found: list[Any] = [True if c else None for c in operands]
    for number, (parent, value, g) in enumerate(zip(node.parents, values, cotangents, strict=True)):
        if g is None:
            continue
        g = g.added_to(None, in_place=False) if isinstance(g, Partial) else g
        repeated = np.shape(g) != np.shape(value)
        g = unbroadcast(g, np.shape(value), False) if repeated else g
        if not operands[number]:
            if parent is not None:
                parts.coefficients.append((parent, g))
        elif parent is None:
            found[number] = Cost(None, value, g, time, node.order if mark is None else mark)
            parts.costs.append(found[number])
        elif parent in visits:
            _add(visits[parent], _Visit(value, g, time, max(above, node.order), mark))
        else:
            above_here = max(above, node.order) if repeated else above
            visits[parent] = _Visit(value, g, time, above_here, mark)
            heapq.heappush(heap, (-parent.order, parent))
    parts.linear.append((node, found))


def _add(visit: _Visit, other: _Visit) -> None:
    """Note a second path: how often a cost is counted is a coefficient too."""
    visit.cotangent = visit.cotangent + other.cotangent
    visit.time = max(visit.time, other.time)
    visit.above = max(visit.above, other.above)
    visit.mark = None if visit.mark is None or other.mark is None else max(visit.mark, other.mark)
