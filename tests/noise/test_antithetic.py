"""Mirrored noise: pairs, marginal distributions, odd sizes, and what it does to a variance."""

import numpy as np
import pytest
from scipy import stats

import scg
from scg.errors import OptionError
from scg.noise import AntitheticSource, GeneratorSource

FALSE_ALARM = 1e-6  # of every sampling test here
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
SIZES = pytest.mark.parametrize("n", [1, 2, 5, 8])


def test_sources_say_whether_they_couple():
    assert AntitheticSource.coupled
    assert not GeneratorSource.coupled


@SIZES
@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
def test_halves_mirror_each_other(n, dtype):
    half = -(-n // 2)
    e = AntitheticSource(3).normal((n, 2), dtype)
    u = AntitheticSource(3).uniform((n, 2), dtype)
    for x in (e, u):
        assert x.shape == (n, 2)
        assert x.dtype == dtype
    np.testing.assert_array_equal(e[half:], -e[: n // 2])
    np.testing.assert_array_equal(u[half:], 1 - u[: n // 2])
    plain = np.random.default_rng(3).standard_normal((half, 2), dtype=dtype)
    np.testing.assert_array_equal(e[:half], plain)


def test_a_draw_without_an_axis_is_plain():
    plain = GeneratorSource(np.random.default_rng(3))
    assert AntitheticSource(3).normal((), DOUBLE) == plain.normal((), DOUBLE)


class Ends(np.random.Generator):
    """A generator whose uniform numbers are all 0."""

    def random(self, size=None, dtype=np.float64):
        return np.zeros(size, dtype)


@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
def test_the_mirror_image_of_zero_is_below_one(dtype):
    source = AntitheticSource(Ends(np.random.PCG64(0)))
    u = source.uniform((2,), dtype)
    assert u[0] == 0 < u[1] < 1
    assert np.all(np.isfinite(source.exponential((2,), dtype)))
    assert np.all(source.gamma(np.full(2, 0.5, dtype)) > 0)
    np.testing.assert_array_equal(source.poisson(np.zeros(2, dtype)), 0)


MARGINALS = {
    "normal": (lambda s, n: s.normal((n,), DOUBLE), stats.norm()),
    "uniform": (lambda s, n: s.uniform((n,), DOUBLE), stats.uniform()),
    "exponential": (lambda s, n: s.exponential((n,), DOUBLE), stats.expon()),
    "gamma": (lambda s, n: s.gamma(np.full(n, 0.7)), stats.gamma(0.7)),
}
COUNTS = {
    "bernoulli": (lambda s, n: s.bernoulli(np.full(n, 0.3)), stats.bernoulli(0.3)),
    "categorical": (
        lambda s, n: s.categorical(np.tile([0.2, 0.5, 0.3], (n, 1))),
        stats.rv_discrete(values=(np.arange(3), [0.2, 0.5, 0.3])),
    ),
    "poisson": (lambda s, n: s.poisson(np.full(n, 2.5)), stats.poisson(2.5)),
    "binomial": (lambda s, n: s.binomial(np.full(n, 5.0), np.full(n, 0.3)), stats.binom(5, 0.3)),
    "geometric": (lambda s, n: s.geometric(np.full(n, 0.4)), stats.geom(0.4, loc=-1)),
}


@pytest.mark.parametrize("kind", MARGINALS)
@pytest.mark.parametrize("part", [slice(0, 20_000), slice(20_000, 40_000)])
def test_each_half_has_the_right_distribution(kind, part):
    draw, law = MARGINALS[kind]
    assert stats.kstest(draw(AntitheticSource(1), 40_000)[part], law.cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("part", [slice(0, 20_000), slice(20_000, 40_000)])
def test_each_half_has_the_right_frequencies(kind, part):
    draw, law = COUNTS[kind]
    counts = np.bincount(draw(AntitheticSource(1), 40_000)[part].astype(int))
    wanted = 20_000 * law.pmf(np.arange(len(counts)))
    rare = wanted < 5
    seen = np.append(counts[~rare], counts[rare].sum())
    wanted = np.append(wanted[~rare], 20_000 - wanted[~rare].sum())
    keep = wanted > 1e-9
    assert stats.chisquare(seen[keep], wanted[keep]).pvalue > FALSE_ALARM


@pytest.mark.parametrize("kind", MARGINALS)
def test_continuous_noise_is_mirrored_through_its_distribution_function(kind):
    draw, law = MARGINALS[kind]
    p = law.cdf(draw(AntitheticSource(5), 10))
    np.testing.assert_allclose(p[:5] + p[5:], 1.0, rtol=1e-12)


@pytest.mark.parametrize("kind", ["poisson", "binomial"])
def test_counts_invert_the_distribution_function(kind, monkeypatch):
    u = np.append(np.linspace(0, 1, 1000, endpoint=False), np.nextafter(1.0, 0.0))
    monkeypatch.setattr(AntitheticSource, "uniform", lambda self, shape, dtype: u)
    for size in (0.01, 0.5, 3.0, 40.0, 1e4):
        if kind == "poisson":
            ours = AntitheticSource(0).poisson(np.full(u.shape, size))
            cdf = stats.poisson(size).cdf
        else:
            count = np.ceil(size)
            ours = AntitheticSource(0).binomial(np.full(u.shape, count), np.full(u.shape, 0.3))
            cdf = stats.binom(count, 0.3).cdf
        assert np.all(u < cdf(ours) + 1e-12)
        assert np.all((ours == 0) | (cdf(ours - 1) <= u + 1e-12))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certain_counts(p):
    count = np.array([0.0, 1.0, 7.0])
    np.testing.assert_array_equal(
        AntitheticSource(0).binomial(count, np.full(3, p)), count if p else 0 * count
    )


def test_draws_are_passed_on_to_the_distributions():
    x = scg.peek(scg.Normal(1.0, 2.0).sample((4, 3), rng=AntitheticSource(0)))
    np.testing.assert_allclose(x[:2] + x[2:], 2.0, rtol=1e-15)


def test_a_linear_cost_has_no_variance():
    """Pairs average to the mean exactly, and the pathwise gradient with them."""
    scale = scg.parameter(2.0)
    loss = scg.Normal(1.0, scale).sample(6, rng=AntitheticSource(0)).mean()
    loss.backward()
    np.testing.assert_allclose([scg.peek(loss), scale.grad], [1.0, 0.0], atol=1e-15)


def test_the_default_generator_is_used_and_others_are_refused():
    scg.seed(4)
    ours = AntitheticSource().normal((2,), DOUBLE)
    np.testing.assert_array_equal(ours[:1], np.random.default_rng(4).standard_normal(1))
    with pytest.raises(OptionError, match="rng="):
        AntitheticSource("0")
