"""Parameters at an end of their range, where outcomes are left out whose probability moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scg._sweep import sweep
from scg._typing import Array
from scg.errors import SupportError
from scg.tape import Node

if TYPE_CHECKING:
    from scg._surrogate.analysis import Route

__all__ = ["check_ends"]


def check_ends(route: Route, targets: set[Node] | None) -> None:
    """Refuse the score of a draw that a differentiated parameter holds at an end of its range.

    An outcome of probability 0 is never drawn, so what it would add to the gradient is missed. An
    end that is only approached, as by a saturated sigmoid, has no slope there and is fine; so is a
    draw that stands for all its outcomes.
    """
    if hasattr(route.site.estimator, "importance"):
        return
    distribution: Any = route.site.distribution
    for name, ends in getattr(distribution, "ends", {}).items():
        value = distribution.parameters.get(name)
        if value is None or value._node is None:
            continue
        for end in ends:
            held = value._data == end
            if np.any(held) and _has_slope(value._node, held, targets):
                raise SupportError(_text(route, distribution.name, name, end))


def _has_slope(node: Node, held: Array, targets: set[Node] | None) -> bool:
    """Tell whether elements of a parameter move with what is differentiated.

    What comes to an end by rounding moves by less than the root of the rounding error.
    """
    root = (node, held.astype(node.dtype))
    found = sweep([root], targets=targets, retain=True)
    tolerance = np.sqrt(np.finfo(node.dtype).eps)
    return any(
        not np.all(np.abs(g) <= tolerance)
        for leaf, g in found.items()
        if targets is None or leaf in targets
    )


def _text(route: Route, family: str, name: str, end: float) -> str:
    remedy = f"keep {name} inside its range"
    if name == "probs":
        remedy = f"give logits= instead of probs=, or {remedy}"
    return (
        f"draw {route.site.draw}: {name} of scg.{family} is exactly {end:g}, so some outcomes are "
        "never drawn, and the score would miss what their probability adds to the gradient; "
        f"{remedy}, or sum over the outcomes with scg.estimators.Enumerate()"
    )
