"""What a backward would decide about a loss, with its refusals collected instead of raised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg._run import Escape
from scg._smoothness import Linear
from scg._surrogate import control
from scg._surrogate.analysis import Analysis, Cause, Route
from scg._surrogate.baselines import Baselined
from scg._surrogate.boxed import carried_tags, check_boxed, check_order, stopped_tags
from scg._surrogate.costs import Cost, Costs, take_apart
from scg._surrogate.coupling import check_coupling
from scg._surrogate.importance import factors
from scg._surrogate.plan import estimator_tags
from scg._surrogate.reach import Reach
from scg._surrogate.refusals import Refusals, check_past
from scg._surrogate.tags import Tag
from scg._surrogate.weights import Weights
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import ScgError
from scg.site import Site
from scg.tape import NOISE, ROUTED, Node

__all__ = ["Decided", "Forgiving", "decide"]


@dataclass(slots=True)
class Decided:
    """All that was decided about a loss.

    Attributes
    ----------
    parts : Costs
        The elementary costs.
    routes : list of Route
        One for each live draw, newest first.
    escapes : list of (Escape, int)
        Raw reads, and the costs that may depend on them.
    tags : set of Tag
        What is to be known of the gradient.
    refusals : list of str
        Why a backward would raise.
    """

    parts: Costs
    routes: list[Route] = field(default_factory=list)
    escapes: list[tuple[Escape, int]] = field(default_factory=list)
    tags: set[Tag] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Note a refusal made inside a `with` block, and go on behind it."""
        try:
            yield
        except ScgError as error:
            if str(error) not in self.refusals:
                self.refusals.append(str(error))


class Forgiving(Refusals):
    """Collects the refusals of an analysis, which then goes on.

    Attributes
    ----------
    texts : list of str
        What was refused.
    """

    def __init__(
        self, costs: Sequence[Cost], targets: set[Node] | None, *, higher: bool = False
    ) -> None:
        super().__init__(costs, targets, higher=higher)
        self.texts: list[str] = []

    def of_parameter(self, node: Node, worst: Any, cause: Cause | None, reach: Reach) -> None:
        """Note a parameter that is reached where no derivative is right."""
        try:
            super().of_parameter(node, worst, cause, reach)
        except ScgError as error:
            self.texts.append(str(error))

    def of_draw(self, route: Route, scored: Reach) -> None:
        """Note a draw that must not be scored."""
        try:
            super().of_draw(route, scored)
        except ScgError as error:
            self.texts.append(str(error))

    def of_past(self, node: Node) -> None:
        """Note a value from before an update."""
        try:
            super().of_past(node)
        except ScgError as error:
            self.texts.append(str(error))

    def at_end(self, route: Route) -> None:
        """Note a parameter at the end of its range."""
        try:
            super().at_end(route)
        except ScgError as error:
            self.texts.append(str(error))

    def density(self, route: Route) -> Tensor:
        """Return the log-probability or importance; zeros if there is none."""
        try:
            return super().density(route)
        except ScgError as error:
            self.texts.append(str(error))
            return Tensor(np.zeros(_batch_shape(route.site)))


def _batch_shape(site: Site) -> Shape:
    events = len(getattr(site.distribution, "event_shape", ()))
    shape: Shape = site.value.shape
    return shape[: len(shape) - events]


def _is_plain(node: Node | None) -> bool:
    """Tell whether the ordinary derivative is the gradient, without a look at the draws."""
    random = node is not None and bool(node.flags & (ROUTED | NOISE))
    if (node is not None and node.flags & ROUTED) or control.decided(node):
        return False
    return not control.parameters_read(random=random)


def decide(loss: Tensor) -> Decided:
    """Decide what a backward would, and leave everything as it was."""
    node, weight = loss._node, np.ones(loss.shape, loss._data.dtype)
    with _marks_kept(node), _residuals_kept(node):
        decided = Decided(take_apart(node, loss._data, weight))
    boxed = False
    with decided.refusing():
        check_order(loss)
    if node is not None:
        with decided.refusing():
            boxed = check_boxed(node)
        with decided.refusing():
            check_past(node)
    if not boxed:
        _analyse(decided, node)
    for known in (stopped_tags, carried_tags):
        with decided.refusing():
            decided.tags |= known(loss)
    return decided


@contextmanager
def _marks_kept(node: Node | None) -> Iterator[None]:
    """Give marked costs back to their runs: no backward has used them yet."""
    runs = () if node is None else node.runs
    before = [dict(run.marks) for run in runs]
    try:
        yield
    finally:
        for run, marks in zip(runs, before, strict=True):
            run.marks.clear()
            run.marks.update(marks)


@contextmanager
def _residuals_kept(node: Node | None) -> Iterator[None]:
    """Lend linear operations the residuals that a backward has freed; their inputs are there yet.

    Without them a loss could not be taken apart again.
    """
    lent: list[Node] = []
    seen, stack = {node}, [node]
    while stack:
        current = stack.pop()
        if current is None or current.inputs is None or current.op is None:
            continue
        if current.saved is None and current.op.linear is not Linear.NOT:
            current.saved = current.op._residuals(None, current.inputs)
            lent.append(current)
        fresh = [p for p in current.parents if p not in seen]
        seen.update(fresh)
        stack += fresh
    try:
        yield
    finally:
        for current in lent:
            current.saved = None


def _analyse(decided: Decided, node: Node | None) -> None:
    costs = decided.parts.costs
    random = node is not None and bool(node.flags & (ROUTED | NOISE))
    plain = _is_plain(node)
    if not plain:
        with decided.refusing():
            decided.escapes = control.reads(decided.parts, random=random)
    analysis = Analysis(costs, decided.escapes, None, Forgiving)
    decided.routes = list(analysis.routes.values())
    decided.tags = analysis.refusals.tags | estimator_tags(decided.routes)
    if not plain and isinstance(analysis.refusals, Forgiving):
        decided.refusals += dict.fromkeys(analysis.refusals.texts)
        _check_scores(decided)


def _check_scores(decided: Decided) -> None:
    """Note what is refused about noise, enumerated outcomes and baselines."""
    routes, parts = decided.routes, decided.parts
    with decided.refusing():
        check_coupling(routes)
    found: Sequence[Any] = [None] * len(parts.costs)
    with decided.refusing():
        found = factors(parts, routes)
    terms = [
        cost.terms if factor is None else cost.terms * factor
        for cost, factor in zip(parts.costs, found, strict=True)
    ]
    baselined = Baselined(routes, Weights(terms))
    for route in routes:
        if _can_be_asked(route.site.estimator):
            with decided.refusing():
                baselined.of(route)


def _can_be_asked(estimator: Any) -> bool:
    """Tell whether asking for the baseline changes nothing: no user's code, no memory of runs."""
    given = getattr(estimator, "baseline", None)
    known = type(estimator).__module__.startswith("scg.")
    return known and not callable(given) and not hasattr(given, "_pending")
