"""Compiled programs do what they do uncompiled, and take nothing for a constant."""

import numpy as np
import pytest
from alike import check
from programs import PROGRAMS
from twice import differences

import scg
from scg._compile._interpreter import interpreter
from scg._compile._native import native
from scg._run import fresh_run

every_program = pytest.mark.parametrize("name", PROGRAMS)


@every_program
@pytest.mark.parametrize("executor", [interpreter, native])
def test_compiled_equals_eager(name, executor):
    build, calls = PROGRAMS[name]
    check(build, calls, executor=executor)


@every_program
def test_nothing_is_taken_for_a_constant(name):
    build, calls = PROGRAMS[name]
    run, parameters = build()
    rng = np.random.default_rng(0)

    def otherwise(number):
        scg.seed(number)
        fresh_run()
        for p in parameters:
            p.zero_grad()
            p.assign(scg.peek(p) * rng.uniform(0.9, 1.1, p.shape).astype(p.dtype))

    assert not differences(run, *calls[:3], before=otherwise)
