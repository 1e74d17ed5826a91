"""Which draws a loss depends on, and the route that each takes into each elementary cost.

One sweep from the costs back to the draws, newest node first. A draw that every path leaves
smoothly stays open for a cost, and the sweep goes on through its sampler; otherwise it is cut, and
the sweep goes on through its log-probability, which then stands in the surrogate.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from scg._axes import AxisMap, elementwise
from scg._bare import raw
from scg._reads import passage_of_read
from scg._run import PAST, Escape
from scg._smoothness import Passage
from scg._surrogate.concern import Concern
from scg._surrogate.costs import NEVER, Cost
from scg._surrogate.reach import (
    Cause,
    Reach,
    compose_axes,
    identity_axes,
    mixed_axes,
)  # fmt: skip
from scg._surrogate.refusals import Refusals, route_of
from scg._tensor import Tensor
from scg.site import Site
from scg.tape import HELD, ROUTED, TRAINABLE, DrawNode, Leaf, Node, grad_enabled, recording

__all__ = ["Analysis", "Cause", "Route"]

# Looked up in its class a member takes ten times as long, and these are asked for at every node.
_ASSERTED, _SMOOTH, _KINK, _FLAT = (
    Passage.ASSERTED, Passage.SMOOTH, Passage.KINK, Passage.FLAT,
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Route:
    """What was decided for one draw.

    Attributes
    ----------
    node : DrawNode
        The draw.
    site : Site
        The record of it.
    open : int
        The costs that it is differentiated into, or could be if anybody asked.
    scored : dict of AxisMap to int
        The costs that weight its score, by the map from the axes of its log-probability.
    log_prob : Tensor or None
        Of every member of the batch.
    importance : Tensor or None
        By how much each member counts, in place of a score, if the draw stands for all outcomes.
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
    site: Site
    open: int = 0
    scored: dict[AxisMap, int] = field(default_factory=dict)
    log_prob: Tensor | None = None
    importance: Tensor | None = None
    cause: Cause | None = None
    read: int = 0
    escape: Escape | None = None
    widened: int = 0
    detached: int = 0

    @property
    def density(self) -> Tensor | None:
        """What the surrogate contains of it: the log-probability or the importance."""
        return self.log_prob if self.importance is None else self.importance

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
    refusals : type
        Of what refuses; `scg.audit` collects instead.
    every : bool
        Decide about draws too that have nothing to do with the targets, because others may be
        asked for later. Otherwise `skipped` tells whether there were any.
    higher : bool
        Derivatives of higher order may be asked for.
    """

    def __init__(
        self, costs: Sequence[Cost], escapes: Sequence[tuple[Escape, int]],
        targets: set[Node] | None, refusals: type[Refusals] = Refusals,
        *, every: bool = False, higher: bool = False,
    ) -> None:  # fmt: skip
        self.costs = costs
        self.targets = targets
        self.skipped = False
        self._concerned = Concern(None if every else targets)
        self.routes: dict[Node, Route] = {}
        self.refusals = refusals(costs, targets, higher=higher)
        self._reach: dict[Node, Reach] = {}
        self._heap: list[tuple[int, Node]] = []
        for index, cost in enumerate(costs):
            if cost.node is not None:
                self._start(cost.node, 1 << index)
        if escapes:
            self._read(escapes)
        if grad_enabled():
            self._sweep()
        else:
            with recording(True):  # of the log-probabilities
                self._sweep()

    @cached_property
    def unmarked(self) -> int:
        """The costs that depend on whatever is read until backward."""
        return sum(1 << i for i, cost in enumerate(self.costs) if _is_unmarked(cost))

    def _sweep(self) -> None:
        heap, reached, targets = self._heap, self._reach, self.targets
        while heap:
            _, node = heapq.heappop(heap)
            reach = reached.pop(node)
            if isinstance(node, Leaf):
                self._at_parameter(node, reach)
            elif isinstance(node, DrawNode):
                if node.site is not None and node.site.live:
                    self._at_draw(node, reach)
            else:
                if targets is not None and node in targets:
                    self._at_parameter(node, reach)
                self._through(node, reach)

    def _start(self, node: Node, cost: int) -> None:
        reach = self._at(node)
        reach.add((_SMOOTH, identity_axes(len(node.shape))), cost)
        reach.data |= cost
        reach.direct |= cost

    def _read(self, escapes: Sequence[tuple[Escape, int]]) -> None:
        for escape, costs in escapes:
            if not costs:
                continue
            passage, node = passage_of_read(escape), escape.node
            reach = self._at(node)
            reach.add((passage, mixed_axes(len(node.shape))), costs)
            reach.blame(Cause(Passage.READ, node, escape))
            reach.control |= costs
            reach.escape = reach.escape or escape

    def _at(self, node: Node) -> Reach:
        """Return what a node reaches as far as known, and see to it that it will be visited."""
        reach = self._reach.get(node)
        return self._await(node, Reach()) if reach is None else reach

    def _await(self, node: Node, reach: Reach) -> Reach:
        self._reach[node] = reach
        heapq.heappush(self._heap, (-node.order, node))
        return reach

    # --- nodes -----------------------------------------------------------------------------

    def _through(self, node: Node, reach: Reach) -> None:
        """Hand on what a node reaches to its operands."""
        if PAST in node.runs:
            self.refusals.of_past(node)
        if not node.parents:
            self._at_end(node, reach)
            return
        op = node.op
        straight = op is not None and op.axes is elementwise and node.more.classes is None
        shape, given = node.shape, False
        for number, parent in enumerate(node.parents):
            if parent is None:
                continue
            if not straight or parent.shape != shape:
                self._step(node, reach, number, parent)
            elif parent.runs or parent.flags & ROUTED or reach.worst > _FLAT:  # not _settled
                # It reaches the same in the same way, and the first may have that very object.
                known = self._reach.get(parent)
                if known is None:
                    self._await(parent, reach.copied() if given else reach)
                    given = True
                elif known is not reach:
                    known.join(reach)

    def _step(self, node: Node, reach: Reach, number: int, parent: Node) -> None:
        """Let an operand reach what one step leads to."""
        classes = node.more.classes
        step = _SMOOTH if classes is None else classes[number]
        for (passage, axes), costs in reach.items():
            worst = _after(passage, step)
            if worst <= _FLAT and _settled(parent):
                continue
            onward = self._at(parent)
            onward.add((worst, _axes_of(node, number, parent, axes)), costs)
            if worst > _FLAT:
                onward.blame(Cause(step, node) if worst == step else reach.cause)
            onward.follow(reach, costs, detached=node.name == "detach")

    def _at_end(self, node: Node, reach: Reach) -> None:
        """Note a value whose dependence on parameters was not recorded."""
        if node.flags & TRAINABLE and reach.worst > Passage.DETACHED:
            self.refusals.of_parameter(node, reach.worst, reach.cause, reach)

    def _at_parameter(self, node: Node, reach: Reach) -> None:
        if self.targets is not None and node not in self.targets:
            return
        worst = reach.worst
        if worst > Passage.DETACHED:
            self.refusals.of_parameter(node, worst, reach.cause, reach)
        elif worst is Passage.DETACHED:
            self.refusals.detached(reach.cause)

    # --- draws -----------------------------------------------------------------------------

    def _at_draw(self, node: DrawNode, reach: Reach) -> None:
        if self.targets is not None and node in self.targets:
            self._at_parameter(node, reach)
        route = self.routes[node] = Route(node, node.site)
        route.read, route.escape = reach.control, reach.escape
        if not self._matters(route):
            self.skipped, route.open = True, reach.costs
            return
        differentiable = self._differentiable(route.site)
        scored = self._open(route, reach) if differentiable else reach
        if scored:
            self._cut(route, scored, differentiable)

    def _open(self, route: Route, reach: Reach) -> Reach:
        """Go on through a sampler where derivatives pass, and return what is reached otherwise."""
        scored = Reach()
        for way, costs in reach.items():
            if way[0] > _KINK:
                scored.add(way, costs)
                continue
            route.open |= costs
            for parent in route.node.parents:
                if parent is not None:
                    onward = self._at(parent)
                    onward.add(way, costs)
                    onward.follow(reach, costs)
        scored.blame(reach.cause)
        scored.follow(reach, -1)
        return scored

    def _matters(self, route: Route) -> bool:
        """Tell whether a score can add to what is asked for, or outcomes have to be weighted."""
        return hasattr(route.site.estimator, "importance") or self._concerned(route.node)

    def _differentiable(self, site: Site) -> bool:
        return site.pathwise and route_of(site) != "score"

    def _cut(self, route: Route, scored: Reach, differentiable: bool) -> None:
        """Score a draw for the costs that cannot be differentiated through it."""
        route.cause = scored.cause
        self.refusals.of_draw(route, scored)
        density = self._density(route)
        every = scored.costs
        route.widened = every & route.read & ~scored.data
        route.detached = every & scored.data & ~scored.direct & ~route.read
        for (passage, axes), costs in scored.items():
            kept = axes[: density.ndim]
            route.scored[kept] = route.scored.get(kept, 0) | costs
            if passage is Passage.READ and differentiable:
                route.widened |= costs
            if density._node is not None:
                onward = self._at(density._node)
                onward.add((_SMOOTH, kept), costs)
                onward.follow(scored, costs)
        self._moved_support(route, every)
        self.refusals.at_end(route)

    def _density(self, route: Route) -> Tensor:
        """Return what a cut draw puts into the surrogate."""
        found = self.refusals.density(route)
        if hasattr(route.site.estimator, "importance"):
            route.importance = found
        else:
            route.log_prob = found
        return found

    def _moved_support(self, route: Route, costs: int) -> None:
        """Follow parameters that move the support: no score can differentiate in them."""
        distribution: Any = route.site.distribution
        for name in getattr(distribution, "moves_support", ()):
            node = distribution.parameters[name]._node
            if node is not None:
                reach = self._at(node)
                reach.add((Passage.SUPPORT, mixed_axes(len(node.shape))), costs)
                reach.blame(Cause(Passage.SUPPORT, route.node))


def _is_unmarked(cost: Cost) -> bool:
    """Tell whether a cost depends on all that is read; the 0 a sum begins with weighs nothing."""
    return cost.time == NEVER and (cost.node is not None or bool(np.any(raw(cost.value))))


def _axes_of(node: Node, number: int, parent: Node, outer: AxisMap) -> AxisMap:
    """Return how the axes of an operand map to those of a cost."""
    if not any(outer) or node.flags & HELD or node.op is None:
        return mixed_axes(len(parent.shape))
    if parent.shape == node.shape and _keeps_axes(node):
        return outer
    maps = node.op.axes(node.shapes, node.shape, **node.statics)
    return compose_axes(maps[number], outer)


def _keeps_axes(node: Node) -> bool:
    """Tell whether an operand of the same shape has the same axes."""
    return node.op is not None and node.op.axes is elementwise


def _after(passage: Passage, step: Passage) -> Passage:
    """Return the worst step of a path that goes on; an assertion vouches for all behind it."""
    return _ASSERTED if passage is _ASSERTED or step is _ASSERTED else max(passage, step)


def _settled(node: Node) -> bool:
    """Tell whether there is nothing to decide behind a node: no draw, and no rough step."""
    return not node.runs and not node.flags & ROUTED
