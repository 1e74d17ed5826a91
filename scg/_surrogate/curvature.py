"""Terms of the surrogate for draws whose spread is differentiated by second derivatives.

By the theorem of Price, the derivative of E[f(z)] in the covariance of a normal z is half the mean
Hessian of f. The Hessian is that of the surrogate, so that what f does through later draws counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._surrogate.boxed import order_tags
from scg._surrogate.tags import Tag
from scg._sweep import sweep
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import BiasedGradientError
from scg.tape import REQUIRES, Node

if TYPE_CHECKING:
    from scg._surrogate.analysis import Route
    from scg._surrogate.plan import Surrogate

__all__ = ["curvature_tags", "curvature_terms", "is_curved"]

Roots = list[tuple[Node, Tensor]]


def is_curved(route: Route) -> bool:
    """Tell whether a draw, differentiated for some cost, wants second derivatives of it."""
    return bool(route.open) and hasattr(route.site.estimator, "curvature")


def curvature_tags(routes: Sequence[Route]) -> frozenset[Tag]:
    """Return that such a gradient is good for one derivative."""
    curved = [route.site for route in routes if is_curved(route)]
    return frozenset(
        Tag("max_order", f"1: {type(site.estimator).__name__}", str(site.draw.place), left=1)
        for site in curved
    )


def curvature_terms(loss: Tensor, decided: Surrogate, roots: Roots) -> list[Tensor]:
    """Return terms of value 0 whose derivatives are what the spreads of draws contribute.

    Parameters
    ----------
    loss : Tensor
        As the user formed it.
    decided : Surrogate
        What was decided about it.
    roots : list of (Node, Tensor)
        The tensors that make up the surrogate, and their cotangents.
    """
    terms = []
    for route in filter(is_curved, decided.routes):
        _check(route, loss, decided)
        product = _hessian(route.node, roots)
        for parameter, slope in route.site.estimator.curvature(route.site, product):
            terms.append(((parameter - Tensor(parameter._data)) * Tensor(slope)).sum())
    return terms


def _hessian(node: Node, roots: Roots) -> Callable[[Array], Any]:
    """Return a function that multiplies the Hessian of the surrogate in a draw with an array."""
    g = sweep(roots, targets={node}, traced=True, retain=True).get(node)

    def product(v: Array) -> Any:
        inner = None if g is None else g._node
        if inner is None or not inner.flags & REQUIRES:  # the surrogate is linear in the draw
            return np.zeros(node.shape, node.dtype)
        found = sweep([(inner, v)], targets={node}, retain=True).get(node)
        return np.zeros(node.shape, node.dtype) if found is None else found

    return product


def _check(route: Route, loss: Tensor, decided: Surrogate) -> None:
    name = type(route.site.estimator).__name__
    for tag in order_tags(loss, decided.routes):
        raise BiasedGradientError(
            f"draw {route.site.draw} is estimated by {name}, which needs second derivatives, and "
            f"they miss what happens at a {tag.reason.removeprefix('1: ')} at {tag.where}, which "
            'noise crosses; use a smooth function there, or estimator="pathwise"'
        )
    if any(group.cut for group in decided.groups):
        raise BiasedGradientError(
            f"draw {route.site.draw} is estimated by {name}, which cannot stand beside draws that "
            'are differentiated for one cost and scored for another; draw it with estimator="auto"'
        )
