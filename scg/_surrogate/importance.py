"""Draws that stand for all their outcomes: a cost element counts by its outcome's probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._axes import AxisMap
from scg._surrogate.analysis import Route
from scg._surrogate.costs import Costs
from scg._surrogate.reach import bits
from scg._surrogate.weights import aligned_index
from scg._typing import Array, Shape
from scg.errors import BiasedGradientError

__all__ = ["along_cost", "factors"]


def factors(parts: Costs, routes: Sequence[Route]) -> list[Array | None]:
    """Return by how much each element of each cost counts; None for costs that count as they are.

    Raises
    ------
    BiasedGradientError
        If outcomes of an enumerated draw were mixed before they were weighted.
    """
    found: list[Any] = [None] * len(parts.costs)
    for route in routes:
        importance = getattr(route.site.estimator, "importance", None)
        if importance is None or route.log_prob is None:
            continue
        ratio = importance(route.log_prob._data)
        for axes, costs in route.scored.items():
            _check_kept(route, axes)
            for index in bits(costs):
                here = along_cost(ratio, axes, np.shape(parts.costs[index].value))
                found[index] = here if found[index] is None else found[index] * here
    return found


def _check_kept(route: Route, axes: AxisMap) -> None:
    assert route.log_prob is not None
    mixed = [n for n, a in enumerate(axes) if a is None and route.log_prob.shape[n] > 1]
    if mixed:
        raise BiasedGradientError(
            f"draw {route.site.draw} is enumerated, but its axes {mixed} are mixed on the way to a "
            "cost (or Python read it), so the outcomes cannot be weighted one by one; keep these "
            'axes until the final mean, or draw with estimator="score"'
        )


def along_cost(values: Array, axes: AxisMap, shape: Shape) -> Array:
    """Return values that belong to elements of a draw as they belong to elements of a cost.

    Axes that are not shared are summed.
    """
    gone = tuple(n for n, a in enumerate(axes) if a is None)
    taken = np.asarray(values)[aligned_index(axes, shape)]
    summed = np.sum(taken, axis=gone) if gone else taken
    shared = [a.axis for a in axes if a is not None]
    ordered = summed.transpose(np.argsort(shared)) if shared else summed
    return np.asarray(ordered.reshape([n if axis in shared else 1 for axis, n in enumerate(shape)]))
