"""What a picture says of each of its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scg._surrogate.analysis import Route
from scg.inspect._groups import Group, Groups
from scg.inspect._picture import Item, Line
from scg.inspect._places import Point, StandIn
from scg.inspect._records import DrawRecord
from scg.inspect._scene import Scene
from scg.inspect._words import coefficient_in_words, numbers_in_words, reason_in_words
from scg.tape import DrawNode, Leaf, Node

__all__ = ["TIMES", "items_of", "repeated", "short", "symbol_of", "weight_of"]

TIMES = " \N{MULTIPLICATION SIGN} "
LONGEST = 44  # characters of an expression


def items_of(groups: Groups) -> tuple[dict[Group, Item], str]:
    """Return an item for each group, without boxes, and what holds where nothing is said."""
    writer = _Writer(groups)
    items = {group: writer.item(group) for group in groups}
    _number(list(items.values())[::-1])
    return items, f"{writer.dtype} and one number each, unless said"


def _number(items: Sequence[Item]) -> None:
    """Tell items of one name apart, in the order in which they were made."""
    named: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.kind in ("draw", "parameter"):
            named.setdefault((item.kind, item.title), []).append(item)
    for equal in named.values():
        if len(equal) > 1:
            for number, item in enumerate(equal, start=1):
                item.index = str(number)


def short(text: str) -> str:
    """Return the beginning of a text that is too long for a label."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def symbol_of(group: Group, scene: Scene) -> str:
    """Return what the costs of a group are called in the picture: `c1`, or `c1 … c500`."""
    return numbers_in_words(scene.numbers.of(n for p in group.members for n in scene.costs[p]))


def weight_of(group: Group, scene: Scene) -> str:
    """Return the derivative of the loss with respect to the costs of a group, or its range."""
    costs = [scene.parts.costs[n] for point in group.members for n in scene.costs[point]]
    ends = [f(c.coefficient) for c in costs if np.size(c.coefficient) for f in (np.min, np.max)]
    return coefficient_in_words(ends)


class _Writer:
    """Writes the labels."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._scene = groups.scene
        dtypes = Counter(group.newest.dtype for group in groups)
        self.dtype = dtypes.most_common(1)[0][0]

    def item(self, group: Group) -> Item:
        """Return the item of a group."""
        write = {
            "parameter": self._parameter, "op": self._op, "module": self._module,
            "world": self._world, "draw": self._draw, "cost": self._cost,
        }[group.kind]  # fmt: skip
        title, lines = write(group)
        name, _, family = title.partition(" ~ ") if group.kind == "draw" else (title, "", "")
        return Item(group.kind, name, family, lines=[line for line in lines if line.text])

    def _shape(self, point: Point) -> Line:
        """Show a shape, and a dtype that is not that of most."""
        dtype = "" if point.dtype == self.dtype else f" {point.dtype}"
        return Line(TIMES.join(map(str, point.shape)) + dtype, "quiet")

    def _text(self, point: Point) -> str:
        """Return the expression that made a point; a long call without its arguments."""
        node = point.node if isinstance(point, StandIn) else point
        found = self._groups.expressions.of(node)
        text, name = found.text or node.name, f"{found.target} = " if found.target else ""
        if len(name + text) > LONGEST and found.called:
            text = f"{found.called}(…)"
        return short(name + text)

    # --- squares and symbols --------------------------------------------------------------------

    def _parameter(self, group: Group) -> tuple[str, Iterator[Line]]:
        leaf = group.newest
        assert isinstance(leaf, Leaf)
        members = [p for p in self._scene.points if self._owns(group, p)] if group.path else []
        if len(members) > 1:
            total = sum(int(np.prod(p.shape)) for p in members)
            words = f"{len(members)} parameters, {total} numbers"
            return ".".join(group.path), iter([Line(words, "quiet")])
        names = [self._name_of(p) for p in (group.members[-1], leaf)]
        title = names[0] if names[0] == names[1] else f"{names[0]} … {names[1]}"
        return title, iter([self._shape(leaf)])

    def _owns(self, group: Group, point: Point) -> bool:
        return isinstance(point, Leaf) and self._groups.root_of(point) is group.newest

    def _name_of(self, leaf: Any) -> str:
        return leaf.label or self._groups.expressions.of(leaf).target or "parameter"

    def _op(self, group: Group) -> tuple[str, Iterator[Line]]:
        node = group.newest
        if self._groups.depth is None and isinstance(node, Node):
            return node.name, iter([self._shape(node)])
        if group.path:  # inside an opened module the call is the same for all
            return _counted(group), iter([self._shape(node)])
        return self._text(node), iter([self._shape(node)])

    def _module(self, group: Group) -> tuple[str, Iterator[Line]]:
        lines = [Line(_counted(group), "quiet"), self._shape(group.newest)]
        return ".".join(group.path), iter(lines)

    def _world(self, group: Group) -> tuple[str, Iterator[Line]]:
        node = group.newest
        assert isinstance(node, Node)
        found = self._groups.expressions.of(node)
        called = found.arguments[0] if found.last_name == "external" and found.arguments else ""
        title = short(called) or self._text(node)
        return title, iter([Line("outside world", "quiet")])

    # --- costs ----------------------------------------------------------------------------------

    def _cost(self, group: Group) -> tuple[str, Iterator[Line]]:
        point = group.newest
        return self._title_of_cost(point), self._about_cost(group)

    def _title_of_cost(self, point: Point) -> str:
        """Return what a cost is; it may be a draw or a parameter itself, or a number."""
        text = self._text(point)
        if not isinstance(point, StandIn) or point.node.name == "cost":
            return text
        if not point.parents:
            return f"a number in {text}"
        (parent,) = point.parents
        if isinstance(parent, Leaf):
            return self._name_of(parent)
        return self._own_name(parent) if self._groups.record(parent) else text

    def _about_cost(self, group: Group) -> Iterator[Line]:
        weight = weight_of(group, self._scene)
        times = "" if weight == "1" else f", times {weight}"
        yield Line(symbol_of(group, self._scene) + times)
        yield self._shape(group.newest)

    # --- draws ----------------------------------------------------------------------------------

    def _draw(self, group: Group) -> tuple[str, Iterator[Line]]:
        record = self._groups.record(group.newest)
        if record is None:
            return "noise", iter([self._shape(group.newest)])
        family = record.distribution.partition("(")[0]
        return f"{self._name_of_draw(group)} ~ {family}", self._about_draw(group, record)

    def _name_of_draw(self, group: Group) -> str:
        names = [self._own_name(point) for point in (group.members[-1], group.newest)]
        return names[0] if names[0] == names[1] else f"{names[0]} … {names[1]}"

    def _own_name(self, point: Point) -> str:
        """Return the user's name of a draw: as given, or as assigned."""
        record: DrawRecord = self._groups.record(point)
        draw = point.draw
        if draw is not None and draw.name:
            return draw.name
        if isinstance(point, DrawNode):
            target = self._groups.expressions.of(point).target
            if target:
                return target
        return record.name.partition(" ")[0] if self._groups.folded else record.name

    def _about_draw(self, group: Group, record: DrawRecord) -> Iterator[Line]:
        point = group.newest
        if isinstance(point, DrawNode):
            yield self._shape(point)
        route = self._scene.routes.get(point) if isinstance(point, DrawNode) else None
        if route is None:
            why = (
                "no cost depends on it"
                if "not reached" in record.routes
                else "no parameter moves it"
            )
            yield Line(f"{next(iter(record.routes))}: {why}", "quiet")
            return
        yield from self._routes(group, record, route)
        if record.baseline not in ("", "none"):
            yield Line(f"baseline {record.baseline}", "quiet")
        biased = getattr(route.site.estimator, "biased", None)
        if biased:
            yield Line(f"BIASED({biased})", "bad")

    def _routes(self, group: Group, record: DrawRecord, route: Route) -> Iterator[Line]:
        for name in record.routes:
            tone = "good" if name == "pathwise" else "score"
            yield Line(f"{name}{self._into(group, name)}", tone)
            yield Line(self._why(name, record, route), "quiet")

    def _into(self, group: Group, name: str) -> str:
        """Say which costs a draw is taken into by one route."""
        total = len(self._scene.costs)
        if total == 1 or group.count > 1:
            return ""
        record: DrawRecord = self._groups.record(group.newest)
        numbers = record.routes[name]
        return f" into {numbers_in_words(numbers) if len(numbers) < total else 'all costs'}"

    def _why(self, name: str, record: DrawRecord, route: Route) -> str:
        where = ""
        cause = route.cause
        if name != "pathwise" and cause is not None and route.site.pathwise:
            node = cause.node
            if cause.escape is None:
                found = self._groups.expressions.of(node)
                where = f"{self._text(node)} ({found.line})"
            else:
                place = cause.escape.place
                where = f"{cause.escape.kind}() ({_file_and_line(str(place))})"
        return reason_in_words(name, route, where)


def _file_and_line(place: str) -> str:
    return place.replace("\\", "/").rpartition("/")[2]


def repeated(group: Group) -> list[Line]:
    """Say how often something happened, if not once."""
    return [Line(f"{group.count} times", "quiet")] if group.count > 1 else []


def _counted(group: Group) -> str:
    """Return the operations of a run of a module: `3 linear, 2 tanh`."""
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in group.ops.items())
