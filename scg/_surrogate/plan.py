"""The plan of a backward: cotangents of costs and of log-probabilities, and the draws that are cut.

The order-one face of the surrogate loss. `magic_box` builds the same surrogate as a tensor, for
every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scg._bare import array_of, bare
from scg._plan import Plan
from scg._surrogate import control
from scg._surrogate.analysis import Analysis, Route
from scg._surrogate.baselines import Baselined
from scg._surrogate.costs import Costs, take_apart
from scg._surrogate.coupling import check_coupling
from scg._surrogate.curvature import is_curved
from scg._surrogate.importance import factors
from scg._surrogate.refusals import (
    check_past,
    refuse_compiled_draw,
    warn_detached,
    warn_handmade,
    warn_reroute,
)
from scg._surrogate.tags import Tag, check_strict
from scg._surrogate.weights import Weights
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import BiasedGradientError, SupportError
from scg.tape import DRAWN, HANDMADE, NOISE, ROUTED, Node

__all__ = ["Group", "Surrogate", "analyse", "first_order"]


@dataclass(slots=True, eq=False)
class Group:
    """Costs for which the same draws are cut.

    Attributes
    ----------
    costs : int
        As a mask.
    cut : frozenset of Node
        The draws whose samplers are not differentiated.
    """

    costs: int
    cut: frozenset[Node]


@dataclass(slots=True, eq=False)
class Surrogate:
    """Everything decided about a loss.

    Attributes
    ----------
    parts : Costs
        The elementary costs, coefficients and linear operations.
    routes : list of Route
        One for each live draw, newest first.
    groups : list of Group
        Costs by the draws that are cut for them.
    factors : list of ndarray or None
        By which importance each element of a cost counts, where a draw was enumerated.
    tags : frozenset of Tag
        What is to be known of the gradient.
    reads : bool
        Something was read in this run, whether or not the loss depends on it.
    """

    parts: Costs
    routes: list[Route]
    groups: list[Group]
    factors: list[Any]
    tags: frozenset[Tag]
    reads: bool = False

    @property
    def plain(self) -> bool:
        """Whether the ordinary derivative is the gradient, because no score is used."""
        for route in self.routes:
            if route.scored or is_curved(route):
                return False
        return True

    @property
    def curved(self) -> bool:
        """Whether some draws want second derivatives of the surrogate."""
        return any(map(is_curved, self.routes))

    @property
    def read(self) -> tuple[Node, ...]:
        """The parameters of draws whose values were read raw."""
        found: list[Node] = []
        for route in self.routes:
            if route.read:
                parameters = route.site.distribution.parameters.values()
                found.extend(p._node for p in parameters if p._node is not None)
        return tuple(found)

    @property
    def enumerated(self) -> bool:
        """Whether some outcomes count by their probabilities."""
        for factor in self.factors:
            if factor is not None:
                return True
        return False

    def weights(self) -> Weights:
        """Return the score weights."""
        terms = [
            cost.terms if factor is None else cost.terms * factor
            for cost, factor in zip(self.parts.costs, self.factors, strict=True)
        ]
        return Weights(terms)


def analyse(
    loss: Tensor, weight: Any, targets: set[Node] | None, *, traced: bool = False
) -> Surrogate | None:
    """Decide everything about a loss; None if its ordinary derivative is the gradient.

    A gradient that is `traced` may be differentiated again, and in other parameters. If scores are
    in it, then all of them.
    """
    node = loss._node
    if node is not None:
        check_past(node)
        if node.flags & HANDMADE:
            warn_handmade(node)
        if node.flags & DRAWN:
            refuse_compiled_draw(node)
    random = node is not None and bool(node.flags & (ROUTED | NOISE))
    if not (node is not None and node.flags & ROUTED) and not control.matters(node, random=random):
        return None
    parts = take_apart(node, bare(loss._data), bare(weight))
    escapes = control.reads(parts, random=random)
    analysis = Analysis(parts.costs, escapes, targets, higher=traced)
    routes = list(analysis.routes.values())
    for route in routes:
        _warn_widened(route, analysis)
    if traced and analysis.skipped and any(route.scored for route in routes):
        analysis = Analysis(parts.costs, escapes, targets, every=True, higher=traced)
        routes = list(analysis.routes.values())
    check_coupling(routes)
    tags = frozenset(analysis.refusals.tags | estimator_tags(routes))
    if traced and targets is not None and any(route.scored for route in routes):
        tags |= _refused_elsewhere(parts, escapes)
    if tags:
        check_strict(tags)
    groups = _groups(len(parts.costs), routes)
    return Surrogate(parts, routes, groups, factors(parts, routes), tags, bool(escapes))


def _refused_elsewhere(parts: Costs, escapes: Sequence[Any]) -> frozenset[Tag]:
    """Return a tag if the gradient in another parameter would be refused.

    A derivative of the surrogate contains its scores and is not judged again, so it must not be
    differentiated in that one.
    """
    try:
        Analysis(parts.costs, escapes, None, higher=True)
    except (BiasedGradientError, SupportError) as error:
        return frozenset({Tag("max_order", f"1: {error}", left=1)})
    return frozenset()


def _warn_widened(route: Route, analysis: Analysis) -> None:
    if route.escape is not None and route.widened & analysis.unmarked:
        warn_reroute(route, route.escape)
    if route.detached:
        warn_detached(route)


def _groups(count: int, routes: Sequence[Route]) -> list[Group]:
    """Split the costs where a draw is cut for some and open for others."""
    blocks = [(1 << count) - 1]
    cuttable = [r for r in routes if r.scored and r.site.pathwise]
    if not cuttable:  # so none is open for some costs and cut for others
        return [Group(blocks[0], frozenset())]
    for route in cuttable:
        if route.open and (cut := route.cut):
            blocks = [part for b in blocks for part in (b & cut, b & ~cut) if part]
    return [Group(b, frozenset([r.node for r in cuttable if not b & r.open])) for b in blocks]


def first_order(surrogate: Surrogate) -> Plan:
    """Return the sweeps whose sum is the gradient estimate."""
    weights = surrogate.weights()
    baselined = Baselined(surrogate.routes, weights)
    passes = []
    for number, group in enumerate(surrogate.groups):
        roots = list(surrogate.parts.coefficients) if number == 0 else []
        roots.extend(_cost_roots(surrogate, group))
        for route in surrogate.routes:
            root = _score_root(route, group, weights, baselined, first=number == 0)
            if root is not None:
                roots.append(root)
        passes.append((roots, group.cut))
    return Plan(passes, surrogate.tags, surrogate.read)


def _cost_roots(surrogate: Surrogate, group: Group) -> list[tuple[Node, Any]]:
    roots = []
    costs = zip(surrogate.parts.costs, surrogate.factors, strict=True)
    for index, (cost, factor) in enumerate(costs):
        if cost.node is not None and group.costs >> index & 1:
            g = cost.coefficient if factor is None else cost.coefficient * factor
            roots.append((cost.node, array_of(g, cost.node.dtype)))
    return roots


def _score_root(
    route: Route, group: Group, weights: Weights, baselined: Baselined, *, first: bool
) -> tuple[Node, Array] | None:
    log_prob = route.log_prob
    if log_prob is None or log_prob._node is None:
        return None
    if not (first or route.cut & group.costs):
        return None
    total = weights.summed(route.scored, log_prob.shape, group.costs)
    baseline = baselined.of(route) if first else None
    if baseline is not None:
        total = total - baseline
    return log_prob._node, array_of(total, log_prob.dtype)


def estimator_tags(routes: Sequence[Route]) -> set[Tag]:
    """Return what the estimators of the draws confess."""
    tags: set[Tag] = set()
    for route in routes:
        biased = getattr(route.site.estimator, "biased", None)
        if biased and (route.open or route.scored):
            tags.add(Tag("BIASED", biased, str(route.site.draw.place)))
    return tags
