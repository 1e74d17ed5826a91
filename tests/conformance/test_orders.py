"""Second derivatives through mixed graphs, and the iterated prisoner's dilemma."""

import itertools

import numpy as np
import pytest
from conformance import closed
from conformance.closed import coin, gauss, sigmoid
from conformance.program import REAL, SIZE
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


def coin_and_gaussian(a, s):
    b = scg.Bernoulli(logits=a).sample()
    z = scg.Normal(a * b, s).sample()
    return scg.exp(0.3 * z) * (b + 0.5)


def jumpy(a, s):
    z = scg.Normal(a, s).sample()
    return scg.where(z > 0.2, z, 0.0) + scg.sin(z) * a


def baselined(a, s):
    score = scg.estimators.Score(baseline=0.7)
    b = scg.Bernoulli(logits=a * s).sample(estimator=score)
    c = scg.Bernoulli(logits=b * a - s).sample(estimator=score)
    return (b + 2.0 * c - 0.3) ** 2 * scg.exp(s)


def leave_one_out(a, s):
    loo = scg.estimators.LeaveOneOut(2)
    b = scg.Bernoulli(logits=a * s).sample(estimator=loo)
    return ((b - 0.45) ** 2 * scg.exp(a)).mean()


def chosen(a, s):
    b = scg.Bernoulli(logits=a).sample()
    return a * a * s if b else scg.exp(a * s)


def enumerated(a, s):
    b = scg.Bernoulli(logits=a * s).sample(estimator=scg.estimators.Enumerate())
    return ((b - 0.45) ** 2 * scg.exp(a)).mean()


def two_coins(a, s):
    p = sigmoid(a * s)
    return coin(p, lambda b: coin(sigmoid(b * a - s), lambda c: (b + 2 * c - 0.3) ** 2 * np.exp(s)))


def toy(a, s):
    return coin(sigmoid(a * s), lambda b: (b - 0.45) ** 2) * np.exp(a)


MIXED = {
    "a coin, then a Gaussian": (
        coin_and_gaussian,
        lambda a, s: coin(sigmoid(a), lambda b: np.exp(0.3 * a * b + 0.045 * s * s) * (b + 0.5)),
    ),
    "a smooth and a jumpy cost": (
        jumpy,
        lambda a, s: gauss(lambda z: np.where(z > 0.2, z, 0) + np.sin(z) * a, a, s, [0.2]),
    ),
    "constant baselines": (baselined, two_coins),
    "leave-one-out": (leave_one_out, toy),
    "a loss chosen by a coin": (
        chosen, lambda a, s: coin(sigmoid(a), lambda b: a * a * s if b else np.exp(a * s)),
    ),
    "enumeration": (enumerated, toy),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("hessian", [by_scg, by_surrogate])
def test_hessian(name, hessian):
    fn, expected = MIXED[name]

    @few
    @given(st.floats(*REAL), st.floats(*SIZE))
    def check(a, s):
        truth = closed.curvature(expected, [a, s])
        np.testing.assert_allclose(hessian(fn, [a, s]), truth, rtol=1e-6, atol=1e-7)

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


KINKS = {
    "abs": abs,
    "relu": scg.relu,
    "maximum": lambda x: scg.maximum(x, 0.4),
    "clip": lambda x: scg.clip(x, -0.5, 0.6),
    "norm": lambda x: scg.norm(scg.stack([x, 2.0 * x])),
    "sort": lambda x: (scg.sort(scg.stack([x, scg.tensor(0.4)])) * [1.0, 3.0]).sum(),
}
TWICE = {
    "abs": (np.abs, [0.0]),
    "relu": (lambda x: np.maximum(x, 0), [0.0]),
    "maximum": (lambda x: np.maximum(x, 0.4), [0.4]),
    "clip": (lambda x: np.clip(x, -0.5, 0.6), [-0.5, 0.6]),
    "norm": (lambda x: np.sqrt(5) * np.abs(x), [0.0]),
    "sort": (lambda x: np.minimum(x, 0.4) + 3 * np.maximum(x, 0.4), [0.4]),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_good_for_one_order_only(name):
    """Its second derivative is concentrated on the kink: refused, or right by another route."""
    f, breaks = TWICE[name]
    truth = closed.curvature(lambda m: gauss(f, m, 1.0, breaks), [0.3])
    assert abs(truth[0, 0]) > 0.05
    mu = scg.parameter(0.3)
    try:
        found = by_scg(lambda m: KINKS[name](scg.Normal(m, 1.0).sample()), [0.3])
    except scg.ScgError as error:
        assert "order" in str(error) or "twice" in str(error)
        (KINKS[name](scg.Normal(mu, 1.0).sample(rng=0))).backward()  # the first order is fine
    else:
        np.testing.assert_allclose(found, truth, rtol=1e-6)


# --- the iterated prisoner's dilemma ----------------------------------------------------------

PAYOFF = np.array([[-1.0, -3.0], [0.0, -2.0]])  # of the first player: rows are its own action
DISCOUNT = 0.96
STEPS = 3


def returns(actions):
    """Return the discounted return of the first player; 1 is to defect."""
    return sum(DISCOUNT**t * PAYOFF[i, j] for t, (i, j) in enumerate(actions))


def expected_return(*theta):
    """Enumerate the 64 paths; each player has a logit for the start and one for each outcome."""
    first, second = theta[:5], theta[5:]
    total = 0.0
    for path in itertools.product(itertools.product((0, 1), repeat=2), repeat=STEPS):
        probability, state = 1.0, 0
        for i, j in path:
            p, q = sigmoid(first[state]), sigmoid(second[state])
            probability = probability * (p if i else 1 - p) * (q if j else 1 - q)
            state = 1 + 2 * i + j
        total = total + probability * returns(path)
    return total


def play(first, second):
    """Play one game; the policies depend on the last outcome."""
    state, total = 0, 0.0
    for t in range(STEPS):
        i = scg.Bernoulli(logits=first[state]).sample()
        j = scg.Bernoulli(logits=second[state]).sample()
        reward = PAYOFF[int(i), int(j)]
        total = total + scg.cost(DISCOUNT**t * reward)
        state = 1 + 2 * int(i) + int(j)
    return total


THETA = np.array([0.3, -0.4, 0.2, 0.6, -0.1, -0.2, 0.5, 0.1, -0.6, 0.4])


def test_iterated_prisoners_dilemma_gradient():
    leaves = [scg.parameter(THETA[:5]), scg.parameter(THETA[5:])]
    found = exact_expectation(
        lambda: np.concatenate([g.numpy() for g in scg.grad(play(*leaves), leaves)])
    )
    truth = closed.gradient(expected_return, list(THETA))
    np.testing.assert_allclose(found, np.ravel(truth), atol=1e-12)


def test_iterated_prisoners_dilemma_hessian():
    theta = scg.parameter(THETA)

    def once():
        (g,) = scg.grad(play(theta[:5], theta[5:]), [theta], create_graph=True)
        rows = [scg.grad(g[i], theta, retain=True).numpy() for i in range(10)]
        return np.stack(rows)

    truth = closed.curvature(expected_return, list(THETA))
    found = exact_expectation(once)
    np.testing.assert_allclose(found, truth, atol=1e-8)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    # What a surrogate of order one would lose: the products of two scores.
    assert np.max(np.abs(truth)) > 0.05
