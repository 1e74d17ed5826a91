"""The gradient of a run with every draw scored: another way to the same expectation."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._plan import answers, swept
from scg._surrogate import control
from scg._surrogate.analysis import Analysis, Route
from scg._surrogate.costs import take_apart
from scg._surrogate.coupling import check_coupling
from scg._surrogate.importance import factors
from scg._surrogate.magic_box import boxed_plan
from scg._surrogate.plan import Surrogate, _groups, first_order
from scg._surrogate.reach import Reach
from scg._tensor import Tensor
from scg._typing import Array
from scg.inspect._decisions import Forgiving
from scg.inspect._program import flat
from scg.site import Site

__all__ = ["scored_gradient"]


class _Willing(Forgiving):
    """Lets a draw be scored although it was asked for pathwise."""

    def of_draw(self, route: Route, scored: Reach) -> None:
        """Allow it."""


class _Scored(Analysis):
    """Differentiates through no draw that has a score."""

    def _differentiable(self, site: Site) -> bool:
        return super()._differentiable(site) and not _has_score(site)


def _has_score(site: Site) -> bool:
    d = site.distribution
    biased = getattr(site.estimator, "biased", None)
    coupled = site.coupling is not None and site.coupling.within
    return not (getattr(d, "moves_support", ()) or biased or coupled)


def scored_gradient(loss: Tensor, leaves: list[Tensor]) -> Array | None:
    """Return the gradient estimate of a run that uses scores only; None if there is none.

    None too if no draw changes its route by it. The residuals of the graph are used up.
    """
    with answers():
        return _scored_gradient(loss, leaves)


def _scored_gradient(loss: Tensor, leaves: list[Tensor]) -> Array | None:
    targets = {leaf._node for leaf in leaves if leaf._node is not None}
    weight = np.ones(loss.shape, loss.dtype)
    parts = take_apart(loss._node, loss._data, weight)
    escapes = control.reads(parts, random=True)
    analysis = _Scored(parts.costs, escapes, set(targets), _Willing)
    routes = list(analysis.routes.values())
    check_coupling(routes)
    changed = any(r.site.pathwise and _has_score(r.site) for r in routes)
    if not changed or analysis.refusals.texts:  # type: ignore[attr-defined]
        return None
    surrogate = Surrogate(parts, routes, _groups(len(parts.costs), routes),
                          factors(parts, routes), frozenset())  # fmt: skip
    plan = boxed_plan(loss, weight, surrogate) if surrogate.enumerated else first_order(surrogate)
    found: dict[Any, Any] = swept(plan, set(targets), traced=False, retain=False)
    return flat([found.get(leaf._node, np.zeros(leaf.shape)) for leaf in leaves])
