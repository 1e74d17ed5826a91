"""Ties, open ends and conditions."""

import numpy as np
import pytest

import scg


def gradients(fn, *values):
    params = [scg.parameter(v) for v in values]
    fn(*params).sum().backward()
    return [p.grad.tolist() for p in params]


@pytest.mark.parametrize("pick", [scg.maximum, scg.minimum])
def test_ties_share_equally(pick):
    assert gradients(pick, [1.0, 0.0], [1.0, -0.0]) == [[0.5, 0.5], [0.5, 0.5]]


def test_abs_and_relu_have_slope_zero_at_zero():
    assert gradients(scg.abs, [0.0, -0.0, -2.0, 3.0]) == [[0.0, 0.0, -1.0, 1.0]]
    assert gradients(scg.relu, [0.0, -0.0, -2.0, 3.0]) == [[0.0, 0.0, 0.0, 1.0]]


def test_abs_of_float32_has_float32_slopes():
    x = scg.parameter(np.array([-2.0, 3.0], np.float32))
    abs(x).sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("size", [3, 1000])  # by ufuncs, by a kernel
def test_nan_stays_nan(size):
    x = np.full(size, np.nan)
    with np.errstate(invalid="ignore"):  # small arrays warn as NumPy does
        for fn in (scg.relu, scg.abs, scg.sign, scg.elu, scg.leaky_relu, scg.softplus, scg.sigmoid):
            assert np.isnan(scg.peek(fn(x))).all(), fn.__name__
        for fn in (scg.maximum, scg.minimum, scg.logaddexp):
            assert np.isnan(scg.peek(fn(x, 1.0))).all(), fn.__name__
            assert np.isnan(scg.peek(fn(1.0, x))).all(), fn.__name__


def test_clip_inside_outside_and_at_the_ends():
    x = [-2.0, -1.0, 0.5, 1.0, 7.0]
    assert gradients(lambda t: scg.clip(t, -1.0, 1.0), x) == [[0.0, 0.5, 1.0, 0.5, 0.0]]
    assert gradients(lambda t: t.clip(min=-1.0), x) == [[0.0, 0.5, 1.0, 1.0, 1.0]]
    assert gradients(lambda t: np.clip(t, None, 1.0), x) == [[1.0, 1.0, 1.0, 0.5, 0.0]]
    assert gradients(lambda t: t.clip(), x) == [[1.0] * 5]


def test_clip_passes_gradients_to_its_ends():
    assert gradients(scg.clip, [-2.0, 0.5, 2.0], [-1.0] * 3, [1.0] * 3) == [
        [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0],
    ]  # fmt: skip


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0), (0, 2), (0.5, 0.5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_clip_equals_numpy(ends, dtype):
    x = np.array([-3, 0, 1, 2, 5], dtype)
    actual = scg.peek(scg.clip(x, *ends))
    np.testing.assert_array_equal(actual, np.clip(x, *ends))
    assert actual.dtype == np.clip(x, *ends).dtype


def test_where_routes_cotangents_and_broadcasts():
    c = np.array([[True], [False]])
    assert gradients(lambda a, b: scg.where(c, a, b), [1.0, 2.0], 3.0) == [[1.0, 1.0], 2.0]


def test_a_condition_keeps_a_float32_vjp_in_float32():
    x = scg.parameter(np.ones(3, np.float32))
    np.where(x > 0, x, 0.0).sum().backward()
    assert x.grad.dtype == np.float32


def test_a_condition_that_moves_with_noise_is_refused_unless_asserted_continuous():
    mu = scg.parameter(0.3)
    z = scg.Normal(mu, 1.0).sample(estimator="pathwise")
    with pytest.raises(scg.BiasedGradientError, match=r"greater"):
        scg.where(z > 0, z, -z).backward()
    z = scg.Normal(mu, 1.0).sample(estimator="pathwise")
    scg.where(z > 0, z, -z, continuous=True).backward()
    assert abs(float(mu.grad)) == 1.0


def test_the_assertion_covers_the_condition_only():
    mu = scg.parameter(0.3)
    z = scg.Normal(mu, 1.0).sample(estimator="pathwise")
    with pytest.raises(scg.BiasedGradientError, match="floor"):
        scg.where(z > 0, scg.floor(z), -z, continuous=True).backward()


@pytest.mark.parametrize("name", ["maximum", "power", "arctan2", "less", "where"])
def test_shapes_that_do_not_fit_are_named(name):
    arguments = [np.ones(2), np.ones(3)]
    if name == "where":
        arguments.insert(0, True)
    with pytest.raises(scg.ShapeError, match=rf"scg\.{name}.*\(2,\).*\(3,\)"):
        getattr(scg, name)(*arguments)
