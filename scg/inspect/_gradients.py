"""The gradient estimates of many runs, against scores and against differences of the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from scg._tensor import Tensor
from scg._typing import Array
from scg.inspect._evidence import evidence, heavy_tails, tail_index
from scg.inspect._forced import scored_gradient
from scg.inspect._program import Program
from scg.inspect._records import Check

__all__ = ["Estimates"]

STEP, WIDE_STEP = 0.05, 0.2  # with common noise, and with noise of its own at every point
ROUNDING = 1e-7
DOMINATES = 0.5
TRUNCATION = 1e-3  # relative; smaller biases are not looked for


@dataclass
class Estimates:
    """What the runs of a program gave along each direction.

    Attributes
    ----------
    planned : int
        How many runs there will be at most.
    step : float
        Of the differences; 0 if the program is not defined around its parameters.
    gradients, scored, near, far : list of ndarray
        One entry for each run: the estimate, the one by scores alone, and the difference quotients
        over one step and two to each side.
    """

    program: Program
    planned: int
    step: float
    gradients: list[Array] = field(default_factory=list)
    scored: list[Array] = field(default_factory=list)
    near: list[Array] = field(default_factory=list)
    far: list[Array] = field(default_factory=list)

    def add(self, loss: Tensor) -> None:
        """Take in the estimates of a run; its graph is used up."""
        program = self.program
        self.gradients.append(program.directions @ program.gradient(loss, retain=True))
        scored = scored_gradient(loss, program.leaves)
        if scored is not None:
            self.scored.append(program.directions @ scored)

    def add_differences(self, run: int) -> None:
        """Take in the difference quotients of a run.

        Where a loss jumps under common noise, it does so in few runs and by much, and averages
        say nothing until many of these were seen. Then every point has noise of its own.
        """
        if self.step:
            for kept, times in ((self.near, 1), (self.far, 2)):
                kept.append(np.array([self._slope(run, v, times) for v in self.program.directions]))

    def _slope(self, run: int, direction: Array, times: int) -> float:
        up, down = (self._at(run, sign * times, direction) for sign in (1, -1))
        return (up - down) / (2 * times * self.step)

    def _at(self, run: int, steps: int, direction: Array) -> float:
        program, point = self.program, steps % 5 - 1  # 1, 2, -2, -1 become 0, 1, 2, 3
        source = program.fresh_source(run, point) if program.scored else program.source(run)
        return program.value(source, steps * self.step * direction)

    # --- verdicts --------------------------------------------------------------------------------

    def checks(self, alpha: float, *, exact: bool) -> list[Check]:
        """Return what the runs so far say; what is known exactly needs no differences."""
        if exact:
            return [self._scores(alpha)]
        means = [self._differences(alpha), self._scores(alpha)]
        tails = self._tails(alpha)
        if tails.verdict == "undecided":
            means = [_undecided(check) for check in means]
        return [*means, tails]

    def _differences(self, alpha: float) -> Check:
        name = "differences"
        if not self.step:
            return Check(name, "skipped", "the program is not defined around its parameters")
        ours, near, far = (np.array(x) for x in (self.gradients, self.near, self.far))
        slopes = (4 * near - far) / 3  # the error is O(step**4)
        first, better = np.mean(near, axis=0), np.mean(slopes, axis=0)
        curvature = (first - better) ** 2 / (np.abs(first) + np.abs(better) + 1e-300)
        tolerance = (TRUNCATION * np.mean(np.abs(slopes), axis=0) + 3 * curvature
                     + ROUNDING * np.mean(np.abs(ours), axis=0))  # fmt: skip
        return self._compared(name, "differences of the loss give", slopes, ours, tolerance, alpha)

    def _scores(self, alpha: float) -> Check:
        name = "scores"
        if len(self.scored) != len(self.gradients):
            return Check(name, "skipped", "no draw is differentiated through that has a score")
        ours, scored = np.array(self.gradients), np.array(self.scored)
        tolerance = ROUNDING * np.mean(np.abs(ours) + np.abs(scored), axis=0)
        return self._compared(name, "scores alone give", scored, ours, tolerance, alpha)

    def _compared(
        self, name: str, words: str, theirs: Array, ours: Array, tolerance: Array, alpha: float
    ) -> Check:
        apart = theirs - ours
        found, column = evidence(apart, tolerance, self.planned)
        limit = math.log(ours.shape[1] / alpha)
        failed = found > limit
        doubt = np.std(apart[:, column]) / math.sqrt(len(ours))
        text = (
            f"along {self.program.name_of(column)} the estimates average "
            f"{np.mean(ours[:, column]):.4g}, {words} {np.mean(theirs[:, column]):.4g}: "
            f"{np.mean(apart[:, column]):.2g} apart, with standard error {doubt:.2g} and "
            f"{np.broadcast_to(tolerance, ours.shape[1:])[column]:.2g} allowed, in {len(ours)} runs"
        )
        return Check(name, "failed" if failed else "passed", text, found, limit, alpha)

    def _tails(self, alpha: float) -> Check:
        ours = np.array(self.gradients)
        centred = ours - np.median(ours, axis=0)
        index, k, column = min((*tail_index(x), n) for n, x in enumerate(centred.T))
        limit = heavy_tails(k, alpha / ours.shape[1]) if k else 0.0
        alarm = len(ours) >= self.planned // 2 and index < limit and _dominated(centred[:, column])
        text = f"Hill's tail index of the estimates is {index:.3g}" + (
            ": their variance is infinite, or so large that averages say nothing" if alarm else ""
        )
        # An infinite variance is no bias, but nothing can be said of the mean either.
        return Check("tails", "undecided" if alarm else "passed", text, 2 / index,
                     2 / limit if limit else math.inf, alpha)  # fmt: skip


def _dominated(values: Array) -> bool:
    """Tell whether one run outweighs all others in the sum of squares, in either half of them.

    With a finite variance the share of the largest goes to zero.
    """
    halves = np.array_split(values**2, 2)
    return all(bool(np.max(half) > DOMINATES * np.sum(half)) for half in halves)


def _undecided(check: Check) -> Check:
    if check.verdict != "passed" and check.verdict != "failed":
        return check
    text = f"the estimates have heavy tails (see 'tails'), so: {check.text}"
    return Check(check.name, "undecided", text, check.statistic, check.threshold)
