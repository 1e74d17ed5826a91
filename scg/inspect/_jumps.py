"""Jumps of the loss that no score accounts for, and assertions that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scg._op import Op
from scg._place import Place
from scg._typing import Array
from scg._watch import watcher
from scg.errors import ScgError
from scg.inspect._decisions import decide
from scg.inspect._program import Program
from scg.inspect._records import Check
from scg.tape import place_of_caller

__all__ = ["asserted_continuity", "missed_jumps"]

RUNS, CANDIDATES, HALVINGS = 200, 8, 30
GLANCE = 25  # runs without an assertion, and none is expected
STEP = 0.01


def missed_jumps(program: Program, runs: int) -> Check:
    """Look for noise at which the loss jumps in a parameter although no draw is scored for it.

    Discrete draws keep their outcomes, so what moves is what derivatives see. An interval in which
    the loss changes is halved until it is tiny; the change over it shrinks with it, or stays.
    """
    name = "jumps"
    step = program.steps(STEP)
    if not step:
        return Check(name, "skipped", "the program is not defined around its parameters")
    found: list[tuple[float, int, str]] = []
    places, scored = [], False
    frozen = [_Frozen(program, run) for run in range(min(runs, RUNS))]
    for number, direction in enumerate(program.directions):
        shift = step * direction
        bends = sorted(((f.bend(shift), f.run, f) for f in frozen), reverse=True)
        for bend, run, noise in bends[:CANDIDATES]:
            jump = noise.located(shift) if bend > 0 else None
            if jump is None:
                continue
            if _is_missed(program, run):
                found.append((abs(jump[1]), run, program.name_of(number)))
                places.append(jump[0])
            else:
                scored = True
    if not found:
        return Check(name, "passed", _SCORED if scored else _NONE)
    size, where, along = max(found)
    if len(places) > 1 and np.ptp(places) < 1e-6:
        return Check(name, "undecided", f"the loss jumps by {size:.3g} along {along} at one place, "
                     "whatever the noise; an expectation has no derivative there")  # fmt: skip
    text = (
        f"in run {where} the loss jumps by {size:.3g} along {along}, and no draw is scored for it: "
        "derivatives miss it"
    )
    return Check(name, "failed", text, size)


_NONE = "no change of the loss stays when the step shrinks"
_SCORED = (
    "the loss jumps only in runs in which a draw with a density is scored; whether it jumps in "
    "another draw too, 'scores' and 'differences' must tell"
)


class _Frozen:
    """The loss under one noise, discrete draws keeping the outcomes that they had."""

    def __init__(self, program: Program, run: int) -> None:
        self.run = run
        self._program = program
        source = program.source(run)
        self._here = program.value(source)
        self._outcomes = source.outcomes
        self._eps = float(np.finfo(program.leaves[0].dtype).eps)

    def _value(self, shift: Array) -> float:
        return self._program.value(self._program.source(self.run, self._outcomes), shift)

    def bend(self, shift: Array) -> float:
        """Return by how much the middle of an interval differs from the mean of its ends."""
        up, down = self._value(shift), self._value(-shift)
        bend = abs(up + down - 2 * self._here)
        rounding = 1e4 * self._eps * max(abs(up), abs(down), abs(self._here))
        return bend if bend > rounding else 0.0

    def located(self, shift: Array) -> tuple[float, float] | None:
        """Return where the loss jumps, as a part of `shift`, and by how much; None if nowhere."""
        low, high = -1.0, 1.0
        below, above = self._value(-shift), self._value(shift)
        whole = abs(self._here - below) + abs(above - self._here)
        resolution = 100 * self._eps / float(np.max(np.abs(shift)))
        for _ in range(HALVINGS):
            if high - low < resolution:
                break
            middle = 0.5 * (low + high)
            between = self._value(middle * shift)
            if abs(between - below) > abs(above - between):
                high, above = middle, between
            else:
                low, below = middle, between
        shrunk = max(1e-3, 100 * (high - low))
        return (low, above - below) if abs(above - below) > shrunk * whole else None


def _is_missed(program: Program, run: int) -> bool:
    """Tell whether no draw with a density is scored: jumps in such a value are accounted for."""
    with program.run(program.source(run)) as loss:
        routes = decide(loss).routes
    return not any(r.scored and getattr(r.site.distribution, "continuous", False) for r in routes)


# --- continuous=True -----------------------------------------------------------------------------


class _Sides:
    """Watches how far the two sides of a choice are apart, and how near the condition was."""

    def __init__(self) -> None:
        self._margins: dict[int, tuple[Array, Array]] = {}
        self.seen: dict[Place, list[Array]] = {}

    def saw_op(self, op: Op, y: Array, arrays: Sequence[Any], statics: Mapping[str, Any]) -> None:
        """Remember comparisons, and look at the choices made by them."""
        if op.name in ("greater", "less", "greater_equal", "less_equal"):
            self._margins[id(y)] = (y, np.abs(np.subtract(*arrays)))  # y is kept: ids are reused
        elif statics.get("continuous"):
            condition, a, b = arrays
            known = self._margins.get(id(condition))
            rows = self.seen.setdefault(place_of_caller(), [])
            if known is not None:
                gap = np.abs(np.subtract(a, b))
                pair = np.broadcast_arrays(known[1], gap)
                rows.append(np.stack([np.asarray(p, np.float64).reshape(-1) for p in pair]))

    def saw_read(self, kind: str, value: Array) -> None:
        """Look at no reads."""

    def forget(self) -> None:
        """Forget the comparisons of a run."""
        self._margins.clear()


def asserted_continuity(program: Program, runs: int) -> Check:
    """Compare both sides of every `where(..., continuous=True)` where its condition changes."""
    name = "continuous=True"
    sides = _Sides()
    token = watcher.set(sides)
    try:
        for run in range(runs):
            if run == GLANCE and not sides.seen:
                break
            program.value(program.source(run))
            sides.forget()
    except ScgError as error:
        return Check(name, "undecided", str(error))
    finally:
        watcher.reset(token)
    if not sides.seen:
        return Check(name, "skipped", "nothing is asserted to be continuous")
    return max((_verdict(place, rows) for place, rows in sides.seen.items()), key=_severity)


def _severity(check: Check) -> tuple[int, float]:
    return ("passed", "undecided", "failed").index(check.verdict), check.statistic


def _verdict(place: Place, rows: list[Array]) -> Check:
    """Judge by the three nearest values: their gap must have gone down with their margin."""
    name = "continuous=True"
    if not rows:
        return Check(name, "undecided", f"the condition at {place} is not one comparison")
    margin, gap = np.concatenate(rows, axis=1)
    nearest = np.argsort(margin)[:3]
    typical, close = float(np.median(gap)), float(np.min(gap[nearest]))
    if np.max(margin[nearest]) > 0.05 * np.median(margin):
        return Check(name, "undecided", f"no value came near the threshold at {place}")
    failed = typical > 0 and close > 0.25 * typical
    words = "do not agree" if failed else "agree"
    text = (
        f"the sides {words} where the condition at {place} changes: {close:.3g} apart there, "
        f"{typical:.3g} elsewhere"
    )
    return Check(name, "failed" if failed else "passed", text, close, 0.25 * typical)
