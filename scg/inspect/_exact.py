"""The exact expectation of the estimate, where all draws are discrete and outcomes are few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scg._run import episode
from scg._typing import Array
from scg.errors import ScgError
from scg.inspect._program import Program, weighted_value
from scg.inspect._records import Check
from scg.testing import ExactnessError
from scg.testing._differences import slope
from scg.testing._limits import Limits
from scg.testing._replay import Replay

__all__ = ["exact_expectation"]

MOST_RUNS = 256
TOLERANCE = 1e-6


def exact_expectation(program: Program) -> Check:
    """Compare the mean of the estimate over all outcomes with the slope of the expected loss."""
    name = "exact"
    try:
        with episode(fresh=True):
            ours, runs = _mean_estimate(program)
            truth = np.array([slope(_expected_loss(program, v)) for v in program.directions])
    except ExactnessError:
        return Check(name, "skipped", f"a draw is continuous, or has over {MOST_RUNS} outcomes")
    except ScgError as error:
        return Check(name, "undecided", str(error))
    apart = np.abs(ours - truth) / np.maximum(1.0, np.abs(truth))
    worst = int(np.argmax(apart))
    text = (
        f"over all {runs} outcomes the estimate averages {ours[worst]:.8g} along "
        f"{program.name_of(worst)}, and the derivative is {truth[worst]:.8g}"
    )
    verdict = "failed" if apart[worst] > TOLERANCE else "passed"
    return Check(name, verdict, text, float(apart[worst]), TOLERANCE)


def _mean_estimate(program: Program) -> tuple[Array, int]:
    replay = _replay()
    mean = replay.expectation(lambda: program.directions @ program.gradient(program.call()))
    return mean, replay.runs


def _replay() -> Replay:
    return Replay(Limits(max_runs=MOST_RUNS, max_continuous=0))


def _expected_loss(program: Program, direction: Array) -> Callable[[float], float]:
    def value() -> float:
        return weighted_value(program.call())

    def shifted(shift: float) -> float:
        with program.moved(shift * direction):
            return float(_replay().expectation(value))

    return shifted
