"""The statistics of the audit keep their promises."""

import math

import numpy as np
import pytest

from scg.inspect._evidence import evidence, heavy_tails, surprise, tail_index
from scg.inspect._moments import stein

REPEATS, RUNS = 600, 1000


def path_and_score(f, slope):
    """Return draws of the difference of two estimates of a slope: f times the score, and f'."""

    def draw(rng, size):
        z = rng.standard_normal(size)
        x = 0.4 + 0.5 * z
        return f(x) * z / 0.5 - slope(x)

    return draw


def alarms(draw, alpha, rng):
    samples = draw(rng, (RUNS, REPEATS))
    found = [evidence(samples[:, [i]], 0.0, RUNS)[0] for i in range(REPEATS)]
    return sum(log_e > math.log(1 / alpha) for log_e in found)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size: rng.standard_normal(size),
        lambda rng, size: rng.standard_cauchy(size),
        lambda rng, size: rng.standard_exponential(size) - 1,
        lambda rng, size: rng.standard_normal(size) ** 2 - 1,
        lambda rng, size: np.exp(rng.standard_normal(size)) - math.exp(0.5),
        path_and_score(lambda x: x**3, lambda x: 3 * x**2),
        path_and_score(lambda x: x**4, lambda x: 4 * x**3),
        path_and_score(lambda x: np.exp(3 * x), lambda x: 3 * np.exp(3 * x)),
    ],
)
def test_false_alarms_are_as_rare_as_stated(draw, rng):
    # With a rate of 0.01 there are more than 20 in 600 with a chance of 1.3e-6.
    assert alarms(draw, 0.01, rng) <= 20


def test_small_means_are_found(rng):
    found, column = evidence(rng.normal([0.0, 0.4, 0.0], 1.0, (1000, 3)), 0.0, 1000)
    assert column == 1 and found > math.log(3e6)


def test_what_a_step_lacks_is_found(rng):
    """Of x + [x > 0.2] / 2 the path sees the slope 1 alone."""
    draw = path_and_score(lambda x: x + 0.5 * (x > 0.2), lambda x: 1.0)
    samples = draw(rng, (4000, 20))
    found = [evidence(samples[:, [i]], 0.0, 4000)[0] for i in range(20)]
    assert min(found) > math.log(1e6)


def test_a_tolerated_mean_is_no_evidence(rng):
    assert evidence(1e-3 + 1e-6 * rng.standard_normal((500, 1)), 2e-3, 500)[0] == 0.0
    assert evidence(1e-3 + 1e-6 * rng.standard_normal((500, 1)), 5e-4, 500)[0] > 50


def test_there_is_no_verdict_before_half_of_the_runs():
    assert evidence(np.ones((599, 1)), 0.0, 1200)[0] == 0.0
    assert evidence(np.ones((600, 1)), 0.0, 1200)[0] > math.log(1e6)
    assert evidence(np.ones((499, 1)), 0.0, 499)[0] == 0.0
    assert evidence(np.zeros((1000, 1)), 0.0, 1000)[0] == 0.0


def test_bets_on_outcomes(rng):
    p = np.full((500, 2), [0.02, 0.5])
    found = [surprise((rng.random((500, 2)) < p) * 1.0, p) for _ in range(1000)]
    # Each exceeds 20 with a chance of 0.05 at most, and there are two columns.
    assert sum(f > math.log(20) for f in found) <= 150
    assert surprise((rng.random((500, 1)) < 0.6) * 1.0, p[:, 1:] - 0.1) > math.log(1e6)


def test_impossible_outcomes_convict_at_once():
    assert surprise(np.ones((3, 1)), np.zeros((3, 1))) == math.inf
    assert surprise(np.ones((300, 1)), np.ones((300, 1))) == 0.0


def test_tails(rng):
    index, k = tail_index(rng.standard_cauchy(4000))
    assert index < heavy_tails(k, 1e-6)
    index, k = tail_index(rng.standard_normal(4000))
    assert index > heavy_tails(k, 1e-6)
    assert tail_index(np.ones(5))[0] == math.inf


def test_the_limit_of_the_tail_index_is_exact(rng):
    pareto = rng.random((2000, 400)) ** -0.5
    found = [tail_index(row) for row in pareto]
    hits = sum(index < heavy_tails(k, 0.05) for index, k in found)
    # 100 expected; 51 to 161 holds but for a chance of 1e-6.
    assert 51 <= hits <= 161


def test_steins_identity_on_a_grid():
    """Its expectation under a density is zero, for a density with a jump outside the interval."""
    x = np.linspace(0, 12, 200_001)[:, None]
    weights = np.exp(-x[:, 0])
    shuffled = np.random.default_rng(0).permutation(len(x) // 4)  # the first quarter sets quantiles
    order = np.concatenate([shuffled * 4, np.setdiff1d(np.arange(len(x)), shuffled * 4)])
    values = stein(x[order], -np.ones_like(x))
    kept = weights[order][len(x) // 4 :]
    np.testing.assert_allclose(kept @ values / kept.sum(), 0.0, atol=1e-6)
