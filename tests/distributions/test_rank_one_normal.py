"""The normal distribution with a precision of diagonal plus rank one against that by precision."""

import numpy as np
import pytest
from families import Script, close, raw
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg.errors import ShapeError, SupportError
from scg.testing import check_grads, check_unbiased

SHAPES = pytest.mark.parametrize("batch", [(), (3,), (2, 3)])


def parameters(rng, *shape):
    return rng.normal(size=shape), rng.uniform(0.3, 2.0, shape), rng.normal(size=shape)


def dense(loc, diagonal, direction):
    """Return the same distribution by its precision as a matrix."""
    eye = np.eye(loc.shape[-1])
    outer = direction[..., None] * direction[..., None, :]
    return scg.MultivariateNormal(loc, precision=diagonal[..., None] * eye + outer)


@SHAPES
def test_everything_is_that_of_the_precision(batch, rng):
    given = parameters(rng, *batch, 4)
    d, wanted = scg.RankOneNormal(*given), dense(*given)
    x = rng.normal(size=(5, *batch, 4))
    close(d.log_prob(x), raw(wanted.log_prob(x)))
    for name in ("entropy", "mean", "variance"):
        ours, theirs = getattr(d, name), getattr(wanted, name)
        close(ours() if callable(ours) else ours, raw(theirs() if callable(theirs) else theirs))


def test_the_sampler_multiplies_noise_by_a_factor_of_the_covariance(rng):
    loc, diagonal, direction = parameters(rng, 3)
    d = scg.RankOneNormal(loc, diagonal, direction)
    columns = raw(d.sample(3, rng=Script(np.eye(3)))) - loc
    covariance = np.linalg.inv(np.diag(diagonal) + np.outer(direction, direction))
    np.testing.assert_allclose(columns.T @ columns, covariance, rtol=1e-10)


@given(st.integers(0, 10_000))
def test_divergences_are_those_of_the_precision(seed):
    rng = np.random.default_rng(seed)
    ours, other = parameters(rng, 3), parameters(rng, 3)
    p, q = scg.RankOneNormal(*ours), scg.RankOneNormal(*other)
    normals = [
        (q, dense(*other)),
        (scg.Normal(other[0], other[1]), dense(other[0], other[1] ** -2, 0 * other[2])),
        (dense(*other), dense(*other)),
        (scg.Normal(0.5, other[1]), dense(0.5 + 0 * other[0], other[1] ** -2, 0 * other[2])),
    ]
    for second, wanted in normals:
        close(scg.kl_divergence(p, second), raw(scg.kl_divergence(dense(*ours), wanted)), 1e-8)
        close(scg.kl_divergence(second, p), raw(scg.kl_divergence(wanted, dense(*ours))), 1e-8)


@SHAPES
def test_gradients(batch, rng):
    loc, diagonal, direction = parameters(rng, *batch, 3)
    x, eps = rng.normal(size=3), rng.normal(size=(*batch, 3))
    for f in (
        lambda d, v: d.log_prob(v), lambda d, v: d.entropy(), lambda d, v: d.variance,
        lambda d, v: d.sample(rng=Script(eps)),
    ):  # fmt: skip
        check_grads(
            lambda *p, f=f: f(scg.RankOneNormal(*p[:3]), p[3]), loc, diagonal, direction, x,
            order=2, rtol=1e-5,
        )  # fmt: skip


@pytest.mark.parametrize("estimator", ["pathwise", "score"])
def test_both_routes_are_unbiased(estimator):
    def program(*p):
        z = scg.RankOneNormal(*p).sample(estimator=estimator)
        return (z * z).sum()

    check_unbiased(program, *parameters(np.random.default_rng(1), 2))


def test_a_direction_of_zero_is_a_diagonal():
    """The paper's factor is 0 / 0 there."""
    u = scg.parameter(np.zeros(2))
    d, plain = scg.RankOneNormal(np.ones(2), np.full(2, 4.0), u), scg.Normal(np.ones(2), 0.5)
    x = raw(d.sample(rng=0))
    np.testing.assert_allclose(x, raw(plain.sample(rng=0)))
    close(d.log_prob(x), raw(plain.log_prob(x)).sum())
    (d.log_prob(x) + d.sample(rng=0).sum()).backward()
    assert np.isfinite(u.grad).all()


def test_a_steep_direction_leaves_a_plane():
    d = scg.RankOneNormal(np.zeros(2), np.ones(2), np.array([1e8, 0.0]))
    np.testing.assert_allclose(raw(d.sample(9, rng=0))[:, 0], 0.0, atol=1e-7)
    close(d.variance[1], 1.0)


def test_parameters_broadcast(rng):
    loc, diagonal, direction = parameters(rng, 3)
    ones = np.ones(3)
    for some, whole in (
        ((0.5, diagonal[0], direction), (0.5 * ones, diagonal[0] * ones, direction)),
        ((loc, 2.0, 1.0), (loc, 2.0 * ones, ones)),
        ((np.stack([loc, loc]), diagonal, direction), (np.stack([loc, loc]), diagonal, direction)),
    ):
        d, wanted = scg.RankOneNormal(*some), dense(*np.broadcast_arrays(*whole))
        close(d.log_prob(ones), raw(wanted.log_prob(ones)))
        close(d.entropy(), raw(wanted.entropy()))


def test_what_is_no_vector_is_refused():
    with pytest.raises(ShapeError, match=r"one of them needs shape \(\.\.\., n\)"):
        scg.RankOneNormal(0.0, 1.0, 1.0)
    with pytest.raises(ShapeError, match="do not broadcast"):
        scg.RankOneNormal(np.zeros(2), np.ones(3), np.ones(2))
    with pytest.raises(SupportError, match="diagonal must be positive"):
        scg.RankOneNormal(np.zeros(2), [1.0, 0.0], np.ones(2))
