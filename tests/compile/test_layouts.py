"""Arguments are read as they lie in memory: large ones in another order of axes are not copied."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import scg
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from scg._compile._trees import LARGE

SHAPE = (8, 24, 32)
assert 8 * np.prod(SHAPE) > LARGE


def lying(x, order):
    """Return an array that is contiguous when its axes come in some order."""
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("debug", [False, True])
def test_every_order_of_axes_gives_the_same(order, debug, rng):
    x = lying(rng.standard_normal(SHAPE), order)
    weights = np.linspace(-1, 1, 64).reshape(32, 2)
    compiled = scg.jit(lambda x: scg.exp(x) @ weights + x.sum(axis=(0, 1))[:2], debug=debug)
    wanted = np.exp(x) @ weights + x.sum(axis=(0, 1))[:2]
    for _ in range(4):
        np.testing.assert_allclose(compiled(x)._data, wanted, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_a_plan_reads_the_memory_of_the_caller(order, rng):
    x, seen = lying(rng.standard_normal(SHAPE), order), []

    def looking(program):
        run = interpreter(program)
        return lambda arrays: seen.extend(np.shares_memory(a, x) for a in arrays) or run(arrays)

    compiled = Compiled(lambda x: x * 2.0, (), (), looking)
    for _ in range(4):
        np.testing.assert_array_equal(compiled(x)._data, 2.0 * x)
    assert seen == [True, True]


def test_layouts_may_alternate(rng):
    """Each has a plan of its own, of which nobody need be told."""
    x = rng.standard_normal(SHAPE)
    compiled = scg.jit(lambda x: x - x.mean(axis=1, keepdims=True))
    for number in range(9):
        y = (x + number, lying(x + number, (2, 0, 1)), np.repeat(x + number, 2, axis=1)[:, ::2])
        for version in y:
            wanted = version - version.mean(axis=1, keepdims=True)
            np.testing.assert_allclose(compiled(version)._data, wanted, atol=1e-12)


def test_gradients_by_an_argument_in_column_order(rng):
    x = np.asfortranarray(rng.standard_normal((64, 96)))
    w = scg.parameter(rng.standard_normal((96, 3)))

    def step(x):
        w.zero_grad()
        loss = (scg.tanh(x @ w) ** 2).sum()
        loss.backward()
        return loss

    step(np.array(x, order="C"))
    wanted, compiled = w.grad, scg.jit(step)
    for _ in range(4):
        compiled(x)
        np.testing.assert_allclose(w.grad, wanted, atol=1e-12)


def test_results_that_take_the_place_of_a_donated_argument_lie_as_it_does(rng):
    x = np.asfortranarray(rng.standard_normal((64, 64)))
    compiled = scg.jit(lambda x: x * 2.0, donate_argnames="x")
    for _ in range(4):
        wanted = 2.0 * x
        result = compiled(x)
        np.testing.assert_array_equal(result._data, wanted)
        if np.shares_memory(result._data, x):
            np.testing.assert_array_equal(x, wanted)
        x = np.array(wanted, order="F")
