"""check_distribution: every family passes, every planted fault is found."""

import math

import numpy as np
import pytest

import scg
from scg import ops
from scg.site import with_noise
from scg.testing import check_distribution

FAMILIES = [
    (scg.Normal, 0.3, 1.2),
    (scg.Uniform, -0.3, 1.2),
    (scg.Exponential, 1.7),
    (scg.Gamma, 0.7, 1.3),
    (scg.Gamma, 4.0, 0.5),
    (scg.Bernoulli, 0.3),
    (scg.Bernoulli(logits=0.7),),
    (scg.Categorical, [0.2, 0.3, 0.5]),
    (lambda p: scg.OneHotCategorical(logits=p), [0.2, -0.3, 0.5]),
    (scg.Normal(0.3, scale=2.0),),
]


@pytest.mark.parametrize("args", FAMILIES, ids=lambda args: getattr(args[0], "__name__", "made"))
def test_families_pass(args):
    check_distribution(*args)


def test_a_vector_passes():
    check_distribution(lambda loc: scg.Normal(loc, factor=[[1.0, 0.0], [0.3, 0.8]]), [0.1, 0.2])


class Laplace(scg.Distribution):
    """A family that a user may write, with a kink in its density."""

    reparameterised = True
    continuous = True

    def __init__(self, loc, scale):
        self.parameters = {"loc": scg.as_tensor(loc), "scale": scg.as_tensor(scale)}
        self.loc, self.scale = self.parameters.values()
        self.batch_shape = np.broadcast_shapes(self.loc.shape, self.scale.shape)

    def _noise_to_value(self, source, shape):
        u = source.uniform(shape, self.dtype)
        return self.loc + self.scale * with_noise(
            np.where(u < 0.5, np.log(2 * u), -np.log(2 - 2 * u))
        )

    def log_prob(self, value):
        return -abs(value - self.loc) / self.scale - scg.log(2 * self.scale)

    def entropy(self):
        return 1 + scg.log(2 * self.scale)

    @property
    def mean(self):
        return self.loc

    @property
    def variance(self):
        return 2 * self.scale * self.scale


def test_a_family_of_the_user_passes():
    check_distribution(Laplace, 0.2, 0.7)


class WrongConstant(Laplace):
    def log_prob(self, value):
        return super().log_prob(value) + 1e-6


class WrongMean(Laplace):
    @property
    def mean(self):
        return self.loc + 1e-6


class WrongVariance(Laplace):
    @property
    def variance(self):
        return super().variance * (1 + 1e-6)


class WrongEntropy(Laplace):
    def entropy(self):
        return super().entropy() + 1e-6


class WrongSampler(Laplace):
    def _noise_to_value(self, source, shape):
        return (super()._noise_to_value(source, shape) - self.loc) * (1 + 1e-5) + self.loc


class WrongPathwise(Laplace):
    """The right values with a slope that is slightly wrong."""

    def _noise_to_value(self, source, shape):
        x = super()._noise_to_value(source, shape)
        return x + 1e-5 * (self.loc - self.loc.detach())


@scg.op(smooth="kink", vjp=lambda g, y, z: 1.001 * g * -np.sign(z))
def wrong_abs(z):
    return -np.abs(z)


class WrongSlope(Laplace):
    def log_prob(self, value):
        return wrong_abs((value - self.loc) / self.scale) - scg.log(2 * self.scale)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (WrongConstant, "integral of the density"),
        (WrongMean, "the mean"),
        (WrongVariance, "the variance"),
        (WrongEntropy, "the entropy"),
        (WrongSampler, "sampler's expectation"),
        (WrongPathwise, "dx/dtheta"),
        (WrongSlope, "log-probability.*differences"),
    ],
)
def test_a_fault_of_a_density_is_found(family, message):
    with pytest.raises(AssertionError, match=message):
        check_distribution(family, 0.2, 0.7)


class TiltedCoin(scg.Bernoulli):
    def _raw_value(self, source, shape):
        return source.bernoulli(np.broadcast_to(self.probs._data * 1.00001, shape))


class LossyCoin(scg.Bernoulli):
    def log_prob(self, value):
        return super().log_prob(value) - 1e-6


class WrongOdds(scg.Bernoulli):
    """Probabilities that sum to 1, but belong to another coin."""

    def log_prob(self, value):
        return scg.Bernoulli(self.probs * 1.00001).log_prob(value)


class VagueCoin(scg.Bernoulli):
    @property
    def variance(self):
        return super().variance + 1e-6


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (TiltedCoin, "sampler draws"),
        (LossyCoin, "sum of the probabilities"),
        (WrongOdds, "sampler draws"),
        (VagueCoin, "the variance"),
    ],
)
def test_a_fault_of_probabilities_is_found(family, message):
    with pytest.raises(AssertionError, match=message):
        check_distribution(family, 0.3)


class Private(Laplace):
    """Draws that cannot be integrated: the sampler has a generator of its own, and a fault."""

    stretch = 1.0

    def _noise_to_value(self, source, shape):
        z = sum(source.normal(shape, self.dtype) ** 2 for _ in range(2)) / 2
        signs = np.sign(source.normal(shape, self.dtype))
        return self.loc + self.scale * self.stretch * with_noise(signs * z)


class PrivateStretched(Private):
    stretch = 1.15


def test_what_cannot_be_integrated_is_tested_by_its_draws():
    check_distribution(Private, 0.2, 0.7)
    with pytest.raises(AssertionError, match="chi-square"):
        check_distribution(PrivateStretched, 0.2, 0.7)


class WrongVector(scg.Normal):
    def log_prob(self, value):
        return super().log_prob(value) * 1.0001


def test_a_fault_of_a_vector_is_found():
    with pytest.raises(AssertionError, match="expected score derivative"):
        check_distribution(lambda loc: WrongVector(loc, factor=np.eye(2)), [0.1, 0.2])


def test_a_batch_is_refused():
    with pytest.raises(scg.ShapeError, match=r"one member.*\(2,\)"):
        check_distribution(scg.Normal, [0.0, 1.0], 1.0)


def test_the_density_finds_its_ends():
    from scg.testing._densities import Density

    d = Density(scg.Uniform(-0.25, 3.0), np.linspace(0, 2, 11))
    assert (d.low, d.high) == (-0.25, 3.0)
    d = Density(scg.Exponential(2.0), np.linspace(0.1, 2, 11))
    assert d.low == pytest.approx(0.0, abs=1e-300)
    assert d.high == math.inf
    assert ops.exp(0.0) == 1.0
