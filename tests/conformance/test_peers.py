"""The programs on which others are silently wrong come out right here."""

import numpy as np
import pytest
from conformance.peers import PEERS, square_of_uniform

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

# What the survey of other libraries gives as the truth, to its four digits.
PUBLISHED = {
    "P1": [0.3814], "P2": [0.9993], "P3": [1.0], "P4": [-0.4689], "P5": [1.6476], "P6": [0.0712],
    "P7": [0, 1], "P8": [-2.5], "P9": [7.8], "P10": [7.2], "P11": [-5], "P12": [1], "P13": [0],
    "P14": [1, -0.6], "P15": [-0.2528], "P16": [0.3311], "P17": [0.1],
}  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_the_truth_is_the_published_one(name):
    np.testing.assert_allclose(PEERS[name].truth(), PUBLISHED[name], atol=6e-5)


@pytest.mark.parametrize("name", PEERS)
def test_the_expected_gradient_is_the_truth(name):
    peer = PEERS[name]
    np.testing.assert_allclose(peer.estimate(), peer.truth(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PEERS)
def test_what_others_return_is_not(name):
    truth = PEERS[name].truth()
    for found in PEERS[name].others.values():
        assert np.max(np.abs(np.array(found) - truth)) > 0.05


def test_the_score_of_a_uniform_is_refused():
    low, high = scg.parameter(-1.0), scg.parameter(2.0)
    u = scg.Uniform(low, high).sample(estimator="score")
    with pytest.raises(scg.SupportError, match="moves the support"):
        (u**2).backward()
    square_of_uniform(low, high).backward()  # pathwise is right
