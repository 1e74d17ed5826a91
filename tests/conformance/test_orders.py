"""Second derivatives: those of the surrogate, and those that must not be had."""

import numpy as np
import pytest
from conformance import closed
from conformance.closed import gauss
from conformance.orders import KINKS, MIXED, THETA, coin_and_gaussian
from conformance.program import PROGRAMS, REAL, SIZE
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import scg
from scg.testing import exact_expectation

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

few = settings(max_examples=3, phases=[Phase.explicit, Phase.generate])


def by_scg(fn, values):
    """Return the exact expectation of the Hessian that two calls of `scg.grad` give."""
    leaves = [scg.parameter(float(v)) for v in values]

    def once():
        first = scg.grad(fn(*leaves), leaves, create_graph=True)
        return np.array([[h.numpy() for h in scg.grad(g, leaves, retain=True)] for g in first])

    return exact_expectation(once)


def by_surrogate(fn, values):
    """Return the same from `scg.surrogate` and ordinary differentiation."""
    leaves = [scg.parameter(float(v)) for v in values]

    def once():
        boxed = scg.surrogate(fn(*leaves))
        first = scg.grad(boxed, leaves, create_graph=True, of="value")
        return np.array(
            [[h.numpy() for h in scg.grad(g, leaves, of="value", retain=True)] for g in first]
        )

    return exact_expectation(once)


@pytest.mark.parametrize("name", MIXED)
def test_hessian_of_the_surrogate(name):
    fn, expected = MIXED[name]

    @few
    @given(st.floats(*REAL), st.floats(*SIZE))
    def check(a, s):
        truth = closed.curvature(expected, [a, s])
        np.testing.assert_allclose(by_surrogate(fn, [a, s]), truth, rtol=1e-6, atol=1e-7)

    check()


def test_the_derivative_of_the_gradient_is_not_its_second_derivative():
    """Were the score differentiated as if it were a constant, the Hessian would be another."""
    leaves = [scg.parameter(0.4), scg.parameter(0.9)]

    def once():
        first = scg.grad(coin_and_gaussian(*leaves), leaves, create_graph=True)
        return np.array([[h.numpy() for h in scg.grad(g, leaves, of="value", retain=True)]
                         for g in first])  # fmt: skip

    def held():
        loss = coin_and_gaussian(*leaves)
        first = scg.grad(loss, leaves, create_graph=True, of="value")
        return np.array([[h.numpy() for h in scg.grad(g, leaves, of="value", retain=True)]
                         for g in first])  # fmt: skip

    truth = closed.curvature(MIXED["a coin, then a Gaussian"][1], [0.4, 0.9])
    np.testing.assert_allclose(exact_expectation(once), truth, rtol=1e-6, atol=1e-7)
    assert np.max(np.abs(exact_expectation(held) - truth)) > 0.01


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_good_for_one_order_only(name):
    """Its second derivative is concentrated on the kink: refused, or right by another route."""
    kinked, f, breaks = KINKS[name]
    truth = closed.curvature(lambda m: gauss(f, m, 1.0, breaks), [0.3])
    assert abs(truth[0][0]) > 0.05
    mu = scg.parameter(0.3)
    try:
        found = by_scg(lambda m: kinked(scg.Normal(m, 1.0).sample()), [0.3])
    except scg.ScgError as error:
        assert "order" in str(error) or "twice" in str(error)
        (kinked(scg.Normal(mu, 1.0).sample(rng=0))).backward()  # the first order is fine
    else:
        np.testing.assert_allclose(found, truth, rtol=1e-6)


def test_the_dilemma_has_what_a_surrogate_of_order_one_would_lose():
    """The products of two scores; and its Hessian is symmetric although no estimate of it is."""
    row = PROGRAMS["iterated prisoner's dilemma, Hessian"]
    assert np.max(np.abs(row.truth([THETA]))) > 0.05
    found = row.estimate([THETA])[0].reshape(10, 10)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
