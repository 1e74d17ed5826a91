"""Mixtures against sums of scipy's densities, exact expectations, and the composed program."""

import numpy as np
import pytest
from exact import assert_unbiased
from families import assert_distributed, assert_frequencies, close, few, numbers, raw
from hypothesis import given
from scipy import special, stats

import scg
from scg.errors import BiasedGradientError, OptionError, ShapeError, SupportError
from scg.testing import check_grads

W = np.array([0.2, 0.5, 0.3])
LOC, SCALE = np.array([-2.0, 0.0, 3.0]), np.array([0.5, 1.0, 2.0])
BOTH = pytest.mark.parametrize("name", ["probs", "logits"])


def make(name, w=W, loc=LOC, scale=SCALE):
    return scg.Mixture(scg.Normal(loc, scale), **{name: w if name == "probs" else np.log(w)})


@BOTH
def test_against_the_sum_of_densities(name):
    x = np.linspace(-40, 40, 81).reshape(27, 3)
    logs = np.log(W) + stats.norm(LOC, SCALE).logpdf(x[..., None])
    close(make(name).log_prob(x), special.logsumexp(logs, axis=-1))
    close(
        make(name).log_prob(0.5), special.logsumexp(np.log(W) + stats.norm(LOC, SCALE).logpdf(0.5))
    )
    mean = W @ LOC
    close(make(name).mean, mean)
    close(make(name).variance, W @ (SCALE**2 + LOC**2) - mean**2)


@BOTH
def test_weights_and_components_broadcast(name, rng):
    w, loc = rng.uniform(0.1, 1, (4, 1, 3)), rng.normal(size=(2, 3))
    d, x = make(name, w, loc), rng.normal(size=(5, 4, 2))
    assert d.batch_shape == (4, 2)
    p = w / w.sum(axis=-1, keepdims=True)
    logs = np.log(p) + stats.norm(loc, SCALE).logpdf(x[..., None])
    close(d.log_prob(x), special.logsumexp(logs, axis=-1))
    assert d.sample(5, rng=0).shape == (5, 4, 2)
    close(d.mean, np.sum(p * loc, axis=-1))


@BOTH
def test_vectors(name, rng):
    loc, factor = rng.normal(size=(3, 2)), rng.normal(size=(3, 2, 2)) + 2 * np.eye(2)
    d = make(name, W, loc, factor)
    x = rng.normal(size=(7, 2))
    each = [stats.multivariate_normal(m, f @ f.T) for m, f in zip(loc, factor, strict=True)]
    logs = np.log(W) + np.stack([t.logpdf(x) for t in each], axis=-1)
    close(d.log_prob(x), special.logsumexp(logs, axis=-1))
    close(d.mean, W @ loc)
    second = W @ np.stack([np.diag(f @ f.T) + m * m for m, f in zip(loc, factor, strict=True)])
    close(d.variance, second - (W @ loc) ** 2)


@BOTH
def test_draws_have_their_distribution(name):
    draws = raw(make(name).sample(20_000, rng=0))
    assert_distributed(draws, lambda x: stats.norm(LOC, SCALE).cdf(x[..., None]) @ W)


def test_draws_of_vectors_take_whole_members(rng):
    loc = np.array([[0.0, 0.0], [100.0, 100.0]])
    draws = raw(scg.Mixture(scg.Normal(loc, np.eye(2) * np.ones((2, 1, 1))), [0.3, 0.7])
                .sample(20_000, rng=0))  # fmt: skip
    near = draws > 50
    np.testing.assert_array_equal(near[:, 0], near[:, 1])
    assert_frequencies([np.sum(~near[:, 0]), np.sum(near[:, 0])], [0.3, 0.7])
    assert_distributed(draws[near[:, 0], 1], stats.norm(100, 1).cdf)


@BOTH
def test_gradients(name):
    check_grads(
        lambda w, m, s, x: scg.Mixture(scg.Normal(m, s), **{name: w}).log_prob(x),
        W, LOC, SCALE, [0.3, -1.0], order=3, rtol=1e-5,
    )  # fmt: skip
    for statistic in ("mean", "variance"):
        check_grads(
            lambda w, m, s, k=statistic: getattr(scg.Mixture(scg.Normal(m, s), **{name: w}), k),
            W, LOC, SCALE, order=2, rtol=1e-5,
        )  # fmt: skip


@pytest.mark.parametrize("far", [1.0, 1e3])
def test_a_weight_of_zero_has_its_derivative(far):
    """The slope of log sum_k w_k p_k is p_0 / p - 1 at normalised weights."""
    w = scg.parameter([0.0, 1.0])
    d = scg.Mixture(scg.Normal([0.0, 1.0], [1.0, 2.0]), w)
    d.log_prob(0.5).backward()
    ratio = stats.norm.pdf(0.5) / stats.norm(1, 2).pdf(0.5)
    np.testing.assert_allclose(w.grad, [ratio - 1, 0.0], rtol=1e-10, atol=1e-14)
    distant = scg.Mixture(scg.Normal([0.0, far], 1.0), [0.0, 1.0]).log_prob(0.0)
    close(distant, stats.norm.logpdf(far))


def test_what_no_component_gives_is_impossible():
    d = scg.Mixture(scg.Uniform([0.0, 2.0], [1.0, 3.0]), [0.5, 0.5])
    np.testing.assert_array_equal(
        raw(d.log_prob([0.5, 1.5, 2.5])), [np.log(0.5), -np.inf, np.log(0.5)]
    )
    e = scg.Mixture(scg.Uniform([0.0, 2.0], [1.0, 3.0]), logits=[0.0, 0.0])
    np.testing.assert_allclose(raw(e.log_prob([0.5, 1.5])), [np.log(0.5), -np.inf], rtol=1e-15)
    assert raw(scg.Mixture(scg.Gamma([0.5, 2.0], 1.0), [0.5, 0.5]).log_prob(0.0)) == np.inf


def test_a_float32_mixture_far_from_its_components():
    d = scg.Mixture(scg.Normal(np.zeros(2, "f4"), np.float32(1)), np.array([0.0, 1.0], "f4"))
    ours = d.log_prob(np.float32(200))
    assert ours.dtype == np.float32
    np.testing.assert_allclose(raw(ours), stats.norm.logpdf(200.0), rtol=1e-6)


@few
@given(numbers(0.2, 0.8), numbers(0.2, 0.8))
def test_score_gradient_of_discrete_components_is_unbiased(w, p):
    def loss(rng, w, p):
        members = scg.Binomial(2.0, scg.stack([p, p * p]))
        k = scg.Mixture(members, scg.stack([w, 1.0 - w])).sample(rng=rng)
        return (k - 0.7) ** 2 * (k + p)

    assert_unbiased(loss, [w, p])


def test_score_gradient_of_continuous_components_is_unbiased():
    """E[x**2 d log p] by quadrature, against the derivatives of sum_k w_k (s_k**2 + m_k**2)."""
    x, weight = np.polynomial.legendre.leggauss(800)
    x, weight = 30 * x, 30 * weight
    params = [scg.parameter(v) for v in (np.log(W), LOC, SCALE)]
    d = scg.Mixture(scg.Normal(*params[1:]), logits=params[0])
    density = np.exp(raw(d.log_prob(x)))
    ours = scg.grad((d.log_prob(x) * (weight * density * x * x)).sum(), params)
    second = SCALE**2 + LOC**2
    wanted = [W * (second - W @ second), 2 * W * LOC, 2 * W * SCALE]
    for a, b in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(raw(a), b, rtol=1e-7, atol=1e-9)


@few
@given(numbers(-1, 1), numbers(0.3, 1))
def test_the_composed_program_is_unbiased(logit, scale):
    """What the docstring recommends: the index is scored, the value pathwise."""

    def loss(rng, logit, scale):
        k = scg.Categorical(logits=scg.stack([logit, -logit])).sample(rng=rng)
        x = scg.Normal(scg.stack([scale, 2.0 - scale])[k], scale).sample(rng=rng)
        return x * x * x + logit * x

    assert_unbiased(loss, [logit, scale])


def test_noise_through_a_mixture_density_is_pathwise():
    """As in a bound with a mixture as prior."""
    loc = scg.parameter(0.3)
    for name in ("probs", "logits"):
        z = scg.Normal(loc, 1.0).sample(rng=0, estimator="pathwise")
        make(name).log_prob(z).backward()
    assert np.isfinite(loc.grad)


def test_a_component_whose_support_moves_is_refused():
    high = scg.parameter([1.0, 2.0])
    d = scg.Mixture(scg.Uniform(0.0, high), [0.5, 0.5])
    assert d.moves_support == {"components.low", "components.high"}
    assert scg.Mixture(scg.Normal([0.0, 1.0], 1.0), [0.5, 0.5]).moves_support == set()
    z = d.sample(rng=0)
    with pytest.raises((SupportError, BiasedGradientError), match="support"):
        (z * z).backward()


def test_bad_arguments_are_refused():
    normal = scg.Normal(LOC, SCALE)
    with pytest.raises(ShapeError, match=r"\(2,\).*\(\.\.\., 2\).*\(3,\)"):
        scg.Mixture(normal, [0.5, 0.5])
    with pytest.raises(ShapeError, match="batch shape"):
        scg.Mixture(scg.Normal(0.0, 1.0), [1.0])
    with pytest.raises(OptionError, match=r"scg\.Mixture takes exactly one"):
        scg.Mixture(normal)
    with pytest.raises(SupportError, match=r"scg\.Mixture: parameter probs must be non-neg"):
        scg.Mixture(normal, [0.5, -0.5, 1.0])
    with pytest.raises(BiasedGradientError, match="no differentiable sampler"):
        make("probs").sample(estimator="pathwise")


CHOICE, PARTS = scg.Categorical(probs=[0.5, 0.5]), scg.Normal([0.0, 1.0], 1.0)
WRONG = {
    "the choice first": lambda: scg.Mixture(CHOICE, PARTS),
    "the choice as weights": lambda: scg.Mixture(PARTS, CHOICE),
    "the choice as logits": lambda: scg.Mixture(PARTS, logits=CHOICE),
    "a list of components": lambda: scg.Mixture([scg.Normal(0.0, 1.0)] * 2, probs=[0.5, 0.5]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_other_libraries_take_is_refused_with_what_to_write(name):
    with pytest.raises(scg.DTypeError, match=r"scg\.Mixture\(scg\.Normal\(locs, scales\), logits="):
        WRONG[name]()
