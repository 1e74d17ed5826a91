"""All outcomes: no variance of their own, and what cannot be weighted is refused."""

import numpy as np
import pytest
from toy import TARGETS, A, assert_right, moments, slope_of_toy, toy

import scg
from scg import estimators as E
from scg.errors import BiasedGradientError, OptionError


@pytest.mark.parametrize("t", TARGETS)
def test_there_is_no_variance(t):
    mean, variance = moments(toy(E.Enumerate, t, axis=True))
    np.testing.assert_allclose(mean, slope_of_toy(t), rtol=1e-12)
    assert variance < 1e-18


def test_a_coefficient_of_the_parameter_is_weighted_too():
    w = scg.parameter(1.0)
    b = scg.Bernoulli(0.9).sample(estimator=E.Enumerate())
    (w * b).mean().backward()
    np.testing.assert_allclose(w.grad, 0.9, rtol=1e-12)


def test_events_and_batches():
    values = np.array([1.0, 3.0, -2.0])

    def program(a, estimator):
        k = scg.OneHotCategorical(logits=a).sample(estimator=estimator)
        return (k * values).sum(axis=-1) ** 2

    at = np.array([[0.1, 0.2, 0.3], [0.5, -0.5, 0.0]])
    assert_right(lambda a: program(a, E.Enumerate()).mean(axis=0), lambda a: program(a, "auto"), at)


def test_with_another_draw_that_is_sampled():
    def program(a, estimator, axis):
        z = scg.Bernoulli(logits=a).sample()
        b = scg.Bernoulli(logits=a + z).sample(estimator=estimator)
        c = (b - 0.45) ** 2 * (1.0 + z)
        return c.mean(axis=0) if axis else c

    assert_right(lambda a: program(a, E.Enumerate(), True), lambda a: program(a, "auto", False), A)


MIXED = {
    "square of the mean": lambda b: b.mean(axis=0) ** 2,
    "product of two outcomes": lambda b: b[0] * b[1],
    "cumulative": lambda b: scg.cumsum(b, axis=0).mean(),
    "read by Python": lambda b: scg.cost(float(b[0])),
}


@pytest.mark.parametrize("name", MIXED)
def test_mixed_outcomes_are_refused(name):
    b = scg.Bernoulli(logits=scg.parameter(A)).sample(estimator=E.Enumerate())
    with pytest.raises(BiasedGradientError, match="enumerated, but its axes"):
        MIXED[name](b).backward()


# --- the mean over outcomes, and what else takes them together --------------------------------

SUMMED = {
    "sum": lambda c: c.sum(),
    "sum over the axis": lambda c: c.sum(axis=0).mean(),
    "mean over the others": lambda c: c.mean(axis=1).sum(),
    "an array as the loss": lambda c: c,
    "Python's sum": lambda c: sum(c).mean(),
    "one outcome": lambda c: c[0].mean() + c[1].mean(),
    "a product": lambda c: (np.ones(2) @ c).mean(),
    "behind a reshape": lambda c: c.reshape(-1).sum() / 3.0,
    "marked, scaled": lambda c: (0.5 * scg.cost(c)).sum(),
    "a mean beside the sum": lambda c: c.mean() + 0.25 * c.sum(),
    "of a transpose": lambda c: c.T.sum(axis=1).mean(),
}
AVERAGED = {
    "mean": lambda c: c.mean(),
    "mean over the axis": lambda c: c.mean(axis=0).sum(),
    "sum over the others": lambda c: c.sum(axis=1).mean(),
    "kept as an axis of 1": lambda c: c.mean(axis=0, keepdims=True).sum(),
    "behind a reshape": lambda c: c.reshape(-1).mean() * 3.0,
    "marked, scaled": lambda c: (0.5 * scg.cost(c)).mean(axis=0).sum(),
    "of a transpose": lambda c: c.T.mean(axis=1).sum(),
    "stacked": lambda c: scg.stack([c, 2.0 * c]).mean(axis=1).sum(),
}


def batch(a, estimator):
    return (scg.Bernoulli(logits=a).sample(estimator=estimator) - 0.45) ** 2 * scg.exp(a)


@pytest.mark.parametrize("name", SUMMED)
def test_outcomes_that_no_mean_takes_together_are_refused(name):
    """K times too large: as a number it cannot be told from K times the cost."""
    a = scg.parameter(np.array([0.3, -0.2, 0.7]))
    loss = SUMMED[name](batch(a, E.Enumerate()))
    with pytest.raises(BiasedGradientError, match=r"taken together.*mean\(axis=0\)"):
        loss.backward()
    a.zero_grad()  # forgets the mark


@pytest.mark.parametrize("name", AVERAGED)
def test_a_mean_over_outcomes_is_their_expectation(name):
    """The same reduction of one sampled outcome, on an axis of its own, has that expectation."""
    reduce, at = AVERAGED[name], np.array([0.3, -0.2, 0.7])
    assert_right(
        lambda a: reduce(batch(a, E.Enumerate())), lambda a: reduce(batch(a, "auto")[None]), at
    )


def test_an_outcome_alone_needs_no_mean():
    k = scg.Categorical(probs=scg.stack([scg.parameter(0.7)])).sample(estimator=E.Enumerate())
    (k * 2.0).sum().backward()


def test_two_enumerated_draws_each_want_a_mean():
    def both(a):
        b = scg.Bernoulli(logits=a).sample(estimator=E.Enumerate())
        return b + 2.0 * scg.Bernoulli(logits=a * b).sample(estimator=E.Enumerate())

    a = scg.parameter(A)
    with pytest.raises(BiasedGradientError, match="taken together"):
        both(a).mean(axis=0).sum().backward()

    def sampled(a):
        b = scg.Bernoulli(logits=a).sample()
        return b + 2.0 * scg.Bernoulli(logits=a * b).sample()

    assert_right(lambda a: both(a).mean(), sampled, A)


@pytest.mark.parametrize("family", [scg.Poisson, scg.Geometric, lambda p: scg.Normal(p, 1.0)])
def test_infinitely_many_outcomes_are_refused(family):
    with pytest.raises(OptionError, match="infinitely many values"):
        family(scg.parameter(0.5)).sample(estimator=E.Enumerate())


# --- outcomes of probability 0 ----------------------------------------------------------------


def bernoulli(p):
    return [1 - p, p]


def binomial(p):
    return [(1 - p) ** 3, 3 * p * (1 - p) ** 2, 3 * p**2 * (1 - p), p**3]


def third(p):
    return np.array([0.4 - 2 * p, p, 0.6 - p]) / (1 - 2 * p)


NEVER = {
    "bernoulli 0": (lambda p: scg.Bernoulli(p), bernoulli, 0.0),
    "bernoulli 1": (lambda p: scg.Bernoulli(p), bernoulli, 1.0),
    "binomial 0": (lambda p: scg.Binomial(3, p), binomial, 0.0),
    "binomial 1": (lambda p: scg.Binomial(3, p), binomial, 1.0),
    "categorical": (
        lambda p: scg.Categorical(scg.stack([0.4 - 2.0 * p, p, 0.6 - p])), third, 0.0,
    ),
    "one-hot": (
        lambda p: scg.OneHotCategorical(scg.stack([0.4 - 2.0 * p, p, 0.6 - p])), third, 0.0,
    ),
    "mixture": (
        lambda p: scg.Mixture(scg.Bernoulli(scg.stack([p, 1.0 - p])), probs=[0.3, 0.7]),
        lambda p: [0.3 * (1 - p) + 0.7 * p, 0.3 * p + 0.7 * (1 - p)],
        0.0,
    ),
    "mixture of nothing": (
        lambda p: scg.Mixture(scg.Bernoulli([0.2, 0.9]), probs=scg.stack([p, 1.0 - p])),
        lambda p: [0.8 * p + 0.1 * (1 - p), 0.2 * p + 0.9 * (1 - p)],
        0.0,
    ),
}  # fmt: skip
never = pytest.mark.parametrize("name", NEVER)


def price(x):
    """Return a cost of the outcome; that of a one-hot vector is that of its index."""
    x = (x * np.arange(3.0)).sum(axis=-1) if x.ndim > 1 else x
    return (x - 0.45) ** 2 * 1.3


def derivatives(pmf, at):
    """Differentiate the sum over outcomes, a rational function, by differences."""
    mean = lambda p: np.dot(pmf(p), price(np.arange(len(pmf(p)), dtype=float)))  # noqa: E731
    h, steps = 1e-3, np.arange(-3, 4)
    f = np.array([mean(at + k * h) for k in steps])
    first = np.dot([-1 / 60, 3 / 20, -3 / 4, 0, 3 / 4, -3 / 20, 1 / 60], f) / h
    second = np.dot([1 / 90, -3 / 20, 3 / 2, -49 / 18, 3 / 2, -3 / 20, 1 / 90], f) / h**2
    return first, second


@never
def test_an_outcome_of_probability_0_counts_by_the_slope_of_its_probability(name):
    family, pmf, at = NEVER[name]
    p = scg.parameter(at)
    loss = lambda: price(family(p).sample(estimator=E.Enumerate())).mean(axis=0)  # noqa: E731
    first, second = derivatives(pmf, at)
    np.testing.assert_allclose(scg.grad(loss(), p), first, rtol=1e-9, atol=1e-12)
    slope = scg.grad(loss() + p * p, p, create_graph=True)
    np.testing.assert_allclose(scg.grad(slope, p), second + 2.0, rtol=1e-6, atol=1e-7)


@never
def test_the_log_probability_alone_would_be_not_a_number(name):
    """Else there was nothing to mend: 0 times an infinite slope."""
    family, _, at = NEVER[name]
    p = scg.parameter(at)
    drawn = family(p)
    by_logarithm = scg.exp(drawn.log_prob(drawn.enumerate_support()))
    (by_logarithm * np.arange(1.0, 5.0)[: len(by_logarithm)]).sum().backward()
    assert np.isfinite(p.grad) == (name == "mixture of nothing")


def test_other_draws_are_weighted_by_what_can_happen():
    """A draw below one that stands for its outcomes, one of which never happens."""

    def program(p, a, estimator, axis):
        b = scg.Bernoulli(p).sample(estimator=estimator)
        c = scg.Bernoulli(logits=a * (b + 0.5)).sample()
        cost = (c + 2.0 * b - 0.3) ** 2
        return cost.mean(axis=0) if axis else cost

    p, a = scg.parameter(0.0), scg.parameter(0.3)
    found = scg.testing.expected_estimate(lambda q, c: program(q, c, E.Enumerate(), True), p, a)

    def mean(q, c):
        zero = _coin(0.5 * c, lambda x: (x - 0.3) ** 2)
        return (1 - q) * zero + q * _coin(1.5 * c, lambda x: (x + 1.7) ** 2)

    h = 1e-30j
    np.testing.assert_allclose(found.mean[0], np.imag(mean(h, 0.3)) / 1e-30, rtol=1e-10)
    np.testing.assert_allclose(found.mean[1], np.imag(mean(0.0, 0.3 + h)) / 1e-30, rtol=1e-10)


def _coin(logit, f):
    q = 1 / (1 + np.exp(-logit))
    return q * f(1.0) + (1 - q) * f(0.0)


def test_an_infinite_cost_of_what_never_happens_is_refused():
    p = scg.parameter(0.0)
    b = scg.Bernoulli(p).sample(estimator=E.Enumerate(), name="b")
    with pytest.raises(scg.NonFiniteError, match=r"'b'.*probability 0"):
        scg.Bernoulli(p).log_prob(b).mean().backward()


PAIRED = {
    "difference": lambda b, c: (b - c) ** 2,
    "product": lambda b, c: b * c,
    "three": lambda b, c: (b + c + scg.Bernoulli(logits=0.2 * A).sample() - 1.0) ** 2,
}


@pytest.mark.parametrize("name", PAIRED)
def test_outcomes_of_two_draws_along_one_axis_are_refused(name):
    """Only equal ones would meet, and the surrogate would look exact."""
    a = scg.parameter(A)
    b, c = (scg.Bernoulli(logits=s * a).sample(estimator=E.Enumerate()) for s in (1.0, -2.0))
    with pytest.raises(BiasedGradientError, match="both enumerated along one axis"):
        PAIRED[name](b, c).mean(axis=0).backward()


def test_outcomes_of_two_draws_along_axes_of_their_own():
    def program(a, estimator):
        b, c = (scg.Bernoulli(logits=s * a).sample(estimator=estimator) for s in (1.0, -2.0))
        if estimator == "auto":
            return (b - c) ** 2 + b
        return ((b[:, None] - c) ** 2).mean(axis=(0, 1)) + b.mean(axis=0)

    assert_right(lambda a: program(a, E.Enumerate()), lambda a: program(a, "auto"), A)


def test_another_draw_may_have_the_same_generator():
    """All outcomes are no noise, so the generator stands where it stood."""
    a, rng = scg.parameter(A), np.random.default_rng(0)
    b = scg.Bernoulli(logits=a).sample(rng=rng, estimator=E.Enumerate())
    c = scg.Bernoulli(logits=a).sample(rng=rng)
    (b * c).mean(axis=0).backward()
    assert a.grad is not None
