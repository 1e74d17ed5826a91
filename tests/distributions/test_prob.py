"""The probability of a value: that of the log-probability, and a slope where it is 0."""

import numpy as np
import pytest

import scg

FAMILIES = {
    "bernoulli": (lambda: scg.Bernoulli([0.2, 0.7]), [[0.0, 1.0], [1.0, 1.0]]),
    "bernoulli, logits": (lambda: scg.Bernoulli(logits=[0.2, -0.7]), [0.0, 1.0]),
    "binomial": (lambda: scg.Binomial(3, [0.2, 1.0, 0.0]), [[0.0, 3.0, 1.0], [2.0, 2.0, 0.0]]),
    "binomial, logits": (lambda: scg.Binomial([3, 2], logits=0.4), [0.0, 2.0]),
    "categorical": (lambda: scg.Categorical([[1.0, 0.0, 3.0], [2.0, 2.0, 1.0]]), [[1, 2], [0, 0]]),
    "categorical, logits": (lambda: scg.Categorical(logits=[1.0, -2.0]), [0, 1, 1]),
    "one-hot": (lambda: scg.OneHotCategorical([1.0, 0.0, 3.0]), np.eye(3)),
    "mixture": (lambda: scg.Mixture(scg.Normal([0.0, 1.0], [1.0, 0.5]), probs=[0.3, 0.7]), 0.4),
    "mixture of coins": (lambda: scg.Mixture(scg.Bernoulli([0.0, 1.0]), probs=[1.0, 0.0]), 1.0),
    "normal": (lambda: scg.Normal([0.0, 1.0], 2.0), [[0.3, -1.0]]),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_the_exponential_of_the_log_probability(name):
    family, values = FAMILIES[name]
    found, log_prob = family().prob(values), family().log_prob(values)
    assert found.shape == log_prob.shape
    np.testing.assert_allclose(found, np.exp(log_prob.numpy()), rtol=1e-12, atol=1e-300)


def test_a_value_outside_of_the_support_is_refused():
    for family, value in ((scg.Bernoulli(0.3), 2.0), (scg.Binomial(2, 1.0), 3.0)):
        with pytest.raises(scg.SupportError):
            family.prob(value)
