"""Programs that tell scg something untrue, and what finds it."""

import numpy as np

import scg


@scg.op(vjp=lambda g, y, x: g, smooth="smooth", axes="elementwise")
def high_step(x):
    """Claim to be smooth, and jump by five."""
    return x + 5.0 * (x > 0.2)


def high_custom_op(mu):
    return high_step(scg.Normal(mu, 1.0).sample(name="z"))


@scg.op(vjp=lambda g, y, x: g, smooth="smooth", axes="elementwise")
def stairs(x):
    """Claim to be smooth, and jump by a half at 0.2."""
    return x + 0.5 * (x > 0.2)


def custom_op(mu):
    return 2.0 * stairs(scg.Normal(mu, 1.0).sample(name="z"))


def round_trip(mu):
    z = scg.Normal(mu, 1.0).sample(name="z")
    return scg.tensor(np.asarray(scg.peek(z))) ** 2 + mu


def decided_by_a_peek(mu):
    z = scg.Normal(mu, 1.0).sample(name="z")
    return 2.0 * z if scg.peek(z) > 0 else 0.5 * z + 1.0


def discrete_decided_by_a_peek(p):
    b = scg.Bernoulli(p).sample(name="b")
    return p * 3.0 if scg.peek(b) else p * 1.0


def detached(mu):
    return scg.Normal(mu, 1.0).sample(name="z") * scg.detach(mu)


def asserted(mu):
    z = scg.Normal(mu, 1.0).sample(name="z")
    return scg.where(z > 0.0, z + 1.0, 0.5 * z, continuous=True)


class WrongDensity(scg.Normal):
    """State a density with half the standard deviation."""

    def log_prob(self, value):
        return scg.Normal(self.loc, 0.5 * self.scale).log_prob(value)


class WrongLocation(scg.Normal):
    """State a density that is shifted by a third."""

    def log_prob(self, value):
        return super().log_prob(value - 0.3)


class Unnormalised(scg.Normal):
    """Forget that the normalising constant depends on the scale."""

    def log_prob(self, value):
        return -0.5 * ((value - self.loc) / self.scale) ** 2


class HeavySampler(scg.Normal):
    """Draw from a Laplace distribution of the same mean and variance."""

    def _raw_value(self, source, shape):
        u = 2.0 * source.uniform(shape, np.dtype(np.float64)) - 1.0
        noise = -np.sign(u) * np.log(1.0 - np.abs(u)) / np.sqrt(2.0)
        return self.loc._data + self.scale._data * noise


class Frozen(scg.Normal):
    """Draw the same values in every run."""

    def _raw_value(self, source, shape):
        noise = np.random.default_rng(0).standard_normal(shape)
        return self.loc._data + self.scale._data * noise


class Biased(scg.Bernoulli):
    """Draw ones too often."""

    def _raw_value(self, source, shape):
        return source.bernoulli(np.broadcast_to(scg.peek(self.probs) ** 0.7, shape).copy())


def scored(family, *args):
    def program(mu):
        z = family(mu, *args).sample(estimator="score", name="z")
        return z * z

    return program


def scale_of(family):
    def program(sigma):
        z = family(0.3, sigma).sample(estimator="score", name="z")
        return z * z

    return program


class Shared:
    """A sampler that hands the same noise to every draw of a run, and to every element."""

    def __init__(self):
        self.noise = None

    def program(self, mu):
        self.noise = None
        shared = self

        class Same(scg.Normal):
            def _raw_value(self, source, shape):
                if shared.noise is None:
                    shared.noise = source.normal((), np.dtype(np.float64))
                return np.broadcast_to(self.loc._data + shared.noise, shape).copy()

        x = Same(mu, 1.0).sample(estimator="score", name="x")
        return x * Same(mu, 1.0).sample(estimator="score", name="y")

    def elements(self, mu):
        class Same(scg.Normal):
            def _raw_value(self, source, shape):
                noise = source.normal((), np.dtype(np.float64))
                return np.broadcast_to(self.loc._data + noise, shape).copy()

        return Same(mu, 1.0).sample(2, estimator="score", name="x").sum() ** 2


class OwnNoise:
    """A program with random numbers of its own."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, theta):
        return (theta * 2.0 if self.rng.random() < 0.5 else theta) * scg.Normal(theta, 1.0).sample()


def heavy(mu):
    return scg.exp(5.0 * scg.Normal(mu, 1.0).sample() ** 2)
