"""A parameter at an end of its range: outcomes are never drawn, but their probability moves."""

import numpy as np
import pytest

import scg
from scg.testing import exact_expectation, expected_estimate

ENDS = {
    "bernoulli 0": (lambda p: scg.Bernoulli(p), 0.0, "probs"),
    "bernoulli 1": (lambda p: scg.Bernoulli(p), 1.0, "probs"),
    "categorical": (lambda p: scg.Categorical(p), [0.0, 0.4, 0.6], "probs"),
    "one-hot": (lambda p: scg.OneHotCategorical(p), [0.3, 0.7, 0.0], "probs"),
    "poisson": (lambda p: scg.Poisson(p), 0.0, "rate"),
    "geometric": (lambda p: scg.Geometric(p), 1.0, "probs"),
    "binomial 0": (lambda p: scg.Binomial(3, p), 0.0, "probs"),
    "binomial 1": (lambda p: scg.Binomial(3, p), 1.0, "probs"),
    "one of a batch": (lambda p: scg.Bernoulli(p), [0.5, 1.0], "probs"),
}
ends = pytest.mark.parametrize("name", ENDS)


def cost(x):
    return (x - 0.45) ** 2


@ends
def test_the_estimate_would_be_biased(name, monkeypatch):
    """Else there was nothing to refuse: the other outcomes are not among those enumerated."""
    monkeypatch.setattr("scg._surrogate.refusals.check_ends", lambda *_, **__: frozenset())
    family, p, _ = ENDS[name]
    program = lambda p: cost(family(p).sample()).sum()  # noqa: E731
    (found,), step = expected_estimate(program, p).mean, 1e-5
    size = np.size(p)
    inward = np.where(np.ravel(p) == 1.0, -step, step).reshape(size, 1) * np.eye(size)
    moved = [exact_expectation(program, p + d.reshape(np.shape(p))) for d in inward]
    slopes = (np.array(moved) - exact_expectation(program, p)) / inward.sum(axis=1)
    assert np.max(np.abs(np.ravel(found) - slopes)) > 0.01


@ends
def test_a_parameter_at_the_end_is_refused(name):
    family, p, parameter = ENDS[name]
    leaf = scg.parameter(p)
    loss = cost(family(leaf).sample(rng=0, name="draw")).sum()
    with pytest.raises(scg.SupportError, match=rf"'draw'.*{parameter} of scg\.\w+ is exactly [01]"):
        loss.backward()
    assert leaf.grad is None


@ends
def test_a_constant_at_the_end_is_fine(name):
    family, p, _ = ENDS[name]
    w = scg.parameter(2.0)
    cost(family(scg.tensor(p)).sample(rng=0) * w).sum().backward()
    assert w.grad is not None


@ends
def test_a_parameter_that_nobody_asks_for_is_fine(name):
    family, p, _ = ENDS[name]
    leaf, w = scg.parameter(p), scg.parameter(2.0)
    loss = cost(family(leaf).sample(rng=0) * w).sum()
    scg.grad(loss, w)
    with pytest.raises(scg.SupportError):
        scg.grad(cost(family(leaf).sample(rng=0) * w).sum(), [w, leaf])


def test_the_remedies_are_named():
    p, rate = scg.parameter(1.0), scg.parameter(0.0)
    with pytest.raises(scg.SupportError, match=r"logits=.*inside its range.*Enumerate"):
        scg.Bernoulli(p).sample().backward()
    with pytest.raises(scg.SupportError, match="keep rate inside its range") as caught:
        scg.Poisson(rate).sample().backward()
    assert "logits" not in str(caught.value)


SATURATED = {
    "sigmoid": (lambda x: scg.Bernoulli(scg.sigmoid(x + 60.0)), 1.0),
    "sigmoid, one side": (lambda x: scg.Bernoulli(1.0 - scg.sigmoid(x + 60.0)), 0.0),
    "1 - exp": (lambda x: scg.Bernoulli(1.0 - scg.exp(-60.0 - x)), 1.0),
    "exp": (lambda x: scg.Poisson(scg.exp(x - 800.0)), 0.0),
    "relu": (lambda x: scg.Poisson(scg.relu(x - 5.0)), 0.0),
    "clip": (lambda x: scg.Binomial(2, scg.clip(x - 5.0, 0.0, 1.0)), 0.0),
    "square": (lambda x: scg.Poisson((x - 0.3) ** 2), 0.0),
    "logits": (lambda x: scg.Bernoulli(logits=x + 60.0), 1.0),
}


@pytest.mark.parametrize("name", SATURATED)
def test_an_end_that_is_only_approached_is_fine(name):
    """The derivative of the probability is 0 there, or of the size of a rounding error."""
    family, outcome = SATURATED[name]
    x = scg.parameter(0.3)
    (cost(family(x).sample(rng=0)) * x).backward()
    np.testing.assert_allclose(x.grad, cost(outcome), rtol=1e-12)


def test_a_forbidden_category_is_fine():
    """Masked before the division by the sum: its probability is 0 whatever the logits are."""

    def program(logits):
        probs = scg.softmax(logits, axis=-1) * np.array([1.0, 0.0, 1.0])
        return scg.tensor([1.0, 5.0, -1.0])[scg.Categorical(probs).sample()]

    scg.testing.check_unbiased(program, [0.1, 0.2, 0.3])


def test_a_category_that_grows_from_nothing_is_refused():
    q = scg.parameter(0.0)
    k = scg.Categorical(scg.stack([0.4 + 0.0 * q, q, 0.6 - q])).sample(rng=0)
    with pytest.raises(scg.SupportError, match="exactly 0"):
        scg.tensor([1.0, 5.0, -1.0])[k].backward()


def test_the_audit_notes_it():
    loss = cost(scg.Bernoulli(scg.parameter(1.0)).sample(rng=0))
    assert any("is exactly 1" in text for text in scg.audit(loss).refusals)


def test_slopes_of_two_categories_do_not_cancel():
    """One grows from nothing as fast as another would have to shrink below it."""
    q = scg.parameter(0.0)
    k = scg.Categorical(scg.stack([q, -q, 1.0 + 0.0 * q])).sample(rng=0)
    with pytest.raises(scg.SupportError, match="exactly 0"):
        scg.tensor([1.0, 5.0, -1.0])[k].backward()


# --- slopes of higher order -------------------------------------------------------------------

HIGHER = {
    "square": lambda q: scg.Bernoulli(q**2),
    "one less a square": lambda q: scg.Bernoulli(1.0 - q * q),
    "product": lambda q: scg.Bernoulli(q * scg.tanh(q)),
    "cosine": lambda q: scg.Binomial(2, scg.cos(q)),
    "categories": lambda q: scg.Categorical(scg.stack([q * q, 1.0 - q * q])),
    "rate": lambda q: scg.Poisson(0.5 * q * q),
}
higher = pytest.mark.parametrize("name", HIGHER)


def second(program, q):
    """Return the expectation of the second derivative that two calls of `scg.grad` give."""
    leaf = scg.parameter(q)

    def once():
        slope = scg.grad(program(leaf) + leaf * leaf, leaf, create_graph=True)
        return scg.grad(slope, leaf).numpy()

    return exact_expectation(once)


@higher
def test_an_end_where_a_slope_of_higher_order_is_missed_is_refused(name):
    family = HIGHER[name]
    q = scg.parameter(0.0)
    loss = lambda: cost(family(q).sample(rng=0, name="draw"))  # noqa: E731
    with pytest.raises(scg.SupportError, match=r"'draw'.*derivative of order 2"):
        scg.grad(loss(), q, create_graph=True)
    with pytest.raises(scg.SupportError, match="derivative of order 2"):
        scg.surrogate(loss())
    assert scg.grad(loss() * q, q).numpy() == cost(scg.peek(loss_outcome(family)))


def loss_outcome(family):
    """Return the only outcome at the end of the range."""
    return family(scg.tensor(0.0)).sample(rng=0)


def test_the_second_derivative_would_be_biased(monkeypatch):
    program = lambda q: cost(scg.Bernoulli(q**2).sample())  # noqa: E731
    monkeypatch.setattr("scg._surrogate.refusals.check_ends", lambda *_, **__: frozenset())
    truth = 2.0 * (cost(1.0) - cost(0.0)) + 2.0
    assert abs(second(program, 0.0) - truth) > 0.1


@pytest.mark.parametrize("name", sorted(set(SATURATED) - {"square"}))
def test_an_end_that_is_only_approached_is_fine_to_second_order(name):
    family, outcome = SATURATED[name]
    found = second(lambda x: cost(family(x).sample()) * x * x, 0.3)
    np.testing.assert_allclose(found, 2.0 * cost(outcome) + 2.0, rtol=1e-12)


def test_a_slope_of_an_order_that_nobody_looked_at_is_not_asked_for():
    """The probability has a third derivative; the first two are right, and that is said."""
    q = scg.parameter(0.0)
    g = cost(scg.Bernoulli(q**3).sample(rng=0)) * scg.exp(q)
    for left in (1, 0):
        g = scg.grad(g, q, create_graph=True)
        np.testing.assert_allclose(g.numpy(), cost(0.0))
        assert [(t.kind, t.left) for t in g.tags] == [("max_order", left)]
    with pytest.raises(scg.GradientError, match=r"max_order\(2: probs at 0\)"):
        scg.grad(g, q)


def test_a_surrogate_counts_its_derivatives_too():
    q = scg.parameter(0.0)
    s = scg.surrogate(cost(scg.Bernoulli(q**3).sample(rng=0)) * scg.exp(q))
    for _ in range(2):
        s = scg.grad(s, q, create_graph=True, of="value")
    with pytest.raises(scg.GradientError, match="max_order"):
        scg.grad(s, q, of="value")
