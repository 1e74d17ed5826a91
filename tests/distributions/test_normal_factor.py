"""The normal distribution by factor: scipy.stats, exact noise and exact expectations."""

import exact
import numpy as np
import pytest
from exact import assert_unbiased
from families import Script, assert_distributed, close, few, raw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import scg
from scg.errors import BiasedGradientError, OptionError, ShapeError, SupportError
from scg.testing import check_grads

seeds = st.integers(0, 10_000)
SHAPES = pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
SIZES = pytest.mark.parametrize("n", [1, 2, 4])


def regular(rng, *shape):
    """Return square matrices away from singular ones: neither triangular nor of one sign."""
    left, right = (np.linalg.qr(rng.normal(size=shape))[0] for _ in range(2))
    return left * rng.uniform(0.5, 2, shape[:-1])[..., None, :] @ right


def compare(loc, factor, x):
    """Compare with scipy's multivariate normal, one mean and factor after the other."""
    d = scg.Normal(loc, factor=factor)
    batch = np.broadcast_shapes(loc.shape[:-1], factor.shape[:-2])
    n = loc.shape[-1]
    means = np.broadcast_to(loc, (*batch, n)).reshape(-1, n)
    covariances = np.broadcast_to(factor @ factor.swapaxes(-1, -2), (*batch, n, n)).reshape(
        -1, n, n
    )
    theirs = [stats.multivariate_normal(m, c) for m, c in zip(means, covariances, strict=True)]
    close(d.entropy(), np.reshape([t.entropy() for t in theirs], batch))
    close(d.mean, means.reshape((*batch, n)))
    close(d.variance, np.reshape([np.diag(c) for c in covariances], (*batch, n)))
    rows = np.broadcast_to(x, (*x.shape[:1], *batch, n)).reshape(len(x), -1, n)
    wanted = [[t.logpdf(v) for t, v in zip(theirs, row, strict=True)] for row in rows]
    close(d.log_prob(x), np.reshape(wanted, (len(x), *batch)))


@SHAPES
@SIZES
def test_against_scipy(batch, n, rng):
    loc, x = rng.normal(size=(*batch, n)), rng.normal(size=(5, *batch, n))
    compare(loc, regular(rng, *batch, n, n), x)  # a factor each
    compare(loc, regular(rng, n, n), x)  # one factor for all
    compare(loc[(0,) * len(batch)], regular(rng, *batch, n, n), x)  # one mean for all
    compare(loc, np.tril(regular(rng, n, n)) + 3 * np.eye(n), x)


@given(seeds)
def test_a_rotated_factor_is_the_same_distribution(seed):
    rng = np.random.default_rng(seed)
    loc, factor, x = rng.normal(size=3), regular(rng, 3, 3), rng.normal(size=3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    d, e = scg.Normal(loc, factor), scg.Normal(loc, factor @ rotation)
    close(d.log_prob(x), raw(e.log_prob(x)))
    close(d.entropy(), raw(e.entropy()))
    close(d.variance, raw(e.variance))
    close(scg.kl_divergence(d, e), 0.0)


@given(seeds)
def test_a_diagonal_factor_is_a_scale(seed):
    rng = np.random.default_rng(seed)
    loc, scale, x = rng.normal(size=3), rng.uniform(0.3, 3, 3), rng.normal(size=3)
    d, e = scg.Normal(loc, np.diag(scale)), scg.Normal(loc, scale)
    close(d.log_prob(x), raw(e.log_prob(x)).sum())
    close(d.entropy(), raw(e.entropy()).sum())
    np.testing.assert_allclose(raw(d.sample(4, rng=1)), raw(e.sample(4, rng=1)), rtol=1e-12)


@SHAPES
@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_sampler_multiplies_its_noise(batch, k, rng):
    loc = rng.normal(size=(*batch, 3))
    for factor in (rng.normal(size=(3, k)), rng.normal(size=(*batch, 3, k))):
        eps = rng.normal(size=(4, *batch, k))
        ours = scg.Normal(loc, factor=factor).sample(4, rng=Script(eps))
        close(ours, loc + np.einsum("...nk,...k->...n", factor, eps))


def test_one_draw_has_no_sample_axis(rng):
    eps, factor = rng.normal(size=2), rng.normal(size=(3, 2))
    close(scg.Normal(np.zeros(3), factor).sample(rng=Script(eps)), factor @ eps)


def test_draws_are_normal_along_every_direction():
    factor = np.array([[1.0, 0.5], [-2.0, 0.3]])
    draws = raw(scg.Normal([1.0, -1.0], factor).sample(20_000, rng=0))
    for direction in np.array([[1.0, 0.0], [0.0, 1.0], [0.6, -0.8], [2.0, 1.0]]):
        law = stats.norm(direction @ [1.0, -1.0], np.linalg.norm(direction @ factor))
        assert_distributed(draws @ direction, law.cdf)


@SHAPES
def test_gradients(batch, rng):
    loc, factor, x = rng.normal(size=(*batch, 2)), regular(rng, *batch, 2, 2), rng.normal(size=2)
    check_grads(lambda m, R, v: scg.Normal(m, R).log_prob(v), loc, factor, x, order=2)
    check_grads(lambda R: scg.Normal(np.zeros(2), factor=R).entropy(), factor, order=2)
    check_grads(lambda R: scg.Normal(np.zeros(2), factor=R).variance, factor, order=2)


@pytest.fixture
def coarse(monkeypatch):
    """Use as many nodes as polynomials of degree 9 need."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    monkeypatch.setattr(exact, "NODES", nodes)
    monkeypatch.setattr(exact, "WEIGHTS", weights / weights.sum())


@pytest.mark.parametrize("estimator", ["pathwise", "score"])
@pytest.mark.parametrize("batch", [(), (1,)])
def test_gradient_is_unbiased(estimator, batch, coarse, rng):
    def loss(source, mu, R):
        z = scg.Normal(mu, R).sample(rng=source, estimator=estimator)
        square = (z * z).sum()
        return square + 0.3 * (z.sum() + mu.sum()) ** 3

    assert_unbiased(loss, [rng.normal(size=(*batch, 2)), regular(rng, *batch, 2, 2)])


def test_pathwise_gradient_of_a_thin_factor_is_unbiased(coarse, rng):
    def loss(source, mu, R):
        z = scg.Normal(mu, R).sample(rng=source)
        return (z * z).sum() + z.sum() ** 3

    assert_unbiased(loss, [rng.normal(size=3), rng.normal(size=(3, 2))])


@few
@given(seeds)
def test_sampled_divergence_from_the_prior(seed):
    """Exact in expectation: the log-densities are quadratic."""
    rng = np.random.default_rng(seed)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    eps = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    mu, R = scg.parameter(rng.normal(size=2)), scg.parameter(regular(rng, 2, 2))
    q, prior = scg.Normal(mu, R), scg.Normal(np.zeros(2), np.eye(2))
    z = q.sample(9, rng=Script(eps))
    sampled = ((q.log_prob(z) - prior.log_prob(z)) * weights).sum()
    exactly = scg.kl_divergence(q, prior)
    close(sampled, raw(exactly))
    for ours, wanted in zip(*(scg.grad(x, [mu, R]) for x in (sampled, exactly)), strict=True):
        close(ours, raw(wanted))


THIN, WIDE = np.ones((3, 2)), np.ones((3, 4))


@pytest.mark.parametrize(
    ("factor", "remedy"), [(THIN, "can only be drawn from"), (WIDE, "cholesky")]
)
def test_a_density_needs_a_square_factor(factor, remedy):
    d = scg.Normal(np.zeros(3), factor)
    assert d.sample(rng=0).shape == d.variance.shape == (3,)
    for use in (
        lambda: d.log_prob(np.zeros(3)),
        d.entropy,
        lambda: scg.kl_divergence(d, d),
        lambda: d.sample(estimator="score"),
    ):
        with pytest.raises(OptionError, match=rf"square.*{factor.shape[1]}\); .*{remedy}"):
            use()


def test_a_density_needs_an_invertible_factor():
    d = scg.Normal(np.zeros((2, 2)), [np.eye(2), np.ones((2, 2))])
    assert d.sample(rng=0).shape == (2, 2)
    for use in (
        lambda: d.log_prob(np.zeros(2)),
        d.entropy,
        lambda: scg.kl_divergence(d, d),
        lambda: d.sample(estimator="score"),
    ):
        with pytest.raises(SupportError, match=r"invertible.*singular at batch index \(1,\)"):
            use()


@pytest.mark.parametrize(
    ("loc", "factor"), [((), (2, 2)), ((2,), (2,)), ((2,), (3, 3)), ((3, 2), (4, 2, 2))]
)
def test_shapes_that_do_not_fit_are_refused(loc, factor):
    with pytest.raises(ShapeError, match="factor") as error:
        scg.Normal(np.zeros(loc), factor=np.ones(factor))
    assert str(factor) in str(error.value)
    assert str(loc) in str(error.value)


def test_a_factor_that_noise_may_make_singular_is_refused():
    s = scg.parameter(1.0)
    R = scg.Normal(s, 1.0).sample(rng=0, estimator="pathwise").reshape((1, 1))
    with pytest.raises(BiasedGradientError):
        scg.Normal([0.0], R).log_prob([1.0]).backward()


def test_the_tour(rng):
    """The design's first program runs and has a gradient for every parameter."""
    mu, R = scg.parameter([0.0, 0.0]), scg.parameter([[1.0, 0.0], [0.3, 1.0]])
    z = scg.Normal(mu, R).sample(rng=rng)
    b = scg.Bernoulli(logits=z[0] - z[1]).sample(rng=rng)
    ((b - 0.45) ** 2 + 0.1 * (z * z).sum()).backward()
    assert np.all(np.isfinite(mu.grad))
    assert np.all(np.isfinite(R.grad))
