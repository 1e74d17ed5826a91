"""Refusals: what makes a gradient biased, said in the user's words."""

from __future__ import annotations

from collections.abc import Iterable

from scg._run import PAST, Escape, Run
from scg.errors import BiasedGradientError
from scg.site import Site
from scg.tape import BOXED, MIXED, Cut, Node, reachable

__all__ = ["check_boxed", "check_cut", "check_escapes", "check_forgotten", "check_past"]

_WHY = {
    "JUMP": "jumps, so the pathwise derivative misses what happens at the jump",
    "POLE": "has a pole that the noise can cross, so the pathwise derivative is not integrable",
    "OPAQUE": "hides how its output depends on its input",
    "no_grad": "ran under no_grad, so its dependence on the parameters was not recorded",
}


def check_cut(node: Node | None) -> None:
    """Refuse a loss in which noise and a trainable parameter met in a step without a derivative."""
    if node is not None and node.cut is not None:
        raise BiasedGradientError(_cut_message(node.cut))


def _cut_message(cut: Cut) -> str:
    draw = f" on draw {cut.draw}" if cut.draw is not None else ""
    return (
        f"the gradient of this loss would be biased: '{cut.op}' at {cut.place} {_WHY[cut.reason]}, "
        f'and it depends{draw} and on a trainable parameter. Draw with estimator="score", replace '
        "the step by a smooth one, or make it depend on no trainable parameter"
    )


def check_escapes(runs: Iterable[Run]) -> None:
    """Refuse when a raw value that depends on noise and a trainable parameter was read."""
    runs = list(runs)
    escapes = [e for run in runs for e in (*run.escapes, *run.evaluations)]
    if escapes:
        count = len(escapes) + sum(run.more_escapes for run in runs)
        raise BiasedGradientError(_escape_message(escapes[0], count))


def _escape_message(escape: Escape, count: int) -> str:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return (
        f"the gradient of this loss would be biased: {escape.kind}() at {escape.place} read the "
        f"raw value of something that depends on draw {escape.draw}{more}, and what Python did "
        "with it cannot be followed. Use scg.peek(x) to look without deciding, draw with "
        'estimator="score", or read the value after optimizer.step() and before zero_grad()'
    )


def check_past(runs: Iterable[Run]) -> None:
    """Refuse a loss that mixes draws from before and after a parameter update."""
    if PAST in runs:
        raise BiasedGradientError(
            "this loss combines score-function draws from before the last optimizer.step() with "
            "later ones; their log-probabilities belong to parameters that are gone. Keep running "
            "averages of scg.peek(x), not of tensors"
        )


def check_forgotten(orders: Iterable[int], span: tuple[int, int] | None) -> None:
    """Refuse a loss with a part that was formed in a run too long ago to know its draws."""
    if span is not None and any(span[0] <= order <= span[1] for order in orders):
        raise BiasedGradientError(
            "a part of this loss was formed in an earlier run, between draws that Python may have "
            "chosen it by and that are gone; form it again after the last optimizer.step() or "
            "zero_grad()"
        )


def check_boxed(node: Node, sites: Iterable[Site]) -> bool:
    """Tell whether a loss already is a derivative of the surrogate; refuse what it then misses."""
    if node.flags & MIXED:
        raise BiasedGradientError(
            "this loss combines a gradient (from create_graph=True) with values that are not one, "
            "or is not linear in it, and score-function draws are involved; differentiate "
            'scg.surrogate(loss) of both with of="value" instead'
        )
    if not node.flags & BOXED:
        return False
    boxed = min(n.order for n in reachable([node]) if n.flags & BOXED)
    late = next((site for site in sites if site.order > boxed), None)
    if late is not None:
        raise BiasedGradientError(
            f"draw {late.draw} was made after the gradient (from create_graph=True) in this loss, "
            "which therefore lacks its score; take the gradient after all draws"
        )
    return True
