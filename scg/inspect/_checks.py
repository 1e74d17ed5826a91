"""The checks of a program, in order; each block of runs is looked at before the next."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from scg._run import episode, fresh_run
from scg.errors import EscapeWarning, HandmadeSurrogateWarning, OptionError, ScgError
from scg.inspect._exact import exact_expectation
from scg.inspect._gradients import STEP, WIDE_STEP, Estimates
from scg.inspect._jumps import asserted_continuity, missed_jumps
from scg.inspect._program import Program
from scg.inspect._records import Check
from scg.inspect._samplers import Samplers
from scg.noise import default_rng

__all__ = ["checks_of", "undisturbed"]

REPEATED = 20  # of as many runs
FIRST_BLOCK = 125
ENOUGH = 2000  # runs, for what is not about gradients
WATCHED = 500  # runs, whose choices are watched


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the default generator and the warnings of the user as they were."""
    generator = default_rng().bit_generator
    before = generator.state
    with warnings.catch_warnings(), episode(fresh=True):
        warnings.simplefilter("ignore", EscapeWarning)
        warnings.simplefilter("ignore", HandmadeSurrogateWarning)
        fresh_run()
        try:
            yield
        finally:
            generator.state = before


def checks_of(program: Program, *, refused: bool, runs: int, alpha: float) -> Iterator[Check]:
    """Yield what each check of a program finds."""
    repeated = _repeatable(program)
    yield repeated
    if repeated.verdict == "failed" or refused:
        return
    try:
        exact = exact_expectation(program)
        yield exact
        yield from _by_runs(program, runs, alpha, exact=exact.verdict in ("passed", "failed"))
        yield missed_jumps(program, runs)
        yield asserted_continuity(program, WATCHED)
    except ScgError as error:
        yield Check("runs", "failed", f"a run raised {type(error).__name__}: {error}")


def _repeatable(program: Program) -> Check:
    """Run twice with the same noise: a program may use no other."""
    name = "repeatable"
    try:
        pairs = [[program.value(program.source(run)) for _ in range(2)] for run in range(REPEATED)]
    except OptionError as error:
        return Check(name, "failed", str(error))
    different = [(a, b) for a, b in pairs if a != b and not (np.isnan(a) and np.isnan(b))]
    if not different:
        return Check(name, "passed", "the same noise gives the same loss")
    first, second = different[0]
    return Check(name, "failed", f"the same noise gives the losses {first:.6g} and {second:.6g}: "
                 "the program uses random numbers of its own, or keeps state between "
                 "runs; no rule sees what depends on those")  # fmt: skip


def _by_runs(program: Program, runs: int, alpha: float, *, exact: bool) -> Sequence[Check]:
    """Return the checks that look at averages over runs; a failure ends the runs early."""
    estimates = Estimates(program, runs, program.steps(WIDE_STEP if program.scored else STEP))
    samplers = Samplers()
    done, block = 0, FIRST_BLOCK
    found: list[Check] = []
    while done < runs and not any(check.verdict == "failed" for check in found):
        for run in range(done, min(done + block, runs)):
            _one_run(program, run, estimates, samplers, exact=exact)
        done, block = min(done + block, runs), done + block
        found = [*estimates.checks(alpha, exact=exact), *samplers.checks(min(runs, ENOUGH), alpha)]
    return found


def _one_run(
    program: Program, run: int, estimates: Estimates, samplers: Samplers, *, exact: bool
) -> None:
    with program.run(program.source(run)) as loss:
        if run < ENOUGH:
            samplers.add(loss)
        estimates.add(loss)
    if not exact:
        estimates.add_differences(run)
