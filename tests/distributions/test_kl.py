"""Closed forms of the divergence against E_p[log p - log q] by enumeration or quadrature."""

import numpy as np
import pytest
from families import batches, close, numbers, raw, tables
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import integrate, special, stats

import scg
from scg.distributions._kl import PAIRS
from scg.errors import OptionError, ShapeError
from scg.testing import check_grads

real = numbers(-3, 3)
positive = numbers(0.2, 4)
ROOTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(4)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def integral(p, q, low, high):
    """Return E_p[log p - log q] of two frozen scipy distributions by adaptive quadrature."""
    return integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), low, high, epsabs=1e-12, epsrel=1e-11,
        limit=200,
    )[0]  # fmt: skip


@given(real, positive, real, positive)
def test_normal(a, s, b, t):
    p, q = stats.norm(a, s), stats.norm(b, t)
    wanted = integral(p, q, a - 12 * s, a + 12 * s)
    close(scg.kl_divergence(scg.Normal(a, s), scg.Normal(b, t)), wanted, rtol=1e-8)


@given(numbers(0.1, 5), numbers(0.1, 5))
def test_exponential(rate, other):
    wanted = integral(stats.expon(scale=1 / rate), stats.expon(scale=1 / other), 0, 40 / rate)
    close(scg.kl_divergence(scg.Exponential(rate), scg.Exponential(other)), wanted, rtol=1e-8)


@given(numbers(0.5, 5), positive, numbers(0.5, 5), positive)
def test_gamma(a, rate, b, other):
    p, q = stats.gamma(a, scale=1 / rate), stats.gamma(b, scale=1 / other)
    ours = scg.kl_divergence(scg.Gamma(a, rate), scg.Gamma(b, other))
    close(ours, integral(p, q, 0, p.isf(1e-17)), rtol=1e-7)


def over_counts(p, q, most):
    """Return E_p[log p - log q] of two frozen scipy distributions by enumeration."""
    k = np.arange(most)
    with np.errstate(invalid="ignore"):
        return np.nansum(p.pmf(k) * (p.logpmf(k) - q.logpmf(k)))


@given(numbers(0.05, 5), numbers(0.05, 5))
def test_poisson(rate, other):
    wanted = over_counts(stats.poisson(rate), stats.poisson(other), 80)
    close(scg.kl_divergence(scg.Poisson(rate), scg.Poisson(other)), wanted)


def test_poisson_at_rate_zero():
    kl = scg.kl_divergence(scg.Poisson([0.0, 0.0, 2.0]), scg.Poisson([0.0, 3.0, 0.0]))
    np.testing.assert_array_equal(raw(kl), [0.0, 3.0, np.inf])


@given(st.integers(0, 6), numbers(0.05, 0.95), numbers(0.05, 0.95))
def test_binomial(n, p, q):
    wanted = over_counts(stats.binom(n, p), stats.binom(n, q), n + 1)
    close(scg.kl_divergence(scg.Binomial(n, p), scg.Binomial(n, q)), wanted)


def test_binomial_of_different_counts_is_refused():
    with pytest.raises(OptionError, match="total_count differs"):
        scg.kl_divergence(scg.Binomial(2, 0.5), scg.Binomial([2, 3], 0.5))


@given(numbers(0.1, 0.95), numbers(0.1, 0.95))
def test_geometric(p, q):
    wanted = over_counts(stats.geom(p, loc=-1), stats.geom(q, loc=-1), 600)
    close(scg.kl_divergence(scg.Geometric(p), scg.Geometric(logits=special.logit(q))), wanted)


@given(real, positive, numbers(0, 2), numbers(0, 2))
def test_uniform(low, width, below, above):
    ends = low - below, low + width + above
    p, q = stats.uniform(low, width), stats.uniform(ends[0], ends[1] - ends[0])
    ours = scg.kl_divergence(scg.Uniform(low, low + width), scg.Uniform(*ends))
    close(ours, integral(p, q, low, low + width), rtol=1e-8)


def test_uniform_that_is_not_contained():
    p = scg.Uniform(0.0, 1.0)
    q = scg.Uniform([0.1, -1.0, -1.0, 0.0, 2.0], [2.0, 0.9, 1.0, 1.0, 3.0])
    ours = raw(scg.kl_divergence(p, q))
    np.testing.assert_allclose(ours, [np.inf, np.inf, np.log(2), 0, np.inf], rtol=1e-12)


def by_index(p, q):
    """Return sum_k p_k (log p_k - log q_k)."""
    return special.rel_entr(p, q).sum(axis=-1)


@given(batches(numbers(0, 1), numbers(0, 1)))
def test_bernoulli_probs(drawn):
    p, q = drawn
    wanted = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    close(scg.kl_divergence(scg.Bernoulli(p), scg.Bernoulli(q)), wanted)


@given(batches(numbers(-10, 10), numbers(-10, 10)))
def test_bernoulli_logits_and_mixed(drawn):
    p, q = map(special.expit, drawn)
    wanted = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    for first in (scg.Bernoulli(p), scg.Bernoulli(logits=drawn[0])):
        for second in (scg.Bernoulli(q), scg.Bernoulli(logits=drawn[1])):
            close(scg.kl_divergence(first, second), wanted)


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
class TestCategories:
    @given(tables(0.05, 3), st.integers(0, 1000))
    def test_every_parametrisation(self, family, weights, seed):
        other = np.random.default_rng(seed).uniform(0.05, 3, weights.shape)
        p, q = (w / w.sum(axis=-1, keepdims=True) for w in (weights, other))
        for first in (family(weights), family(logits=np.log(weights))):
            for second in (family(other), family(logits=np.log(other))):
                close(scg.kl_divergence(first, second), by_index(p, q))

    def test_impossible_categories(self, family):
        p, q = [[0.5, 0.5, 0.0]] * 2, [[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]]
        ours = raw(scg.kl_divergence(family(p), family(q)))
        np.testing.assert_allclose(ours, [np.log(2), np.inf], rtol=1e-12)

    def test_different_numbers_of_categories_are_refused(self, family):
        with pytest.raises(ShapeError, match="2 and 3 categories"):
            scg.kl_divergence(family([1.0, 1.0]), family([1.0, 1.0, 1.0]))


def by_quadrature(p, q, loc, factor):
    """Return E_p[log p - log q] for two vector normals; the integrand is quadratic."""
    n = len(loc)
    grid = np.stack(np.meshgrid(*[ROOTS] * n), axis=-1).reshape(-1, n)
    weights = np.prod(np.stack(np.meshgrid(*[WEIGHTS] * n), axis=-1), axis=-1).ravel()
    x = loc + grid @ factor.T
    return weights @ (p.logpdf(x) - q.logpdf(x))


vectors = hnp.arrays(np.float64, 2, elements=real)
matrices = hnp.arrays(np.float64, (2, 2), elements=numbers(-0.6, 0.6)).map(
    lambda m: m + np.eye(2) * 1.5
)


@given(vectors, matrices, vectors, matrices, numbers(0.3, 3), numbers(0.3, 3))
def test_normal_by_factor(a, R, b, S, s, t):
    scales = np.array([s, t])
    full_p, full_q = stats.multivariate_normal(a, R @ R.T), stats.multivariate_normal(b, S @ S.T)
    diagonal_p = stats.multivariate_normal(a, np.diag(scales**2))
    diagonal_q = stats.multivariate_normal(b, np.diag(scales**2))
    standard = stats.multivariate_normal([0.0, 0.0])
    kl = scg.kl_divergence
    close(kl(scg.Normal(a, R), scg.Normal(b, S)), by_quadrature(full_p, full_q, a, R))
    close(kl(scg.Normal(a, R), scg.Normal(b, scales)), by_quadrature(full_p, diagonal_q, a, R))
    close(kl(scg.Normal(a, R), scg.Normal(0.0, 1.0)), by_quadrature(full_p, standard, a, R))
    wanted = by_quadrature(diagonal_p, full_q, a, np.diag(scales))
    close(kl(scg.Normal(a, scales), scg.Normal(b, S)), wanted)


def test_batches_of_factors_broadcast(rng):
    locs, factors = rng.normal(size=(3, 2)), rng.normal(size=(3, 2, 2)) + 2 * np.eye(2)
    one = scg.Normal(locs[0], factors[0])
    many = scg.Normal(locs, factors)
    standard, scales = scg.Normal(0.0, 1.0), scg.Normal(locs, np.abs(locs) + 1)
    for p, q in ((many, many), (one, many), (many, one), (many, standard), (many, scales),
                 (scales, many), (scales, one), (standard, many)):  # fmt: skip
        ours = raw(scg.kl_divergence(p, q))
        assert ours.shape == (3,)
        for i, value in enumerate(ours):
            close(scg.kl_divergence(member(p, i), member(q, i)), value)


def member(d, i):
    """Return one member of a batch; the last axis of a scale is the event."""
    rank = {"loc": 1, "scale": 1, "factor": 2}
    given = {k: raw(v) for k, v in d.parameters.items()}
    return scg.Normal(**{k: v[i] if v.ndim > rank[k] else v for k, v in given.items()})


x, y = np.array([0.3, -0.7]), np.array([0.5, 0.2])
R, S = np.array([[1.0, 0.2], [-0.5, 1.3]]), np.array([[0.8, 0.0], [0.4, 1.7]])


def by_covariance(loc, root):
    return scg.MultivariateNormal(loc, covariance=root @ root.swapaxes(-1, -2))


def rank_one(loc, root):
    return scg.RankOneNormal(loc, root[0] ** 2 + 0.5, root[1])


GRADIENTS = {
    "normal": (lambda a, s, b, t: (scg.Normal(a, s), scg.Normal(b, t)), x, y + 1, y, y + 2),
    "factors": (lambda a, s, b, t: (scg.Normal(a, s), scg.Normal(b, t)), x, R, y, S),
    "factor to scale": (lambda a, s, t: (scg.Normal(a, s), scg.Normal(0.0, t)), x, R, y + 1),
    "scale to factor": (lambda s, b, t: (scg.Normal(0.0, s), scg.Normal(b, t)), y + 1, y, S),
    "covariance": (
        lambda a, s, b, t: (by_covariance(a, s), by_covariance(b, t)),
        x,
        R,
        y,
        S,
    ),
    "covariance to factor": (
        lambda a, s, b, t: (by_covariance(a, s), scg.Normal(b, t)),
        x,
        R,
        y,
        S,
    ),
    "factor to covariance": (
        lambda a, s, b, t: (scg.Normal(a, s), by_covariance(b, t)),
        x,
        R,
        y,
        S,
    ),
    "rank one": (lambda a, s, b, t: (rank_one(a, s), rank_one(b, t)), x, R, y, S),
    "rank one to scale": (lambda a, s, t: (rank_one(a, s), scg.Normal(0.0, t)), x, R, y + 1),
    "scale to rank one": (lambda s, b, t: (scg.Normal(0.0, s), rank_one(b, t)), y + 1, y, S),
    "rank one to covariance": (
        lambda a, s, b, t: (rank_one(a, s), by_covariance(b, t)),
        *(x, R, y, S),
    ),
    "factor to rank one": (lambda a, s, b, t: (scg.Normal(a, s), rank_one(b, t)), x, R, y, S),
    "covariance to rank one": (
        lambda a, s, b, t: (by_covariance(a, s), rank_one(b, t)),
        *(x, R, y, S),
    ),
    "exponential": (lambda a, b: (scg.Exponential(a), scg.Exponential(b)), y + 1, y + 2),
    "gamma": (
        lambda a, b, c, d: (scg.Gamma(a, b), scg.Gamma(c, d)),
        *(y + 1, y + 2, x + 1.5, y + 1),
    ),
    "poisson": (lambda a, b: (scg.Poisson(a), scg.Poisson(b)), y + 1, y + 2),
    "binomial": (lambda a, b: (scg.Binomial(3, a), scg.Binomial(3, logits=b)), y, x),
    "geometric": (lambda a, b: (scg.Geometric(a), scg.Geometric(logits=b)), y, x),
    "uniform": (lambda a, b, c, d: (scg.Uniform(a, b), scg.Uniform(c, d)), x, y + 1, x - 1, y + 3),
    "bernoulli": (lambda a, b: (scg.Bernoulli(a), scg.Bernoulli(logits=b)), y, x),
    "bernoulli logits": (lambda a, b: (scg.Bernoulli(logits=a), scg.Bernoulli(b)), x, y),
    "categorical": (lambda a, b: (scg.Categorical(a), scg.Categorical(logits=b)), y, x),
    "one-hot": (lambda a, b: (scg.OneHotCategorical(logits=a), scg.OneHotCategorical(b)), x, y),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    make, *inputs = GRADIENTS[name]
    check_grads(lambda *v: scg.kl_divergence(*make(*v)), *inputs, order=2, rtol=1e-5)


@pytest.mark.parametrize("name", GRADIENTS)
def test_not_negative_and_zero_at_equality(name):
    make, *inputs = GRADIENTS[name]
    p, q = make(*inputs)
    assert np.all(raw(scg.kl_divergence(p, q)) > 1e-4)
    for d in (p, q):
        np.testing.assert_allclose(raw(scg.kl_divergence(d, d)), 0.0, atol=1e-14)


def test_every_pair_is_tested():
    tested = {tuple(type(d) for d in make(*inputs)) for make, *inputs in GRADIENTS.values()}
    assert tested == set(PAIRS)


def test_a_pair_without_a_closed_form_says_what_to_do():
    with pytest.raises(OptionError, match=r"KL\(Normal \|\| Uniform\).*Normal-Normal.*estimate"):
        scg.kl_divergence(scg.Normal(0.0, 1.0), scg.Uniform())
