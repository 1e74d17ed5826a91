"""`loss.backward()` is the gradient of the expected loss, proved by exact expectation."""

import numpy as np
import pytest
from exact import assert_unbiased, expected_gradient, outcomes
from hypothesis import given, settings
from hypothesis import strategies as st

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

# One example is an exact expectation: dozens to thousands of runs of the program.
exactly = settings(max_examples=8)
unit = st.floats(0.1, 0.9)
real = st.floats(-1.5, 1.5)


@exactly
@given(real, st.floats(0.3, 1.5))
def test_pathwise_normal(mu, sigma):
    def loss(rng, mu, sigma):
        z = scg.Normal(mu, sigma).sample(rng=rng)
        return scg.tanh(z) * z + mu * z

    assert_unbiased(loss, [mu, sigma])


@exactly
@given(real, st.floats(0.5, 1.5))
def test_score_function_normal(mu, sigma):
    def loss(rng, mu, sigma):
        z = scg.Normal(mu, sigma).sample(rng=rng, estimator="score")
        return z * z * z + mu * z

    assert_unbiased(loss, [mu, sigma])


@exactly
@given(unit)
def test_bernoulli_toy_problem(theta):
    """E[(b - t)**2] of Tucker et al. 2017."""

    def loss(rng, theta):
        return (scg.Bernoulli(theta).sample(rng=rng) - 0.45) ** 2

    assert_unbiased(loss, [theta])
    exact = (1 - 0.45) ** 2 - 0.45**2
    np.testing.assert_allclose(expected_gradient(loss, [theta])[0], exact, rtol=1e-12)


@exactly
@given(real, real)
def test_parameter_to_draw_and_to_cost(a, b):
    """Schulman et al. 2015, motif 4: both terms."""

    def loss(rng, a, b):
        x = scg.Bernoulli(logits=a).sample(rng=rng)
        return (x - b) ** 2 * scg.exp(a)

    assert_unbiased(loss, [a, b])


@exactly
@given(real, real, st.floats(0.4, 1.2))
def test_discrete_under_continuous_under_discrete(a, mu, sigma):
    def loss(rng, a, mu, sigma):
        b = scg.Bernoulli(logits=a).sample(rng=rng)
        z = scg.Normal(mu + b, sigma).sample(rng=rng)
        c = scg.Bernoulli(logits=z * a).sample(rng=rng)
        return (c + 0.5) * scg.sin(z) + b * c

    assert_unbiased(loss, [a, mu, sigma])


@exactly
@given(real)
def test_cost_chosen_by_a_python_branch(a):
    """No edge leads from the draw to the loss; the weight counts all the same."""

    def loss(rng, a):
        b = scg.Bernoulli(logits=a).sample(rng=rng)
        return a * 3.0 if b else scg.exp(a)

    assert_unbiased(loss, [a])


@exactly
@given(real)
def test_costs_made_before_the_draw_and_picked_by_it(a):
    def loss(rng, a):
        costs = [a * a, a + 1.0, scg.exp(a)]
        total = 0.0 * a
        while scg.Bernoulli(logits=a).sample(rng=rng) and len(costs) > 1:
            total = total + costs.pop()
        return total + costs[-1]

    assert_unbiased(loss, [a])


@exactly
@given(real, real)
def test_batch_of_draws(a, b):
    def loss(rng, a, b):
        logits = scg.stack([a, b, a - b])
        x = scg.Bernoulli(logits=logits).sample(rng=rng)
        return (x * scg.tensor([1.0, -2.0, 0.5])).sum() ** 2

    assert_unbiased(loss, [a, b])


@exactly
@given(real)
def test_fixed_draws_cost_nothing(a):
    def loss(rng, a):
        mask = scg.Bernoulli(0.5).sample(3, rng=rng)
        return (mask * a * scg.tensor([1.0, 2.0, 3.0])).sum() ** 2

    assert_unbiased(loss, [a])


@exactly
@given(real, st.floats(0.5, 1.5))
def test_value_mode_is_the_textbook_estimator(a, c):
    """REINFORCE written by hand, differentiated as a recorded value."""

    def surrogate(rng, a):
        d = scg.Bernoulli(logits=a)
        b = d.sample(rng=rng)
        return d.log_prob(b) * float(scg.peek((b - c) ** 2))

    p = 1 / (1 + np.exp(-a))
    exact = p * (1 - p) * ((1 - c) ** 2 - c**2)
    np.testing.assert_allclose(
        expected_gradient(surrogate, [a], of="value")[0], exact, rtol=1e-9, atol=1e-12
    )


@exactly
@given(real, st.floats(0.4, 1.2))
def test_second_derivative_through_the_magic_box(a, sigma):
    def loss(rng, a, sigma):
        b = scg.Bernoulli(logits=a).sample(rng=rng)
        z = scg.Normal(a * b, sigma).sample(rng=rng)
        return scg.exp(0.3 * z) * (b + 0.5)

    def gradient(rng, a, sigma):
        return scg.grad(loss(rng, a, sigma), a, create_graph=True)

    total = 0.0
    for weight, g in outcomes(lambda s: _second(gradient, s, a, sigma)):
        total += weight * g

    def truth(rng, a):
        return loss(rng, a, scg.tensor(sigma))

    h = 1e-2
    up, down = (expected_gradient(truth, [a + s])[0] for s in (h, -h))
    up2, down2 = (expected_gradient(truth, [a + s])[0] for s in (2 * h, -2 * h))
    exact = (8 * (up - down) - (up2 - down2)) / (12 * h)
    np.testing.assert_allclose(total, exact, rtol=1e-6, atol=1e-7)


def _second(gradient, source, a, sigma):
    a, sigma = scg.parameter(a), scg.parameter(sigma)
    return scg.grad(gradient(source, a, sigma), a).numpy()


def test_explicit_surrogate_has_the_value_of_the_loss():
    theta = scg.parameter(0.3)
    loss = (scg.Bernoulli(theta).sample(rng=0) - 0.45) ** 2
    assert scg.peek(scg.surrogate(loss)) == scg.peek(loss)


def test_the_tester_sees_a_missing_score_term():
    def loss(rng, theta):
        return (scg.Bernoulli(theta).sample(rng=rng) - 0.45) ** 2 * theta

    assert_unbiased(loss, [0.3])
    with pytest.raises(AssertionError):
        assert_unbiased(loss, [0.3], of="value")
