"""Linear systems and factorisations: symmetry, degenerate spectra, singular matrices, noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scg


def gradient(fn, *inputs):
    params = [scg.parameter(np.asarray(x, float)) for x in inputs]
    return [np.asarray(g) for g in scg.grad(fn(*params), params)]


@pytest.fixture
def spd(rng):
    a = rng.normal(size=(4, 4))
    return a @ a.T + np.eye(4)


def logdet(a):
    return 2 * scg.log(scg.diag(scg.cholesky(a))).sum()


def test_two_roads_to_the_gradient_of_a_log_determinant(spd):
    wanted = np.linalg.inv(spd)
    (by_cholesky,) = gradient(logdet, spd)
    (by_lu,) = gradient(lambda a: scg.slogdet(a).logabsdet, spd)
    (by_spectrum,) = gradient(lambda a: scg.log(scg.eigvalsh(a)).sum(), spd)
    for g in (by_cholesky, by_lu, by_spectrum):
        assert_allclose(g, wanted, rtol=1e-9)


@pytest.mark.parametrize(
    "fn", [logdet, lambda a: scg.eigvalsh(a)[0], lambda a: scg.eigh(a)[1][0, 0]]
)
def test_gradients_of_symmetric_factorisations_are_symmetric(fn, spd):
    (g,) = gradient(fn, spd)
    assert_allclose(g, g.T, rtol=1e-12)


def test_only_the_symmetric_part_counts(spd, rng):
    skew = rng.normal(size=(4, 4))
    skew -= skew.T
    assert_allclose(scg.cholesky(spd + skew).numpy(), np.linalg.cholesky(spd), rtol=1e-12)


def test_functions_of_a_degenerate_spectrum():
    """At a multiple of the identity every basis is one of eigenvectors."""

    def trace_exp(a):
        values, vectors = scg.eigh(a)
        return scg.trace(vectors * scg.exp(values) @ vectors.swapaxes(0, 1))

    (g,) = gradient(trace_exp, 2 * np.eye(3))
    assert_allclose(g, np.exp(2) * np.eye(3), rtol=1e-12)
    (h,) = gradient(lambda a: scg.exp(scg.eigvalsh(a)).sum(), 2 * np.eye(3))
    assert_allclose(h, np.exp(2) * np.eye(3), rtol=1e-12)


def test_eigenvectors_solve_the_eigenvalue_equation(spd):
    values, vectors = scg.eigh(np.stack([spd, -spd]))
    for a, w, v in zip([spd, -spd], values.numpy(), vectors.numpy(), strict=True):
        assert_allclose(a @ v, v * w, rtol=1e-9, atol=1e-9)
        assert (v[np.argmax(np.abs(v), 0), range(4)] > 0).all()


def test_a_log_determinant_and_its_sign():
    sign, logabsdet = scg.slogdet(np.stack([np.eye(2), [[0.0, 2.0], [1.0, 0.0]], np.ones((2, 2))]))
    assert_array_equal(sign.numpy(), [1, -1, 0])
    assert_allclose(logabsdet.numpy(), [0, np.log(2), -np.inf])


@pytest.mark.parametrize("k", [(), (2,)])
def test_solving_is_multiplying_with_the_inverse(k, rng):
    a, b = rng.normal(size=(3, 4, 4)), rng.normal(size=(4, *k))
    weights = rng.normal(size=(3, 4, *k))
    g = gradient(lambda a, b: (scg.solve(a, b) * weights).sum(), a, b)
    h = gradient(lambda a, b: (scg.inv(a) @ b * weights).sum(), a, b)
    for x, y in zip(g, h, strict=True):
        assert_allclose(x, y, rtol=1e-7, atol=1e-9)


def test_the_other_triangle_is_not_read():
    a = np.array([[2.0, np.nan], [2.0, 1.0]])
    x = scg.solve_triangular(a, [2.0, 4.0], lower=True)
    assert_array_equal(x.numpy(), [1, 2])
    g, _ = gradient(lambda a, b: scg.solve_triangular(a, b, lower=True).sum(), a, [2.0, 4.0])
    assert g[0, 1] == 0
    assert np.isfinite(g).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["cholesky", "inv", "eigvalsh", "svdvals"])
def test_dtypes_are_kept(name, dtype):
    assert getattr(scg, name)(np.eye(2, dtype=dtype)).dtype == dtype
    assert getattr(scg, name)(np.eye(2, dtype=int)).dtype == np.float64


SINGULAR = np.ones((2, 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scg.cholesky(-np.eye(2)), r"scg\.cholesky: .*not positive definite"),
        (lambda: scg.solve(SINGULAR, np.ones(2)), r"scg\.solve: .*singular"),
        (lambda: scg.inv(SINGULAR), r"scg\.inv: .*singular"),
        (
            lambda: scg.solve_triangular(np.diag([1.0, 0.0]), np.ones(2)),
            "element 1 of the diagonal",
        ),
    ],
)
def test_matrices_outside_the_domain_are_refused(call, words):
    with pytest.raises(scg.SupportError, match=words):
        call()


@pytest.mark.parametrize("name", ["cholesky", "inv", "slogdet", "eigh", "eigvalsh"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), ()])
def test_matrices_that_are_not_square_are_refused(name, shape):
    with pytest.raises(scg.ShapeError, match=rf"scg\.{name}"):
        getattr(scg, name)(np.ones(shape))


@pytest.mark.parametrize("name", ["solve", "solve_triangular"])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (), (5, 2, 1)])
def test_right_hand_sides_that_do_not_fit_are_refused(name, shape):
    with pytest.raises(scg.ShapeError, match=rf"scg\.{name}: right-hand side of shape"):
        getattr(scg, name)(np.ones((4, 2, 2)), np.ones(shape))


@pytest.mark.parametrize(
    ("fn", "allowed"),
    [
        (lambda a: scg.eigvalsh(a).sum(), True),
        (lambda a: scg.cholesky(a @ a.swapaxes(0, 1)).sum(), False),
        (lambda a: scg.inv(a).sum(), False),
        (lambda a: scg.slogdet(a).logabsdet, False),
        (lambda a: scg.eigh(a).eigenvectors.sum(), False),
        (lambda a: scg.sort(a).sum(), True),
        (lambda a: scg.argsort(a).sum() * a.sum(), False),
        (lambda a: scg.log(scg.softmax(a)).sum(), True),
    ],
)
def test_a_pathwise_gradient_is_refused_at_poles_and_jumps(fn, allowed):
    scg.seed(0)
    loc = scg.parameter(3 * np.eye(3))
    cost = fn(scg.Normal(loc, 0.1).sample(estimator="pathwise"))
    if allowed:
        cost.backward()
        assert loc.grad is not None
    else:
        with pytest.raises(scg.BiasedGradientError):
            cost.backward()
