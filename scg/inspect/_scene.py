"""What a picture has to show of a loss: its nodes, and what was decided about each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from scg._run import Draw, Escape
from scg._surrogate.analysis import Route
from scg._surrogate.costs import Cost, Costs
from scg._tensor import Tensor
from scg.errors import OptionError
from scg.inspect._decisions import Decided, decide
from scg.inspect._listing import records_of_draws
from scg.inspect._places import Numbers, Point, StandIn, placed
from scg.inspect._records import DrawRecord
from scg.inspect._words import short_in
from scg.tape import TRAINABLE, DrawNode, Leaf, Node

__all__ = ["MOST_NODES", "Scene", "operands", "scene_of"]

MOST_NODES = 3_000_000  # more would take minutes to look at; a million takes seconds


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
    numbers : Numbers
        Theirs.
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
    numbers: Numbers
    routes: dict[Node, Route]
    records: dict[Draw, DrawRecord]
    escapes: list[tuple[Escape, int]]
    remembered: dict[Draw, StandIn]
    factors: dict[Point, list[Node]] = field(default_factory=dict)
    only: str | None = None
    notes: tuple[str, ...] = ()

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
    costs, stand_ins = placed(decided.parts, escapes)
    numbers = Numbers(costs)
    factors = _factors(decided.parts, costs)
    reads = [escape.node for escape, _ in escapes]
    nodes = list(_upstream([*costs, *reads, *(n for found in factors.values() for n in found)]))
    records = records_of_draws(decided.routes, [n for n in nodes if isinstance(n, Node)], numbers)
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
        [*points, *remembered.values()], costs, decided.parts, numbers,
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
