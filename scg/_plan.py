"""How backward sweeps: once for an ordinary derivative, or as the surrogate's plan says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg._bare import bare
from scg._recording import recorder
from scg._sweep import reachable, sweep
from scg._tensor import Tensor
from scg.errors import ShapeError
from scg.tape import REQUIRES, Node

__all__ = ["Plan", "answers", "planner", "swept", "value_plan", "weight_of"]


def answers() -> np.errstate:
    """Let an infinite slope, weight or coefficient be an answer and no reason to warn.

    Once around a whole backward, because it takes as long as three small ops.
    """
    return np.errstate(all="ignore")


Roots = list[tuple[Node, Any]]


class Plan(NamedTuple):
    """How to sweep back from a loss.

    Attributes
    ----------
    passes : list of (roots, cut)
        Where each sweep starts and the draws it does not go through; their results add up.
    tags : frozenset of Tag
        What is to be known of the gradient.
    keep : tuple of Node
        Parameters of draws that were read raw: a later loss of the run may depend on them, so what
        is upstream of them keeps its residuals.
    """

    passes: list[tuple[Roots, frozenset[Node]]]
    tags: frozenset[Any] = frozenset()
    keep: tuple[Node, ...] = ()

    @property
    def goes_anywhere(self) -> bool:
        """Whether a cotangent can flow back from where it starts."""
        for roots, _ in self.passes:
            for node, _ in roots:
                if node.flags & REQUIRES:
                    return True
        return False


def value_plan(loss: Tensor, weight: Any) -> Plan:
    """Return the one sweep of the ordinary derivative of a recorded value."""
    return Plan([] if loss._node is None else [([(loss._node, weight)], frozenset())])


def _only_value(
    loss: Tensor, weight: Any, *, of: str, traced: bool, targets: set[Node] | None
) -> Plan:
    return value_plan(loss, weight)


# `scg._surrogate` replaces this by the plan of the surrogate loss.
planner: list[Callable[..., Plan]] = [_only_value]


def swept(
    plan: Plan, targets: set[Node] | None, *, traced: bool, retain: bool, own: bool = False
) -> dict[Node, Any]:
    """Make every sweep of a plan and add up what they find; arguments as of `sweep`."""
    total: dict[Node, Any] = {}
    later = len(plan.passes) > 1 or bool(plan.keep)
    for roots, cut in plan.passes:
        found = sweep(
            roots, targets=targets, traced=traced, retain=retain or later, cut=cut, own=own
        )
        for node, g in found.items():
            total[node] = total[node] + g if node in total else g
    if later and not retain:
        _free(plan)
    return total


def _free(plan: Plan) -> None:
    """Let go of the residuals, but for those that a later loss of the run will need."""
    kept = set(reachable(plan.keep))
    for node in reachable([node for roots, _ in plan.passes for node, _ in roots]):
        if node not in kept:
            node.saved = None


def weight_of(loss: Tensor, gradient: Any) -> Any:
    """Return the cotangent of a loss: ones (an array means its sum) or the given weights."""
    if gradient is None:
        ones = np.empty_like(loss._data, order="C")
        ones.fill(1)  # a third of the time of np.ones
        return ones
    if isinstance(gradient, Tensor) and recorder() is not None:
        weight: Any = bare(gradient.astype(loss.dtype)._data)
    else:
        weight = np.asarray(gradient, dtype=loss.dtype)
    if weight.shape != loss.shape:
        raise ShapeError(
            f"backward: a gradient of shape {weight.shape} does not fit a loss {loss.shape}"
        )
    return weight
