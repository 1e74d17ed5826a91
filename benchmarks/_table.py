"""The table of training steps: measuring its rows and writing them as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks._measure import Spread
from benchmarks._turns import SIDES, load, take_turns, workers
from benchmarks.steps import QUIET, Goal, Row

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
HEADS = ("step", *SIDES, "goal, and what was measured")


@dataclass
class Measured:
    """The seconds of a row by side and round, and what each side says of itself."""

    row: Row
    times: dict[str, list[float]] = field(default_factory=dict)
    quiet: dict[str, list[float]] = field(default_factory=dict)  # of a contended row
    about: dict[str, dict[str, Any]] = field(default_factory=dict)

    def missing(self, side: str) -> str:
        return str(self.about.get(side, {}).get("missing", "-"))

    def ratio(self, goal: Goal) -> Spread | None:
        """Return the ratios of neighbouring turns that a goal is about, if both sides ran."""
        if goal.others == (QUIET,):
            others = [self.quiet[goal.side]] if goal.side in self.quiet else []
        else:
            others = [self.times[name] for name in goal.others if name in self.times]
        if not others or goal.side not in self.times:
            return None
        fastest = [min(turn) for turn in zip(*others, strict=True)]
        return Spread.of(a / b for a, b in zip(self.times[goal.side], fastest, strict=True))

    def as_json(self) -> dict[str, Any]:
        goals = {str(g): r and vars(r) for g in self.row.goals for r in [self.ratio(g)]}
        return {"label": self.row.label, "options": dict(self.row.options), "seconds": self.times,
                "quiet": self.quiet, "goals": goals, "about": self.about}  # fmt: skip


def measure(
    row: Row, rounds: int, window: float, *, loaded: bool, names: Iterable[str] = SIDES
) -> Measured:
    """Measure a row; every side has one turn in each round."""
    found = Measured(row)
    with workers(f"benchmarks.steps.{row.module}", row.options, names) as sides:
        found.about = {name: worker.about for name, worker in sides.items()}
        require_alike(found.about)
        for _ in range(rounds):
            if row.contended:
                extend(found.quiet, take_turns(sides, 1, window))
            with load(loaded or row.contended):
                extend(found.times, take_turns(sides, 1, window))
    return found


def extend(times: dict[str, list[float]], more: Mapping[str, list[float]]) -> None:
    for name, seconds in more.items():
        times.setdefault(name, []).extend(seconds)


def require_alike(about: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to compare models of different sizes."""
    counts = {name: known["parameters"] for name, known in about.items() if "parameters" in known}
    if len(set(counts.values())) > 1:
        raise SystemExit(f"the sides have different numbers of parameters: {counts}")


def duration(seconds: float) -> str:
    """Write seconds with three digits in the unit that suits."""
    unit = next((u for u, size in UNITS.items() if seconds >= size), "us")
    return f"{seconds / UNITS[unit]:#.3g}".rstrip(".") + f" {unit}"


def cells(found: Measured) -> list[str]:
    """Return the cells of a row."""
    times = [
        duration(median(found.times[side])) if side in found.times else found.missing(side)
        for side in SIDES
    ]
    goals = [(goal, found.ratio(goal)) for goal in found.row.goals]
    judged = [f"{goal}: {ratio.text() if ratio else '-'}" for goal, ratio in goals]
    return [found.row.label, *times, "; ".join(judged)]


def markdown(rows: Iterable[list[str]]) -> str:
    """Lay rows out as a table; the first is its head."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * w for w in widths))
    return "\n".join(f"| {line} |" for line in lines)


def libraries(measured: Iterable[Measured]) -> str:
    """Return name, version and threads of the libraries that ran."""
    known = {
        f"{about['library']} on {about['threads']} threads"
        for found in measured for about in found.about.values() if "library" in about
    }  # fmt: skip
    return ", ".join(sorted(known))
