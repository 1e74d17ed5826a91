"""Parameters at an end of their range, where outcomes are left out whose probability moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scg._recording import paused
from scg._surrogate.tags import Tag
from scg._sweep import sweep
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import SupportError
from scg.tape import Node, recording

if TYPE_CHECKING:
    from scg._surrogate.analysis import Route

__all__ = ["check_ends"]


ORDERS = 2  # how many derivatives are looked at, if higher ones may be asked for


def check_ends(route: Route, targets: set[Node] | None, *, higher: bool) -> frozenset[Tag]:
    """Refuse the score of a draw that a differentiated parameter holds at an end of its range.

    An outcome of probability 0 is never drawn, so what it would add to the gradient is missed. An
    end that is only approached, as by a saturated sigmoid, has no slope there and is fine; so is a
    draw that stands for all its outcomes.

    Returns
    -------
    frozenset of Tag
        How often the gradient may be differentiated, if that is all that was made sure of.
    """
    tags: set[Tag] = set()
    if route.importance is not None:
        return frozenset()
    distribution: Any = route.site.distribution
    for name, ends in getattr(distribution, "ends", {}).items():
        value = distribution.parameters.get(name)
        if value is None or value._node is None:
            continue
        for end in ends:
            held = value._data == end
            if not np.any(held):
                continue
            with paused():  # nothing of a compiled step: it only decides
                order = _order_of_slope(value._node, held, targets, ORDERS if higher else 1)
            if order:
                raise SupportError(_text(route, distribution.name, name, end, order))
            if higher:
                what = f"{ORDERS}: {name} at {end:g}"
                tags.add(Tag("max_order", what, str(route.site.draw.place), left=ORDERS))
    return frozenset(tags)


def _order_of_slope(node: Node, held: Array, targets: set[Node] | None, orders: int) -> int:
    """Return the first order in which elements of a parameter move with what is differentiated.

    0 if they do not. What comes to an end by rounding moves by less than the root of the rounding
    error. Elements and directions are weighted at random, so that slopes do not cancel.
    """
    rng = np.random.default_rng(0)
    root: Any = (held * rng.uniform(0.5, 1.5, held.shape)).astype(node.dtype)
    tolerance = np.sqrt(np.finfo(node.dtype).eps)
    for order in range(1, orders + 1):
        traced = order < orders
        with recording(traced):
            weight = Tensor(root) if traced else root
            found = sweep([(node, weight)], targets=targets, traced=traced, retain=True)
            slopes = [g for leaf, g in found.items() if targets is None or leaf in targets]
            if any(not np.all(np.abs(_raw(g)) <= tolerance) for g in slopes):
                return order
            moving = [g for g in slopes if isinstance(g, Tensor) and g.requires_grad]
            if not moving:
                return 0
            total = sum((g * rng.uniform(0.5, 1.5, g.shape)).sum() for g in moving)
        assert isinstance(total, Tensor)
        assert total._node is not None
        node, root = total._node, np.ones((), total.dtype)
    return 0


def _raw(g: Any) -> Any:
    return g._data if isinstance(g, Tensor) else g


def _text(route: Route, family: str, name: str, end: float, order: int) -> str:
    what = "gradient" if order == 1 else f"derivative of order {order}"
    remedy = f"keep {name} inside its range"
    if name == "probs":
        remedy = f"give logits= instead of probs=, or {remedy}"
    return (
        f"draw {route.site.draw}: {name} of scg.{family} is exactly {end:g}, so some outcomes are "
        f"never drawn, and the score would miss what their probability adds to the {what}; "
        f"{remedy}, or sum over the outcomes with scg.estimators.Enumerate()"
    )
