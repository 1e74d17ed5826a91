"""What the tests of all families share: scripted noise, drawn parameters, statistical checks."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import scg
from scg.noise import GeneratorSource

# Of every sampling test here: how often it fails although the sampler is right.
FALSE_ALARM = 1e-6

# An exact expectation runs a program hundreds of times, and a bias shows almost everywhere.
few = settings(max_examples=15)


class Script(GeneratorSource):
    """Noise that is given, repeated to the shape asked for; discrete draws derive from it."""

    def __init__(self, noise):
        self.noise = np.asarray(noise)

    def _given(self, shape, dtype):
        return np.array(np.broadcast_to(self.noise, shape), dtype=dtype)

    normal = uniform = exponential = _given

    def gamma(self, concentration):
        return self._given(concentration.shape, concentration.dtype)


def numbers(low, high):
    return st.floats(low, high, allow_subnormal=False)


def batches(*elements):
    """Draw one array per strategy of elements, of shapes that broadcast together."""
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=len(elements), max_dims=2, max_side=3)
    return shapes.flatmap(
        lambda s: st.tuples(
            *[
                hnp.arrays(np.float64, shape, elements=e)
                for shape, e in zip(s.input_shapes, elements, strict=True)
            ]
        )
    )


def tables(low, high):
    """Draw weights of shape (..., K)."""
    shapes = hnp.array_shapes(min_dims=1, max_dims=2, max_side=4)
    return shapes.flatmap(lambda s: hnp.arrays(np.float64, s, elements=numbers(low, high)))


def rebuild(d, parameters):
    """Make a distribution of the family of `d` from what its `parameters` are called."""
    if not isinstance(d, scg.Mixture):
        return type(d)(**parameters)
    inner = {name.partition(".")[2]: value for name, value in parameters.items() if "." in name}
    own = {name: value for name, value in parameters.items() if "." not in name}
    return scg.Mixture(type(d.components)(**inner), **own)


def raw(x):
    return np.asarray(scg.peek(x))


def close(ours, wanted, rtol=1e-10):
    """Compare shape and value, relative to the wanted value or to 1."""
    ours = raw(ours)
    assert ours.shape == np.shape(wanted)
    np.testing.assert_allclose(ours, wanted, rtol=rtol, atol=rtol)


def assert_distributed(draws, cdf):
    """Kolmogorov and Smirnov's test of independent draws from a continuous distribution."""
    assert stats.kstest(np.ravel(raw(draws)), cdf).pvalue > FALSE_ALARM


def assert_frequencies(counts, probs):
    """Pearson's chi-square test of counts of independent outcomes."""
    counts = np.asarray(counts)
    assert stats.chisquare(counts, counts.sum() * np.asarray(probs)).pvalue > FALSE_ALARM


# The families of `simple` whose values can be enumerated.
FINITE = {
    "Bernoulli probs", "Bernoulli logits", "Categorical probs", "Categorical logits",
    "OneHotCategorical probs", "OneHotCategorical logits", "Binomial probs", "Binomial logits",
    "Mixture logits",
}  # fmt: skip

NO_ENTROPY = {
    "Binomial probs", "Binomial logits", "Poisson", "Mixture probs", "Mixture logits",
    "Mixture of vectors",
}  # fmt: skip


def simple(dtype=np.float64):
    """Return one member of every family and parametrisation, batch shape (2, 3) or (2,)."""
    x = np.array([[0.2, -0.5, 1.0], [0.7, 0.1, -1.5]], dtype)
    p = np.array([[0.2, 0.5, 0.9], [0.7, 0.1, 0.4]], dtype)
    factor = np.array([[[1.0, 0.0], [0.5, 2.0]], [[0.3, -1.0], [1.5, 0.2]]], dtype)
    two = np.stack([x[:, :2], -x[:, :2]], axis=1)
    square = factor @ factor.swapaxes(-1, -2)
    return {
        "Normal": scg.Normal(x, p),
        "Normal factor": scg.Normal(x[:, :2], factor),
        "MultivariateNormal covariance": scg.MultivariateNormal(x[:, :2], covariance=square),
        "MultivariateNormal precision": scg.MultivariateNormal(x[:, :2], precision=square),
        "MultivariateNormal factor": scg.MultivariateNormal(x[:, :2], factor=factor),
        "RankOneNormal": scg.RankOneNormal(x[:, :2], p[:, :2], x[:, 1:]),
        "Bernoulli probs": scg.Bernoulli(p),
        "Bernoulli logits": scg.Bernoulli(logits=x),
        "Categorical probs": scg.Categorical(p),
        "Categorical logits": scg.Categorical(logits=x),
        "OneHotCategorical probs": scg.OneHotCategorical(p),
        "OneHotCategorical logits": scg.OneHotCategorical(logits=x),
        "Uniform": scg.Uniform(x, x + p),
        "Exponential": scg.Exponential(p),
        "Gamma": scg.Gamma(p, 2 * p),
        "Poisson": scg.Poisson(5 * p),
        "Binomial probs": scg.Binomial(dtype(4), p),
        "Binomial logits": scg.Binomial(dtype(4), logits=x),
        "Geometric probs": scg.Geometric(p),
        "Geometric logits": scg.Geometric(logits=x),
        "Mixture probs": scg.Mixture(scg.Normal(x, p), p),
        "Mixture logits": scg.Mixture(scg.Bernoulli(p), logits=x),
        "Mixture of vectors": scg.Mixture(
            scg.MultivariateNormal(two, factor=factor[:, None]), p[:, :2]
        ),
    }
