"""Ops of users inside compiled functions: Python that may do anything runs at every call."""

from __future__ import annotations

import numpy as np
import pytest

import scg
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from tests.compile.calls import debug, thrice

CALLS = 6  # two are traced, and the third compiles


@pytest.fixture(params=[False, True], ids=["native", "debug"])
def jit(request):
    return lambda f: scg.jit(f, debug=request.param)


def noting(calls):
    @scg.op(smooth="smooth", axes="elementwise", vjp=lambda g, y, x: calls.append("vjp") or g)
    def noted(x):
        calls.append("forward")
        return x + 0.0

    return noted


def test_one_whose_result_is_not_used_runs(jit):
    calls = []
    noted = noting(calls)

    def f(x):
        noted(x)
        return x * 2.0

    f = jit(f)
    for number in range(1, CALLS):
        f(np.ones(3))
        assert calls == ["forward"] * number


def test_one_of_a_constant_runs(jit):
    calls = []
    noted = noting(calls)
    f = jit(lambda x: x + noted(np.float64(2.0)))
    for number in range(1, CALLS):
        assert f(np.array(1.0)).numpy() == 3.0
        assert calls == ["forward"] * number


def test_two_equal_calls_are_two(jit):
    calls = []
    noted = noting(calls)
    f = jit(lambda x: noted(x) + noted(x))
    for number in range(1, CALLS):
        f(np.ones(3))
        assert calls == ["forward"] * 2 * number


def test_state_is_that_of_the_call(jit):
    """Five calls count on, in the order of the program, by two ops that share a counter."""
    count = iter(range(100))

    @scg.op(smooth="jump")
    def counted(x):
        return x + next(count)

    f = jit(lambda x: (counted(x), counted(x * 0.0)))
    found = [[float(y.numpy()) for y in f(np.array(0.0))] for _ in range(5)]
    assert found == [[2 * i, 2 * i + 1] for i in range(5)]


def test_forward_and_vjp_run_once_at_every_call(jit):
    calls = []
    noted = noting(calls)
    w = scg.parameter(np.ones(3))

    def step(x):
        w.zero_grad()
        loss = (noted(w) * x).sum()
        loss.backward()
        return loss

    step = jit(step)
    for number in range(1, CALLS):
        step(np.arange(3.0))
        assert calls == ["forward", "vjp"] * number
        np.testing.assert_array_equal(w.grad, np.arange(3.0))


def test_it_may_have_a_generator_of_its_own(jit):
    asked, rng = np.random.default_rng(3), np.random.default_rng(3)

    @scg.op(smooth="opaque")
    def jittered(x):
        return x + rng.random()

    f = jit(jittered)
    for _ in range(CALLS):
        assert f(np.array(0.0)).numpy() == asked.random()


def test_one_that_asks_a_generator_of_the_step_is_refused(jit):
    rng = np.random.default_rng(3)

    @scg.op(smooth="opaque")
    def jittered(x):
        return x + rng.random()

    def draw(x):
        return scg.Normal(x, 1.0).sample(rng=rng)

    f = jit(lambda x: draw(jittered(draw(x))))
    with pytest.raises(scg.TraceError, match="NumPy drew from a generator inside"):
        f(np.array(0.0))


def test_another_shape_than_before_is_refused(jit):
    """One number would else be written to all places of the five."""
    count = iter(range(100))

    @scg.op(smooth="smooth")
    def shrinking(x):
        return x if next(count) < 3 else x[:1]

    f = jit(lambda x: shrinking(x) * 2.0)
    for _ in range(3):
        f(np.ones(5))
    with pytest.raises(scg.TraceError, match=r"shrinking.*returned shape \(1,\).*shape \(5,\)"):
        f(np.ones(5))


def test_an_option_that_changes_is_refused(jit):
    count = iter(range(100))

    @scg.op(smooth="smooth")
    def scaled(x, *, by):
        return x * by

    f = jit(lambda x: scaled(x, by=next(count)))
    f(np.ones(2))
    with pytest.raises(scg.TraceError, match=r"scaled\(by=0\).*scaled\(by=1\)"):
        f(np.ones(2))


def test_what_an_op_of_the_users_own_decides_is_decided_at_every_call():
    @scg.op(smooth="jump")
    def larger(x):
        return x if x > 1 else (scg.tensor(x) * 0.0 + 5.0)._data

    f = debug(lambda x: larger(x) + 0.0)
    assert [float(f(np.array(v))._data) for v in (0.5, 2.0, 0.5, 3.0)] == [5.0, 2.0, 5.0, 3.0]


def test_a_function_may_call_itself_from_its_own_program():
    @scg.op(smooth="smooth", axes="elementwise", vjp=lambda g, y, x: g)
    def again(x):
        return x if float(x) > 3 else f(x + 1.0)._data

    def one_at_a_time(program):
        run, busy = interpreter(program), []

        def checked(arrays):
            assert not busy, "a plan has one memory"
            busy.append(1)
            results = run(arrays)
            busy.pop()
            return results

        return checked

    f = Compiled(lambda x: again(x), (), (), one_at_a_time)
    assert [float(r._data) for r in thrice(f, np.array(0.0))] == [4.0] * 3
