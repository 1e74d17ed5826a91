"""Draws are judged for the parameters that are asked for: others neither warn nor refuse."""

import numpy as np
import pytest

import scg
from scg.errors import BiasedGradientError
from scg.testing import exact_expectation


@pytest.fixture
def read():
    """Read a draw in this run; every warning is an error here."""
    a = scg.parameter(0.0, name="a")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    float(b)
    return a, b


def test_derivatives_of_something_else_do_not_warn(read):
    w = scg.parameter(2.0)
    assert scg.grad(w * w, w).numpy() == 4.0
    assert scg.grad(w**3, w, create_graph=True).numpy() == 12.0
    np.testing.assert_allclose(scg.vjp(scg.tanh, 0.0)[1]()[0].numpy(), 1.0)
    np.testing.assert_allclose(scg.jacobian(scg.exp)([0.0, 0.0]).numpy(), np.eye(2))
    np.testing.assert_allclose(scg.hessian(lambda x: (x**3).sum())([1.0]).numpy(), [[6.0]])
    scg.testing.check_grads(scg.tanh, [0.3], order=2)


def test_what_is_asked_for_still_warns(read):
    a, _ = read
    w = scg.parameter(2.0)
    with pytest.warns(scg.EscapeWarning):
        scg.grad(w * w, [w, a])


def test_a_pathwise_draw_of_another_parameter_is_not_refused():
    mu, w = scg.parameter(0.3), scg.parameter(2.0)
    z = scg.Normal(mu, 1.0).sample(rng=0, estimator="pathwise")
    loss = scg.where(z > -9.0, 1.0, 0.0) * w
    assert scg.grad(loss, w, retain=True).numpy() == 1.0
    with pytest.raises(BiasedGradientError, match="pathwise"):
        scg.grad(loss, mu)


def test_a_draw_that_hands_a_target_on_is_not_skipped():
    """The chain a, b, c, cost: the second coin has no parameter of its own."""
    a = scg.parameter(0.4)

    def once():
        b = scg.Bernoulli(logits=a).sample()
        c = scg.Bernoulli(0.2 + 0.5 * b).sample()
        return scg.grad(3.0 * c, a).numpy()

    p = 1 / (1 + np.exp(-0.4))
    np.testing.assert_allclose(exact_expectation(once), 1.5 * p * (1 - p), rtol=1e-10)


def test_a_draw_whose_parameter_was_computed_under_no_grad_is_not_skipped():
    a = scg.parameter(0.4)
    with scg.no_grad():
        logits = 2.0 * a
    b = scg.Bernoulli(logits=logits).sample(rng=0)
    with pytest.raises(BiasedGradientError, match="no_grad"):
        scg.grad(b * a, a)


def test_shared_noise_with_a_draw_of_another_parameter_is_still_refused():
    a, s = scg.parameter(0.4), scg.parameter(0.1)
    b = scg.Bernoulli(logits=a).sample(rng=7)
    c = scg.Bernoulli(logits=s).sample(rng=7)
    with pytest.raises(BiasedGradientError, match="same state"):
        scg.grad(b * c, a)


def test_a_mixed_second_derivative_has_the_scores_of_both():
    a, s = scg.parameter(0.4), scg.parameter(-0.2)

    def once():
        loss = scg.Bernoulli(logits=a).sample() * scg.Bernoulli(logits=s).sample()
        return scg.grad(scg.grad(loss, a, create_graph=True), s).numpy()

    slope = np.prod([1 / (1 + np.exp(-x)) / (1 + np.exp(x)) for x in (0.4, -0.2)])
    np.testing.assert_allclose(exact_expectation(once), slope, rtol=1e-10)


def test_a_plain_gradient_is_weighted_when_it_is_differentiated_in_another_parameter():
    """The first derivative, in w, needs no score; that of it in the logit does."""
    a, w = scg.parameter(0.4), scg.parameter(2.0)

    def once():
        loss = scg.Bernoulli(logits=a).sample() * w * w
        return scg.grad(scg.grad(loss, w, create_graph=True), a).numpy()

    p = 1 / (1 + np.exp(-0.4))
    np.testing.assert_allclose(exact_expectation(once), 4.0 * p * (1 - p), rtol=1e-10)


def test_a_later_loss_of_the_run_finds_what_a_skipped_draw_needs():
    """The logits and the first loss share a node, whose residuals the second still wants."""
    a, w = scg.parameter(0.4), scg.parameter(2.0)
    shared = scg.tanh(a)
    taken = int(scg.Bernoulli(logits=shared).sample(rng=0))
    first, second = w * shared, w * (3.0 if taken else 1.0)
    assert scg.grad(first, w).numpy() == np.tanh(0.4)
    with pytest.warns(scg.EscapeWarning):
        second.backward()
    assert a.grad != 0


def test_a_jacobian_can_be_differentiated_in_a_draw_made_inside():
    a = scg.parameter(0.4)

    def once():
        jacobian = scg.jacobian(lambda x: x * scg.Bernoulli(logits=a).sample())([1.0, 2.0])
        return scg.grad(jacobian.sum(), a).numpy()

    p = 1 / (1 + np.exp(-0.4))
    np.testing.assert_allclose(exact_expectation(once), 2.0 * p * (1 - p), rtol=1e-10)
