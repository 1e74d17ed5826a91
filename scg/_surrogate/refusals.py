"""Refusals and warnings: what makes a gradient biased, said in the user's words."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from scg._place import Place
from scg._run import PAST, Escape, Run
from scg._smoothness import Passage
from scg._surrogate import remedies
from scg._surrogate.ends import check_ends
from scg._surrogate.reach import Reach, bits
from scg._surrogate.tags import Tag
from scg._tensor import Tensor
from scg.errors import (
    BiasedGradientError,
    EscapeWarning,
    HandmadeSurrogateWarning,
    OptionError,
    ShapeError,
    SupportError,
)  # fmt: skip
from scg.site import Site
from scg.tape import HELD, REQUIRES, TRAINABLE, DrawNode, Leaf, Node

if TYPE_CHECKING:
    from scg._surrogate.analysis import Cause, Route
    from scg._surrogate.costs import Cost

__all__ = [
    "Refusals",
    "check_evaluations",
    "check_forgotten",
    "check_past",
    "refuse_compiled_draw",
    "refuse_compiled_read",
    "route_of",
    "warn_detached",
    "warn_handmade",
    "warn_reroute",
]

_WHY = {
    Passage.JUMP: "jumps, so the derivative misses what happens where noise crosses the jump",
    Passage.POLE: "has a pole that the noise can cross, so the derivative is not integrable",
    Passage.OPAQUE: "hides how its output depends on its input",
    Passage.DETACHED: "cuts the derivative",
    Passage.SUPPORT: "moves the support of a draw, which a score function cannot follow",
    Passage.READ: "took the raw value out of the graph, and what Python did with it is not known",
}


def route_of(site: Site) -> str:
    """Return the route that an estimator asks for: auto, pathwise or score."""
    asked = site.estimator
    return asked if isinstance(asked, str) else str(asked.route)


def _step(cause: Cause | None) -> str:
    """Name the operation or the read, and the user's line."""
    if cause is None:
        return "an operation"
    if cause.escape is not None:
        return f"{cause.escape.kind}() at {cause.escape.place}"
    return f"'{cause.node.name}' at {cause.node.place}"


def _scored(cause: Cause | None) -> tuple[str, str]:
    """Return the route that was asked of a draw, "" if it has but one, and why it is scored."""
    node = None if cause is None else cause.node
    if not (isinstance(node, DrawNode) and _reparameterised(node.site)):
        return "", "it has no differentiable sampler"
    if (asked := route_of(node.site)) == "score":
        return asked, "that was asked for"
    return asked, "a step cannot be differentiated through"


def _reparameterised(site: Site) -> bool:
    return site.pathwise or bool(getattr(site.distribution, "reparameterised", False))


class Refusals:
    """What an analysis refuses or has to say.

    Parameters
    ----------
    costs : sequence of Cost
        The elementary costs; cost `i` is bit `i`.
    targets : set of Node or None
        The parameters that are differentiated; None means all.
    higher : bool
        Derivatives of higher order may be asked for.

    Attributes
    ----------
    tags : set of Tag
        Biases that the user asked for.
    """

    def __init__(
        self, costs: Sequence[Cost], targets: set[Node] | None, *, higher: bool = False
    ) -> None:
        self._all_costs = costs
        self._targets = targets
        self._higher = higher
        self.tags: set[Tag] = set()

    def detached(self, cause: Cause | None) -> None:
        """Tag a gradient that lacks what the user detached."""
        name = cause.node.name if cause is not None else "detach"
        word = "detach" if name == "detach" else "no_grad"
        self.tags.add(Tag("BIASED", word, str(cause.node.place) if cause is not None else ""))

    def of_parameter(self, node: Node, worst: Passage, cause: Cause | None, reach: Reach) -> None:
        """Refuse: a parameter that is differentiated is reached where no derivative is right."""
        draw = cause.node.draw if cause is not None else None
        noise = f" together with draw {draw}" if draw is not None else ""
        name = f"parameter '{node.name}'" if isinstance(node, Leaf) else "a trainable parameter"
        costs = self._costs(reach.costs)
        if worst is Passage.SUPPORT:
            asked, why = _scored(cause)
            raise SupportError(
                f"{name} moves the support of draw {draw}, whose score function is used because "
                f"{why} on the way to the cost {costs}; no score function can differentiate in it. "
                f"{remedies.of_support(asked)}"
            )
        raise BiasedGradientError(
            f"the gradient of this loss would be biased: {_step(cause)} {_WHY[worst]}, and it "
            f"depends on {name}{noise}, on the way to the cost {costs}. "
            f"{remedies.of_step(worst, cause)}"
        )

    def of_draw(self, route: Route, scored: Reach) -> None:
        """Refuse to score a draw that the user wants pathwise, or that has no score."""
        site = route.site
        if site.pathwise and route_of(site) == "pathwise":
            worst = max(passage for passage, _ in scored)
            costs = self._costs(scored.costs)
            raise BiasedGradientError(
                f"draw {site.draw} was asked for pathwise, but {_step(route.cause)} "
                f"{_WHY.get(worst, 'has no derivative there')}, on the way to the cost {costs}. "
                f"{remedies.of_pathwise(site)}{_again(route)}"
            )
        parameters = site.distribution.parameters
        if any(map(_is_lost, parameters.values())):
            lost = [name for name, p in parameters.items() if _is_lost(p)]
            raise BiasedGradientError(
                f"the gradient of this loss would be biased: draw {site.draw} depends on trainable "
                f"parameters through {', '.join(lost)}, which was computed under no_grad, so its "
                "score is not known. Compute it outside no_grad, or make the loss not depend on "
                "the draw"
            )

    def of_past(self, node: Node) -> None:
        """Refuse a value with draws upstream from before an update, to which no way was kept.

        A loss that mixes them is known by itself; this is for what reaches it as a parameter of a
        later draw.
        """
        check_past(node)

    def at_end(self, route: Route) -> None:
        """Refuse to score a draw whose parameter stands at an end of its range, and has a slope."""
        self.tags |= check_ends(route, self._targets, higher=self._higher)

    def _costs(self, costs: int) -> str:
        for index in bits(costs):
            node = self._all_costs[index].node
            if node is not None:
                return f"made at {node.place}"
        return "made without recording"

    def density(self, route: Route) -> Tensor:
        """Return the log-probability or importance of a draw, or refuse because it has none."""
        weigh = getattr(route.site.estimator, "importance", None)
        try:
            return route.site.log_prob() if weigh is None else weigh(route.site.prob())
        except (OptionError, ShapeError) as error:
            raise BiasedGradientError(
                f"draw {route.site.draw} has no valid route: {_step(route.cause)} rules out the "
                f"pathwise one, and for the score function: {error}"
            ) from error


def _again(route: Route) -> str:
    """Return what else to do where the draw may be one of an earlier attempt, as in a notebook."""
    if route.escape is None:
        return ""
    return ". If it was drawn and read for an earlier loss, call zero_grad() first"


def _is_lost(parameter: Tensor) -> bool:
    node = parameter._node
    return (
        node is not None and not isinstance(node, Leaf)
        and bool(node.flags & TRAINABLE) and bool(node.flags & HELD) and not node.flags & REQUIRES
    )  # fmt: skip


def check_evaluations(run: Run) -> None:
    """Refuse when something drawn under no_grad was read first in a run, and may have decided.

    So may a draw made inside a compiled function.
    """
    if run.compiled_read is not None:
        refuse_compiled_read(run.compiled_read)
    if run.evaluations:
        escape = run.evaluations[0]
        more = f" (and {run.more_evaluations} more)" if run.more_evaluations else ""
        raise BiasedGradientError(
            f"the gradient of this loss would be biased: {escape.kind}() at {escape.place} read a "
            f"value that depends on draw {escape.node.draw}, made under no_grad{more}, and what "
            "Python did with it cannot be followed. Use scg.peek(x) to look without deciding, or "
            "evaluate inside scg.episode(), or after optimizer.step() and before zero_grad()"
        )


def refuse_compiled_read(read: Escape) -> NoReturn:
    """Refuse a loss that may have been decided by a draw that was made in a compiled function."""
    raise BiasedGradientError(
        f"the gradient of this loss would be biased: {read.kind}() at {read.place} read what "
        f"depends on a draw inside the compiled function at {read.node.place}, and what Python "
        "did with it cannot be followed. Take the gradient inside that function, or call "
        "zero_grad() before the loss is formed if it does not depend on the read, or use "
        'backward(of="value") for a surrogate of your own'
    )


def refuse_compiled_draw(node: Node) -> NoReturn:
    """Refuse a loss that contains a draw that was made in a compiled function."""
    raise BiasedGradientError(
        f"the gradient of this loss would be biased: a draw inside a compiled function reaches "
        f"the loss made at {node.place}, and its score is not known here. Take the gradient inside "
        "that function, or draw outside of it; carry an observation as scg.peek(x), or use "
        'backward(of="value") for a surrogate of your own'
    )


def check_past(node: Node) -> None:
    """Refuse a loss that mixes draws from before and after a parameter update."""
    if PAST in node.runs:
        which = f", such as {node.draw}," if node.draw is not None else ""
        raise BiasedGradientError(
            f"this loss uses stale draws{which} from before the last optimizer.step(): their "
            "log-probabilities belong to parameters that are gone. Draw again; carry observations "
            "as x.detach(), and running averages of scg.peek(x)"
        )


def check_forgotten(order: int, spans: Iterable[tuple[int, int]]) -> None:
    """Refuse a loss with a part that was formed in a run too long ago to know what was read."""
    if any(first <= order <= last for first, last in spans):
        raise BiasedGradientError(
            "a part of this loss was formed in an earlier run, between raw reads that may have "
            "decided it and that are gone; form it again after the last optimizer.step() or "
            "zero_grad()"
        )


_said: dict[Any, Any] = {}  # a warning registry: once for every line


def _warn(text: str, category: type[Warning], place: Place) -> None:
    warnings.warn_explicit(text, category, place.code.co_filename, place.line, registry=_said)


def warn_reroute(route: Route, escape: Escape) -> None:
    """Say that a raw read alone made a draw noisier than need be."""
    what = "is estimated by its score" if route.site.pathwise else "is weighted by more costs"
    _warn(
        f"{escape.kind}() read a raw value that depends on draw {route.site.draw}, so that draw "
        f"{what}: all that is not marked with scg.cost may depend on it. Unbiased, but noisier; "
        "look with scg.peek(x), or after the last backward(); mark costs with scg.cost(x); repeat "
        "inside scg.episode(); or call the outside world through scg.external",
        EscapeWarning, escape.place,
    )  # fmt: skip


def warn_detached(route: Route) -> None:
    """Say that detach does not keep a draw from being scored."""
    place = route.node.place
    _warn(
        f"scg.detach cuts the path through the value of draw {route.site.draw}, but the expected "
        "loss depends on that draw all the same, and so its score is used. If the draw is meant to "
        'be a constant here (in the loss of a critic, say), use backward(of="value")',
        EscapeWarning, place,
    )  # fmt: skip


def warn_handmade(node: Node) -> None:
    """Say that a loss contains a score already, and backward is about to add another."""
    _warn(
        f"this loss multiplies the log-probability of draw {node.draw} into a cost, which is a "
        "surrogate written by hand, and backward() adds the score of the draw to it again. Use "
        'backward(of="value") for the surrogate as it is, or the cost alone with backward()',
        HandmadeSurrogateWarning, node.place,
    )  # fmt: skip
