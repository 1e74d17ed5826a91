"""The categorical distribution against scipy.stats, exact noise and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased
from families import Script, assert_frequencies, close, few, numbers, raw, tables
from hypothesis import assume, given
from scipy import special, stats

import scg
from scg.errors import OptionError, SupportError
from scg.testing import check_grads

probs_tables = tables(0, 3)
inner_tables = tables(0.2, 3)
logits_tables = tables(-30, 30)


def rows(table):
    return table.reshape(-1, table.shape[-1])


def compare(d, p):
    """Compare one distribution with scipy's, row of probabilities by row."""
    theirs = [stats.rv_discrete(values=(np.arange(p.shape[-1]), row)) for row in rows(p)]
    batch = p.shape[:-1]
    close(d.probs, p)
    close(d.entropy(), np.reshape([special.entr(row).sum() for row in rows(p)], batch))
    close(d.mean, np.reshape([t.mean() for t in theirs], batch))
    close(d.variance, np.reshape([t.var() for t in theirs], batch), rtol=1e-8)
    for k in range(p.shape[-1]):
        with np.errstate(divide="ignore"):
            close(d.log_prob(np.full(batch, k)), np.log(p[..., k]))


@given(probs_tables)
def test_probs_against_scipy(weights):
    total = weights.sum(axis=-1, keepdims=True)
    assume(np.all(total > 1e-3))
    compare(scg.Categorical(weights), weights / total)


@given(logits_tables)
def test_logits_against_scipy(logits):
    compare(scg.Categorical(logits=logits), special.softmax(logits, axis=-1))


def test_index_and_batch_broadcast_both_ways():
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    log = np.log(p)
    for d in (scg.Categorical(p), scg.Categorical(logits=log)):
        close(d.log_prob(1), log[:, 1])
        close(d.log_prob([[0], [1]]), log.T)
        close(d.log_prob([0, 1, 0]), log[[0, 1, 2], [0, 1, 0]])
        close(d.log_prob(np.array([0.0, 1.0, 0.0], np.float32)), log[[0, 1, 2], [0, 1, 0]])
    close(scg.Categorical(p[0]).log_prob([[0, 1, 1]]), log[0][[[0, 1, 1]]])


def test_impossible_categories():
    p = scg.parameter([0.0, 1.0, 3.0])
    d = scg.Categorical(p)
    np.testing.assert_array_equal(raw(d.log_prob([0])), -np.inf)
    d.log_prob(2).backward()
    np.testing.assert_allclose(p.grad, [-1 / 4, -1 / 4, 1 / 3 - 1 / 4], rtol=1e-12)
    u = np.linspace(0, np.nextafter(1.0, 0.0), 11)
    assert set(raw(d.sample(11, rng=Script(u)))) == {1, 2}


def test_extreme_logits_stay_finite():
    d = scg.Categorical(logits=[-1e4, 0.0, 1e4])
    np.testing.assert_array_equal(raw(d.log_prob([0, 1, 2])), [-2e4, -1e4, 0.0])
    assert raw(d.entropy()) == raw(d.variance) == 0.0


@given(inner_tables)
def test_the_sampler_inverts_the_distribution_function(weights):
    p = weights / weights.sum(axis=-1, keepdims=True)
    u = (np.arange(16) + 0.5) / 16
    ours = raw(
        scg.Categorical(weights).sample(16, rng=Script(u.reshape(16, *[1] * p.ndim)[..., 0]))
    )
    assert ours.dtype == np.int64
    ends = np.cumsum(p, axis=-1)
    assume(np.all(np.abs(ends[..., None] - u) > 1e-12))
    for row, drawn in zip(rows(p), ours.reshape(16, -1).T, strict=True):
        theirs = stats.rv_discrete(values=(np.arange(len(row)), row)).ppf(u)
        np.testing.assert_array_equal(drawn, theirs)


def test_draws_have_their_probabilities():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.49, 0.01]])
    draws = raw(scg.Categorical(3 * p).sample(20_000, rng=0))
    for column, row in zip(draws.T, p, strict=True):
        assert_frequencies(np.bincount(column, minlength=3), row)


@given(inner_tables)
def test_gradients(weights):
    last = weights.shape[-1] - 1
    options = {"order": 2, "step": 1e-3, "rtol": 1e-5}
    for make in (scg.Categorical, lambda z: scg.Categorical(logits=z)):
        check_grads(lambda w, m=make: m(w).log_prob(last), weights, **options)
        check_grads(lambda w, m=make: m(w).entropy(), weights, **options)
        check_grads(lambda w, m=make: m(w).mean, weights, **options)
        check_grads(lambda w, m=make: m(w).variance, weights, **options)


@few
@given(numbers(0.2, 2), numbers(-2, 2))
def test_score_gradient_is_unbiased(weight, logit):
    costs = [1.0, -0.5, 2.0]

    def loss(rng, weight, logit):
        a = scg.Categorical(scg.stack([weight, weight**2, weight + 1.0])).sample(rng=rng)
        b = scg.Categorical(logits=scg.stack([logit, logit * a, -logit])).sample(rng=rng)
        return costs[int(a)] * (b + weight) ** 2

    assert_unbiased(loss, [weight, logit])


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
class TestBothCodings:
    @pytest.mark.parametrize("arguments", [{}, {"probs": [1.0], "logits": [0.0]}])
    def test_exactly_one_parametrisation_is_asked_for(self, family, arguments):
        with pytest.raises(OptionError, match=f"scg.{family.__name__} takes exactly one"):
            family(**arguments)

    @pytest.mark.parametrize("name", ["probs", "logits"])
    @pytest.mark.parametrize("value", [1.0, np.ones((2, 0))])
    def test_an_axis_of_categories_is_asked_for(self, family, name, value):
        with pytest.raises(scg.ShapeError, match=f"{name} needs a last axis"):
            family(**{name: value})

    def test_negative_probabilities_are_refused(self, family):
        with pytest.raises(
            SupportError, match=r"probs must be non-negative.*-0.5 at index \(0, 1\)"
        ):
            family([[1.0, -0.5]])

    @pytest.mark.parametrize("row", [[0.0, 0.0], [1.7e308, 1.7e308]])
    def test_a_sum_that_cannot_be_divided_by_is_refused(self, family, row):
        with pytest.raises(SupportError, match=r"summed over its last axis.*index \(1, 0\)"):
            family([[1.0, 2.0], row])

    def test_a_single_category_is_certain(self, family):
        d = family([5.0])
        assert raw(d.entropy()) == 0.0
        assert raw(d.log_prob(d.sample(rng=0))) == 0.0


@pytest.mark.parametrize("bad", [-1, 3, 0.5, np.nan])
def test_values_that_are_no_index_are_refused(bad):
    with pytest.raises(SupportError, match=r"whole numbers from 0 to 2.*index \(1,\)"):
        scg.Categorical([1.0, 1.0, 1.0]).log_prob([0, bad])


def test_a_value_that_does_not_broadcast_is_refused():
    with pytest.raises(scg.ShapeError, match=r"\(3,\) does not broadcast.*\(2,\)"):
        scg.Categorical(np.ones((2, 4))).log_prob([0, 1, 2])


@pytest.mark.parametrize("family", [scg.Categorical, scg.OneHotCategorical])
def test_a_softmax_of_noise_is_away_from_zero(family):
    """A likelihood of probs=softmax(z) is pathwise in z, as that of logits=z."""
    slopes = []
    for probs in (True, False):
        mu = scg.parameter([0.3, -0.2])
        z = scg.Normal(mu, 1.0).sample(rng=0, estimator="pathwise")
        d = family(scg.softmax(z)) if probs else family(logits=z)
        (d.log_prob(1 if family is scg.Categorical else [0.0, 1.0]) + d.entropy()).backward()
        slopes.append(mu.grad)
    np.testing.assert_allclose(*slopes, rtol=1e-12)
