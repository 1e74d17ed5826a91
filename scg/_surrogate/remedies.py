"""Remedies: what to write in place of a step that no route follows, by what the step is.

The tests follow each of them and compare the gradient with the exact one: advice that leads to the
next refusal, or to a bias, is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scg._reads import is_whole
from scg._smoothness import Passage
from scg.tape import NOISE, TRAINABLE, DrawNode, Node

if TYPE_CHECKING:
    from scg._surrogate.reach import Cause
    from scg.site import Site

__all__ = ["of_pathwise", "of_step", "of_support"]

_COMPARISONS = ("less", "less_equal", "greater", "greater_equal")
_BOTH = NOISE | TRAINABLE
_ARGUMENTS = ("argmax", "argmin")
_LOOKS = ("float", "item", "numpy", "__array__", "tolist")  # reads that may be for a log
_OUTCOME = "Draw the outcome itself, scg.Bernoulli(p).sample()"

# Into which family's parameters a parameter can be moved so that no support moves with it.
_INTO_THE_DRAW = {
    "Normal": "scg.Normal(theta, s).sample() for theta + s * eps",
    "Exponential": "scg.Exponential(1 / theta).sample() for theta * eps",
    "Gamma": "scg.Gamma(a, 1 / theta).sample() for theta * eps",
}


def of_step(worst: Passage, cause: Cause | None) -> str:
    """Tell what to write in place of a step that a parameter must not reach.

    Parameters
    ----------
    worst : Passage
        How the parameter is reached.
    cause : Cause or None
        The step, or the raw read.
    """
    if cause is None:
        return "Compute it outside no_grad, or do not let the loss depend on it"
    if cause.escape is not None:
        return _of_read(cause.node, cause.escape.kind)
    if worst is Passage.OPAQUE and not cause.node.flags & NOISE:
        return "Make it an op that has a derivative, scg.op(vjp=..., smooth=...)"
    jumps = cause.passage is Passage.JUMP
    taking = [p for p in cause.node.parents if p is not None and p.flags & NOISE] or [cause.node]
    return _either(_into_draws(cause.node, taking, jumps=jumps), "replace the step by a smooth one")


def _of_read(node: Node, kind: str) -> str:
    """Tell what to do about a raw read: peeking is for where nothing is decided by it."""
    drawn = _into_draws(node, [node], jumps=is_whole(kind)) if node.flags & NOISE else ""
    look = ", or look with scg.peek(x) if nothing depends on it but a log" if kind in _LOOKS else ""
    instead = _either(drawn, f"compute with the tensor and not with its raw value{look}")
    return f"{instead}. If the read belongs to an earlier run, call zero_grad() first"


def _either(drawn: str, otherwise: str) -> str:
    return f"{drawn}; or {otherwise}" if drawn else otherwise[0].upper() + otherwise[1:]


def _into_draws(node: Node, noisy: Sequence[Node], *, jumps: bool) -> str:
    """Tell how a parameter gets into the law of what is drawn, where a score sees it.

    `noisy` are the values with noise that take the step.
    """
    families = set(map(_family, noisy))
    (family,) = families if len(families) == 1 else ("",)
    if node.name in _COMPARISONS and _is_difference(node):
        return (
            "Draw the difference, d = scg.Normal(loc - theta, scale).sample(): compare d with 0, "
            "and elsewhere write d + theta for the draw"
        )
    if family in _INTO_THE_DRAW and any(n.flags & _BOTH == _BOTH for n in noisy):
        return (
            f"Move the parameter into the draw, whose score then sees it, {_INTO_THE_DRAW[family]}"
        )
    if node.name in _ARGUMENTS:
        return (
            "Draw the index itself, scg.Categorical(logits=logits).sample() for an argmax of "
            "logits and Gumbel noise"
        )
    if family == "Uniform" and node.name in _COMPARISONS:
        return f"{_OUTCOME} for u < p"
    return f"{_OUTCOME}, p being its probability" if jumps else ""


def _is_difference(node: Node) -> bool:
    """Tell whether a normal draw itself is compared with a parameter that has no noise in it."""
    operands = [p for p in node.parents if p is not None]
    draws = [p for p in operands if isinstance(p, DrawNode) and _family(p) == "Normal"]
    others = [p for p in operands if p.flags & TRAINABLE and not p.flags & NOISE]
    return len(draws) == len(others) == 1


def _family(node: Node) -> str:
    return "" if node.draw is None else node.draw.distribution.partition("(")[0]


def of_support(route: str) -> str:
    """Tell what to do about a parameter that moves the support of a scored draw.

    Parameters
    ----------
    route : str
        The one that was asked for; empty if there is no other.
    """
    if not route:
        return "Use a distribution whose support does not move"
    if route == "score":
        return 'Draw with estimator="auto", which differentiates through it'
    return f"{_OUTCOME}, p being its probability; or make the step smooth"


def of_pathwise(site: Site) -> str:
    """Tell what to do about a draw that was asked for pathwise, where a step passes nothing on."""
    moving = getattr(site.distribution, "moves_support", ())
    nodes = [site.distribution.parameters[name]._node for name in moving]
    if any(n is not None and n.flags & TRAINABLE for n in nodes):  # so no score is right either
        return of_support("pathwise")
    return 'Draw with estimator="auto" or "score", or replace the step by a smooth one'
