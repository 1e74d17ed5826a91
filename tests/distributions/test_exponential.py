"""The exponential distribution against scipy.stats, exact noise and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased, expected_gradient
from families import Script, assert_distributed, batches, close, few, numbers, raw
from hypothesis import given
from scipy import stats

import scg
from scg.errors import BiasedGradientError, SupportError
from scg.testing import check_grads

rates = numbers(0.1, 10)


@given(batches(rates, numbers(-1, 20)))
def test_against_scipy(drawn):
    rate, x = drawn
    ours, theirs = scg.Exponential(rate), stats.expon(scale=1 / rate)
    close(ours.log_prob(x), theirs.logpdf(x))
    close(ours.entropy(), theirs.entropy())
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


def test_zero_belongs_to_the_support_and_nothing_below():
    d = scg.Exponential(2.0)
    assert raw(d.log_prob(0.0)) == raw(d.log_prob(-0.0)) == np.log(2.0)
    np.testing.assert_array_equal(raw(d.log_prob([-1e-300, -1.0, -np.inf, np.inf])), -np.inf)


@given(batches(rates))
def test_the_sampler_scales_its_noise_to_quantiles(drawn):
    (rate,) = drawn
    u = np.linspace(0, 1, 9)[:-1].reshape((8, *[1] * rate.ndim))
    ours = raw(scg.Exponential(rate).sample(8, rng=Script(-np.log1p(-u))))
    np.testing.assert_array_equal(ours, -np.log1p(-u) / rate)
    close(ours, stats.expon(scale=1 / rate).ppf(u) * np.ones_like(ours))


def test_draws_are_exponential():
    draws = scg.Exponential(2.5).sample(20_000, rng=0)
    assert_distributed(draws, stats.expon(scale=1 / 2.5).cdf)


@given(batches(rates, numbers(0.1, 5)))
def test_gradients(drawn):
    rate, x = drawn
    check_grads(lambda r, v: scg.Exponential(r).log_prob(v), rate, x, order=2, step=1e-4, rtol=1e-5)
    for statistic in ("entropy", "mean", "variance"):
        check_grads(lambda r, s=statistic: _statistic(r, s), rate, order=2, step=1e-4, rtol=1e-5)


def _statistic(rate, name):
    d = scg.Exponential(rate)
    return d.entropy() if name == "entropy" else getattr(d, name)


@few
@given(numbers(0.3, 3))
def test_pathwise_and_score_gradients_are_unbiased(rate):
    """Polynomials, for which the quadrature is exact."""
    for estimator in ("pathwise", "score"):

        def loss(rng, rate, estimator=estimator):
            z = scg.Exponential(rate).sample(rng=rng, estimator=estimator)
            return z * z + rate * z

        assert_unbiased(loss, [rate])
        exact = -4 / rate**3  # of 2 / rate**2 + 1
        np.testing.assert_allclose(expected_gradient(loss, [rate])[0], exact, rtol=1e-9)


@few
@given(numbers(0.3, 3), numbers(0.3, 3))
def test_log_density_of_draws_is_pathwise(rate, other):
    """A sampled KL term: no draw crosses the end of the density at 0, which its sign tells."""

    def loss(rng, rate, other):
        q = scg.Exponential(rate)
        z = q.sample(rng=rng)
        return q.log_prob(z) - scg.Exponential(other).log_prob(z)

    assert_unbiased(loss, [rate, other])
    exact = [1 / rate - other / rate**2, 1 / rate - 1 / other]
    np.testing.assert_allclose(expected_gradient(loss, [rate, other]), exact, rtol=1e-9, atol=1e-9)


def test_second_derivative_of_a_sampled_log_density_is_not_taken_for_a_jump():
    rate = scg.parameter(2.0)
    q = scg.Exponential(rate)
    first = scg.grad(q.log_prob(q.sample(rng=0)), rate, create_graph=True)
    np.testing.assert_allclose(raw(scg.grad(first, rate)), -1 / 2.0**2, rtol=1e-12)


def test_a_logarithm_of_draws_is_pathwise():
    def loss(rng, rate):
        return scg.log(scg.Exponential(rate).sample(rng=rng))

    np.testing.assert_allclose(expected_gradient(loss, [2.0])[0], -0.5, rtol=1e-9)


def test_noise_that_may_cross_zero_is_refused():
    x = scg.Normal(scg.parameter(1.0), 1.0).sample(rng=0, estimator="pathwise")
    with pytest.raises(BiasedGradientError, match="exponential_log_prob"):
        scg.exp(scg.Exponential(1.0).log_prob(x)).backward()


@pytest.mark.parametrize("rate", [[1.0, 0.0], [1.0, -2.0], [3.0, np.inf]])
def test_a_rate_that_is_not_positive_is_refused(rate):
    with pytest.raises(SupportError) as error:
        scg.Exponential(rate)
    assert f"scg.Exponential: parameter rate must be positive and finite, but is {rate[1]}" in str(
        error.value
    )
    assert "index (1,)" in str(error.value)
