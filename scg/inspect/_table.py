"""An audit as text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from scg.inspect._records import CostRecord, DrawRecord
from scg.inspect._words import counted

if TYPE_CHECKING:
    from scg.inspect._audit import Audit

__all__ = ["as_text"]

WIDTH = 100
MOST = 12  # rows of one kind; what is left out is counted


def as_text(audit: Audit) -> str:
    """Return the whole audit as text."""
    lines = [
        *_section("draws", _draws(audit.draws, len(audit.costs))),
        *_section("costs", _costs(audit.costs)),
        *_section("raw reads", _table(
            (e.kind, f"of {e.draw}", short(e.place), f"into {e.costs} of {len(audit.costs)} costs")
            for e in audit.escapes
        )),
        *_section("tags", (str(tag) for tag in audit.tags)),
        *_section("assumptions", _table((a.kind, a.text, short(a.place))
                                        for a in audit.assumptions)),
        *_section("refusals: backward raises", audit.refusals),
        *_section("checks", _table((c.name, c.verdict, c.text) for c in audit.checks)),
    ]  # fmt: skip
    return "\n".join(lines)


def short(place: str) -> str:
    """Return a place without the folder."""
    return PurePath(place).name if place else ""


def _section(title: str, rows: Iterable[str]) -> Iterator[str]:
    shown = list(rows)
    if shown:
        yield title
        for row in shown:
            yield from textwrap.wrap(
                row, WIDTH, initial_indent="  ", subsequent_indent="      ",
                drop_whitespace=True, break_on_hyphens=False,
            )  # fmt: skip


def _draws(draws: Sequence[DrawRecord], costs: int) -> Iterator[str]:
    for draw in draws[:MOST]:
        routes = "; ".join(
            f"{name} into {counted(numbers, costs)}" if numbers else name
            for name, numbers in draw.routes.items()
        )
        yield f"{draw.name} ~ {draw.distribution}, {short(draw.place)}: {routes}"
        details = [*draw.axes, f"baseline {draw.baseline}" if draw.baseline else ""]
        if draw.weighting:
            yield f"    weighted by {draw.weighting} of {costs} costs, " + "; ".join(
                filter(None, details)
            )
        if draw.cause:
            yield f"    not differentiated: {short_in(draw.cause)}"
    yield from _left_out(draws)


def short_in(text: str) -> str:
    """Shorten the places in a text."""
    return " ".join(PurePath(word).name if word.startswith("/") else word for word in text.split())


def _costs(costs: Sequence[CostRecord]) -> Iterator[str]:
    rows = [
        (
            f"{number}", f"'{cost.name}'", short(cost.place), f"shape {cost.shape}",
            f"coefficient {cost.coefficient}", "marked" if cost.marked else "",
        )
        for number, cost in enumerate(costs[:MOST])
    ]  # fmt: skip
    yield from _table(rows)
    yield from _left_out(costs)


def _left_out(records: Sequence[object]) -> Iterator[str]:
    if len(records) > MOST:
        yield f"and {len(records) - MOST} more"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned, but for the last two, which may be long."""
    cells = [list(row) for row in rows]
    if not cells:
        return
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]) - 1)]
    for row in cells:
        padded = (c.ljust(min(w, 24)) for c, w in zip(row, widths, strict=False))
        yield "  ".join([*padded, row[-1]]).rstrip()
