"""The random programs of these tests: the same in every run, unless a seed is given."""

from __future__ import annotations

import os
from functools import cache

from hypothesis import HealthCheck, Phase, given, seed, settings

from scg.testing import programs
from scg.testing._programs.truth import truth_of

CI, NIGHTLY = 200, 2000
PHASES = (Phase.generate, Phase.shrink)
SEED = int(os.environ.get("SCG_PROGRAM_SEED", "2015"))


def each(count, *, start=SEED, shrink=False):
    """Return a decorator that calls a test with `count` programs."""

    def decorate(test):
        run = settings(
            max_examples=count, database=None, deadline=None, phases=PHASES,
            suppress_health_check=list(HealthCheck),
        )(given(programs(shrink=shrink))(test))  # fmt: skip
        return seed(start)(run)

    return decorate


@cache
def truth(program):
    """Return the exact gradient of a program, computed once."""
    return truth_of(program)


@cache
def corpus():
    """Return the programs of the quick test."""
    found = {}
    each(CI)(lambda program: found.setdefault(program))()
    return tuple(found)
