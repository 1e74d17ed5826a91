"""The normal distribution by standard deviation: scipy.stats, exact noise and expectations."""

import numpy as np
import pytest
from exact import assert_unbiased
from families import Script, assert_distributed, batches, close, few, numbers, raw
from hypothesis import given
from scipy import stats

import scg
from scg.errors import OptionError, SupportError
from scg.testing import check_grads

location = numbers(-5, 5)
deviation = numbers(0.1, 5)


@given(batches(location, deviation, numbers(-30, 30)))
def test_against_scipy(drawn):
    loc, scale, x = drawn
    ours, theirs = scg.Normal(loc, scale=scale), stats.norm(loc, scale)
    close(ours.log_prob(x), theirs.logpdf(x))
    close(ours.entropy(), theirs.entropy())
    close(ours.mean, theirs.mean())
    close(ours.variance, theirs.var())


def test_the_far_tail():
    close(scg.Normal(0.0, 1e-150).log_prob(1.0), stats.norm(0, 1e-150).logpdf(1.0))
    close(scg.Normal(0.0, 1.0).log_prob(1e150), stats.norm.logpdf(1e150))


@given(batches(location, deviation))
def test_the_sampler_shifts_and_scales_its_noise(drawn):
    loc, scale = drawn
    d = scg.Normal(loc, scale=scale)
    u = ((np.arange(8) + 0.5) / 8).reshape((8, *[1] * len(d.batch_shape)))
    eps = stats.norm.ppf(u)
    ours = raw(d.sample(8, rng=Script(eps)))
    np.testing.assert_array_equal(ours, loc + scale * eps)
    close(ours, stats.norm(loc, scale).ppf(u) * np.ones_like(ours))


def test_draws_are_normal():
    assert_distributed(scg.Normal(-1.0, 3.0).sample(20_000, rng=0), stats.norm(-1, 3).cdf)


@given(batches(location, numbers(0.5, 3), location))
def test_gradients(drawn):
    loc, scale, x = drawn
    check_grads(lambda m, s, v: scg.Normal(m, scale=s).log_prob(v), loc, scale, x, order=2)
    check_grads(lambda s: scg.Normal(0.0, s).entropy(), scale, order=2)
    check_grads(lambda s: scg.Normal(0.0, s).variance, scale, order=2)
    check_grads(lambda m: scg.Normal(m, 1.0).mean, loc, order=2)


@few
@given(numbers(-2, 2), numbers(0.3, 2))
def test_pathwise_and_score_gradients_are_unbiased(loc, scale):
    for estimator in ("pathwise", "score"):

        def loss(rng, loc, scale, estimator=estimator):
            z = scg.Normal(loc, scale).sample(rng=rng, estimator=estimator)
            return z * z * z + scale * z

        assert_unbiased(loss, [loc, scale])


@few
@given(numbers(-2, 2), numbers(0.3, 2))
def test_sampled_divergence_from_the_prior(loc, scale):
    def loss(rng, loc, scale):
        q = scg.Normal(loc, scale)
        z = q.sample(rng=rng)
        return q.log_prob(z) - scg.Normal(0.0, 1.0).log_prob(z)

    assert_unbiased(loss, [loc, scale])


SPREADS = [
    # loc, second argument, kind
    ((), (), "scale"), ((), (1,), "scale"), ((), (1, 1), "scale"), ((2,), (), "scale"),
    ((2,), (2,), "scale"), ((2,), (1, 2), "scale"), ((2,), (5, 2), "scale"),
    ((2,), (3, 5, 2), "scale"), ((2,), (2, 2), "factor"), ((2,), (2, 1), "factor"),
    ((2,), (2, 5), "factor"), ((1,), (1, 1), "factor"), ((3, 2), (3, 2), "scale"),
    ((3, 2), (3, 2, 2), "factor"), ((3, 2), (3, 2, 7), "factor"), ((3, 2), (1, 3, 2), "scale"),
    ((3, 2), (2,), "scale"), ((1, 2), (3, 1, 2), "scale"),
]  # fmt: skip


@pytest.mark.parametrize(("loc", "second", "kind"), SPREADS)
def test_the_shape_of_a_positional_spread_tells_its_meaning(loc, second, kind):
    d = scg.Normal(np.zeros(loc), np.ones(second))
    assert isinstance(d, scg.Normal)
    assert list(d.parameters) == ["loc", kind]
    if kind == "factor":
        assert (d.batch_shape, d.event_shape) == (loc[:-1], loc[-1:])
    else:
        assert (d.batch_shape, d.event_shape) == (np.broadcast_shapes(loc, second), ())


def test_keywords_always_mean_what_they_say():
    square = np.ones((2, 2))
    assert scg.Normal(np.zeros(2), square).event_shape == (2,)
    assert scg.Normal(np.zeros(2), scale=square).batch_shape == (2, 2)
    assert scg.Normal(np.zeros((5, 2)), factor=square).batch_shape == (5,)
    assert scg.Normal(loc=scg.tensor(np.zeros(2)), scale=scg.tensor(1.0)).batch_shape == (2,)


@pytest.mark.parametrize(
    ("spread", "arguments"),
    [((), {}), ((1.0,), {"scale": 1.0}), ((), {"scale": 1.0, "factor": 1.0})],
)
def test_exactly_one_spread_is_asked_for(spread, arguments):
    with pytest.raises(OptionError, match="exactly one"):
        scg.Normal([0.0], *spread, **arguments)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(SupportError) as error:
        scg.Normal(0.0, [[1.0, scale]])
    assert f"scg.Normal: parameter scale must be positive and finite, but is {scale}" in str(
        error.value
    )
    assert "at index (0, 1) (shape (1, 2))" in str(error.value)


def test_shapes_that_do_not_broadcast_are_refused():
    with pytest.raises(scg.ShapeError, match=r"loc \(2,\), scale \(3,\)"):
        scg.Normal(np.zeros(2), np.ones(3))


def test_scalars_are_shown_by_value_and_arrays_by_shape():
    d = scg.Normal([0.0, 1.0], 1 / 3)
    assert (repr(d), d.describe()) == ("Normal(loc: (2,), scale: 0.333333)", "Normal(batch (2,))")
    d = scg.Normal(scg.parameter(1.5), 2.0)
    assert (repr(d), d.describe()) == ("Normal(loc: 1.5, scale: 2)", "Normal(scalar)")
