"""Which draws meet which costs, and how: by the routes that were decided."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scg._axes import AxisMap
from scg._surrogate.analysis import Route
from scg.inspect._groups import Group, Groups
from scg.inspect._scene import Scene
from scg.tape import DrawNode

__all__ = ["CostSet", "Meeting", "cost_sets", "meetings"]


class CostSet:
    """The costs that are drawn as one diamond, as a mask, in the order in which they were made."""

    def __init__(self, group: Group, scene: Scene) -> None:
        self.group = group
        entries = sorted((p.order, i) for p in group.members for i in scene.costs[p])
        self._times = [order for order, _ in entries]
        self._later = [0]
        for _, index in reversed(entries):
            self._later.append(self._later[-1] | 1 << index)
        self.mask = self._later[-1]

    def later_than(self, order: int) -> int:
        """Return those that were made later than something."""
        return self._later[len(self._times) - bisect_left(self._times, order)]

    def words(self, reached: Sequence[tuple[int, int]]) -> str:
        """Say which of several costs are reached, each time from one order: all if nothing is said.

        `reached` pairs the order of a draw or read with the mask of the costs that it reaches.
        """
        here = [(order, costs & self.mask) for order, costs in reached]
        if all(costs == self.mask for _, costs in here):
            return ""
        if all(costs == self.later_than(order) for order, costs in here):
            return "costs made later"
        own = [costs for _, costs in here if costs]
        if len(set(own)) == len(own) and all(costs.bit_count() == 1 for costs in own):
            return "each its own"
        pairs = sum(costs.bit_count() for _, costs in here)
        return f"{pairs} of {len(here) * self.mask.bit_count()} pairs"


def cost_sets(groups: Groups) -> list[CostSet]:
    """Return the costs of a picture, oldest first."""
    return [CostSet(g, groups.scene) for g in groups if g.kind == "cost"][::-1]


@dataclass(slots=True, eq=False)
class Meeting:
    """One draw, or all draws of a line, and one cost or all of a line.

    Attributes
    ----------
    draw, cost : Group
    route : {"pathwise", "score", "enumerate"}
        How the draw is taken into the cost.
    words : str
        Which of several costs are met, if not all.
    axes : AxisMap
        Of a score: from the axes of the log-probability to those of the cost.
    """

    draw: Group
    cost: Group
    route: str
    words: str
    axes: AxisMap = ()


def meetings(groups: Groups) -> Iterator[Meeting]:
    """Yield what meets in a surrogate, by costs and then by draws, oldest first."""
    draws = [group for group in groups if group.kind == "draw"][::-1]
    for costs in cost_sets(groups):
        for group in draws:
            routes = [
                (point.order, groups.scene.routes[point]) for point in group.members
                if isinstance(point, DrawNode) and point in groups.scene.routes
            ]  # fmt: skip
            yield from _between(group, costs, routes, groups)


def _between(
    group: Group, costs: CostSet, routes: Sequence[tuple[int, Route]], groups: Groups
) -> Iterator[Meeting]:
    opened = [(order, route.open) for order, route in routes]
    if any(mask & costs.mask for _, mask in opened):
        yield Meeting(group, costs.group, "pathwise", costs.words(opened))
    scored = [(order, route.cut) for order, route in routes]
    if any(mask & costs.mask for _, mask in scored):
        route = next(route for _, route in routes if route.cut & costs.mask)
        name = next(n for n in groups.record(route.node).routes if n != "pathwise")
        axes = next(a for a, mask in route.scored.items() if mask & costs.mask)
        yield Meeting(group, costs.group, name, costs.words(scored), axes)
