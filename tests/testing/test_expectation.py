"""Exact expectations against closed forms."""

import math

import numpy as np
import pytest
from close import close
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

import scg
from scg.testing import ExactnessError, exact_expectation, exact_gradient

few = settings(max_examples=10)
real = st.floats(-1.5, 1.5)
unit = st.floats(0.1, 0.9)
size = st.floats(0.3, 2.0)


# --- smooth programs ---------------------------------------------------------------------------


@few
@given(real, size)
def test_moments_and_transform_of_a_normal(mu, sigma):
    def program(mu, sigma):
        x = scg.Normal(mu, sigma).sample()
        return scg.stack([x, x * x, x**4, scg.exp(x), scg.sin(3 * x)])

    truth = [
        mu,
        mu**2 + sigma**2,
        mu**4 + 6 * mu**2 * sigma**2 + 3 * sigma**4,
        math.exp(mu + sigma**2 / 2),
        math.sin(3 * mu) * math.exp(-4.5 * sigma**2),
    ]
    close(exact_expectation(program, mu, sigma), truth)


@few
@given(real, size)
def test_moments_of_a_uniform(low, width):
    def program(low, width):
        u = scg.Uniform(low, low + width).sample()
        return scg.stack([u, u**5])

    fifth = ((low + width) ** 6 - low**6) / (6 * width)
    close(exact_expectation(program, low, width), [low + width / 2, fifth])


def test_a_singularity_at_the_end_of_the_support():
    program = lambda: scg.Uniform(0.0, 2.0).sample() ** -0.5  # noqa: E731
    close(exact_expectation(program), math.sqrt(2), 1e-8)
    close(exact_expectation(lambda: scg.log(scg.Uniform(0.0, 2.0).sample())), math.log(2) - 1)


@few
@given(size)
def test_moments_and_logarithm_of_an_exponential(rate):
    def program(rate):
        x = scg.Exponential(rate).sample()
        return scg.stack([x, x**3, scg.log(x), scg.exp(-x)])

    truth = [1 / rate, 6 / rate**3, -np.euler_gamma - math.log(rate), rate / (1 + rate)]
    close(exact_expectation(program, rate), truth)


def test_gumbel_noise_by_hand():
    def program():
        return -scg.log(-scg.log(scg.Uniform().sample()))

    close(exact_expectation(program), np.euler_gamma)


@few
@given(unit, st.lists(size, min_size=2, max_size=4))
def test_discrete_draws(p, weights):
    def program(p, weights):
        b = scg.Bernoulli(p).sample()
        k = scg.Categorical(weights).sample()
        return scg.exp(b) * (k + 1.0) ** 2

    squares = np.average(np.arange(1.0, len(weights) + 1) ** 2, weights=weights)
    close(exact_expectation(program, p, weights), (1 - p + p * math.e) * squares)


def test_a_batch_of_draws_is_as_many_draws():
    p = np.array([[0.2, 0.7], [0.5, 0.9]])
    result = exact_expectation(lambda p: scg.Bernoulli(p).sample() ** 2, p)
    close(result, p, 1e-14)
    close(exact_expectation(lambda p: scg.Bernoulli(p).sample().sum() ** 2, p),
          p.sum() ** 2 + (p * (1 - p)).sum())  # fmt: skip


# --- control flow ------------------------------------------------------------------------------


@few
@given(unit)
def test_a_random_number_of_draws(p):
    def failures(p):
        count = 0
        while scg.Bernoulli(p).sample():
            count += 1
        return float(count)

    close(exact_expectation(failures, p), p / (1 - p))


@few
@given(unit, real)
def test_discrete_then_continuous(p, mu):
    def program(p, mu):
        if scg.Bernoulli(p).sample():
            return scg.Normal(mu, 1.0).sample() ** 2
        return scg.Exponential(2.0).sample()

    close(exact_expectation(program, p, mu), p * (mu**2 + 1) + (1 - p) * 0.5)


@few
@given(real, real)
def test_continuous_then_discrete(mu, a):
    """The probit-like mixture: E over x of sigmoid(a + x), by an integral of its own."""

    def program(mu, a):
        x = scg.Normal(mu, 1.0).sample()
        return scg.Bernoulli(logits=a + x).sample() * x

    x = np.linspace(mu - 12, mu + 12, 4001)
    truth = np.sum(special.expit(a + x) * x * stats.norm.pdf(x, mu)) * (x[1] - x[0])
    close(exact_expectation(program, mu, a), truth)


# --- jumps and kinks ---------------------------------------------------------------------------


@few
@given(real, size, real)
def test_a_jump(mu, sigma, at):
    def program(mu, sigma):
        x = scg.Normal(mu, sigma).sample()
        return scg.where(x > at, x, 0.0)

    z = (mu - at) / sigma
    truth = mu * stats.norm.cdf(z) + sigma * stats.norm.pdf(z)
    close(exact_expectation(program, mu, sigma), truth)


def test_where_a_branch_and_its_score_vanish_on_both_sides_of_a_jump():
    """Both neighbours of the jump on the first grid are 0, though the integrand is not."""

    def program(mu):
        x = scg.Normal(0.3, 1.0).sample()
        return scg.where(x > 0, x * (x - mu), 0.0)

    x = np.linspace(0, 13, 200001)
    truth = np.trapezoid(x * (x - 0.3) * stats.norm.pdf(x, 0.3), x)
    close(exact_expectation(program, 0.3), truth)


@few
@given(real, size)
def test_a_kink(mu, sigma):
    z = mu / sigma
    truth = mu * (2 * stats.norm.cdf(z) - 1) + 2 * sigma * stats.norm.pdf(z)
    close(exact_expectation(lambda m, s: abs(scg.Normal(m, s).sample()), mu, sigma), truth)


@settings(max_examples=3)
@given(real, real, size)
def test_a_comparison_of_two_draws(a, b, sigma):
    def program(a, b, sigma):
        x, y = scg.Normal(a, 1.0).sample(), scg.Normal(b, sigma).sample()
        return scg.where(x > y, 1.0, 0.0)

    close(exact_expectation(program, a, b, sigma), stats.norm.cdf((a - b) / np.hypot(1, sigma)))


def test_the_larger_of_two_draws():
    def program():
        return scg.maximum(scg.Normal(0.0, 1.0).sample(), scg.Normal(0.0, 1.0).sample())

    close(exact_expectation(program), 1 / math.sqrt(math.pi))


def test_a_sorted_pair():
    def program():
        return scg.sort(scg.Normal(0.0, 1.0).sample(2))

    close(exact_expectation(program), [-1 / math.sqrt(math.pi), 1 / math.sqrt(math.pi)])


@pytest.mark.parametrize("whole", [scg.floor, lambda x: float(int(x)), math.floor])
def test_rounding_by_op_or_by_python(whole):
    program = lambda: whole(scg.Exponential(1.0).sample()) * 1.0  # noqa: E731
    close(exact_expectation(program), 1 / (math.e - 1))


@pytest.mark.parametrize("read", [bool, lambda c: bool(scg.peek(c)), lambda c: c.numpy()])
def test_a_python_branch_on_a_continuous_draw(read):
    def program(mu):
        x = scg.Normal(mu, 1.0).sample()
        return x * x if read(x > 0.2) else -x

    z, pdf = -0.1, stats.norm.pdf(-0.1)
    above, below = stats.norm.cdf(z), stats.norm.cdf(-z)
    truth = above * (0.1**2 + 1) + pdf * (0.2 + 0.1) - (0.1 * below - pdf)
    close(exact_expectation(program, 0.1), truth)


def test_a_branch_that_no_op_shows():
    """Found by the quadrature alone: nothing but the value tells the branches apart."""

    def program():
        x = scg.peek(scg.Normal(0.0, 1.0).sample())
        return 1.0 if x > 0.3 else 0.0

    close(exact_expectation(program), stats.norm.sf(0.3))


def test_a_jump_in_front_of_another_draw():
    def program():
        x = scg.Normal(0.2, 1.0).sample()
        y = scg.Normal(0.5, 1.0).sample()
        return scg.where(x > 0, y * y, y)

    close(exact_expectation(program), stats.norm.cdf(0.2) * 1.25 + stats.norm.cdf(-0.2) * 0.5)


# --- poles -------------------------------------------------------------------------------------


@few
@given(real, size)
def test_a_sign_by_division(mu, sigma):
    """The search for the jump ends exactly on it, where the quotient is NaN."""
    close(exact_expectation(lambda m, s: sign_by_division(scg.Normal(m, s).sample()), mu, sigma),
          2 * stats.norm.cdf(mu / sigma) - 1)  # fmt: skip


def sign_by_division(x):
    return x / abs(x)


def test_a_pole_at_a_node():
    """The first node is at noise 0."""
    close(exact_expectation(lambda: scg.log(abs(scg.Normal(0.0, 1.0).sample()))),
          -0.5 * (np.euler_gamma + math.log(2)))  # fmt: skip
    close(exact_expectation(lambda: sign_by_division(scg.Uniform(-1.0, 1.0).sample())), 0.0)


def test_a_pole_of_two_draws():
    def program(mu):
        x, b = scg.Normal(mu, 1.0).sample(), scg.Bernoulli(0.3).sample()
        side = sign_by_division(x)
        return side * scg.Exponential(2.0).sample() if b else side * 3.0

    close(exact_expectation(program, 0.4), (0.3 / 2 + 0.7 * 3) * (2 * stats.norm.cdf(0.4) - 1))


@few
@given(real)
def test_the_gradient_at_a_cut(mu):
    (found,) = exact_gradient(lambda m: scg.arctan2(scg.Normal(m, 1.0).sample(), -1.0), mu)
    x = np.linspace(-12, 12, 4001)
    smooth = np.sum(-1 / (1 + x * x) * stats.norm.pdf(x, mu)) * (x[1] - x[0])
    close(found, smooth + 2 * math.pi * stats.norm.pdf(mu))


# --- gradients ---------------------------------------------------------------------------------


@few
@given(real, size)
def test_gradient_of_a_jump(mu, sigma):
    def program(mu, sigma):
        return scg.where(scg.Normal(mu, sigma).sample() > 0.4, 2.0, 0.0)

    z = (mu - 0.4) / sigma
    slope = 2 * stats.norm.pdf(z) / sigma
    close(exact_gradient(program, mu, sigma), [slope, -slope * z])


@few
@given(st.floats(0.01, 0.99))
def test_gradient_close_to_the_end_of_the_domain(p):
    def program(p):
        return (scg.Bernoulli(p).sample(3).sum() - 0.3) ** 2 + scg.log(p)

    close(exact_gradient(program, p)[0], 1.2 + 12 * p + 1 / p)


def test_gradient_of_arrays():
    p = np.array([[0.2, 0.7], [0.5, 0.9]])
    (g,) = exact_gradient(lambda p: scg.Bernoulli(p).sample() * [[1.0, 2.0], [3.0, 4.0]], p)
    close(g, [[1, 2], [3, 4]])


def test_a_parameter_stays_a_parameter():
    def slope(a):
        return scg.grad(scg.exp(a) * scg.Bernoulli(0.3).sample(), a)

    close(exact_expectation(slope, scg.parameter(0.5)), 0.3 * math.exp(0.5))


# --- refusals ----------------------------------------------------------------------------------


def test_too_many_continuous_draws_are_refused():
    with pytest.raises(
        ExactnessError, match=r"more than 2 scalar continuous draws.*max_continuous"
    ):
        exact_expectation(lambda: scg.Normal(0.0, 1.0).sample(3).sum())


def test_too_many_runs_are_refused():
    with pytest.raises(ExactnessError, match=r"after 100 runs.*[12][0-9] discrete.*max_runs"):
        exact_expectation(lambda: scg.Bernoulli(0.5).sample(20).sum(), max_runs=100)


def test_limits_can_be_raised():
    def program():
        return scg.Normal(0.5, 1.0).sample(3).sum() ** 2

    close(exact_expectation(program, max_continuous=3, max_runs=200_000), 3 + 1.5**2)


def test_an_expectation_that_does_not_exist_is_refused():
    def petersburg():
        prize = 1.0
        while scg.Bernoulli(0.5).sample():
            prize *= 2.0
        return prize

    with pytest.raises(ExactnessError, match="may not exist"):
        exact_expectation(petersburg)


def test_a_state_that_outlives_a_run_is_refused():
    count = iter(range(5, 0, -1))

    def program():
        return scg.Bernoulli(0.5).sample(next(count)).sum()

    with pytest.raises(ExactnessError, match="not a function of its draws"):
        exact_expectation(program)


def test_a_draw_with_a_generator_of_its_own_is_refused():
    with pytest.raises(scg.OptionError, match="leave rng= out"):
        exact_expectation(lambda: scg.Normal(0.0, 1.0).sample(rng=0))


def test_nan_is_refused():
    with pytest.raises(scg.NonFiniteError, match=r"inf at noise \(discrete 0\)"):
        exact_expectation(lambda: scg.log(scg.Bernoulli(0.5).sample()))


def test_what_is_nan_for_more_than_one_value_of_the_noise_is_refused():
    with pytest.raises(scg.NonFiniteError, match=r"nan at noise \(normal -"):
        exact_expectation(lambda: scg.log(scg.Normal(0.3, 1.0).sample()))
    with pytest.raises(scg.NonFiniteError, match=r"inf at noise \(normal .*, discrete 0"):
        exact_expectation(
            lambda: scg.Normal(0.0, 1.0).sample() + scg.log(scg.Bernoulli(0.5).sample())
        )


def test_a_derivative_at_a_kink_is_refused():
    with pytest.raises(ExactnessError, match="kink"):
        exact_gradient(lambda a: abs(a - 0.3) * scg.Bernoulli(0.5).sample(), 0.301)


def test_a_refused_program_leaves_nothing_behind():
    a = scg.parameter(0.3)

    def evaluating():
        with scg.no_grad():
            chosen = float(scg.Bernoulli(a).sample())
        return (a * scg.Bernoulli(a).sample() * (2.0 if chosen else 1.0)).sum()

    with pytest.raises(scg.BiasedGradientError, match="made under no_grad"):
        scg.testing.expected_estimate(lambda _: evaluating(), a)
    (a * scg.Bernoulli(a).sample(rng=0)).backward()
