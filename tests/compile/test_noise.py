"""Noise of compiled functions is that of eager mode."""

import numpy as np
import pytest

import scg
from scg.errors import (
    TraceError,
)
from tests.compile.calls import debug


def test_noise_is_bitwise_that_of_eager_mode():
    def f(x, rng):
        y = scg.Normal(x, 1.0).sample(rng=rng) + scg.Exponential(2.0).sample((3,), rng=7)
        return y * scg.Gamma(2.0, 1.0).sample(rng=rng) + scg.Uniform(0.0, 1.0).sample()

    results = []
    for function in (f, debug(f)):
        scg.seed(3)
        rng = np.random.default_rng(1)
        results.append([function(np.ones(3), rng)._data for _ in range(4)])
        results[-1].append(function(np.ones(3), np.random.default_rng(2))._data)
        scg.seed(4)
        results[-1].append(function(np.ones(3), rng)._data)
    np.testing.assert_array_equal(*results)


def test_a_source_of_the_users_own_is_asked_again():
    results = []
    for wrap in (lambda f: f, debug):
        source = scg.noise.AntitheticSource(5)
        f = wrap(lambda x: x + scg.Normal(0.0, 1.0).sample(4, rng=source))  # noqa: B023
        results.append([f(np.zeros(4))._data for _ in range(4)])
    np.testing.assert_array_equal(*results)
    assert not np.array_equal(results[0][0], results[0][3])


def test_a_generator_that_is_captured_and_passed_is_refused():
    rng = np.random.default_rng(0)
    f = debug(
        lambda own: scg.Normal(0.0, 1.0).sample(rng=rng) + scg.Normal(0.0, 1.0).sample(rng=own)
    )
    with pytest.raises(TraceError, match="is used past it too"):
        f(rng)


def test_a_captured_generator_does_not_follow_the_argument():
    results = []
    for wrap in (lambda f: f, debug):
        rng, other = np.random.default_rng(1), np.random.default_rng(2)
        f = wrap(
            lambda a, b: (
                scg.Normal(0.0, 1.0).sample(rng=rng) + 2.0 * scg.Normal(0.0, 1.0).sample(rng=a)  # noqa: B023
                + 4.0 * scg.Normal(0.0, 1.0).sample(rng=b)
            )
        )  # fmt: skip
        results.append([float(f(other, other)._data) for _ in range(4)])
        results[-1].append(float(f(rng, rng)._data))
        results[-1].append(other.random())
    assert results[0] == results[1]
