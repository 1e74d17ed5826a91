"""Which draws a loss depends on, and the route that each takes into each elementary cost.

One sweep from the costs back to the draws, newest node first. A draw that every path leaves
smoothly stays open for a cost, and the sweep goes on through its sampler; otherwise it is cut, and
the sweep goes on through its log-probability, which then stands in the surrogate.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg._axes import AxisMap
from scg._reads import passage_of_read
from scg._run import Escape
from scg._smoothness import Passage
from scg._surrogate.costs import NEVER, Cost
from scg._surrogate.reach import (
    Reach,
    Way,
    compose_axes,
    identity_axes,
    mixed_axes,
)  # fmt: skip
from scg._surrogate.refusals import Refusals, route_of
from scg._tensor import Tensor
from scg.site import Site
from scg.tape import HELD, ROUTED, TRAINABLE, DrawNode, Leaf, Node, recording

__all__ = ["Analysis", "Cause", "Route"]


@dataclass(slots=True)
class Cause:
    """Why a path does not pass derivatives on: the operation, or the raw read."""

    passage: Passage
    node: Node
    escape: Escape | None = None


@dataclass(slots=True, eq=False)
class Route:
    """What was decided for one draw.

    Attributes
    ----------
    node : DrawNode
        The draw.
    open : int
        The costs that it is differentiated into.
    scored : dict of AxisMap to int
        The costs that weight its score, by the map from the axes of its log-probability.
    log_prob : Tensor or None
        Of every member of the batch.
    cause : Cause or None
        Why it was cut, if a differentiable sampler was there.
    read : int
        The costs that it reaches through something that was read raw.
    escape : Escape or None
        Where it was read.
    widened : int
        The costs for which it is scored only because of that.
    detached : int
        The costs that it reaches through scg.detach alone.
    """

    node: DrawNode
    open: int = 0
    scored: dict[AxisMap, int] = field(default_factory=dict)
    log_prob: Tensor | None = None
    cause: Cause | None = None
    read: int = 0
    escape: Escape | None = None
    widened: int = 0
    detached: int = 0

    @property
    def site(self) -> Site:
        """The record of the draw."""
        site: Site = self.node.site
        return site

    @property
    def cut(self) -> int:
        """All costs that weight its score."""
        total = 0
        for costs in self.scored.values():
            total |= costs
        return total


class Analysis:
    """The sweep.

    Parameters
    ----------
    costs : sequence of Cost
        The elementary costs; cost `i` is bit `i`.
    escapes : sequence of (Escape, int)
        What Python read, and the costs that may depend on it.
    targets : set of Node or None
        The parameters that are differentiated; None means all.
    refusals : callable
        Makes what refuses; `scg.audit` collects instead.
    """

    def __init__(
        self, costs: Sequence[Cost], escapes: Sequence[tuple[Escape, int]],
        targets: set[Node] | None, refusals: Callable[[Analysis], Refusals] = Refusals,
    ) -> None:  # fmt: skip
        self.costs = costs
        # Those that depend on whatever is read until backward.
        self.unmarked = sum(1 << i for i, cost in enumerate(costs) if _is_unmarked(cost))
        self.targets = targets
        self.routes: dict[Node, Route] = {}
        self.refusals = refusals(self)
        self._reach: dict[Node, Reach] = {}
        self._cause: dict[Node, Cause] = {}
        # The costs that a node reaches along edges, those of them without a detach on the way, and
        # those through something read raw.
        self._data: dict[Node, int] = {}
        self._direct: dict[Node, int] = {}
        self._control: dict[Node, int] = {}
        self._escape: dict[Node, Escape] = {}
        self._heap: list[tuple[int, Node]] = []
        for index, cost in enumerate(costs):
            if cost.node is not None:
                way = (Passage.SMOOTH, identity_axes(len(cost.node.shape)))
                self._push(cost.node, way, 1 << index, None)
                for kind in (self._data, self._direct):
                    kind[cost.node] = kind.get(cost.node, 0) | 1 << index
        self._read(escapes)
        while self._heap:
            _, node = heapq.heappop(self._heap)
            self._visit(node, self._reach.pop(node))

    def _read(self, escapes: Sequence[tuple[Escape, int]]) -> None:
        for escape, costs in escapes:
            passage, node = passage_of_read(escape), escape.node
            way = (passage, mixed_axes(len(node.shape)))
            self._push(node, way, costs, Cause(Passage.READ, node, escape))
            self._control[node] = self._control.get(node, 0) | costs
            self._escape.setdefault(node, escape)

    def _push(self, node: Node, way: Way, costs: int, cause: Cause | None) -> None:
        if not costs:
            return
        reach = self._reach.get(node)
        if reach is None:
            reach = self._reach[node] = Reach()
            heapq.heappush(self._heap, (-node.order, node))
        reach.add(way, costs)
        if cause is not None:
            known = self._cause.get(node)
            if known is None or cause.passage > known.passage:
                self._cause[node] = cause

    # --- nodes -----------------------------------------------------------------------------

    def _visit(self, node: Node, reach: Reach) -> None:
        if isinstance(node, Leaf):
            self._at_parameter(node, reach)
        elif isinstance(node, DrawNode):
            if node.site is not None and node.site.live:
                self._at_draw(node, reach)
        elif self.targets is not None and node in self.targets:
            self._at_parameter(node, reach)
            self._through(node, reach)
        else:
            self._through(node, reach)

    def _through(self, node: Node, reach: Reach) -> None:
        """Hand on what a node reaches to its operands."""
        if not node.parents:
            self._at_end(node, reach)
            return
        classes = node.more.classes
        for number, parent in enumerate(node.parents):
            if parent is None:
                continue
            step = Passage.SMOOTH if classes is None else classes[number]
            for (passage, axes), costs in reach.items():
                worst = _after(passage, Passage(step))
                if worst <= Passage.FLAT and _settled(parent):
                    continue
                way = (worst, self._axes(node, number, parent, axes))
                new = step > Passage.FLAT and worst == step
                cause = Cause(Passage(step), node) if new else self._cause.get(node)
                self._push(parent, way, costs, cause if worst > Passage.FLAT else None)
                self._follow(node, parent, costs)

    def _follow(self, node: Node, onward: Node, costs: int) -> None:
        """Hand on how costs are reached: along edges, or through what was read."""
        for kind in (self._data, self._direct, self._control):
            if kind is self._direct and node.name == "detach":
                continue
            here = kind.get(node, 0) & costs
            if here:
                kind[onward] = kind.get(onward, 0) | here
        if node in self._escape:
            self._escape.setdefault(onward, self._escape[node])

    def _axes(self, node: Node, number: int, parent: Node, outer: AxisMap) -> AxisMap:
        if not any(outer) or node.flags & HELD or node.op is None:
            return mixed_axes(len(parent.shape))
        maps = node.op.axes(node.shapes, node.shape, **node.statics)
        return compose_axes(maps[number], outer)

    def _at_end(self, node: Node, reach: Reach) -> None:
        """Note a value whose dependence on parameters was not recorded."""
        if not node.flags & TRAINABLE:
            return
        worst = max(passage for passage, _ in reach)
        if worst > Passage.DETACHED:
            self.refusals.of_parameter(node, worst, self._cause.get(node), reach)

    def _at_parameter(self, node: Node, reach: Reach) -> None:
        if self.targets is not None and node not in self.targets:
            return
        worst = max(passage for passage, _ in reach)
        if worst > Passage.DETACHED:
            self.refusals.of_parameter(node, worst, self._cause.get(node), reach)
        elif worst is Passage.DETACHED:
            self.refusals.detached(self._cause.get(node))

    # --- draws -----------------------------------------------------------------------------

    def _at_draw(self, node: DrawNode, reach: Reach) -> None:
        if self.targets is not None and node in self.targets:
            self._at_parameter(node, reach)
        route = self.routes[node] = Route(node)
        differentiable = self._differentiable(route.site)
        scored = Reach()
        for (passage, axes), costs in reach.items():
            if differentiable and passage <= Passage.KINK:
                route.open |= costs
                for parent in node.parents:
                    if parent is not None:
                        self._push(parent, (passage, axes), costs, None)
                        self._follow(node, parent, costs)
            else:
                scored.add((passage, axes), costs)
        route.read, route.escape = self._control.get(node, 0), self._escape.get(node)
        if scored:
            self._cut(route, scored, differentiable)

    def _differentiable(self, site: Site) -> bool:
        return site.pathwise and route_of(site) != "score"

    def _cut(self, route: Route, scored: Reach, differentiable: bool) -> None:
        """Score a draw for the costs that cannot be differentiated through it."""
        route.cause = self._cause.get(route.node)
        self.refusals.of_draw(route, scored)
        with recording(True):
            log_prob = self.refusals.log_prob(route)
        route.log_prob = log_prob
        data = self._data.get(route.node, 0)
        route.widened = scored.costs & route.read & ~data
        route.detached = scored.costs & data & ~self._direct.get(route.node, 0) & ~route.read
        for (passage, axes), costs in scored.items():
            kept = axes[: log_prob.ndim]
            route.scored[kept] = route.scored.get(kept, 0) | costs
            if passage is Passage.READ and differentiable:
                route.widened |= costs
            if log_prob._node is not None:
                self._push(log_prob._node, (Passage.SMOOTH, kept), costs, None)
                self._follow(route.node, log_prob._node, costs)
        self._moved_support(route, scored.costs)
        self.refusals.at_end(route)

    def _moved_support(self, route: Route, costs: int) -> None:
        """Follow parameters that move the support: no score can differentiate in them."""
        distribution: Any = route.site.distribution
        for name in getattr(distribution, "moves_support", ()):
            node = distribution.parameters[name]._node
            if node is not None:
                way = (Passage.SUPPORT, mixed_axes(len(node.shape)))
                self._push(node, way, costs, Cause(Passage.SUPPORT, route.node))


def _is_unmarked(cost: Cost) -> bool:
    """Tell whether a cost depends on all that is read; the 0 a sum begins with weighs nothing."""
    return cost.time == NEVER and (cost.node is not None or bool(np.any(cost.value)))


def _after(passage: Passage, step: Passage) -> Passage:
    """Return the worst step of a path that goes on; an assertion vouches for all behind it."""
    return Passage.ASSERTED if Passage.ASSERTED in (passage, step) else max(passage, step)


def _settled(node: Node) -> bool:
    """Tell whether there is nothing to decide behind a node: no draw, and no rough step."""
    return not node.runs and not node.flags & ROUTED
