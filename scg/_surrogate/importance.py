"""Draws that stand for all their outcomes: a cost element counts by its outcome's probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._axes import AxisMap
from scg._bare import bare, raw, shape_of
from scg._surrogate.analysis import Route
from scg._surrogate.costs import Costs
from scg._surrogate.outcomes import Reductions
from scg._surrogate.reach import bits
from scg._surrogate.weights import aligned_index
from scg._typing import Array, Shape
from scg.errors import BiasedGradientError, NonFiniteError
from scg.tape import Node

__all__ = ["along_cost", "factors"]


def factors(parts: Costs, routes: Sequence[Route]) -> list[Array | None]:
    """Return by how much each element of each cost counts; None for costs that count as they are.

    Raises
    ------
    BiasedGradientError
        If outcomes of an enumerated draw were mixed before they were weighted, taken together
        otherwise than by a mean, or paired with those of another draw.
    NonFiniteError
        If a cost is infinite at an outcome of probability 0.
    """
    found: list[Any] = [None] * len(parts.costs)
    reductions: Reductions | None = None
    taken: dict[tuple[int, int], Route] = {}  # by cost and axis
    for route in routes:
        if route.importance is None:
            continue
        for axes, costs in route.scored.items():
            _check_kept(route, axes, route.importance.shape)
            if getattr(route.site.estimator, "averaged", False):
                reductions = reductions or Reductions(parts)
                _check_averaged(route, axes, costs, parts, reductions)
                _check_apart(route, axes, costs, taken)
            for index in bits(costs):
                value = parts.costs[index].value
                here = along_cost(bare(route.importance._data), axes, shape_of(value))
                _check_finite(route, raw(here), raw(value))
                found[index] = here if found[index] is None else found[index] * here
    return found


def _check_kept(route: Route, axes: AxisMap, shape: Shape) -> None:
    mixed = [n for n, a in enumerate(axes) if a is None and shape[n] > 1]
    if mixed:
        raise BiasedGradientError(
            f"draw {route.site.draw} is enumerated, but its axes {mixed} are mixed on the way to a "
            "cost (or Python read it), so the outcomes cannot be weighted one by one; keep these "
            'axes until the final mean, or draw with estimator="score"'
        )


def _check_averaged(
    route: Route, axes: AxisMap, costs: int, parts: Costs, reductions: Reductions
) -> None:
    assert route.importance is not None
    if axes[0] is None or len(route.importance) == 1:  # one outcome is its own mean
        return
    for index in bits(costs):
        other = reductions.other_than_mean(parts.costs[index], axes[0].axis)
        if other is not None:
            where = f"'{other.name}' at {other.place}" if isinstance(other, Node) else other
            raise BiasedGradientError(
                f"draw {route.site.draw} is enumerated, and its outcomes are not taken together by "
                f"a mean but by {where}: each counts by its probability in a mean over them, and "
                "in a sum the gradient would be as many times too large as there are outcomes. "
                "Write cost.mean(axis=0) over the leading axis of the draw"
            )


def _check_apart(
    route: Route, axes: AxisMap, costs: int, taken: dict[tuple[int, int], Route]
) -> None:
    """Refuse two draws whose outcomes lie along one axis: only equal numbers of them would meet."""
    assert route.importance is not None
    if axes[0] is None or len(route.importance) == 1:
        return
    for index in bits(costs):
        other = taken.setdefault((index, axes[0].axis), route)
        if other is not route:
            raise BiasedGradientError(
                f"draws {other.site.draw} and {route.site.draw} are both enumerated along one axis "
                "of a cost, so that the first outcome of one meets the first outcome of the other "
                "alone, and so on; give each an axis of its own, b[:, None] beside c[None, :], and "
                "take the mean over both"
            )


def _check_finite(route: Route, importance: Array, value: Array) -> None:
    """Refuse what is infinite at an outcome of probability 0: the limit may be any number."""
    if np.any((importance == 0) & ~np.isfinite(value)):
        raise NonFiniteError(
            f"draw {route.site.draw} is enumerated, and a cost is infinite or not a number at an "
            "outcome of probability 0, so that its expectation is not known; leave that outcome "
            'out, keep its cost finite, or draw with estimator="score"'
        )


def along_cost(values: Any, axes: AxisMap, shape: Shape) -> Any:
    """Return values that belong to elements of a draw as they belong to elements of a cost.

    Axes that are not shared are summed.
    """
    gone = tuple(n for n, a in enumerate(axes) if a is None)
    taken = values[aligned_index(axes, shape)]
    summed = np.sum(taken, axis=gone) if gone else taken
    shared = [a.axis for a in axes if a is not None]
    ordered = summed.transpose(np.argsort(shared)) if shared else summed
    return ordered.reshape([n if axis in shared else 1 for axis, n in enumerate(shape)])
