"""From decisions about a loss to the records that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scg._run import Draw, Escape
from scg._surrogate.analysis import Route
from scg._surrogate.costs import NEVER, Cost
from scg.inspect._graph import draws_of, sites_of
from scg.inspect._places import Numbers
from scg.inspect._records import NUMBER, CostRecord, DrawRecord, EscapeRecord
from scg.inspect._words import (
    axes_in_words,
    baseline_in_words,
    cause_in_words,
    coefficient_in_words,
)  # fmt: skip
from scg.tape import Node

__all__ = ["list_costs", "list_draws", "list_escapes", "records_of_draws"]


def list_costs(
    costs: Sequence[Cost], nodes: Sequence[Node], numbers: Numbers
) -> Iterator[CostRecord]:
    """Yield a record for each elementary cost, by their numbers; those without one come last.

    `nodes` are all that the loss depends on.
    """
    made = {node.order: node for node in nodes}
    known = {index: (numbers.of([index]) or (0,))[0] for index in range(len(costs))}
    for index in sorted(known, key=lambda i: (known[i] or len(costs) + 1, i)):
        cost = costs[index]
        node = cost.node or made.get(cost.made)  # of a number its mark, or what took it in
        yield CostRecord(
            known[index],
            NUMBER if cost.node is None else cost.node.name,
            "" if node is None else str(node.place),
            cost.time != NEVER,
            np.shape(cost.value),
            coefficient_in_words(cost.coefficient),
        )


def list_escapes(escapes: Iterable[tuple[Escape, int]], numbers: Numbers) -> Iterator[EscapeRecord]:
    """Yield a record for each raw read."""
    for escape, costs in escapes:
        draw = escape.node.draw
        yield EscapeRecord(
            escape.kind, str(escape.place), "" if draw is None else _own_name(draw),
            len(numbers.of_mask(costs)),
        )  # fmt: skip


def _own_name(draw: Draw) -> str:
    return draw.name or draw.distribution


def list_draws(
    routes: Iterable[Route], nodes: Sequence[Node], numbers: Numbers
) -> Iterator[DrawRecord]:
    """Yield a record for each draw that a loss depends on, in the order in which they were drawn.

    Those without a name are numbered.
    """
    yield from records_of_draws(routes, nodes, numbers).values()


def records_of_draws(
    routes: Iterable[Route], nodes: Sequence[Node], numbers: Numbers
) -> dict[Draw, DrawRecord]:
    """Return the record of each draw."""
    by_draw = {route.site.draw: route for route in routes}
    sites = {node.site.draw: node.site for node in sites_of(nodes)}
    sites.update((draw, route.site) for draw, route in by_draw.items() if draw not in sites)
    remembered = [draw for draw in draws_of(nodes) if draw not in sites]
    taken: dict[str, int] = {}
    found: dict[Draw, DrawRecord] = {}
    for draw in (*remembered, *sites):
        name = draw.name or _numbered(draw, taken)
        if draw in by_draw:
            found[draw] = _live(name, by_draw[draw], numbers)
        else:
            live = draw in sites and sites[draw].live
            found[draw] = _idle(name, draw, "not reached" if live else "fixed")
    return found


def _numbered(draw: Draw, taken: dict[str, int]) -> str:
    family = draw.distribution.partition("(")[0]
    taken[family] = taken.get(family, 0) + 1
    return f"{family} {taken[family]}"


def _idle(name: str, draw: Draw, route: str) -> DrawRecord:
    return DrawRecord(name, draw.distribution, _place(draw), {route: ()})


def _place(draw: Draw) -> str:
    return "" if draw.place is None else str(draw.place)


def _live(name: str, route: Route, numbers: Numbers) -> DrawRecord:
    estimator = route.site.estimator
    routes = {}
    if route.open:
        routes["pathwise"] = numbers.of_mask(route.open)
    if route.scored:
        routes[_scored_by(estimator)] = numbers.of_mask(route.cut)
    return DrawRecord(
        name, route.site.draw.distribution, _place(route.site.draw), routes,
        axes=tuple(dict.fromkeys(axes_in_words(axes) for axes in route.scored)),
        baseline=baseline_in_words(estimator) if route.scored else "",
        cause=cause_in_words(route.cause) if route.site.pathwise and route.scored else "",
        estimator=estimator if isinstance(estimator, str) else repr(estimator),
        weighting=len(numbers.of_mask(route.cut)), widened=len(numbers.of_mask(route.widened)),
    )  # fmt: skip


def _scored_by(estimator: Any) -> str:
    return "enumerate" if hasattr(estimator, "importance") else "score"
