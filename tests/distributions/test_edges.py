"""The ends of every family: certain and impossible outcomes, huge logits, log-probability -inf.

Values and gradients are finite and right, infinite where the formula is, or refused; never NaN.
"""

import numpy as np
import pytest
from families import raw
from scipy import special

import scg
from scg.errors import SupportError

HUGE = np.array([-1e4, 1e4])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def value_and_slope(make, parameter, x):
    p = scg.parameter(parameter)
    log_p = make(p).log_prob(x)
    (slope,) = scg.grad(log_p.sum(), [p])
    assert not np.any(np.isnan(raw(slope)))
    return raw(log_p), raw(slope)


# Family, an end of its parameter, an outcome, its log-probability and the slope there.
ENDS = {
    "bernoulli": [
        (scg.Bernoulli, 0.0, 0, 0.0, -1.0), (scg.Bernoulli, 0.0, 1, -np.inf, np.inf),
        (scg.Bernoulli, 1.0, 1, 0.0, 1.0), (scg.Bernoulli, 1.0, 0, -np.inf, -np.inf),
    ],
    "binomial": [
        (lambda p: scg.Binomial(3, p), 0.0, 0, 0.0, -3.0),
        (lambda p: scg.Binomial(3, p), 0.0, 1, -np.inf, np.inf),
        (lambda p: scg.Binomial(3, p), 1.0, 3, 0.0, 3.0),
        (lambda p: scg.Binomial(3, p), 1.0, 2, -np.inf, -np.inf),
    ],
    "geometric": [
        (scg.Geometric, 1.0, 0, 0.0, 1.0), (scg.Geometric, 1.0, 1, -np.inf, -np.inf),
    ],
    "poisson": [(scg.Poisson, 0.0, 0, 0.0, -1.0), (scg.Poisson, 0.0, 2, -np.inf, np.inf)],
}  # fmt: skip


@pytest.mark.parametrize("case", [case for cases in ENDS.values() for case in cases])
def test_ends_of_a_parameter(case):
    make, parameter, x, log_p, slope = case
    assert value_and_slope(make, parameter, x) == (log_p, slope)


@pytest.mark.parametrize("name", ENDS)
def test_slopes_at_an_end_are_limits_of_those_inside(name):
    """Of the outcomes that are certain at the end."""
    for make, parameter, x, log_p, slope in ENDS[name]:
        if log_p == 0.0:
            step = 1e-7 if parameter == 0.0 else -1e-7
            inside = raw(make(parameter + step).log_prob(x)) / step
            np.testing.assert_allclose(inside, slope, rtol=1e-5)


def test_an_impossible_category_has_a_slope_through_the_sum():
    for family, x in ((scg.Categorical, 1), (scg.OneHotCategorical, [0.0, 1.0])):
        log_p, slope = value_and_slope(family, [0.0, 2.0], x)
        assert log_p == 0.0
        np.testing.assert_array_equal(slope, [-0.5, 0.0])
    log_p, slope = value_and_slope(scg.Categorical, [0.0, 2.0], 0)
    assert log_p == -np.inf
    np.testing.assert_array_equal(slope, [np.inf, -0.5])


LOGITS = {
    "bernoulli": (lambda z: scg.Bernoulli(logits=z), [0, 1], [1, 0], [0.0, 0.0], [1.0, -1.0]),
    "binomial": (
        lambda z: scg.Binomial(np.asarray(3, z.dtype), logits=z), [0, 3], [3, 0],
        [0.0, 0.0], [3.0, -3.0],
    ),
}  # fmt: skip


@DTYPES
@pytest.mark.parametrize("name", LOGITS)
def test_huge_logits(name, dtype):
    make, certain, impossible, flat, steep = LOGITS[name]
    log_p, slope = value_and_slope(make, HUGE.astype(dtype), np.array(certain, dtype))
    np.testing.assert_array_equal(log_p, 0.0)
    np.testing.assert_array_equal(slope, flat)
    log_p, slope = value_and_slope(make, HUGE.astype(dtype), np.array(impossible, dtype))
    np.testing.assert_array_equal(log_p, -1e4 * max(impossible))
    np.testing.assert_array_equal(slope, steep)


@DTYPES
def test_huge_logits_of_a_geometric_distribution(dtype):
    log_p, slope = value_and_slope(
        lambda z: scg.Geometric(logits=z), HUGE.astype(dtype), np.array([0, 2], dtype)
    )
    np.testing.assert_array_equal(log_p, [-1e4, -2e4])
    np.testing.assert_array_equal(slope, [1.0, -2.0])
    with pytest.raises(SupportError, match="above 0"):
        scg.Geometric(logits=dtype(-1e4)).sample(rng=0)


@DTYPES
@pytest.mark.parametrize(
    ("family", "x"), [(scg.Categorical, 0), (scg.OneHotCategorical, [1.0, 0.0, 0.0])]
)
def test_huge_logits_of_categories(family, x, dtype):
    log_p, slope = value_and_slope(
        lambda z: family(logits=z), np.array([-1e4, 0.0, 1e4], dtype), np.array(x)
    )
    assert log_p == -2e4
    np.testing.assert_array_equal(slope, [1.0, 0.0, -1.0])
    d = family(logits=np.array([-1e4, 0.0, 1e4], dtype))
    assert raw(d.entropy()) == 0.0
    assert np.all(np.isfinite(raw(d.variance)))


@DTYPES
def test_huge_logits_of_weights(dtype):
    members = scg.Normal(np.array([0.0, 1.0], dtype), dtype(1))
    log_p, slope = value_and_slope(
        lambda z: scg.Mixture(members, logits=z), HUGE.astype(dtype), dtype(0.5)
    )
    np.testing.assert_allclose(log_p, -0.125 - 0.5 * np.log(2 * np.pi), rtol=1e-6)
    np.testing.assert_array_equal(slope, [0.0, 0.0])


CERTAIN = {
    "Bernoulli": lambda z: scg.Bernoulli(logits=z),
    "Bernoulli of sigmoid": lambda z: scg.Bernoulli(scg.sigmoid(z)),
    "Binomial": lambda z: scg.Binomial(2, logits=z),
    "Binomial of sigmoid": lambda z: scg.Binomial(2, scg.sigmoid(z)),
}


@pytest.mark.parametrize("name", CERTAIN)
@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_the_score_of_a_certain_draw_is_zero(name, z):
    """The other outcomes have probability 0 with slope 0, so nothing is missing."""
    p = scg.parameter(z)
    draw = CERTAIN[name](p).sample(rng=0)
    ((draw - 0.3) ** 2).backward()
    assert p.grad == 0.0


OUTSIDE = [
    (lambda p: scg.Exponential(p), 2.0, -1.0), (lambda p: scg.Uniform(0.0, p), 2.0, 3.0),
    (lambda p: scg.Gamma(2.0, p), 2.0, -1.0),
]  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
def test_outside_a_density_ends_the_logarithm_is_minus_infinity(case):
    make, parameter, x = case
    assert value_and_slope(make, parameter, x)[0] == -np.inf


def test_a_log_probability_of_minus_infinity_does_not_spoil_the_others():
    """In a batch, the slopes of the possible outcomes are what they are alone."""
    p = scg.parameter([0.0, 0.3])
    log_p = scg.Bernoulli(p).log_prob([1.0, 1.0])
    np.testing.assert_allclose(raw(scg.grad(log_p.sum(), p))[1], 1 / 0.3, rtol=1e-15)


def test_saturated_weights_of_a_mixture():
    w = special.softmax([0.0, 1e4])
    log_p, slope = value_and_slope(lambda p: scg.Mixture(scg.Normal([0.0, 0.0], 1.0), p), w, 0.0)
    np.testing.assert_allclose(log_p, -0.5 * np.log(2 * np.pi), rtol=1e-15)
    np.testing.assert_allclose(slope, 0.0, atol=1e-15)
