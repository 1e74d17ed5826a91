"""Pathwise and relaxed draws: what they cannot be asked."""

import numpy as np
import pytest
from toy import A, moments

import scg
from scg import estimators as E
from scg.errors import BiasedGradientError, OptionError


def test_variance_of_the_pathwise_estimate():
    """E[(x - t)**2] with x ~ N(a, s**2): the estimate 2 (x - t) has the variance 4 s**2."""
    s = 0.8
    program = lambda a: (scg.Normal(a, s).sample(estimator=E.Pathwise()) - 0.45) ** 2  # noqa: E731
    mean, variance = moments(program)
    np.testing.assert_allclose([mean, variance], [2 * (A - 0.45), 4 * s * s], rtol=1e-9)


@pytest.mark.parametrize("estimator", [E.Pathwise(), "pathwise"])
def test_a_jump_is_refused(estimator):
    z = scg.Normal(scg.parameter(A), 1.0).sample(estimator=estimator, rng=0)
    with pytest.raises(BiasedGradientError, match="asked for pathwise"):
        scg.where(z > 0.0, 1.0, 0.0).backward()


def test_a_relaxed_draw_in_a_jump_is_refused():
    b = scg.Bernoulli(logits=scg.parameter(A)).sample(estimator=E.GumbelSoftmax(0.5), rng=0)
    with pytest.raises(BiasedGradientError, match="asked for pathwise"):
        scg.where(b > 0.5, 1.0, 0.0).backward()


@pytest.mark.parametrize("family", [scg.Poisson, lambda p: scg.Normal(p, 1.0)])
def test_a_family_that_cannot_be_relaxed(family):
    with pytest.raises(OptionError, match="cannot relax"):
        family(0.5).sample(estimator=E.GumbelSoftmax(0.5))


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(OptionError, match="is not positive"):
        E.GumbelSoftmax(temperature)
