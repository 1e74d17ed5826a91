"""Poisson, binomial and geometric against scipy.stats, exact samplers and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased
from families import batches, close, few, numbers, raw
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

import scg
from scg.errors import GradientError, OptionError, SupportError
from scg.testing import check_grads

inner = numbers(0.05, 0.95)
counts = st.integers(0, 12).map(float)


@given(batches(numbers(0, 30), counts))
def test_poisson_against_scipy(drawn):
    rate, x = drawn
    ours, theirs = scg.Poisson(rate), stats.poisson(rate)
    close(ours.log_prob(x), theirs.logpmf(x))
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


@given(batches(counts, numbers(0, 1), numbers(0, 1)))
def test_binomial_against_scipy(drawn):
    n, p, share = drawn
    x = np.floor(share * n)
    theirs = stats.binom(n, p)
    ours = scg.Binomial(n, p)
    close(ours.log_prob(x), theirs.logpmf(x))
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


@given(batches(counts, numbers(-30, 30), numbers(0, 1)))
def test_binomial_logits_against_scipy(drawn):
    n, logits, share = drawn
    x = np.floor(share * n)
    p, q = special.expit(logits), special.expit(-logits)
    ours = scg.Binomial(n, logits=logits)
    wanted = np.log(special.binom(n, x)) + special.xlogy(x, p) + special.xlogy(n - x, q)
    close(ours.log_prob(x), wanted)
    close(ours.mean, n * p)
    close(ours.variance, n * p * q, rtol=1e-9)


@given(batches(numbers(0.02, 1), counts))
def test_geometric_against_scipy(drawn):
    p, x = drawn
    theirs = stats.geom(p, loc=-1)
    ours = scg.Geometric(p)
    with np.errstate(divide="ignore"):
        close(ours.log_prob(x), np.log(p) + special.xlog1py(x, -p))
    with np.errstate(divide="ignore"):  # in the skewness, which nobody asked for
        close(ours.mean, theirs.mean(), rtol=1e-9)
        close(ours.variance, theirs.var(), rtol=1e-9)
    close(ours.entropy(), -np.log(p) - special.xlog1py((1 - p) / p, -p))
    inside = p < 1
    other = scg.Geometric(logits=special.logit(np.where(inside, p, 0.5)))
    for statistic in ("mean", "variance", "probs"):
        wanted = raw(getattr(ours, statistic))
        close(raw(getattr(other, statistic))[inside], wanted[inside], rtol=1e-9)
    close(raw(other.entropy())[inside], raw(ours.entropy())[inside])
    match = np.broadcast_to(inside, np.broadcast_shapes(p.shape, x.shape))
    close(raw(other.log_prob(x))[match], raw(ours.log_prob(x))[match])


def assert_drawn(draws, law):
    """Pearson's chi-square test, one false alarm in a million; rare counts are put together."""
    draws = raw(draws).astype(int).ravel()
    seen = np.bincount(draws)
    wanted = law.pmf(np.arange(len(seen))) * draws.size
    common = wanted >= 5
    seen = np.append(seen[common], draws.size - seen[common].sum())
    wanted = np.append(wanted[common], draws.size - wanted[common].sum())
    kept = wanted > 1e-6
    assert stats.chisquare(seen[kept], wanted[kept]).pvalue > 1e-6


@pytest.mark.parametrize("rate", [0.05, 3.0, 40.0])
def test_poisson_draws(rate):
    assert_drawn(scg.Poisson(rate).sample(20_000, rng=0), stats.poisson(rate))


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (5, 0.02), (40, 0.7)])
def test_binomial_draws(n, p):
    law = stats.binom(n, p)
    assert_drawn(scg.Binomial(n, p).sample(20_000, rng=0), law)
    assert_drawn(scg.Binomial(n, logits=special.logit(p)).sample(20_000, rng=1), law)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_geometric_draws_are_failures_before_a_success(p):
    assert_drawn(scg.Geometric(p).sample(20_000, rng=0), stats.geom(p, loc=-1))
    assert_drawn(scg.Geometric(np.float32(p)).sample(20_000, rng=1), stats.geom(p, loc=-1))


@given(batches(numbers(0.3, 5), st.integers(0, 6).map(float)))
def test_poisson_gradients(drawn):
    rate, x = drawn
    check_grads(lambda r: scg.Poisson(r).log_prob(x), rate, order=3, rtol=1e-5)


@given(batches(inner, st.integers(0, 4).map(float)))
def test_gradients_in_a_probability(drawn):
    p, x = drawn
    options = {"order": 2, "step": 1e-4, "rtol": 1e-5}
    for make in (lambda q: scg.Binomial(4, q), scg.Geometric):
        check_grads(lambda q, m=make: m(q).log_prob(x), p, **options)
        check_grads(lambda q, m=make: m(q).variance, p, **options)
    check_grads(lambda q: scg.Geometric(q).entropy(), p, **options)
    z = special.logit(p)
    for make in (lambda q: scg.Binomial(4, logits=q), lambda q: scg.Geometric(logits=q)):
        check_grads(lambda q, m=make: m(q).log_prob(x), z, order=3, rtol=1e-5)
        check_grads(lambda q, m=make: m(q).mean, z, order=2, rtol=1e-5)


@few
@given(numbers(0.2, 2))
def test_poisson_score_gradient_is_unbiased(rate):
    def loss(rng, rate):
        k = scg.Poisson(rate).sample(rng=rng)
        return (k - 1.3) ** 2 * (k + rate)

    assert_unbiased(loss, [rate])


@few
@given(numbers(0.2, 0.8), numbers(-1, 1))
def test_binomial_score_gradient_is_unbiased(p, logits):
    """The second number of trials is drawn."""

    def loss(rng, p, logits):
        a = scg.Binomial(3, p).sample(rng=rng)
        b = scg.Binomial(a + 1, logits=logits).sample(rng=rng)
        return (b - 0.4) ** 2 * (a + p)

    assert_unbiased(loss, [p, logits])


@few
@given(numbers(0.5, 0.9))
def test_geometric_score_gradient_is_unbiased(p):
    def loss(rng, p):
        k = scg.Geometric(p).sample(rng=rng)
        return (k - 1.3) ** 2 + k * p

    assert_unbiased(loss, [p], rtol=1e-7)


def test_total_count_has_no_gradient_and_says_so():
    n, p = scg.parameter(3.0), scg.parameter(0.4)
    log_p = scg.Binomial(n, p).log_prob(2.0)
    np.testing.assert_allclose(raw(scg.grad(log_p, p)), 2 / 0.4 - 1 / 0.6, rtol=1e-12)
    with pytest.raises(GradientError, match=r"test_counts.py.*total_count.*detach"):
        scg.grad(scg.Binomial(n, p).log_prob(2.0), n)
    with pytest.raises(GradientError, match="total_count"):
        loss = scg.Binomial(n, p).sample(rng=0) ** 2
        loss.backward()
    scg.Binomial(n.detach(), p).log_prob(2.0).backward()


def test_a_support_that_differs_over_the_batch_is_refused():
    with pytest.raises(OptionError, match="total_count differs"):
        scg.Binomial([2, 3], 0.5).enumerate_support()
    np.testing.assert_array_equal(
        scg.Binomial([2, 2], 0.5).enumerate_support(), [[0.0], [1.0], [2.0]]
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: scg.Poisson([1.0, -1.0]), r"rate must be non-negative.*-1.0 at index \(1,\)"),
        (lambda: scg.Poisson(1e19), "rate must be .*at most 1e18"),
        (lambda: scg.Binomial(1.5, 0.5), "total_count must be a whole number"),
        (lambda: scg.Binomial(-1, 0.5), "total_count must be a whole number"),
        (lambda: scg.Binomial(2, 1.5), "probs must be between 0 and 1"),
        (lambda: scg.Geometric(0.0), "probs must be above 0 and at most 1"),
        (lambda: scg.Geometric(logits=-1e4).sample(rng=0), "logits, as a probability.*above 0"),
        (lambda: scg.Poisson(1.0).log_prob(0.5), "value must be a whole number"),
        (lambda: scg.Geometric(0.5).log_prob(-1), "value must be a whole number"),
        (lambda: scg.Binomial(2, 0.5).log_prob([1, 3]), r"total_count, must be non-neg.*-1.0 at"),
    ],
)
def test_what_is_outside_a_support_is_refused(make, words):
    with pytest.raises(SupportError, match=words):
        make()


@pytest.mark.parametrize(
    "make", [lambda **given: scg.Binomial(2, **given), lambda **given: scg.Geometric(**given)]
)
@pytest.mark.parametrize("given", [{}, {"probs": 0.5, "logits": 0.0}])
def test_exactly_one_parametrisation_is_asked_for(make, given):
    with pytest.raises(OptionError, match="exactly one"):
        make(**given)
