"""Leave-one-out: its variance in closed form, and where it would see itself."""

import itertools

import numpy as np
import pytest
from toy import TARGETS, A, P, moments, slope_of_toy, toy

import scg
from scg import estimators as E
from scg.errors import BiasedGradientError, OptionError
from scg.testing import check_unbiased


def variance_by_outcomes(t, n):
    """Return the variance of mean_i (c_i - mean of the others) (b_i - p), outcome by outcome."""
    mean = second = 0.0
    for b in itertools.product((0.0, 1.0), repeat=n):
        b = np.array(b)
        c = (b - t) ** 2
        g = np.mean((c - (c.sum() - c) / (n - 1)) * (b - P))
        weight = np.prod(np.where(b == 1.0, P, 1 - P))
        mean, second = mean + weight * g, second + weight * g * g
    return second - mean**2


@pytest.mark.parametrize("t", TARGETS)
@pytest.mark.parametrize("n", [2, 4])
def test_variance(t, n):
    mean, variance = moments(toy(lambda: E.LeaveOneOut(n), t, axis=True))
    np.testing.assert_allclose(mean, slope_of_toy(t), rtol=1e-9)
    np.testing.assert_allclose(variance, variance_by_outcomes(t, n), rtol=1e-8)


@pytest.mark.parametrize("t", TARGETS)
def test_two_in_closed_form(t):
    """The estimate is (c_1 - c_2)(b_1 - b_2) / 2: with probability 2p(1 - p) half the slope."""
    q, half = 2 * P * (1 - P), ((1 - t) ** 2 - t**2) / 2
    np.testing.assert_allclose(variance_by_outcomes(t, 2), half**2 * q * (1 - q), rtol=1e-12)


def test_a_batch_mean_of_elements_with_costs_of_their_own():
    def program(a):
        score = E.Score(baseline=E.BatchMean())
        b = scg.Bernoulli(logits=a).sample(estimator=score)
        return ((b - 0.45) ** 2 * np.array([1.0, 2.0, -1.0])).mean()

    check_unbiased(program, [0.3, -0.2, 0.6])


def test_a_shared_ancestor_keeps_its_own_weight():
    def program(a):
        z = scg.Bernoulli(logits=a).sample()
        b = scg.Bernoulli(logits=a + z).sample(3, estimator=E.Score(baseline=E.BatchMean()))
        return ((b - 0.45) ** 2 * (1.0 + z)).mean()

    check_unbiased(program, A)


MIXED = {
    "square of the mean": lambda b: b.mean(axis=0) ** 2,
    "neighbours": lambda b: (b[1:] - b[:-1]).mean() ** 2,
    "reversed": lambda b: (b * b[::-1]).mean(),
    "matrix product": lambda b: (b @ b) * 1.0,
}


@pytest.mark.parametrize("name", MIXED)
def test_a_mixed_axis_is_refused(name):
    b = scg.Bernoulli(logits=scg.parameter(A)).sample(estimator=E.LeaveOneOut(3), rng=0)
    with pytest.raises(BiasedGradientError, match="leave-one-out along axis 0 would see"):
        MIXED[name](b).backward()


def test_coupled_noise_is_refused():
    noise = scg.noise.AntitheticSource(0)
    z = scg.Normal(scg.parameter(A), 1.0).sample(estimator=E.LeaveOneOut(4), rng=noise)
    with pytest.raises(BiasedGradientError, match="coupled noise"):
        (z > 0).astype(float).mean().backward()


@pytest.mark.parametrize("n", [0, 1])
def test_one_sample_has_no_others(n):
    with pytest.raises(OptionError, match=f"n={n}"):
        E.LeaveOneOut(n)
