"""Noise that is not independent: antithetic halves, common random numbers, one seed used twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from scg._surrogate.analysis import Route
from scg.errors import BiasedGradientError

__all__ = ["check_coupling"]


def check_coupling(routes: Sequence[Route]) -> None:
    """Refuse scores of draws whose noise is shared with another draw, or between their elements.

    The score of a product of densities is right for independent draws only.
    """
    coupled = [route for route in routes if route.site.coupling is not None]
    for route in coupled:
        if route.scored and route.site.coupling.within:
            _check_within(route)
    if len(coupled) < 2:
        return
    alike: dict[str | None, list[Route]] = {}  # not pair by pair, or long chains would be slow
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
        raise BiasedGradientError(
            f"draws {first.site.draw} and {second.site.draw} were made from generators in the same "
            "state, so their noise is the same, and a cost that depends on both needs a score; "
            "give one generator to both, or different seeds"
        )
