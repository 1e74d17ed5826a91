"""From a loss to what is drawn of it."""

from __future__ import annotations

from collections.abc import Iterator

from scg._run import Escape
from scg._surrogate.analysis import Route
from scg._tensor import Tensor
from scg.errors import OptionError
from scg.inspect._contract import contracted
from scg.inspect._expressions import Expressions
from scg.inspect._groups import MOST, Group, Groups
from scg.inspect._labels import items_of, repeated, short
from scg.inspect._meetings import cost_sets
from scg.inspect._picture import Drawing, Edge, Item
from scg.inspect._places import Point, StandIn
from scg.inspect._plates import boxes_of
from scg.inspect._scene import Scene, scene_of
from scg.inspect._surrogate_view import costs_view, surrogate_view
from scg.tape import Node

__all__ = ["ONLY", "drawing_of"]

MOST_EDGES = 2000

ONLY = ("draws", "costs", "surrogate")
_BETWEEN = frozenset({"op", "module", "world", "input"})


def drawing_of(loss: Tensor, depth: int | None, only: str | None) -> Drawing:
    """Return what is drawn of a loss."""
    scene = scene_of(loss)
    groups = Groups(scene, Expressions(), depth)
    items, default = items_of(groups)
    for group, boxes in boxes_of(groups).items():
        items[group].boxes = boxes
        if not any(box.kind == "loop" and box.key == group.count for box in boxes):
            items[group].lines[:0] = repeated(group)
    drawing = Drawing(list(items.values())[::-1], notes=scene.notes, legend=default)
    edges = _Edges(groups, items)
    drawing.edges = list(edges)
    for item, edge in _inputs(groups, items):
        drawing.items.append(item)
        drawing.edges.append(edge)
    drawing = _part(drawing, groups, items, depth, only or scene.only)
    _check_size(drawing)
    return drawing


def _part(
    drawing: Drawing, groups: Groups, items: dict[Group, Item], depth: int | None, only: str | None
) -> Drawing:
    """Return the part of a drawing that was asked for."""
    if only == "draws":
        return contracted(drawing, _BETWEEN | {"cost"})
    if only == "costs":
        return costs_view(drawing, groups, items)
    if only == "surrogate":
        return surrogate_view(drawing, groups, items)
    return contracted(drawing, _BETWEEN) if depth == 0 else drawing


def _check_size(drawing: Drawing) -> None:
    items, edges = len(drawing.items), len(drawing.edges)
    if items > MOST or edges > MOST_EDGES:
        raise OptionError(
            f"the picture would have {items} nodes and {edges} edges, more than anybody can read; "
            'choose depth=0, only="draws", or a part of the loss'
        )


class _Edges:
    """The edges between groups."""

    def __init__(self, groups: Groups, items: dict[Group, Item]) -> None:
        self._groups, self._items = groups, items
        self._scene: Scene = groups.scene
        self._found: dict[tuple[Group, Group, str], Edge] = {}
        self._join()
        self._control()
        for route in self._scene.routes.values():
            if route.cause is not None and route.scored and route.site.pathwise:
                self._force(route)

    def __iter__(self) -> Iterator[Edge]:
        """Yield the edges."""
        return iter(self._found.values())

    def _add(self, tail: Group, head: Group, kind: str) -> Edge:
        key = tail, head, kind
        if key not in self._found:
            self._found[key] = Edge(self._items[tail], self._items[head], kind)
        return self._found[key]

    def _join(self) -> None:
        groups = self._groups
        for point in self._scene.points:
            root, head = groups.root_of(point), groups.of(point)
            for parent in self._scene.operands(point):
                source, tail = groups.root_of(parent), groups.of(parent)
                if source is not root:
                    later = tail.hands_on(source, head, root)
                    self._add(tail, head, "next" if later else "data")

    def _control(self) -> None:
        reads: dict[tuple[Group, Group], list[tuple[int, int]]] = {}
        told: set[tuple[Group, str]] = set()
        heads = cost_sets(self._groups)
        for escape, costs in self._scene.escapes:
            tail, words = self._groups.of(escape.node), _read(escape)
            for head in heads:
                if head.mask & costs:
                    edge = self._add(tail, head.group, "control")
                    if (tail, words) not in told:  # once, or nothing else could be read
                        told.add((tail, words))
                        edge.label = words
                reads.setdefault((tail, head.group), []).append((escape.order, costs))
        for head in heads:
            for (tail, end, kind), edge in self._found.items():
                if kind == "control" and end is head.group and head.group.count > 1:
                    words = head.words(reads[tail, end])
                    edge.label = f"{edge.label}\n{words}".strip()

    # --- the edge for which a draw was scored ----------------------------------------------------

    def _force(self, route: Route) -> None:
        cause = route.cause
        assert cause is not None
        if cause.escape is not None:
            for (tail, _, kind), edge in self._found.items():
                if kind == "control" and tail is self._groups.of(cause.escape.node):
                    edge.forced = True
            return
        if not self._groups.knows(cause.node) or not self._groups.knows(route.node):
            return
        head, where = self._groups.of(cause.node), self._label(cause.node)
        behind = self._behind(self._groups.of(route.node), head)
        for tail in self._outside(cause.node) & behind:
            for kind in ("data", "next"):
                forced = self._found.get((tail, head, kind))
                if forced is not None:
                    forced.forced, forced.label = True, where

    def _outside(self, node: Node) -> set[Group]:
        """Return the groups from which values come to a step, past what is drawn with it."""
        root, found = self._groups.root_of(node), set()
        seen: set[Point] = {node}
        stack: list[Point] = [node]
        for point in stack:  # grows while it is read
            for parent in self._scene.operands(point):
                if self._groups.root_of(parent) is not root:
                    found.add(self._groups.of(parent))
                elif parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return found

    def _label(self, node: Node) -> str:
        found = self._groups.expressions.of(node)
        return f"{short(found.text) or node.name}\n{found.line}"

    def _behind(self, start: Group, stop: Group) -> set[Group]:
        """Return the groups that a draw reaches without passing a certain one."""
        onward: dict[Group, list[Group]] = {}
        for tail, head, _ in self._found:
            onward.setdefault(tail, []).append(head)
        seen, stack = {start}, [start]
        for group in stack:  # grows while it is read
            for head in onward.get(group, ()):
                if head not in seen and head is not stop:
                    seen.add(head)
                    stack.append(head)
        return seen


def _read(escape: Escape) -> str:
    line = str(escape.place).replace("\\", "/").rpartition("/")[2]
    return f"{escape.kind}()\n{line}"


# --- constants ------------------------------------------------------------------------------------


def _inputs(groups: Groups, items: dict[Group, Item]) -> Iterator[tuple[Item, Edge]]:
    """Yield a symbol for each named constant that an operation takes."""
    taken: dict[tuple[Group, str], None] = {}
    for point in groups.shown():
        if isinstance(point, StandIn) or point.op is None or None not in point.parents:
            continue
        name = _name_of_constant(point, groups.expressions)
        if name and point.name != "cost":
            taken.setdefault((groups.of(point), name))
    for group, name in taken:
        item = Item("input", short(name), boxes=items[group].boxes)
        yield item, Edge(item, items[group])


def _name_of_constant(node: Node, expressions: Expressions) -> str:
    """Return what the user calls a constant operand, if the source tells and it is no literal."""
    arguments = expressions.of(node).arguments
    if not arguments or len(arguments) not in (1, len(node.parents)):
        return ""
    name = arguments[0] if len(arguments) == 1 else arguments[node.parents.index(None)]
    return name if any(c.isalpha() for c in name) and not _is_number(name) else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
