"""Baselines: what is subtracted from a draw's weight without changing the expectation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg._arrays import read_only
from scg._bare import shape_of
from scg._run import Run, current_run
from scg._surrogate.analysis import Route
from scg._surrogate.weights import Weights
from scg._sweep import sources
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import BiasedGradientError, ShapeError
from scg.site import Site
from scg.tape import Node

__all__ = ["Baselined", "Weighted", "refuse_baseline"]


@dataclass(slots=True, eq=False)
class Weighted:
    """What a baseline may look at.

    Attributes
    ----------
    site : Site
        The draw.
    weight : ndarray
        What each element's score is multiplied by: the part of the loss that it can reach.
    run : Run
        The current one.
    """

    site: Site
    weight: Array
    run: Run
    _route: Route

    def independent_along(self, axis: int) -> bool:
        """Tell whether elements along an axis of the draw reach costs of their own only."""
        return all(axes[axis] is not None for axes in self._route.scored)

    def reached_by_draw(self, value: Tensor) -> bool:
        """Tell whether a tensor depends on this draw, by an edge or by what Python read."""
        return value._node is not None and _depends(value._node, self._route.node)


class Baselined:
    """The baselines of a surrogate's draws, computed when they are asked for."""

    def __init__(self, routes: Sequence[Route], weights: Weights) -> None:
        self._weights = weights

    def of(self, route: Route) -> Any:
        """Return the baseline of one draw, of the shape of its log-probability; None without."""
        rule = getattr(route.site.estimator, "baseline_of", None)
        if rule is None or route.log_prob is None or not route.scored:
            return None
        shape = route.log_prob.shape
        total = self._weights.summed(route.scored, shape)
        value = rule(Weighted(route.site, _read_only(total), current_run(), route))
        try:
            return np.broadcast_to(value, shape)
        except ValueError:
            raise ShapeError(
                f"draw {route.site.draw}: a baseline of shape {shape_of(value)} does not broadcast "
                f"to the draw's batch shape {shape}"
            ) from None


def _read_only(total: Any) -> Any:
    return read_only(total) if type(total) is np.ndarray else total


def _depends(node: Node, draw: Node) -> bool:
    """Tell whether a draw is upstream of a node, or was read before it was made."""
    reads = [e.node for run in current_run().chain for e in run.escapes if e.order < node.order]
    seen, stack = {node, *reads}, [node, *reads]
    for current in stack:  # grows while it is read
        if current is draw:
            return True
        for parent in sources(current):
            if parent not in seen and parent.order >= draw.order:
                seen.add(parent)
                stack.append(parent)
    return False


def refuse_baseline(site: Site) -> None:
    """Refuse a baseline that saw its own draw."""
    raise BiasedGradientError(
        f"the baseline of draw {site.draw} depends on the draw itself, so subtracting it would "
        "bias the gradient; use one that does not (a tensor made before the draw, "
        "scg.estimators.RunningMean, or leave-one-out)"
    )
