"""An audit as text, at most 100 columns wide: a verdict, then what it rests on.

What a loop makes many times is one row: rows that differ only in their counts are put together.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from scg.inspect._records import NUMBER, CostRecord, DrawRecord, EscapeRecord
from scg.inspect._verdict import verdict
from scg.inspect._words import (
    extremes,
    in_ranges,
    into_costs,
    named_first_to_last,
    short,
    short_in,
    times,
)

if TYPE_CHECKING:
    from scg.inspect._audit import Audit

__all__ = ["as_text"]

WIDTH = 100
MOST = 12  # rows of one kind; what is left out is counted

Record = TypeVar("Record")


def as_text(audit: Audit) -> str:
    """Return the whole audit as text."""
    costs = max((cost.number for cost in audit.costs), default=0)
    lines = [
        *textwrap.wrap(verdict(audit), WIDTH),
        *_section("draws", ([*_draws(g, costs)] for g in _groups(audit.draws, _kind_of_draw))),
        *_section("costs", _costs(audit.costs)),
        *_section("raw reads", ([_reads(g, costs)] for g in _groups(audit.escapes, _kind_of_read))),
        *_section("tags", ([str(tag)] for tag in audit.tags)),
        *_section("assumptions", _table((a.kind, a.text, short(a.place))
                                        for a in audit.assumptions)),
        *_section("refusals: backward raises", ([short_in(r)] for r in audit.refusals), most=None),
        *_section("checks", _table((c.name, c.verdict, short_in(c.text)) for c in audit.checks),
                  most=None),
    ]  # fmt: skip
    return "\n".join(lines)


def _section(
    title: str, entries: Iterable[Sequence[str]], most: int | None = MOST
) -> Iterator[str]:
    """Yield a title and its entries, each of one row or more."""
    shown = list(entries)
    if shown:
        yield title
    for row in (row for entry in shown[:most] for row in entry):
        yield from textwrap.wrap(
            row, WIDTH, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False
        )
    if most is not None and len(shown) > most:
        yield f"  and {len(shown) - most} more"


def _groups(
    records: Iterable[Record], kind: Callable[[Record], Hashable]
) -> Iterator[list[Record]]:
    """Yield records of one kind together, in the order of the first of each."""
    found: dict[Hashable, list[Record]] = {}
    for record in records:
        found.setdefault(kind(record), []).append(record)
    yield from found.values()


# --- draws ---------------------------------------------------------------------------------------


def _kind_of_draw(draw: DrawRecord) -> Hashable:
    return (draw.distribution, draw.place, tuple(draw.routes), draw.axes, draw.baseline,
            draw.cause, draw.estimator)  # fmt: skip


def _draws(draws: Sequence[DrawRecord], costs: int) -> Iterator[str]:
    """Yield the rows of draws of one kind."""
    one = draws[0]
    routes = "; ".join(
        f"{name} {into_costs([d.routes[name] for d in draws], costs)}".strip()
        for name in one.routes
    )
    count = times(len(draws), "draws")
    name = named_first_to_last([d.name for d in draws])
    yield f"{name} ~ {one.distribution}, {short(one.place)}{count}: {routes}"
    yield from (f"    {detail}" for detail in _details(draws))


def _details(draws: Sequence[DrawRecord]) -> Iterator[str]:
    one = draws[0]
    if one.cause:
        yield f"not differentiated into all: {short_in(one.cause)}"
    if one.baseline:
        axes = [axes for axes in one.axes if axes != "no axes"]
        yield "; ".join([f"baseline {one.baseline}", *axes])
    if any(d.widened for d in draws):
        costs = extremes([d.widened for d in draws])
        yield f"weighted by {costs} of them only because Python read what it decides"


# --- costs and raw reads -------------------------------------------------------------------------


def _kind_of_cost(cost: CostRecord) -> Hashable:
    return cost.name, cost.place, cost.shape, cost.marked, cost.number > 0


def _costs(costs: Sequence[CostRecord]) -> Iterator[Sequence[str]]:
    return _table(map(_cost, _groups(costs, _kind_of_cost)))


def _cost(costs: Sequence[CostRecord]) -> Sequence[str]:
    """Return the cells of costs of one kind."""
    one = costs[0]
    ends = [float(x) for c in costs for x in c.coefficient.split(" to ") if x != "none"]
    coefficient = extremes(ends) if ends else "none"
    name = one.name if one.name == NUMBER else f"'{one.name}'"
    return (
        in_ranges([c.number for c in costs]) if one.number else "-", name, short(one.place),
        f"shape {one.shape}", f"coefficient {coefficient}{', marked' if one.marked else ''}",
    )  # fmt: skip


def _kind_of_read(read: EscapeRecord) -> Hashable:
    return read.kind, read.draw, read.place


def _reads(reads: Sequence[EscapeRecord], costs: int) -> str:
    one = reads[0]
    of = f" of {one.draw}" if one.draw else ""
    into = extremes([read.costs for read in reads])
    return (
        f"{one.kind}{of}, {short(one.place)}{times(len(reads), 'reads')}: may decide about {into} "
        f"of {costs} costs"
    )


def _table(rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield rows with their columns aligned, but for the last two, which may be long."""
    cells = [list(row) for row in rows]
    if not cells:
        return
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]) - 1)]
    for row in cells:
        padded = (c.ljust(min(w, 24)) for c, w in zip(row, widths, strict=False))
        yield ["  ".join([*padded, row[-1]]).rstrip()]
