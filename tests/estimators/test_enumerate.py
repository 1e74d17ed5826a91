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


@pytest.mark.parametrize("family", [scg.Poisson, scg.Geometric, lambda p: scg.Normal(p, 1.0)])
def test_infinitely_many_outcomes_are_refused(family):
    with pytest.raises(OptionError, match="infinitely many values"):
        family(scg.parameter(0.5)).sample(estimator=E.Enumerate())
