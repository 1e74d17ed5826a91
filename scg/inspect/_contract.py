"""Items of some kinds left out of a drawing, with edges that lead through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scg.inspect._picture import Drawing, Edge, Item

__all__ = ["contracted"]


def contracted(drawing: Drawing, hidden: Iterable[str]) -> Drawing:
    """Leave out items of some kinds; edges lead through them."""
    hidden = frozenset(hidden)
    into: dict[Item, list[Edge]] = {}
    for edge in drawing.edges:
        into.setdefault(edge.head, []).append(edge)
    shown = [item for item in drawing.items if item.kind not in hidden]
    found: dict[tuple[Item, Item, str], Edge] = {}
    for item in shown:
        for path in _paths(item, into, hidden):
            known = found.setdefault((path.tail, item, path.kind), path)
            known.forced |= path.forced
            known.label = known.label or path.label
    return Drawing(shown, list(found.values()), drawing.notes, drawing.legend)


def _paths(item: Item, into: dict[Item, list[Edge]], hidden: frozenset[str]) -> Iterator[Edge]:
    """Yield an edge from each item that is shown and from which a way leads through hidden ones."""
    seen: set[tuple[Item, str]] = set()
    stack = [Edge(item, item)]
    while stack:
        way = stack.pop()
        for edge in into.get(way.tail, ()):
            kind = max(way.kind, edge.kind, key=_RANK.index)
            onward = Edge(edge.tail, item, kind, way.forced or edge.forced, way.label or edge.label)
            if edge.tail.kind not in hidden:
                yield onward
            elif (edge.tail, kind) not in seen:
                seen.add((edge.tail, kind))
                stack.append(onward)


_RANK = ("data", "next", "control")  # what a way is if one of its edges is
