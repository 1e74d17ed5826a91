"""Boxes around items: modules, loops, and plates for the axes that draws share with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scg.inspect._groups import Group, Groups
from scg.inspect._picture import Box
from scg.inspect._places import Point, StandIn
from scg.tape import HELD, DrawNode, Node

__all__ = ["boxes_of"]

Axis = tuple[Point, int]


def boxes_of(groups: Groups) -> dict[Group, tuple[Box, ...]]:
    """Return the boxes around each group, outermost first.

    Boxes of different kinds may cross. The larger one is then whole, and the smaller is drawn in
    two parts.
    """
    around: dict[Group, list[Box]] = {group: [] for group in groups}
    sizes: dict[Box, int] = {}
    for box, held in (*_plates(groups), *_loops(groups), *_modules(groups)):
        sizes[box] = len(held)
        for group in held:
            around[group].append(box)
    return {
        group: tuple(sorted(found, key=lambda box: -sizes[box])) for group, found in around.items()
    }


def _modules(groups: Groups) -> Iterator[tuple[Box, list[Group]]]:
    """Yield a box for each opened module, outer ones first."""
    inside: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        if group.kind in ("op", "module"):
            own = len(group.path) - (group.kind == "module")
            for level in range(1, own + 1):
                inside.setdefault(group.path[:level], []).append(group)
    for path in sorted(inside, key=len):
        yield Box("module", ".".join(path), path), inside[path]


def _loops(groups: Groups) -> Iterator[tuple[Box, list[Group]]]:
    """Yield a box for each stretch of time in which lines happened again and again."""
    repeated = sorted(
        (g for g in groups if g.count > 1 and g.kind != "parameter"),
        key=lambda g: g.members[-1].order,
    )  # fmt: skip
    together: list[Group] = []
    end = -1
    for group in repeated:
        if group.members[-1].order > end and together:
            yield from _loop(together)
            together = []
        together.append(group)
        end = max(end, group.newest.order)
    yield from _loop(together)


def _loop(together: list[Group]) -> Iterator[tuple[Box, list[Group]]]:
    if len(together) > 1:
        times = max(group.count for group in together)
        yield Box("loop", f"{times} times", times), together


# --- plates ---------------------------------------------------------------------------------------


class _Axes:
    """Axes of nodes that run along one another, as a union of sets."""

    def __init__(self) -> None:
        self._parents: dict[Axis, Axis] = {}

    def find(self, axis: Axis) -> Axis:
        """Return the axis that stands for all that run along this one."""
        while (parent := self._parents.setdefault(axis, axis)) != axis:
            self._parents[axis] = axis = self._parents[parent]
        return axis

    def join(self, first: Axis, second: Axis) -> None:
        """Note that two axes of one length run along each other."""
        if first[0].shape[first[1]] == second[0].shape[second[1]] > 1:
            self._parents[self.find(first)] = self.find(second)


def _plates(groups: Groups) -> Iterator[tuple[Box, list[Group]]]:
    """Yield a box for each axis along which the members of a draw are apart, and what follows."""
    axes, points = _Axes(), list(groups.shown())[::-1]
    links = {point: list(_carried(point)) for point in points}
    for point in points:
        for operand, here in links[point]:
            axes.join(operand, here)
    inside: dict[Axis, list[Group]] = {}
    leading: set[Axis] = set()
    for group in groups:
        point = group.newest
        for number in range(len(point.shape)):
            axis = axes.find((point, number))
            inside.setdefault(axis, []).append(group)
            if number == 0 and group.kind == "draw" and _batch_axes(point):
                leading.add(axis)
    for axis, held in inside.items():
        several = sum(g.kind != "parameter" for g in held) > 1
        if axis in leading and several and _apart(axis, axes, links, groups):
            size = axis[0].shape[axis[1]]
            yield Box("plate", f"plate of {size}", axis), list(dict.fromkeys(held))


def _apart(
    axis: Axis, axes: _Axes, links: dict[Point, list[tuple[Axis, Axis]]], groups: Groups
) -> bool:
    """Tell whether the members of an axis stay apart: what mixes them does not come back to it.

    `x - x.mean(axis=0)` comes back, and so does `x * x[::-1]`.
    """
    mixed: set[Point] = set()
    for point, carried in links.items():  # oldest first
        here = {n for n in range(len(point.shape)) if axes.find((point, n)) == axis}
        for operand in groups.scene.operands(point):
            there = {n for n in range(len(operand.shape)) if axes.find((operand, n)) == axis}
            kept = {a[1] for a, b in carried if a[0] is operand and b[1] in here}
            if operand in mixed or not there <= kept:
                if here:
                    return False
                mixed.add(point)
    return True


def _carried(point: Point) -> Iterator[tuple[Axis, Axis]]:
    """Yield the axes of operands that a node carries on, each with its own."""
    if isinstance(point, StandIn):
        for behind in point.parents:
            yield from (((behind, n), (point, n)) for n in range(len(point.shape)))
    elif isinstance(point, DrawNode):
        yield from _of_parameters(point)
    elif point.op is not None and not point.flags & HELD and _has_shapes(point):
        maps = point.op.axes(point.shapes, point.shape, **point.statics)
        for parent, kept in zip(point.parents, maps, strict=True):
            for number, along in enumerate(kept):
                if parent is not None and along is not None and along[1:] == (0, 1):
                    yield (parent, number), (point, along.axis)


def _has_shapes(node: Node) -> bool:
    """Tell whether the shapes of all operands are known; those of constants are not always."""
    return node.more.shapes is not None or None not in node.parents or node.op is None or (
        node.op.rules is not None
    )  # fmt: skip


def _batch_axes(point: Point) -> int:
    """Return how many axes of a draw are sample or batch axes."""
    events = 0
    if isinstance(point, DrawNode) and point.site is not None:
        events = len(getattr(point.site.distribution, "event_shape", ()))
    return len(point.shape) - events


def _of_parameters(draw: DrawNode) -> Iterator[tuple[Axis, Axis]]:
    """Yield the batch axes of a distribution's parameters, with the axes of the draw."""
    if draw.site is None:
        return
    distribution = draw.site.distribution
    batch: Sequence[int] = getattr(distribution, "batch_shape", ())
    first = _batch_axes(draw) - len(batch)
    for parameter in distribution.parameters.values():
        node = parameter._node
        if node is None:
            continue
        if tuple(node.shape[: len(batch)]) == tuple(batch):
            yield from (((node, n), (draw, first + n)) for n in range(len(batch)))
        elif len(node.shape) < len(batch):  # it broadcasts
            offset = first + len(batch) - len(node.shape)
            yield from (((node, n), (draw, offset + n)) for n in range(len(node.shape)))
