"""The normal distribution of vectors by covariance and precision against that by factor."""

import numpy as np
import pytest
from families import Script, assert_distributed, close, raw
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import scg
from scg.errors import GradientError, OptionError, ShapeError, SupportError
from scg.testing import check_grads

SHAPES = pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
ALL = ("factor", "covariance", "precision")


def covariances(rng, *shape):
    root = rng.normal(size=shape) + 2 * np.eye(shape[-1])
    return root @ root.swapaxes(-1, -2)


def make(name, loc, covariance):
    """Return the same distribution by each of the three parameters."""
    value = {
        "factor": np.linalg.cholesky, "covariance": lambda c: c, "precision": np.linalg.inv,
    }[name](covariance)  # fmt: skip
    value = value if name == "factor" else (value + value.swapaxes(-1, -2)) / 2
    return scg.MultivariateNormal(loc, **{name: value})


@SHAPES
@pytest.mark.parametrize("name", ALL)
def test_against_scipy(name, batch, rng):
    loc, c = rng.normal(size=(*batch, 3)), covariances(rng, *batch, 3, 3)
    x = rng.normal(size=(5, *batch, 3))
    d = make(name, loc, c)
    assert isinstance(d, scg.Normal)
    assert list(d.parameters) == ["loc", name]
    flat = [
        stats.multivariate_normal(m, s)
        for m, s in zip(loc.reshape(-1, 3), c.reshape(-1, 3, 3), strict=True)
    ]
    close(d.entropy(), np.reshape([t.entropy() for t in flat], batch))
    close(d.mean, loc)
    close(d.variance, np.diagonal(c, axis1=-2, axis2=-1))
    rows = [[t.logpdf(v) for t, v in zip(flat, row.reshape(-1, 3), strict=True)] for row in x]
    close(d.log_prob(x), np.reshape(rows, (5, *batch)))


@pytest.mark.parametrize("name", ALL)
def test_draws_have_their_distribution(name, rng):
    loc, c = rng.normal(size=2), covariances(rng, 2, 2)
    draws = raw(make(name, loc, c).sample(20_000, rng=0))
    for w in np.array([[1.0, 0.0], [0.0, 1.0], [0.6, -0.8], [2.0, 1.0]]):
        assert_distributed(draws @ w, stats.norm(w @ loc, np.sqrt(w @ c @ w)).cdf)


@pytest.mark.parametrize("name", ALL)
def test_the_sampler_multiplies_noise_by_a_factor_of_the_covariance(name, rng):
    c = covariances(rng, 3, 3)
    columns = raw(make(name, np.zeros(3), c).sample(3, rng=Script(np.eye(3))))
    np.testing.assert_allclose(columns.T @ columns, c, rtol=1e-10)


@SHAPES
@pytest.mark.parametrize("name", ["covariance", "precision"])
def test_gradients(name, batch, rng):
    loc, root, x = rng.normal(size=(*batch, 2)), covariances(rng, *batch, 2, 2), rng.normal(size=2)
    eps = rng.normal(size=(*batch, 2))

    def symmetric(f):
        def of(m, a, v):
            d = scg.MultivariateNormal(m, **{name: a @ a.swapaxes(-1, -2)})
            return f(d, v)

        return of

    for f in (
        lambda d, v: d.log_prob(v), lambda d, v: d.entropy(), lambda d, v: d.variance,
        lambda d, v: d.sample(rng=Script(eps)),
    ):  # fmt: skip
        check_grads(symmetric(f), loc, root, x, order=2, rtol=1e-5)


@given(st.integers(0, 10_000))
def test_divergence_does_not_depend_on_the_parameters_given(seed):
    rng = np.random.default_rng(seed)
    (a, b), (c, s) = rng.normal(size=(2, 2)), covariances(rng, 2, 2, 2)
    wanted = raw(scg.kl_divergence(make("factor", a, c), make("factor", b, s)))
    for p in ALL:
        for q in ALL:
            close(scg.kl_divergence(make(p, a, c), make(q, b, s)), wanted, rtol=1e-8)
    normal = scg.Normal(b, np.linalg.cholesky(s))
    close(scg.kl_divergence(make("covariance", a, c), normal), wanted, rtol=1e-8)
    back = raw(scg.kl_divergence(make("factor", b, s), make("factor", a, c)))
    close(scg.kl_divergence(normal, make("precision", a, c)), back, rtol=1e-8)


def test_a_draw_from_an_updated_covariance_is_refused():
    c = scg.parameter(np.eye(2))
    z = scg.MultivariateNormal([0.0, 0.0], covariance=c).sample(rng=0, estimator="score")
    c.assign(2 * np.eye(2))
    with pytest.raises(GradientError):
        ((z * z).sum() + c.sum()).backward()


@pytest.mark.parametrize("name", ["covariance", "precision"])
def test_matrices_that_are_no_covariances_are_refused(name):
    good = np.eye(2)
    with pytest.raises(SupportError, match=rf"{name} must be.*not symmetric at batch index \(1,\)"):
        scg.MultivariateNormal(np.zeros(2), **{name: [good, [[1.0, 0.5], [0.0, 1.0]]]})
    with pytest.raises(SupportError, match=rf"{name} .*not positive definite at batch index \(1,"):
        scg.MultivariateNormal(np.zeros(2), **{name: [good, [[1.0, 2.0], [2.0, 1.0]]]})
    with pytest.raises(SupportError, match=r"not positive definite \(shape"):
        scg.MultivariateNormal(np.zeros(2), **{name: -good})
    with pytest.raises(ShapeError, match=rf"{name} needs shape.*\(2, 3\)"):
        scg.MultivariateNormal(np.zeros(2), **{name: np.ones((2, 3))})
    with pytest.raises(ShapeError, match="mean"):
        scg.MultivariateNormal(np.zeros(3), **{name: good})


@pytest.mark.parametrize("given", [{}, {"factor": np.eye(2), "covariance": np.eye(2)}])
def test_exactly_one_spread_is_asked_for(given):
    with pytest.raises(OptionError, match="exactly one"):
        scg.MultivariateNormal(np.zeros(2), **given)
