"""Bounds: what they are in expectation, exactly."""

import numpy as np
import pytest

import scg
from scg.errors import ShapeError
from scg.testing import check_unbiased, exact_expectation

JOINT = np.log([0.12, 0.28])  # log p(x, z) at z = 0 and 1
EVIDENCE = np.log(0.4)


def log_weights(chance, samples):
    q = scg.Bernoulli(probs=chance)
    z = q.sample(samples)
    return JOINT[0] + z * (JOINT[1] - JOINT[0]) - q.log_prob(z)


def test_the_bound_rises_with_the_samples_up_to_the_evidence():
    bounds = [
        float(exact_expectation(lambda k=k: scg.iwae(log_weights(0.45, k)))) for k in range(1, 7)
    ]
    elbo = 0.55 * (JOINT[0] - np.log(0.55)) + 0.45 * (JOINT[1] - np.log(0.45))
    assert bounds[0] == pytest.approx(elbo, abs=1e-12)
    assert np.all(np.diff(bounds) > 1e-4)
    assert bounds[-1] < EVIDENCE


def test_the_bound_is_tight_at_the_posterior():
    assert scg.peek(scg.iwae(log_weights(0.7, 3))) == pytest.approx(EVIDENCE, abs=1e-12)


def test_its_gradient_is_that_of_its_own_expectation():
    check_unbiased(lambda a: scg.iwae(log_weights(scg.sigmoid(a), 3)), 0.3)


def test_samples_along_another_axis():
    weights = np.log([[1.0, 3.0], [2.0, 2.0]])
    np.testing.assert_allclose(scg.peek(scg.iwae(scg.tensor(weights), axis=1)), np.log([2.0, 2.0]))


@pytest.mark.parametrize("shape", [(), (0, 3)])
def test_no_samples_are_refused(shape):
    with pytest.raises(ShapeError, match="no samples along axis 0"):
        scg.iwae(scg.tensor(np.zeros(shape)))
