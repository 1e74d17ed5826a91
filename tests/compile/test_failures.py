"""Calls that fail, and calls from several threads, leave what eager ones leave."""

import threading

import numpy as np
import pytest

import scg
from scg.errors import (
    NonFiniteError,
)
from tests.compile.calls import debug, thrice, traces


def test_a_failing_call_leaves_the_state():
    w = scg.parameter([1.0, 1.0])
    optimizer = scg.optim.Adam([w], check_finite=True)

    @debug
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w * 1.0

    thrice(step, np.ones(2))
    before = np.array(scg.peek(w)), optimizer.steps, w.version, w.grad
    with pytest.raises(NonFiniteError, match="Adam: 1 of 2 gradient elements"):
        step(np.array([1.0, np.inf]))
    np.testing.assert_array_equal(scg.peek(w), before[0])
    assert (optimizer.steps, w.version) == before[1:3]
    step(np.ones(2))
    assert optimizer.steps == before[1] + 1


def test_a_trace_that_fails_leaves_nothing():
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("once")
        return x

    g = debug(f)
    with pytest.raises(KeyError):
        g(np.ones(1))
    assert len(thrice(g, np.ones(1))) == 3
    assert not scg._recording.ACTIVE


def test_concurrent_calls_trace_once_and_agree():
    w = scg.parameter(np.ones(5))
    f = debug(lambda x: scg.tanh(w * x).sum())
    results, ready = {}, threading.Barrier(8)

    def call(n):
        ready.wait()
        results[n] = [float(f(np.full(5, float(n)))._data) for _ in range(20)]

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert traces(f) == 1
    for n in range(8):
        assert results[n] == [pytest.approx(5 * np.tanh(n), rel=1e-14)] * 20


def test_another_thread_is_not_recorded():
    inside, done = threading.Event(), threading.Event()
    sums = []

    def eager():
        inside.wait()
        sums.append(float(scg.tensor(1.0) + 2.0))
        done.set()

    thread = threading.Thread(target=eager)
    thread.start()

    @debug
    def f(x):
        inside.set()
        done.wait()
        return x * 2.0

    f(np.array(1.0))
    thread.join()
    (entry,) = f._entries.values()
    assert sums == [3.0]
    assert len(entry.plans[0].program.instructions) == 3  # the argument, 2.0 and the product
