"""The gamma distribution against scipy.stats, its quantiles and exact expectations."""

import numpy as np
import pytest
from families import Script, assert_distributed, batches, close, numbers, raw
from hypothesis import given
from scipy import special, stats

import scg
from scg.errors import BiasedGradientError, GradientError, SupportError
from scg.noise import GeneratorSource
from scg.testing import check_grads

shapes, rates = numbers(0.05, 20), numbers(0.1, 10)


@given(batches(shapes, rates, numbers(-1, 20)))
def test_against_scipy(drawn):
    a, rate, x = drawn
    ours, theirs = scg.Gamma(a, rate), stats.gamma(a, scale=1 / rate)
    close(ours.log_prob(x), theirs.logpdf(x))
    close(ours.entropy(), theirs.entropy())
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


def test_the_density_at_zero():
    at_zero = raw(scg.Gamma([0.5, 1.0, 2.0], 3.0).log_prob(0.0))
    np.testing.assert_array_equal(at_zero, [np.inf, np.log(3.0), -np.inf])
    np.testing.assert_array_equal(raw(scg.Gamma(0.5, 3.0).log_prob([-1e-300, -1.0])), -np.inf)
    assert raw(scg.Gamma(0.5, 1.0).log_prob(np.inf)) == -np.inf


@given(batches(numbers(0.5, 5), rates, numbers(0.3, 5)))
def test_gradients(drawn):
    a, rate, x = drawn
    options = {"step": 1e-4, "rtol": 1e-5}
    check_grads(lambda *t: scg.Gamma(t[0], t[1]).log_prob(t[2]), a, rate, x, order=2, **options)
    for statistic in ("mean", "variance"):
        check_grads(lambda *t, s=statistic: getattr(scg.Gamma(*t), s), a, rate, order=2, **options)
    check_grads(lambda *t: scg.Gamma(*t).entropy(), a, rate, order=2, **options)


def test_third_derivatives_of_the_log_density():
    check_grads(
        lambda *t: scg.Gamma(t[0], t[1]).log_prob(t[2]), [0.7, 3.0], 1.5, 0.8, order=3, rtol=1e-5
    )


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 3.0, 250.0])
def test_draws_have_their_distribution(a):
    draws = scg.Gamma(a, 2.5).sample(20_000, rng=0)
    assert_distributed(draws, stats.gamma(a, scale=1 / 2.5).cdf)
    lower = np.asarray(GeneratorSource(np.random.default_rng(1)).gamma(np.full(20_000, a)))
    assert_distributed(lower, stats.gamma(a).cdf)


@pytest.mark.parametrize(("dtype", "a"), [(np.float64, 1e-3), (np.float32, 1e-2)])
def test_small_concentrations_never_draw_zero(dtype, a):
    """Of the logarithms of draws, those that a number can hold have their distribution."""
    x = raw(scg.Gamma(np.full(20_000, a, dtype), dtype(1)).sample(rng=0))
    tiny = np.finfo(dtype).tiny
    assert x.dtype == dtype
    assert x.min() == tiny  # else this test has not seen the end
    held = np.log(x[x > tiny].astype(np.float64))
    below = special.gammainc(a, float(tiny))
    law = stats.gamma(a)
    assert_distributed(held, lambda t: (law.cdf(np.exp(t)) - below) / (1 - below))
    share = np.array([np.sum(x == tiny), np.sum(x > tiny)])
    assert stats.chisquare(share, 20_000 * np.array([below, 1 - below])).pvalue > 1e-6
    assert np.all(np.isfinite(raw(scg.Gamma(dtype(a), dtype(1)).log_prob(x))))


def by_differences(a, u):
    """Differentiate the quantile in the shape, which SciPy knows, by five points.

    Its logarithm, which is closer to a polynomial.
    """
    h = 1e-3 * a
    points = [np.log(special.gammaincinv(a + k * h, u)) for k in (-2, -1, 1, 2)]
    slope = (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * h)
    return slope * special.gammaincinv(a, u)


@pytest.mark.parametrize("a", [0.1, 0.7, 1.0, 2.5, 30.0, 1e3])
def test_a_draw_follows_the_concentration_along_its_quantile(a):
    u = np.array([1e-3, 0.05, 0.3, 0.5, 0.8, 0.99, 1 - 1e-6])
    eps = special.gammaincinv(a, u)
    p = scg.parameter(np.full(u.shape, a))
    x = scg.Gamma(p, 2.0).sample(rng=Script(eps))
    np.testing.assert_array_equal(raw(x), eps / 2.0)
    (slope,) = scg.vjp(lambda t: scg.Gamma(t, 2.0).sample(rng=Script(eps)), np.full(u.shape, a))[1](
        np.ones(u.shape)
    )
    np.testing.assert_allclose(raw(slope), by_differences(a, u) / 2.0, rtol=1e-8)
    single, *_ = scg.vjp(
        lambda t: scg.Gamma(t, np.float32(2)).sample(rng=Script(eps)),
        np.full(u.shape, a, np.float32),
    )[1](np.ones(u.shape, np.float32))
    assert raw(single).dtype == np.float32
    np.testing.assert_allclose(raw(single), raw(slope), rtol=2e-4)


def test_one_concentration_for_all_draws():
    eps = np.array([[0.2, 1.0], [0.7, 3.0]])
    a = scg.parameter(1.5)
    scg.Gamma(a, 1.0).sample((2, 2), rng=Script(eps)).sum().backward()
    wanted = by_differences(1.5, special.gammainc(1.5, eps)).sum()
    np.testing.assert_allclose(a.grad, wanted, rtol=1e-8)


def over_draws(a):
    """Return nodes and weights of a rule for E[f(x)], x of shape `a` and rate 1.

    Gauss and Legendre's in the logarithm of x, on short pieces: smooth there, whatever `a`.
    """
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(-36 / min(a, 1), 4.5, 80)
    half = np.diff(edges)[:, None] / 2
    t = ((edges[:-1] + edges[1:])[:, None] / 2 + half * nodes).ravel()
    return np.exp(t), (half * weights).ravel() * stats.gamma(a).pdf(np.exp(t)) * np.exp(t)


@pytest.mark.parametrize("a", [0.4, 1.0, 2.7, 8.0])
def test_pathwise_gradient_is_unbiased(a):
    """E[x**2] is a (a + 1) / rate**2, E[log x] is digamma(a) - log(rate)."""
    rate = 1.3
    x, weights = over_draws(a)
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-9)
    for cost, slopes in (
        (lambda z: z * z, [(2 * a + 1) / rate**2, -2 * a * (a + 1) / rate**3]),
        (scg.log, [special.polygamma(1, a), -1 / rate]),
    ):
        params = scg.parameter(a), scg.parameter(rate)
        z = scg.Gamma(*params).sample(x.size, rng=Script(x))
        ours = scg.grad((cost(z) * weights).sum(), params)
        np.testing.assert_allclose([raw(g) for g in ours], slopes, rtol=1e-8)


@pytest.mark.parametrize("a", [0.4, 2.7])
def test_score_gradient_is_unbiased(a):
    rate = 1.3
    x, weights = over_draws(a)
    params = scg.parameter(a), scg.parameter(rate)
    score = scg.Gamma(*params).log_prob(x / rate)
    ours = scg.grad((score * weights * (x / rate) ** 2).sum(), params)
    wanted = [(2 * a + 1) / rate**2, -2 * a * (a + 1) / rate**3]
    np.testing.assert_allclose([raw(g) for g in ours], wanted, rtol=1e-8)


def test_a_second_derivative_in_the_concentration_is_refused():
    a, rate = scg.parameter(1.5), scg.parameter(2.0)
    x = scg.Gamma(a, rate).sample(rng=0)
    with pytest.raises(GradientError, match=r"gamma_draw.*once only"):
        scg.grad(x * x, a, create_graph=True)


def test_second_derivative_in_the_rate():
    rate = scg.parameter(2.0)
    x = scg.Gamma(1.5, rate).sample(rng=Script(0.7))
    first = scg.grad(x, rate, create_graph=True)
    np.testing.assert_allclose(raw(scg.grad(first, rate)), 2 * 0.7 / 2.0**3, rtol=1e-12)


def test_a_log_density_of_draws_is_pathwise():
    """Draws are known to be positive, so nothing is refused."""
    a = scg.parameter(1.5)
    q = scg.Gamma(a, 2.0)
    z = q.sample(rng=0)
    (q.log_prob(z) - scg.Gamma(1.0, 1.0).log_prob(z)).backward()
    assert np.isfinite(a.grad)


def test_noise_that_may_cross_zero_is_refused():
    x = scg.Normal(scg.parameter(3.0), 1.0).sample(rng=0, estimator="pathwise")
    with pytest.raises(BiasedGradientError, match="gamma_log_prob"):
        scg.Gamma(2.0, 1.0).log_prob(x).backward()


@pytest.mark.parametrize("name", ["concentration", "rate"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_parameters_that_are_not_positive_are_refused(name, bad):
    with pytest.raises(SupportError, match=rf"Gamma: parameter {name} must be positive.*is {bad}"):
        scg.Gamma(**{"concentration": 1.0, "rate": 1.0} | {name: [1.0, bad]})
