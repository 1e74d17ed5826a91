"""The uniform distribution against scipy.stats, exact noise and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased, expected_gradient
from families import Script, assert_distributed, batches, close, few, numbers, raw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import scg
from scg.errors import BiasedGradientError, SupportError
from scg.testing import check_grads

ends = batches(numbers(-5, 5), numbers(0.1, 5), numbers(-12, 12))


@given(ends)
def test_against_scipy(drawn):
    low, width, x = drawn
    ours, theirs = scg.Uniform(low, low + width), stats.uniform(low, (low + width) - low)
    close(ours.log_prob(x), theirs.logpdf(x))
    close(ours.entropy(), theirs.entropy())
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


def test_both_ends_belong_to_the_support_and_nothing_beyond():
    d = scg.Uniform(-1.0, 3.0)
    inside = [-1.0, 0.0, 3.0]
    outside = [np.nextafter(-1.0, -2), np.nextafter(3.0, 4), -np.inf, np.inf]
    np.testing.assert_array_equal(raw(d.log_prob(inside)), -np.log(4.0))
    np.testing.assert_array_equal(raw(d.log_prob(outside)), -np.inf)


def test_the_default_is_the_unit_interval():
    assert raw(scg.Uniform().mean) == 0.5


@given(batches(numbers(-5, 5), numbers(0.1, 5)))
def test_the_sampler_maps_noise_to_quantiles(drawn):
    low, width = drawn
    d, u = scg.Uniform(low, low + width), np.linspace(0, 1, 9)[:-1]
    u = u.reshape((8, *[1] * len(d.batch_shape)))
    ours = raw(d.sample(8, rng=Script(u)))
    np.testing.assert_array_equal(ours, low + ((low + width) - low) * u)
    close(ours, stats.uniform(low, width).ppf(u) * np.ones_like(ours))


def test_draws_are_uniform():
    assert_distributed(scg.Uniform(-1.0, 3.0).sample(20_000, rng=0), stats.uniform(-1, 4).cdf)


@given(batches(numbers(-2, 0), numbers(2, 4)))
def test_gradients(drawn):
    low, high = drawn
    check_grads(lambda a, b: scg.Uniform(a, b).log_prob(1.0), low, high, order=2)
    check_grads(lambda a, b: scg.Uniform(a, b).entropy(), low, high, order=2)
    check_grads(lambda a, b: scg.Uniform(a, b).mean, low, high, order=2)
    check_grads(lambda a, b: scg.Uniform(a, b).variance, low, high, order=2)


@few
@given(numbers(-2, 2), numbers(0.5, 3))
def test_pathwise_gradient_is_unbiased(low, width):
    def loss(rng, low, width):
        z = scg.Uniform(low, low + width).sample(rng=rng)
        return scg.sin(z) * z + low * z

    assert_unbiased(loss, [low, width])
    slope = (np.sin(low + width) - np.sin(low)) / width

    def sine(rng, low):
        return scg.sin(scg.Uniform(low, low + width).sample(rng=rng))

    np.testing.assert_allclose(expected_gradient(sine, [low])[0], slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_score_function_is_refused_where_the_support_moves(end):
    p = scg.parameter(0.5)
    ends = {"low": 0.0, "high": 1.0} | {end: 2 * p - 0.75 + (end == "high")}
    z = scg.Uniform(**ends).sample(estimator="score", rng=0)
    with pytest.raises(SupportError, match="moves the support"):
        (z * z).backward()


def test_the_score_function_of_fixed_ends_has_nothing_to_miss():
    p = scg.parameter(0.5)
    (scg.Uniform(0.0, 1.0).sample(rng=0, estimator="score") * p).backward()
    np.testing.assert_array_equal(p.grad, raw(scg.Uniform(0.0, 1.0).sample(rng=0)))


def test_noise_that_may_cross_an_end_is_refused():
    """The log-density jumps there, and the pathwise derivative would miss it."""
    high = scg.parameter(1.0)
    x = scg.Normal(high, 1.0).sample(rng=0, estimator="pathwise")
    with pytest.raises(BiasedGradientError, match="uniform_log_prob"):
        scg.exp(scg.Uniform(-9.0, 9.0).log_prob(x)).backward()
    with pytest.raises(BiasedGradientError, match="uniform_log_prob"):
        scg.exp(scg.Uniform(-9.0, high).log_prob(scg.Normal(0.0, 1.0).sample(rng=0))).backward()


@few
@given(numbers(-2, 2), numbers(0.5, 3))
def test_its_own_draws_never_cross_an_end(low, width):
    """The sampled entropy -log q(z), as in a sampled KL term."""

    def loss(rng, low, width):
        q = scg.Uniform(low, low + width)
        return -q.log_prob(q.sample(rng=rng))

    assert_unbiased(loss, [low, width])
    np.testing.assert_allclose(expected_gradient(loss, [low, width])[1], 1 / width, rtol=1e-9)


def test_a_logarithm_of_draws_above_zero_is_pathwise():
    """E[log z] on (0, h) is log h - 1; on an interval around 0 the logarithm has a pole inside."""

    def loss(rng, high):
        return scg.log(scg.Uniform(0.0, high).sample(rng=rng))

    np.testing.assert_allclose(expected_gradient(loss, [2.0])[0], 0.5, rtol=1e-9)
    z = scg.Uniform(-1.0, scg.parameter(2.0)).sample(rng=Script(0.9), estimator="pathwise")
    with pytest.raises(BiasedGradientError, match="log"):
        scg.log(z).backward()


@given(numbers(-1e3, 1e3), numbers(1e-3, 1e3), st.sampled_from([np.float32, np.float64]))
def test_the_largest_draw_is_inside(low, width, dtype):
    low, high = dtype(low), dtype(low + width)
    z = raw(scg.Uniform(low, high).sample(rng=Script(np.nextafter(dtype(1), dtype(0)))))
    assert low <= z <= high
    assert np.isfinite(raw(scg.Uniform(low, high).log_prob(z)))


def test_the_sampler_is_smooth_at_every_order():
    u = np.array([0.1, 0.5, 0.9])
    check_grads(lambda a, b: scg.Uniform(a, b).sample(3, rng=Script(u)) ** 2, -0.3, 1.7, order=2)


@pytest.mark.parametrize("high", [[[2.0], [0.5]], [[2.0], [1.0]]])
def test_an_empty_interval_is_refused(high):
    with pytest.raises(SupportError) as error:
        scg.Uniform([1.0, 0.0], high)
    message = str(error.value)
    assert "scg.Uniform: parameter high must be above low" in message
    assert f"is {high[1][0]} at index (1, 0)" in message


def test_an_infinite_width_is_refused():
    with pytest.raises(SupportError, match="finite width"):
        scg.Uniform(-1.7e308, 1.7e308)


def test_ends_that_do_not_broadcast_are_refused():
    with pytest.raises(scg.ShapeError, match=r"low \(2,\), high \(3,\)"):
        scg.Uniform(np.zeros(2), np.ones(3))
