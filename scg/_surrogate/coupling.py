"""Noise that is not independent: antithetic halves, common random numbers, one seed used twice."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations

from scg._run import Draw
from scg._surrogate.analysis import Route
from scg.errors import BiasedGradientError

__all__ = ["check_coupling"]


def check_coupling(routes: Sequence[Route]) -> None:
    """Refuse scores of draws whose noise is shared with another draw, or between their elements.

    The score of a product of densities is right for independent draws only. Where none is scored,
    the derivative is right for the expectation over the noise that they share.
    """
    coupled = [route for route in routes if route.site.coupling is not None]
    for route in coupled:
        if route.scored and route.site.coupling.within:
            _check_within(route)
    _check_fixed([route for route in coupled if route.scored])
    if len(coupled) < 2:
        return
    alike: dict[Hashable, list[Route]] = {}  # not pair by pair, or long chains would be slow
    for route in coupled:
        alike.setdefault(route.site.coupling.token, []).append(route)
    alike.pop(None, None)
    for drawn in alike.values():
        for first, second in combinations(drawn, 2):
            _check_between(first, second)


def _check_within(route: Route) -> None:
    assert route.density is not None
    size = route.density.shape[0] if route.density.ndim else 1
    if size > 1 and any(axes[0] is None for axes in route.scored):
        raise BiasedGradientError(
            f"the elements of draw {route.site.draw} have coupled noise along axis 0, and a cost "
            "mixes them, so their scores would be biased; keep them apart until the final mean, or "
            "draw independent noise"
        )


def _check_between(first: Route, second: Route) -> None:
    common = (first.cut | first.open) & (second.cut | second.open)
    if common & (first.cut | second.cut):
        _refuse(first.site.draw, second.site.draw, "a cost that depends on both needs a score")


def _check_fixed(scored: Sequence[Route]) -> None:
    """Compare with draws of the same run that no parameter reaches, which have no route.

    Whether the loss depends on the fixed one is not asked: nothing follows a draw without
    parameters to where it is used, in Python or as the parameter of another draw.
    """
    for run in {route.site.draw.run.root for route in scored}:
        if not run.fixed:
            continue
        fixed = {coupling.token: draw for coupling, draw in run.fixed}
        for route in scored:
            token = route.site.coupling.token
            if token is not None and route.site.draw.run.root is run and token in fixed:
                _refuse(fixed[token], route.site.draw, "the score of the second would be biased by "
                        "whatever uses the first, which is not followed")  # fmt: skip


def _refuse(first: Draw, second: Draw, why: str) -> None:
    raise BiasedGradientError(
        f"draws {first} and {second} were made from generators in the same state, so their noise "
        f"is the same, and {why}; give one generator to both, or different seeds"
    )
