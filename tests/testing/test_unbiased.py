"""The proof of unbiasedness: right programs pass it, planted faults do not."""

import numpy as np
import pytest
from close import close
from hypothesis import given, settings
from hypothesis import strategies as st

import scg
from scg.testing import check_unbiased, exact_expectation, expected_estimate

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

few = settings(max_examples=5)
real = st.floats(-1.5, 1.5)
size = st.floats(0.4, 1.5)


# --- right ---------------------------------------------------------------------------------------


@few
@given(real, size)
def test_a_jump_by_the_score_function(mu, sigma):
    def cost(mu, sigma):
        x = scg.Normal(mu, sigma).sample(estimator="score")
        return scg.where(x > 0.3, x * x, mu)

    check_unbiased(cost, mu, sigma)


@few
@given(real, size)
def test_a_kink_pathwise(mu, sigma):
    check_unbiased(lambda mu, sigma: abs(scg.Normal(mu, sigma).sample()), mu, sigma)


@few
@given(real)
def test_a_loop_that_ends_at_random(a):
    def cost(a):
        total = 0.0 * a
        while scg.Bernoulli(logits=a - 1.0).sample():
            total = total + scg.exp(0.3 * a)
        return total * total

    check_unbiased(cost, a)


def test_a_comparison_of_two_draws():
    def cost(a):
        x = scg.Normal(a, 1.0).sample(estimator="score")
        y = scg.Normal(0.1, 0.8).sample()
        return scg.where(x > y, 1.0, 0.0)

    check_unbiased(cost, 0.3)


def test_an_estimator_of_infinite_variance():
    """Of the root of |x| the slope has a mean and no second moment."""

    def cost(mu):
        return scg.sqrt(abs(scg.Normal(mu, 1.0).sample()))

    check_unbiased(cost, 0.3)
    with pytest.raises(scg.testing.ExactnessError):
        expected_estimate(cost, 0.3)


def test_arrays_of_parameters_and_of_losses():
    def cost(p, w):
        return scg.Bernoulli(p).sample() * w

    check_unbiased(cost, [0.2, 0.7], [[1.0, 2.0], [3.0, 4.0]])


# --- moments -------------------------------------------------------------------------------------


@few
@given(st.floats(0.1, 0.9), real)
def test_variance_of_the_score_function_of_a_bernoulli(p, t):
    found = expected_estimate(lambda p: (scg.Bernoulli(p).sample() - t) ** 2, p)
    one, zero = (1 - t) ** 2 / p, -(t**2) / (1 - p)
    mean = p * one + (1 - p) * zero
    second = p * one**2 + (1 - p) * zero**2
    close(found.mean[0], mean)
    close(found.second_moment[0], second)
    close(found.variance[0], second - mean**2)
    assert found.runs == 2


@few
@given(real, size)
def test_variances_of_both_estimators_of_a_square(mu, sigma):
    """Of x**2 under N(mu, sigma**2), with respect to mu."""

    def moments(estimator):
        def cost(mu):
            return scg.Normal(mu, sigma).sample(estimator=estimator) ** 2

        found = expected_estimate(cost, mu)
        close(found.mean[0], 2 * mu)
        return found.variance[0]

    close(moments("pathwise"), 4 * sigma**2)
    fourth = mu**4 + 18 * mu**2 * sigma**2 + 15 * sigma**4  # of x**4 (x - mu)**2 / sigma**2
    close(moments("score"), fourth / sigma**2 - 4 * mu**2)


# --- planted faults ----------------------------------------------------------------------------


def score_toy(p):
    return (scg.Bernoulli(p).sample() - 0.45) ** 2


def test_a_missing_score_is_seen():
    def cost(p):
        return score_toy(p) * p

    check_unbiased(cost, 0.3)
    with pytest.raises(AssertionError, match=r"parameter 'p' is 0\.2.*derivative .* is 0\."):
        check_unbiased(cost, 0.3, of="value")


def test_a_detached_factor_is_seen():
    def cost(p, q):
        return score_toy(p) * q.detach() + q * 0.0

    with pytest.raises(AssertionError, match="parameter 'q' is 0"):
        check_unbiased(cost, 0.3, 0.4)


@scg.op(smooth="smooth", vjp=lambda g, y, x: g * y * (1 - y) * 1.001)
def wrong_slope(x):
    return 1 / (1 + np.exp(-x))


def test_a_wrong_vjp_is_seen():
    with pytest.raises(AssertionError, match="parameter 'mu'"):
        check_unbiased(lambda mu: wrong_slope(scg.Normal(mu, 1.0).sample()), 0.3)


@scg.op(smooth="smooth", vjp=lambda g, y, x: g * 0.0)
def step(x):
    return np.where(x > 0.2, 1.0, 0.0)


def test_a_jump_declared_smooth_is_seen():
    with pytest.raises(AssertionError, match="parameter 'mu'"):
        check_unbiased(lambda mu: step(scg.Normal(mu, 1.0).sample()), 0.3)


def test_a_peek_that_decides_is_seen():
    """What no rule of the library can see, the proof does."""

    def cost(mu):
        x = scg.Normal(mu, 1.0).sample()
        return x if scg.peek(x) > 0.5 else 0.0 * x

    with pytest.raises(AssertionError, match="parameter 'mu'"):
        check_unbiased(cost, 0.3)


class WrongScore(scg.Bernoulli):
    def log_prob(self, value):
        return super().log_prob(value) * 0.999


def test_a_wrong_log_prob_is_seen():
    with pytest.raises(AssertionError, match="parameter 'p'"):
        check_unbiased(lambda p: WrongScore(p).sample() * 2.0, 0.3)


def test_the_worst_element_of_an_array_is_named():
    def cost(p):
        b = scg.Bernoulli(p).sample()
        return b[0] * 2.0 + b[1] * p.detach()[1]

    with pytest.raises(AssertionError, match=r"parameter 'p'\[1\] is 0\.6\d*, but .* is 1\.2"):
        check_unbiased(cost, [0.3, 0.6])


def test_parameters_are_called_by_their_own_name_first():
    weight = scg.parameter(0.4, name="weight")
    with pytest.raises(AssertionError, match="parameter 'weight'"):
        check_unbiased(lambda w: w.detach() * w.detach() + 0.0 * w, weight)


def test_refusals_of_the_library_pass_through():
    def cost(mu):
        x = scg.Normal(mu, 1.0).sample(estimator="pathwise")
        return scg.where(x > 0, 1.0, 0.0) + 0.0 * mu

    with pytest.raises(scg.BiasedGradientError):
        check_unbiased(cost, 0.3)


def test_the_expectation_needs_no_gradient():
    """A program that the library refuses to differentiate has an expectation all the same."""
    mu = scg.parameter(0.3)
    value = exact_expectation(lambda mu: 1.0 if scg.Normal(mu, 1.0).sample() > 0 else 0.0, mu)
    close(value, 0.6179114221889526)
