"""A loss taken apart through linear operations into its elementary costs.

The gradient is linear in the costs, so every draw may be weighted by those alone that it can reach.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from scg._bare import bare, raw, shape_of
from scg._run import Run, current_run, order
from scg._surrogate import linear
from scg.tape import Node

__all__ = ["NEVER", "Cost", "Costs", "Key", "Rest", "take_apart"]

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


# A node below a mark stands apart from the same node elsewhere, and from what a later scaling made
# of it: they count from other times on.
Key: TypeAlias = tuple[Node, int | None]


@dataclass(slots=True, eq=False)
class Rest:
    """What a scaling added to a marked cost, or took away, after something was read.

    Attributes
    ----------
    mark : Key
        The operation that marked the cost.
    part, whole : Cost or Key
        What was marked, counted from the scaling on and from the mark on.
    value : ndarray
        Of what was marked.
    coefficient : ndarray
        By how much the scaling changed the derivative of the loss with respect to it.
    by_tensor : bool
        The scaling has a gradient of its own.
    """

    mark: Key
    part: Any
    whole: Any
    value: Any
    coefficient: Any
    by_tensor: bool


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
    rests : list of Rest
        What later scalings made of marked costs.
    """

    costs: list[Cost] = field(default_factory=list)
    coefficients: list[tuple[Node, Any]] = field(default_factory=list)
    linear: list[tuple[Key, list[Any]]] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)


@dataclass(slots=True)
class _Visit:
    """What is known of a node on the way down.

    Attributes
    ----------
    value, cotangent : ndarray
        Its own and the loss's with respect to it.
    mark : int or None
        Order of the mark above it.
    earlier : list of (int, ndarray)
        The cotangent without the scalings made at some order or later, newest first: one entry for
        each stretch between raw reads. They may have decided a scaling made after them.
    by_tensor : bool
        A scaling above the mark has a gradient of its own.
    sign : int
        The coefficient without any scaling, 1 or -1.
    arrived : int
        Order of the operation that leads here.
    """

    value: Any
    cotangent: Any
    mark: int | None = None
    earlier: list[tuple[int, Any]] = field(default_factory=list)
    by_tensor: bool = False
    sign: int = 1
    arrived: int = -1

    def before(self, order: int) -> Any:
        """Return the cotangent without what was made at an order or later."""
        found = self.cotangent
        for when, cotangent in self.earlier:
            found = cotangent if when >= order else found
        return found


class _Reads:
    """The orders of raw reads: they part the history of a run into stretches."""

    def __init__(self, runs: Sequence[Run]) -> None:
        # Without any, no scaling has to be told from another.
        self.orders: list[int] = []
        for run in runs:
            if run.marked or run.closed:
                self.orders = _orders_of_reads(runs)
                break

    def stretch(self, order: int) -> int:
        """Return how many reads came before."""
        return bisect_left(self.orders, order)

    def without(self, earlier: list[Any], order: int, cotangent: Any) -> list[Any]:
        """Add what the cotangent is without what was made at an order or later."""
        stretch = self.stretch(order)
        if stretch == 0:
            return earlier
        if earlier and self.stretch(earlier[-1][0]) == stretch:
            return [*earlier[:-1], (earlier[-1][0], cotangent)]
        return [*earlier, (order, cotangent)]

    def again(self, visit: _Visit) -> _Visit:
        """Let a path to a cost that another path leads to count from where it was taken."""
        nothing = np.zeros(shape_of(visit.cotangent))
        visit.earlier = self.without(visit.earlier, visit.arrived, nothing)
        return visit

    def joined(self, newer: _Visit, older: _Visit) -> _Visit:
        """Return two paths as one: how often a cost is counted is a coefficient too."""
        newer = self.again(newer)
        whens = sorted({w for w, _ in (*newer.earlier, *older.earlier)}, reverse=True)
        earlier = [(w, newer.before(w) + older.before(w)) for w in whens]
        return _Visit(
            older.value, newer.cotangent + older.cotangent, older.mark, earlier,
            newer.by_tensor or older.by_tensor, older.sign, older.arrived,
        )  # fmt: skip


def _orders_of_reads(runs: Sequence[Run]) -> list[int]:
    """Return the orders of all reads, if a cost was marked that they could matter to."""
    every = [r for run in runs for r in (run, *run.closed)]
    marked = any(run.marked for run in every)
    return sorted(e.order for r in every for e in r.escapes) if marked else []


class _Opening:
    """The walk from a loss to its elementary costs, newest node first."""

    def __init__(self, node: Node, value: Any, weight: Any) -> None:
        self.parts = Costs()
        self._elementary: dict[Key, Cost] = {}
        self._visits: dict[Key, _Visit] = {}
        self._heap: list[tuple[int, int, Node]] = []
        self._below: set[Node] = set()  # marks under other marks
        self._reads = _Reads([*current_run().chain, *node.runs])
        self._visit((node, None), _Visit(value, weight, earlier=self._weighting(weight)))
        while self._heap:
            _, mark, node = heapq.heappop(self._heap)
            key = node, mark if mark >= 0 else None
            visit = self._visits.pop(key)
            if key[1] is None and node in self._below:
                visit = self._reads.again(visit)
            self._open(key, visit)
        for _, operands in self.parts.linear:
            operands[:] = [self._settled(o) for o in operands]
        for rest in self.parts.rests:
            rest.part, rest.whole = self._settled(rest.part), self._settled(rest.whole)

    def _settled(self, operand: Any) -> Any:
        """Return the cost that an operand turned out to be, if it is an elementary one."""
        return self._elementary.get(operand, operand) if type(operand) is tuple else operand

    def _weighting(self, weight: Any) -> list[Any]:
        """Return what the weights given to backward scale: nothing, if they are 1."""
        if not self._reads.orders or np.asarray(raw(weight) == 1).all():
            return []
        return self._reads.without([], next(order), np.ones(shape_of(weight)))

    def _visit(self, key: Key, visit: _Visit) -> None:
        self._visits[key] = visit
        if key[1] is not None and key[0].name == "cost":
            self._below.add(key[0])
        mark = -1 if key[1] is None else key[1]
        heapq.heappush(self._heap, (-key[0].order, mark, key[0]))

    def _open(self, key: Key, visit: _Visit) -> None:
        carrying = linear.operands(key[0])
        if carrying is None:
            self._elementary[key] = self._cost(key[0], key[0].order, visit)
        else:
            self._hand_on(key, carrying, visit)

    def _cost(self, node: Node | None, made: int, visit: _Visit) -> Cost:
        time = NEVER if visit.mark is None else visit.mark
        made = made if visit.mark is None else visit.mark
        cost = Cost(node, visit.value, visit.cotangent, time, made)
        self.parts.costs.append(cost)
        return cost

    def _split(self, visit: _Visit, later: list[tuple[int, Any]], arrived: int) -> list[_Visit]:
        """Set apart what scalings made of a marked cost after something was read.

        Had a scaling been decided by what was read, then in other outcomes there may be none:
        counting the whole cost for that only when there is one would be biased. What counts then
        is what the scaling changed.
        """
        coefficients = [visit.cotangent, *(c for _, c in later)]
        visit.cotangent = coefficients[-1]
        return [
            _Visit(visit.value, new - old, when, [], visit.by_tensor, visit.sign, arrived)
            for (when, _), new, old in zip(later, coefficients, coefficients[1:], strict=False)
        ]

    def _hand_on(self, key: Key, carrying: tuple[bool, ...], visit: _Visit) -> None:
        """Hand a linear node's cotangent on to its operands."""
        node = key[0]
        if node.name == "cost":
            _take_off_list(node)
        found: list[Any] = [None] * len(carrying)
        for number, operand in enumerate(self._operands(node, carrying, visit)):
            if operand is not None:
                found[number] = self._place(node, number, carrying[number], operand)
        self.parts.linear.append((key, found))

    def _operands(
        self, node: Node, carrying: Sequence[bool], visit: _Visit
    ) -> Iterator[_Visit | None]:
        """Yield the visit of each operand; None where no cotangent goes."""
        mark = node.order if node.name == "cost" and visit.mark is None else visit.mark
        now = linear.cotangents(node, carrying, visit.cotangent)
        earlier: list[Any] = []
        if visit.earlier and visit.mark is None:
            earlier = [(when, linear.cotangents(node, carrying, g)) for when, g in visit.earlier]
        told_apart = mark is None and bool(self._reads.orders)
        by_tensor = visit.by_tensor or (told_apart and linear.by_tensor(node, carrying))
        for number, g in enumerate(now):
            if g is None:
                yield None
                continue
            value = bare(node.inputs[number])  # type: ignore[index]
            sign = visit.sign * linear.sign(node, number) if told_apart else visit.sign
            before = earlier and [(when, linear.fitted(gs[number], value)) for when, gs in earlier]
            if told_apart and (linear.scales(node) or shape_of(g) != shape_of(value)):
                plain = np.full(shape_of(value), float(sign))
                before = self._reads.without(before, node.order, plain)
            yield _Visit(value, linear.fitted(g, value), mark, before, by_tensor, sign, node.order)

    def _place(self, node: Node, number: int, carries: bool, visit: _Visit) -> Any:
        """Put an operand where it belongs, and return its cost, its key, or None."""
        parent = node.parents[number]
        if not carries:
            if parent is not None:
                self.parts.coefficients.append((parent, visit.cotangent))
            return None
        later: list[tuple[int, Any]] = []
        if node.name == "cost" and visit.mark == node.order:
            at = self._reads.stretch(node.order)
            later = [(w, c) for w, c in visit.earlier if self._reads.stretch(w) > at]
        rests = self._split(visit, later, node.order) if later else []
        whole = self._go_on(node, parent, visit)
        for rest in rests:
            part = self._go_on(node, parent, rest)
            self.parts.rests.append(
                Rest((node, None), part, whole, rest.value, rest.cotangent, rest.by_tensor)
            )
        return whole

    def _go_on(self, node: Node, parent: Node | None, visit: _Visit) -> Any:
        """Go on with an operand that carries costs; return its cost or its key."""
        if parent is None:
            return self._cost(None, node.order, visit)
        self._reach((parent, visit.mark), visit)
        return parent, visit.mark

    def _reach(self, key: Key, visit: _Visit) -> None:
        known = self._visits.get(key)
        if known is None:
            self._visit(key, visit)
        elif known.arrived > visit.arrived:
            self._visits[key] = self._reads.joined(known, visit)
        else:  # two operands of one operation, `c - c`: the first was there before
            self._visits[key] = self._reads.joined(visit, known)


def take_apart(node: Node | None, value: Any, weight: Any) -> Costs:
    """Return the elementary costs of a loss."""
    if node is None:
        return Costs([Cost(None, value, weight, NEVER, next(order))])
    return _Opening(node, value, weight).parts


def _take_off_list(node: Node) -> None:
    """Note that a backward reached a marked cost."""
    for run in node.runs:
        run.marks.pop(node, None)
