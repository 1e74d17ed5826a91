"""The Bernoulli distribution against scipy.stats, exact noise and exact expectations."""

import numpy as np
import pytest
from exact import assert_unbiased, expected_gradient
from families import Script, assert_frequencies, batches, close, few, numbers, raw
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

import scg
from scg.errors import BiasedGradientError, OptionError, SupportError
from scg.testing import check_grads

unit = numbers(0, 1)
inner = numbers(0.05, 0.95)
logit = numbers(-30, 30)
outcome = st.sampled_from([0.0, 1.0])


@given(batches(unit, outcome))
def test_probs_against_scipy(drawn):
    p, x = drawn
    ours, theirs = scg.Bernoulli(p), stats.bernoulli(p)
    close(ours.log_prob(x), theirs.logpmf(x))
    close(ours.entropy(), special.entr(p) + special.entr(1 - p))
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


@given(batches(logit, outcome))
def test_logits_against_scipy(drawn):
    logits, x = drawn
    d, p = scg.Bernoulli(logits=logits), special.expit(logits)
    close(d.log_prob(x), np.where(x == 1, special.log_expit(logits), special.log_expit(-logits)))
    close(d.entropy(), special.entr(p) + special.entr(special.expit(-logits)))
    close(d.mean, p)
    close(d.probs, p)
    close(d.variance, p * special.expit(-logits))


@given(batches(inner, unit))
def test_a_weight_between_averages_the_outcomes(drawn):
    p, x = drawn
    for d in (scg.Bernoulli(p), scg.Bernoulli(logits=special.logit(p))):
        close(d.log_prob(x), x * raw(d.log_prob(1.0)) + (1 - x) * raw(d.log_prob(0.0)))


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certain_outcomes(certain):
    p = scg.parameter(certain)
    d = scg.Bernoulli(p)
    assert raw(d.log_prob(certain)) == 0.0
    assert raw(d.log_prob(1 - certain)) == -np.inf
    assert raw(d.entropy()) == raw(d.variance) == 0.0
    d.log_prob(certain).backward()
    assert p.grad == (1.0 if certain else -1.0)  # of log p and of log(1 - p)
    largest = np.nextafter(1.0, 0.0)
    assert raw(d.sample(rng=Script(0.0))) == raw(d.sample(rng=Script(largest))) == certain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_stay_finite(dtype):
    d = scg.Bernoulli(logits=np.array([-1e4, 1e4], dtype))
    np.testing.assert_array_equal(raw(d.log_prob([0, 1])), 0.0)
    np.testing.assert_array_equal(raw(d.log_prob([1, 0])), -1e4)
    np.testing.assert_array_equal(raw(d.entropy()), 0.0)


@given(batches(unit))
def test_the_sampler_inverts_the_distribution_function(drawn):
    (p,) = drawn
    u = np.linspace(0, 1, 9)[:-1].reshape((8, *[1] * p.ndim))
    ours = raw(scg.Bernoulli(p).sample(8, rng=Script(u)))
    np.testing.assert_array_equal(ours, np.where(u < p, 1.0, 0.0))
    np.testing.assert_array_equal(ours, stats.bernoulli(1 - p).ppf(1 - u) * 0 + (u < p))


def test_draws_have_their_probabilities():
    p = np.array([0.02, 0.5, 0.9])
    ones = raw(scg.Bernoulli(p).sample(20_000, rng=0)).sum(axis=0)
    for one, q in zip(ones, p, strict=True):
        assert_frequencies([one, 20_000 - one], [q, 1 - q])


@given(batches(inner, outcome))
def test_gradients(drawn):
    p, x = drawn
    step = {"order": 2, "step": 1e-3, "rtol": 1e-5}
    check_grads(lambda q: scg.Bernoulli(q).log_prob(x), p, **step | {"step": 1e-4})
    check_grads(lambda q: scg.Bernoulli(q).entropy(), p, **step | {"step": 1e-4})
    check_grads(lambda q: scg.Bernoulli(q).variance, p, **step | {"step": 1e-4})
    logits = special.logit(p)
    check_grads(lambda z: scg.Bernoulli(logits=z).log_prob(x), logits, **step)
    check_grads(lambda z: scg.Bernoulli(logits=z).entropy(), logits, **step)
    check_grads(lambda z: scg.Bernoulli(logits=z).mean, logits, **step)


@few
@given(inner, numbers(-3, 3))
def test_score_gradient_is_unbiased(p, logits):
    def loss(rng, p, logits):
        a = scg.Bernoulli(p).sample(rng=rng)
        b = scg.Bernoulli(logits=logits + a).sample(rng=rng)
        return (a - 0.3) * (b + p) ** 2

    assert_unbiased(loss, [p, logits])


@pytest.mark.parametrize("logits", [-800.0, 800.0])
def test_score_gradient_of_saturated_logits_is_zero_and_not_nan(logits):
    def loss(rng, logits):
        return (scg.Bernoulli(probs=scg.sigmoid(logits)).sample(rng=rng) - 0.3) ** 2

    assert expected_gradient(loss, [logits])[0] == 0.0


@pytest.mark.parametrize("arguments", [{}, {"probs": 0.5, "logits": 0.0}])
def test_exactly_one_parametrisation_is_asked_for(arguments):
    with pytest.raises(OptionError, match="exactly one"):
        scg.Bernoulli(**arguments)


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_probabilities_outside_the_unit_interval_are_refused(bad):
    with pytest.raises(SupportError) as error:
        scg.Bernoulli([[0.5, 0.5], [bad, 0.5]])
    expected = (
        f"scg.Bernoulli: parameter probs must be between 0 and 1, but is {bad} at index (1, 0)"
    )
    assert expected in str(error.value)


@pytest.mark.parametrize("bad", [-1, 2, 1.5])
def test_values_outside_the_unit_interval_are_refused(bad):
    with pytest.raises(SupportError, match=r"value must be between 0 and 1.*index \(1,\)"):
        scg.Bernoulli(0.5).log_prob([0, bad])


@pytest.mark.parametrize("reshape", [False, True])
def test_a_sigmoid_of_noise_is_a_probability_away_from_both_ends(reshape):
    """A likelihood of probs=sigmoid(z) is pathwise in z, at every order, as that of logits=z."""

    def loss(rng, mu):
        p = scg.sigmoid(scg.Normal(mu, 1.0).sample(2, rng=rng))
        p = p.reshape((1, 2))[0] if reshape else p
        d = scg.Bernoulli(p)
        return (d.log_prob([0.0, 1.0]) + d.entropy()).sum()

    assert_unbiased(loss, [0.3])
    mu = scg.parameter(0.3)
    first = scg.grad(loss(0, mu), mu, create_graph=True)
    assert np.isfinite(raw(scg.grad(first, mu)))


TOUCHING = {
    "bump": lambda z: scg.exp(-z * z),
    "rational": lambda z: 1.0 / (1.0 + z * z),
    "half a sum": lambda z: 0.5 * (scg.sigmoid(z) + scg.sigmoid(-z)) * scg.exp(-z * z),
}


@pytest.mark.parametrize("name", TOUCHING)
def test_noise_that_may_make_an_outcome_certain_is_refused(name):
    z = scg.Normal(scg.parameter(0.3), 1.0).sample(rng=0, estimator="pathwise")
    p = TOUCHING[name](z)
    with pytest.raises(BiasedGradientError, match="xlog1my"):
        scg.Bernoulli(p).log_prob(0.0).backward()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [{"logits": 800.0}, {"logits": -800.0}, {"probs": 1e-300}])
def test_draws_are_0_or_1_at_the_edge_too(given, dtype):
    """That they are need not be checked again: `draws_in_support`."""
    (name, value), *_ = given.items()
    d = scg.Bernoulli(**{name: np.full(100, value, dtype)})
    assert set(raw(d.sample(rng=0))) <= {0.0, 1.0}


def test_what_was_not_drawn_is_checked_after_a_draw_too():
    d = scg.Bernoulli(0.5)
    b = d.sample(rng=0)
    close(d.log_prob(b), np.log(0.5))
    with pytest.raises(SupportError, match="log_prob"):
        d.log_prob(b + 2.0)
    with pytest.raises(SupportError, match="log_prob"):
        scg.Bernoulli([0.5, 0.5]).log_prob([2.0, 1.0])
