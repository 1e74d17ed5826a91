"""A plan leaves gradients and updates where and as the ops and the optimiser leave them."""

from __future__ import annotations

import numpy as np
import pytest

import scg
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from scg._compile._native import Plan, native
from scg.errors import NonFiniteError, OptionError
from tests.compile.writer import Writer, numbers


def test_gradients_are_set_and_their_memory_written_again():
    p, q = scg.parameter(np.ones(4)), scg.parameter(np.ones(2))
    w = Writer()
    x = w.argument(0, (4,), np.float64)
    grad = w.multiply(x, w.parameter(p))
    w.program.gradients = {p: grad, q: None}
    w.program.results = [grad]
    plan = native(w.program)
    q.grad = np.ones(2)
    plan([np.arange(4.0)])
    np.testing.assert_array_equal(np.array(p.grad), np.arange(4.0))
    assert q.grad is None
    plan([np.full(4, 2.0)])
    np.testing.assert_array_equal(np.array(p.grad), np.full(4, 2.0))


def test_a_gradient_from_before_is_read():
    p = scg.parameter(np.ones(3))
    w = Writer()
    w.program.gradients = {p: w.add(w.gradient(p), w.argument(0, (3,), np.float64))}
    plan = native(w.program)
    p.grad = np.full(3, 5.0)
    for total in (6.0, 7.0):
        plan([np.ones(3)])
        np.testing.assert_array_equal(np.array(p.grad), np.full(3, total))


def test_a_parameter_that_was_given_another_array_is_followed():
    p = scg.parameter(np.arange(3.0))
    w = Writer()
    w.program.results = [w.square(w.parameter(p))]
    plan = native(w.program)
    plan([])
    p._data = np.array([5.0, 6.0, 7.0])
    np.testing.assert_array_equal(plan([])[0], [25.0, 36.0, 49.0])


OPTIMIZERS = {
    "SGD": lambda ps: scg.optim.SGD(ps, lr=lambda n: 0.1 / (n + 1)),
    "Momentum": lambda ps: scg.optim.Momentum(ps, lr=0.1, nesterov=True),
    "Adam": lambda ps: scg.optim.Adam(ps, lr=0.1, weight_decay=0.01),
}


def trained(make, loops=True, steps=3):
    """Return parameters, state and counts after compiled steps, and after ordinary ones."""
    results = []
    for compiled in (True, False):
        p, q = scg.parameter(numbers(40, 9)), scg.parameter(numbers(7, dtype=np.float64))
        optimizer = make([p, q])
        w = Writer()
        a, b = w.parameter(p), w.parameter(q)
        gradients = [w.square(a), w.multiply(b, w.argument(0, (), np.float64))]
        w.update(optimizer, (p, q), gradients)
        w.program.results = [a, w.sum(w.parameter(p))]
        w.program.gradients = dict(zip((p, q), gradients, strict=True))
        plan = Plan(w.program, loops=loops)
        for n in range(steps):
            number = np.array(n + 1.0)
            if compiled:
                before = scg.peek(p).copy()
                old, total = plan([number])
                np.testing.assert_array_equal(old, before)
                np.testing.assert_allclose(total, scg.peek(p).sum(), rtol=1e-4)
            else:
                p.grad, q.grad = scg.peek(p) ** 2, scg.peek(q) * number
                optimizer.step()
        state = [a for s in optimizer._state.values() for a in s.values()]
        counts = [optimizer.steps, *optimizer._updates.values(), p._node.version, q._node.version]
        results.append(([scg.peek(p), scg.peek(q), *state], counts))
    return results


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_updates_are_those_of_the_optimizer(name, loops):
    (ours, counts), (theirs, expected) = trained(OPTIMIZERS[name], loops)
    assert counts == expected
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def native_jit(function):
    return Compiled(function, (), (), native, check=False)


def scheduled(make, wrap, calls):
    """Return parameters and counts after calls that update the parameters one after the other."""
    p, q = scg.parameter(numbers(5)), scg.parameter(numbers(3, seed=1))
    updates = make(p, q)
    distinct = list(dict.fromkeys(updates))

    def step(x):
        for o in distinct:
            o.zero_grad()
        ((p * x) ** 2).sum().backward()
        ((q * x) ** 2).sum().backward()
        for o in updates:
            o.step()
        return (p * x).sum()

    compiled = wrap(step)
    for number in range(4):
        calls(number, distinct)
        compiled(scg.as_tensor(np.float32(0.5)))
    counts = [(o.steps, list(o._updates.values())) for o in distinct]
    return [scg.peek(p).copy(), scg.peek(q).copy()], counts


def on_the_others_steps(p, q):
    first = scg.optim.SGD([p], lr=0.1)
    return [first, scg.optim.SGD([q], lr=lambda n: 0.1 / (1 + first.steps))]


SCHEDULES = {
    "the same twice": lambda p, q: [scg.optim.Adam([p, q], lr=lambda n: 0.1 / (1 + n))] * 2,
    "another's steps": on_the_others_steps,
    "a number twice": lambda p, q: [scg.optim.Adam([p, q], lr=0.1)] * 2,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_sees_the_updates_before(name):
    nothing = lambda number, optimizers: None  # noqa: E731
    ours = scheduled(SCHEDULES[name], native_jit, nothing)
    theirs = scheduled(SCHEDULES[name], lambda f: f, nothing)
    assert ours[1] == theirs[1]
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_rate_may_become_a_schedule():
    def calls(number, optimizers):
        if number == 2:
            optimizers[0].lr = lambda n: 0.1 / (1 + n)

    make = SCHEDULES["a number twice"]
    ours, theirs = scheduled(make, native_jit, calls), scheduled(make, lambda f: f, calls)
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_schedule_that_raises_leaves_what_came_before_it():
    results = []
    for wrap in (native_jit, lambda f: f):
        p, q = scg.parameter(numbers(5)), scg.parameter(numbers(5))
        rates = [0.1, 0.1, 0.1, -1.0]
        first = scg.optim.Adam([p], lr=0.1)
        second = scg.optim.Adam([q], lr=lambda n: rates[n])  # noqa: B023

        @wrap
        def step(x):
            ((p * q - x) ** 2).sum().backward()  # noqa: B023
            first.step()  # noqa: B023
            second.step()  # noqa: B023

        for _ in range(3):
            step(scg.as_tensor(np.float32(1.0)))
        with pytest.raises(OptionError, match="from its schedule, at step 3"):
            step(scg.as_tensor(np.float32(1.0)))
        counts = [(o.steps, list(o._updates.values())) for o in (first, second)]
        results.append((scg.peek(p), scg.peek(q), np.array(p.grad), counts))
        first.load_state(*first.state())
    (*ours, counts), (*theirs, expected) = results
    assert counts == expected == [(4, [4]), (3, [3])]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


SLOPES = {
    "of a chain": lambda p, x: ((p * x) ** 2).sum(),
    "transposed": lambda p, x: (x[:, 0] @ p.T).sum() + (p.T @ x).sum(),
    "the argument": lambda p, x: (p * x).sum(),
}


@pytest.mark.parametrize("executor", [native, interpreter])
@pytest.mark.parametrize("name", SLOPES)
def test_gradients_that_an_optimiser_refuses_are_there_to_be_seen(name, executor):
    p = scg.parameter(numbers(4, 4))
    optimizer = scg.optim.SGD([p], lr=0.1, check_finite=True)

    def step(x):
        optimizer.zero_grad()
        SLOPES[name](p, x).backward()
        optimizer.step()

    compiled = Compiled(step, (), (), executor)
    good, bad = numbers(4, 4), numbers(4, 4)
    bad[1, 2] = np.nan
    for _ in range(2):
        compiled(good)
    with pytest.raises(NonFiniteError):
        compiled(bad)
    ours = np.array(p.grad)
    with pytest.raises(NonFiniteError):
        step(scg.as_tensor(bad))
    np.testing.assert_allclose(ours, np.array(p.grad), rtol=1e-5)
    assert np.isnan(ours).any()
