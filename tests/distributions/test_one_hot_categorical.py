"""The one-hot categorical distribution against scipy.stats, indices and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased
from families import assert_frequencies, close, few, numbers, raw, tables
from hypothesis import given
from scipy import special, stats

import scg
from scg.errors import SupportError
from scg.testing import check_grads


@given(tables(0.1, 3))
def test_against_scipy(weights):
    p = weights / weights.sum(axis=-1, keepdims=True)
    count = p.shape[-1]
    for d in (scg.OneHotCategorical(weights), scg.OneHotCategorical(logits=np.log(weights))):
        close(d.mean, p)
        close(d.variance, p * (1 - p))
        close(d.entropy(), special.entr(p).sum(axis=-1))
        for k in range(count):
            x = np.broadcast_to(np.eye(count)[k], p.shape)
            theirs = [
                stats.multinomial(1, row).logpmf(np.eye(count)[k]) for row in p.reshape(-1, count)
            ]
            close(d.log_prob(x), np.reshape(theirs, p.shape[:-1]))


@given(tables(0.1, 3))
def test_draws_are_the_one_hot_form_of_the_index(weights):
    index = raw(scg.Categorical(weights).sample(5, rng=3))
    value = raw(scg.OneHotCategorical(weights).sample(5, rng=3))
    np.testing.assert_array_equal(value.argmax(axis=-1), index)
    np.testing.assert_array_equal(np.sort(value, axis=-1)[..., :-1], 0.0)
    np.testing.assert_array_equal(value.max(axis=-1), 1.0)


def test_draws_have_their_probabilities():
    p = np.array([0.05, 0.25, 0.7])
    assert_frequencies(raw(scg.OneHotCategorical(p).sample(20_000, rng=0)).sum(axis=0), p)


def test_impossible_categories():
    p = scg.parameter([0.0, 1.0, 3.0])
    d = scg.OneHotCategorical(p)
    assert raw(d.log_prob([1.0, 0.0, 0.0])) == -np.inf
    d.log_prob([0.0, 0.0, 1.0]).backward()
    np.testing.assert_allclose(p.grad, [-1 / 4, -1 / 4, 1 / 3 - 1 / 4], rtol=1e-12)


@given(tables(0.2, 3))
def test_gradients(weights):
    x = np.zeros_like(weights)
    x[..., 0] = 1.0
    options = {"order": 2, "step": 1e-3, "rtol": 1e-5}
    for make in (scg.OneHotCategorical, lambda z: scg.OneHotCategorical(logits=z)):
        check_grads(lambda w, m=make: m(w).log_prob(x), weights, **options)
        check_grads(lambda w, m=make: m(w).entropy(), weights, **options)
        check_grads(lambda w, m=make: m(w).variance, weights, **options)


@few
@given(numbers(0.2, 2), numbers(-2, 2))
def test_score_gradient_is_unbiased(weight, logit):
    costs = np.array([1.0, -0.5, 2.0])

    def loss(rng, weight, logit):
        a = scg.OneHotCategorical(scg.stack([weight, weight**2, weight + 1.0])).sample(rng=rng)
        b = scg.OneHotCategorical(logits=a * logit).sample(rng=rng)
        return (a * costs).sum() * ((b * costs).sum() + weight) ** 2

    assert_unbiased(loss, [weight, logit])


@pytest.mark.parametrize("bad", [[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [1.0, np.nan], [2.0, -1.0]])
def test_values_that_are_not_one_hot_are_refused(bad):
    with pytest.raises(SupportError, match=r"one-hot.*index \(1, [01]\)"):
        scg.OneHotCategorical([1.0, 1.0]).log_prob([[0.0, 1.0], bad])
