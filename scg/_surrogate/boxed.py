"""Derivatives of the surrogate: what they already contain, and how often they can be taken."""

from __future__ import annotations

from collections.abc import Iterable

from scg._run import current_run
from scg._smoothness import Passage
from scg._surrogate.analysis import Route
from scg._surrogate.tags import Tag, check_strict
from scg._sweep import reachable
from scg._tensor import Tensor
from scg.errors import BiasedGradientError, GradientError
from scg.tape import BOXED, KINKED, MIXED, STOPPED, TAGGED, Node, NoisyNode

__all__ = [
    "carried_tags", "check_boxed", "check_order", "order_tags", "refuse_scaled_mark",
    "stopped_tags", "with_tags",
]  # fmt: skip


def check_boxed(node: Node) -> bool:
    """Tell whether a loss already is a derivative of the surrogate; refuse what it then misses."""
    if node.flags & MIXED:
        raise BiasedGradientError(
            "this loss combines a gradient (from create_graph=True) with values that are not one, "
            "or is not linear in it, and draws are involved; differentiate scg.surrogate(loss) of "
            'both with of="value" instead'
        )
    if not node.flags & BOXED:
        return False
    boxed = min((n.order for n in reachable([node]) if n.flags & BOXED), default=node.order)
    for run in current_run().chain:
        for escape in run.escapes:
            if escape.order > boxed:
                raise BiasedGradientError(
                    f"{escape.kind}() at {escape.place} read a value that depends on draw "
                    f"{escape.node.draw} after the gradient (from create_graph=True) in this loss "
                    "was taken, which therefore lacks its score; take the gradient after all draws"
                )
    return True


def check_order(loss: Tensor, of: str = "expectation") -> None:
    """Refuse to differentiate what is good for no further derivative.

    The recorded value of a gradient is the user's to differentiate, that of a surrogate is not: it
    is how one takes the derivatives of the expectation.
    """
    tags = _tags(loss)
    if not tags:
        return
    spent = (tag for tag in tags if tag.kind == "max_order" and not tag.left)
    last = next((tag for tag in spent if tag.surrogate or of == "expectation"), None)
    if last is not None:
        kink = (
            ". At a kink that noise crosses, the second derivative of the expectation is not that "
            'of the recorded value; use of="value" if the latter is meant, a smooth function, or '
            'estimator="score"'
        )
        why = kink if last.reason.startswith("1: kink") else ""
        raise GradientError(f"this gradient cannot be differentiated again: {last}{why}")


def refuse_scaled_mark() -> None:
    """Refuse a higher derivative of a marked cost that a tensor scales after more was read."""
    raise GradientError(
        "this loss multiplies a cost marked by scg.cost with a tensor that has a gradient of its "
        "own, after more was read; for higher derivatives multiply before marking the cost"
    )


def stopped_tags(loss: Tensor) -> frozenset[Tag]:
    """Return the tag of a gradient that lacks what the user detached, or computed under no_grad."""
    if loss._node is None or not loss._node.flags & STOPPED:
        return frozenset()
    tags = frozenset({Tag("BIASED", "detach")})
    check_strict(tags)
    return tags


def carried_tags(loss: Tensor) -> frozenset[Tag]:
    """Return what is known of a gradient or surrogate, and matters to its derivatives."""
    tags = _tags(loss)
    if not tags:
        return tags
    kept = frozenset(tag for tag in tags if tag.left or tag.kind == "BIASED")
    check_strict(kept)
    return kept


def _tags(loss: Tensor) -> frozenset[Tag]:
    return frozenset() if loss._node is None else loss._node.more.tags


def with_tags(x: Tensor, tags: frozenset[Tag]) -> Tensor:
    """Note on a new tensor what is known of its derivatives."""
    if tags and isinstance(x._node, NoisyNode):
        x._node.flags |= TAGGED
        x._node.notes().tags |= tags
    return x


def order_tags(loss: Tensor, routes: Iterable[Route] = ()) -> frozenset[Tag]:
    """Return the tag of a loss that passed a kink with noise in it."""
    nodes = [loss._node, *(r.log_prob._node for r in routes if r.log_prob is not None)]
    kinked = [n for n in nodes if n is not None and n.flags & KINKED]
    if not kinked:
        return frozenset()
    steps = (n for n in reachable(kinked) if Passage.KINK in (n.more.classes or ()))
    step = next(steps, None)
    name, where = ("kink", "") if step is None else (f"kink of '{step.name}'", str(step.place))
    return frozenset({Tag("max_order", f"1: {name}", where, left=1)})
