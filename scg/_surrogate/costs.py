"""A loss taken apart through linear operations into its elementary costs.

The gradient is linear in the costs, so every draw may be weighted by those alone that it can reach.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from scg._partial import Partial
from scg._run import current_run, order
from scg._smoothness import Linear, Passage
from scg._sweep import unbroadcast
from scg.tape import REQUIRES, ROUTED, Node

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["NEVER", "Cost", "Costs", "Key", "take_apart"]

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
    rest_of : Cost or None
        The marked cost of which this is what a later scaling added or took away.
    """

    node: Node | None
    value: Any
    coefficient: Any
    time: float
    made: int
    rest_of: Cost | None = None

    @property
    def terms(self) -> Any:
        """What each element adds to the loss."""
        return self.coefficient * self.value


# A node below a mark stands apart from the same node elsewhere: they were made at other times.
Key: TypeAlias = tuple[Node, int | None]


@dataclass(slots=True)
class Costs:
    """The parts of a loss.

    Attributes
    ----------
    costs : list of Cost
        The elementary ones.
    coefficients : list of (Node, cotangent)
        Tensors that costs are multiplied by, and their own derivatives.
    linear : list of (Key, list)
        The operations that were taken apart, newest first, and for each operand its cost if it is
        an elementary one, its key if it was taken apart too, or None if it is a coefficient.
    """

    costs: list[Cost] = field(default_factory=list)
    coefficients: list[tuple[Node, Any]] = field(default_factory=list)
    linear: list[tuple[Key, list[Any]]] = field(default_factory=list)


@dataclass(slots=True)
class _Visit:
    """What is known of a node on the way down.

    Attributes
    ----------
    value, cotangent : ndarray
        Its own and the loss's with respect to it.
    mark : int or None
        Order of the mark above it.
    scaled : int
        Order of the last operation above it that gave it another coefficient than 1 or -1.
    sign : int
        The coefficient without those: 1 or -1, or 0 if two paths disagree.
    """

    value: Any
    cotangent: Any
    mark: int | None = None
    scaled: int = -1
    sign: int = 1

    def add(self, other: _Visit, order: int) -> None:
        """Add a second path: how often a cost is counted is a coefficient too."""
        self.cotangent = self.cotangent + other.cotangent
        self.scaled = max(self.scaled, other.scaled, order)
        self.sign = self.sign if self.sign == other.sign else 0


class _Opening:
    """The walk from a loss to its elementary costs, newest node first."""

    def __init__(self, node: Node, value: Any, weight: Any) -> None:
        self.parts = Costs()
        self._elementary: dict[Key, Cost] = {}
        self._visits: dict[Key, _Visit] = {}
        self._heap: list[tuple[int, int, Node]] = []
        self._visit((node, None), _Visit(value, weight, scaled=_weighting(weight)))
        while self._heap:
            _, mark, node = heapq.heappop(self._heap)
            key = node, mark if mark >= 0 else None
            self._open(key, self._visits.pop(key))
        for _, operands in self.parts.linear:
            operands[:] = [self._elementary.get(o, o) if type(o) is tuple else o for o in operands]

    def _visit(self, key: Key, visit: _Visit) -> None:
        self._visits[key] = visit
        mark = -1 if key[1] is None else key[1]
        heapq.heappush(self._heap, (-key[0].order, mark, key[0]))

    def _open(self, key: Key, visit: _Visit) -> None:
        carrying = _operands(key[0])
        if carrying is None:
            self._elementary[key] = self._cost(key[0], key[0].order, visit)
        else:
            self._hand_on(key, carrying, visit)

    def _cost(self, node: Node | None, made: int, visit: _Visit) -> Cost:
        time = NEVER if visit.mark is None else visit.mark
        made = made if visit.mark is None else visit.mark
        cost = Cost(node, visit.value, visit.cotangent, time, made)
        self.parts.costs.append(cost)
        if visit.mark is not None and _read_between(visit.mark, visit.scaled):
            # Had the scaling been decided by what was read after the mark, then in other outcomes
            # there may be none: counting the whole cost from here on only when there is one would
            # be biased. What counts later is its difference from the plain cost.
            cost.coefficient = np.full_like(visit.cotangent, visit.sign)
            rest = visit.cotangent - cost.coefficient
            later = Cost(node, visit.value, rest, visit.scaled, visit.scaled, cost)
            self.parts.costs.append(later)
        return cost

    def _hand_on(self, key: Key, carrying: tuple[bool, ...], visit: _Visit) -> None:
        """Hand a linear node's cotangent on to its operands."""
        node, op, values = key[0], key[0].op, key[0].inputs
        assert op is not None
        assert values is not None
        mark, scaled = visit.mark, visit.scaled
        if op.name == "cost":
            mark = _reach_mark(node, mark)
        elif op.linear is not Linear.MOVES:
            scaled = max(scaled, node.order)
        found: list[Any] = [None] * len(carrying)
        for number, g in enumerate(_cotangents(node, carrying, visit.cotangent)):
            parent, value = node.parents[number], values[number]
            if g is None:
                continue
            here = _Visit(value, _fitted(g, value), mark, scaled, visit.sign * _sign(op, number))
            if np.shape(g) != np.shape(value):
                here.scaled = max(scaled, node.order)
            if not carrying[number]:
                if parent is not None:
                    self.parts.coefficients.append((parent, here.cotangent))
            elif parent is None:
                found[number] = self._cost(None, node.order, here)
            else:
                found[number] = parent, mark
                self._reach((parent, mark), here, node.order)
        self.parts.linear.append((key, found))

    def _reach(self, key: Key, visit: _Visit, order: int) -> None:
        if key in self._visits:
            self._visits[key].add(visit, order)
        else:
            self._visit(key, visit)


def take_apart(node: Node | None, value: Any, weight: Any) -> Costs:
    """Return the elementary costs of a loss."""
    if node is None:
        return Costs([Cost(None, value, weight, NEVER, next(order))])
    return _Opening(node, value, weight).parts


def _weighting(weight: Any) -> int:
    """Return the order of the weights that backward was called with: -1 if they are 1."""
    return -1 if np.all(np.equal(weight, 1)) else next(order)


def _read_between(mark: int, scaled: int) -> bool:
    """Tell whether anything was read after a mark and before a scaling."""
    if scaled <= mark:
        return False
    runs = [r for run in current_run().chain for r in (run, *run.closed)]
    return any(mark < e.order < scaled for run in runs for e in run.escapes)


def _reach_mark(node: Node, mark: int | None) -> int:
    for run in node.runs:
        run.marks.pop(node, None)
    return node.order if mark is None else mark


def _sign(op: Op, number: int) -> int:
    return -1 if op.name == "negative" or (op.name == "subtract" and number == 1) else 1


def _cotangents(node: Node, carrying: Sequence[bool], g: Any) -> Sequence[Any]:
    needs = [
        carries or (parent is not None and bool(parent.flags & REQUIRES))
        for carries, parent in zip(carrying, node.parents, strict=True)
    ]
    assert node.op is not None
    return node.op.raw_vjp(node, g, needs)


def _fitted(g: Any, value: Any) -> Any:
    """Return a cotangent as an array of the operand's shape."""
    g = g.added_to(None, in_place=False) if isinstance(g, Partial) else g
    return unbroadcast(g, np.shape(value), False) if np.shape(g) != np.shape(value) else g


def _operands(node: Node) -> tuple[bool, ...] | None:
    """Tell which operands carry costs; None if the node is elementary.

    Without the operands' values, or with randomness in more than one factor, it is.
    """
    op = node.op
    if op is None or node.inputs is None or op.linear is Linear.NOT or node.saved is None:
        return None
    if any(c is not Passage.SMOOTH for c in node.more.classes or ()):
        return None
    if op.linear in (Linear.MOVES, Linear.ALL):
        return (True,) * len(node.parents)
    random = [p is not None and bool(p.flags & ROUTED or p.runs) for p in node.parents]
    if op.linear is Linear.FIRST:
        return None if any(random[1:]) else (True, *(False,) * (len(random) - 1))
    return tuple(random) if sum(random) == 1 else None
