"""What a picture has to show of a loss: its nodes, and what was decided about each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from scg._run import Draw, Escape
from scg._surrogate.analysis import Route
from scg._surrogate.costs import NEVER, Cost, Costs
from scg._tensor import Tensor
from scg._typing import DType, Shape
from scg.errors import OptionError
from scg.inspect._decisions import Decided, decide
from scg.inspect._listing import records_of_draws
from scg.inspect._records import DrawRecord
from scg.inspect._words import short_in
from scg.tape import TRAINABLE, DrawNode, Leaf, Node

__all__ = ["MOST_NODES", "Point", "Scene", "StandIn", "operands", "scene_of"]

MOST_NODES = 3_000_000  # more would take minutes to look at; a million takes seconds


@dataclass(slots=True, eq=False)
class StandIn:
    """Something that is drawn like a node and is none: a cost that is itself a draw or a number.

    Attributes
    ----------
    node : Node or None
        Whose line of source it belongs to.
    parents : tuple of Node
        What leads to it.
    draw : Draw or None
        The draw that it stands for, if nodes remember one without an edge to it.
    """

    node: Node
    parents: tuple[Node, ...]
    shape: Shape
    dtype: DType
    order: int
    draw: Draw | None = None


Point: TypeAlias = Node | StandIn


@dataclass(slots=True)
class Scene:
    """All there is to draw.

    Attributes
    ----------
    points : list of Point
        Newest first; what a point depends on comes after it.
    costs : dict of Point to list of int
        Where the elementary costs are, by their indices in `parts`; oldest first.
    parts : Costs
        The elementary costs.
    routes : dict of Node to Route
        What was decided for the live draws.
    records : dict of Draw to DrawRecord
        The same in words, for all draws.
    escapes : list of (Escape, int)
        Raw reads, and the costs that may depend on them.
    remembered : dict of Draw to StandIn
        Draws without parameters that only their values remember.
    factors : dict of Point to list of Node
        The tensors that a cost is multiplied by, which have derivatives of their own.
    only : str or None
        What to draw if nothing is asked for.
    notes : tuple of str
        Bias that was asked for, and why backward would raise.
    """

    points: list[Point]
    costs: dict[Point, list[int]]
    parts: Costs
    routes: dict[Node, Route]
    records: dict[Draw, DrawRecord]
    escapes: list[tuple[Escape, int]]
    remembered: dict[Draw, StandIn]
    factors: dict[Point, list[Node]] = field(default_factory=dict)
    only: str | None = None
    notes: tuple[str, ...] = ()
    _numbers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give the costs that are drawn numbers, in the order in which they were made."""
        for number, indices in enumerate(self.costs.values(), start=1):
            self._numbers.update(dict.fromkeys(indices, number))

    def numbered(self, indices: Iterable[int]) -> list[int]:
        """Return the numbers in the picture of some elementary costs."""
        return sorted({self._numbers[i] for i in indices if i in self._numbers})

    def operands(self, point: Point) -> Sequence[Point]:
        """Return what a point depends on."""
        found = operands(point)
        if point in self.factors:
            return [*found, *self.factors[point]]
        if found or not self.remembered or isinstance(point, DrawNode | Leaf):
            return found
        draw = point.draw if isinstance(point, Node) else None
        return [self.remembered[draw]] if draw in self.remembered else []


def operands(point: Point) -> Sequence[Node]:
    """Return what a node depends on; of a draw these are its parameters, not its sampler."""
    if isinstance(point, DrawNode) and point.site is not None:
        parameters = point.site.distribution.parameters.values()
        return [p._node for p in parameters if p._node is not None]
    parents = point.parents
    if None in parents:
        return [p for p in parents if p is not None]
    return parents  # type: ignore[return-value]


def scene_of(loss: Tensor) -> Scene:
    """Look at a loss, before or after its backward, or at a surrogate."""
    node = loss._node
    _check_size(node)
    known = None if node is None else node.more.surrogate
    if known is None:
        return _scene(decide(loss))
    scene = _scene(Decided(known.parts, known.routes, [], set(known.tags)))
    scene.only = "surrogate"
    return scene


def _scene(decided: Decided) -> Scene:
    escapes = [(escape, mask) for escape, mask in decided.escapes if mask]
    costs, stand_ins = _placed(decided.parts, escapes)
    factors = _factors(decided.parts, costs)
    reads = [escape.node for escape, _ in escapes]
    nodes = list(_upstream([*costs, *reads, *(n for found in factors.values() for n in found)]))
    records = records_of_draws(decided.routes, [n for n in nodes if isinstance(n, Node)])
    remembered = {
        node.draw: StandIn(node, (), (), node.dtype, -1, node.draw)
        for node in nodes
        if isinstance(node, Node) and node.draw in records and not operands(node)
        and not isinstance(node, DrawNode)
    }  # fmt: skip
    known = {node.site.draw for node in nodes if isinstance(node, DrawNode) and node.site}
    remembered = {draw: one for draw, one in remembered.items() if draw not in known}
    points = sorted(
        dict.fromkeys([*stand_ins, *nodes]), key=lambda p: (p.order, isinstance(p, StandIn)),
        reverse=True,
    )  # fmt: skip
    warned = [str(tag) for tag in sorted(decided.tags, key=str)]
    refused = [f"backward raises: {text.partition('. ')[0]}" for text in decided.refusals]
    notes = tuple(short_in(text) for text in (*warned, *refused))
    return Scene(
        [*points, *remembered.values()], costs, decided.parts,
        {route.node: route for route in decided.routes}, records, escapes, remembered,
        factors, notes=notes,
    )  # fmt: skip


def _check_size(node: Node | None) -> None:
    if node is None:
        raise OptionError(
            "this tensor was computed from constants alone, so it has no graph to draw; give "
            "scg.render a loss that depends on a parameter or on a draw"
        )
    for count, _ in enumerate(_upstream([node])):
        if count > MOST_NODES:
            raise OptionError(
                f"this graph has more than {MOST_NODES} nodes, too many to look at; draw the "
                "graph of fewer steps, which has the same structure"
            )


def _upstream(roots: Iterable[Point]) -> Iterator[Point]:
    """Yield points and everything that they depend on, in no order."""
    seen: set[Point] = set(roots)
    stack = list(seen)
    while stack:
        point = stack.pop()
        yield point
        for parent in operands(point):
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)


def _placed(
    parts: Costs, escapes: Sequence[tuple[Escape, int]]
) -> tuple[dict[Point, list[int]], list[StandIn]]:
    """Return the point at which each elementary cost is drawn.

    A number that no read may have chosen has no gradient, and no place.
    """
    chosen = 0
    for _, mask in escapes:
        chosen |= mask
    above = {
        operand: key[0] for key, operands in reversed(parts.linear) for operand in operands
        if isinstance(operand, Cost)
    }  # fmt: skip
    # What a later scaling made of a marked cost is drawn with the cost.
    whole = {rest.part: rest.whole for rest in parts.rests if isinstance(rest.whole, Cost)}
    places: dict[Cost, Point] = {}
    for number, cost in enumerate(parts.costs):
        counts = cost.time != NEVER or np.any(cost.value)  # the 0 that a sum begins with does not
        felt = cost.node is not None or (chosen >> number & 1 and counts)
        if felt and cost not in whole:
            places[cost] = _point(cost, above.get(cost))
    found: dict[Point, list[int]] = {}
    for number, cost in enumerate(parts.costs):
        place = places.get(whole.get(cost, cost))
        if place is not None:
            found.setdefault(place, []).append(number)
    ordered = dict(sorted(found.items(), key=lambda entry: entry[0].order))
    return ordered, [point for point in ordered if isinstance(point, StandIn)]


def _factors(parts: Costs, places: dict[Point, list[int]]) -> dict[Point, list[Node]]:
    """Return the trainable tensors by which the cost at each point is multiplied."""
    where = {id(parts.costs[i]): point for point, indices in places.items() for i in indices}
    below = dict(parts.linear)
    found: dict[Point, dict[Node, None]] = {}
    for (node, _), operands in parts.linear:
        factors = [
            p for p, o in zip(node.parents, operands, strict=True)
            if o is None and p is not None and p.flags & TRAINABLE
        ]  # fmt: skip
        stack, seen = [*operands] if factors else [], set()
        while stack:
            operand = stack.pop()
            if isinstance(operand, Cost) and id(operand) in where:
                found.setdefault(where[id(operand)], {}).update(dict.fromkeys(factors))
            elif operand in below and operand not in seen:
                seen.add(operand)
                stack += below[operand]
    return {point: list(nodes) for point, nodes in found.items()}


def _point(cost: Cost, above: Node | None) -> Point:
    """Return the node of a cost, or what stands for it: a draw may be a cost, and a number."""
    node = cost.node
    own = node is not None and node.op is not None and node.name not in ("draw", "external")
    if own and (cost.time == NEVER or above is None):
        return node  # type: ignore[return-value]
    where = above if above is not None else node
    assert where is not None
    parents = () if node is None else (node,)
    value = np.asarray(cost.value)
    return StandIn(where, parents, value.shape, value.dtype, where.order)
