"""Fused log-probabilities against scipy.stats, their gradients against analysis and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import special, stats

from scg.errors import DTypeError, ShapeError, SupportError
from scg.kernels import log_prob

DTYPES = (np.float32, np.float64)
SHAPES = [(), (0,), (1,), (7,), (3, 0, 2), (4, 5), (33, 65)]


def close(actual, expected, dtype, ulps=16):
    eps = np.finfo(dtype).eps
    assert actual.dtype == dtype and actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=ulps * eps, atol=ulps * eps)


def normal_arguments(rng, shape, dtype):
    arrays = rng.standard_normal(shape), rng.standard_normal(shape), rng.uniform(0.3, 3, shape)
    return [np.asarray(a, dtype) for a in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_normal(shape, dtype, rng):
    x, loc, scale = normal_arguments(rng, shape, dtype)
    copies = x.copy(), loc.copy(), scale.copy()
    value, d_x, d_loc, d_scale = log_prob.normal(x, loc, scale)
    wide_x, wide_loc, wide_scale = (np.asarray(a, np.float64) for a in (x, loc, scale))
    z = (wide_x - wide_loc) / wide_scale
    close(value, stats.norm.logpdf(wide_x, wide_loc, wide_scale), dtype, ulps=64)
    close(d_x, -z / wide_scale, dtype, ulps=64)
    close(d_loc, z / wide_scale, dtype, ulps=64)
    close(d_scale, (z**2 - 1) / wide_scale, dtype, ulps=256)
    for array, copy in zip((x, loc, scale), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_normal_gradients_are_the_slopes_of_its_value(rng):
    arguments = normal_arguments(rng, (50,), np.float64)
    _, *gradients = log_prob.normal(*arguments)
    for position, gradient in enumerate(gradients):
        up, down = list(arguments), list(arguments)
        up[position] = up[position] + 1e-6
        down[position] = down[position] - 1e-6
        slope = (log_prob.normal(*up)[0] - log_prob.normal(*down)[0]) / 2e-6
        np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-6)


def test_normal_at_the_ends_of_the_line():
    x = np.array([np.inf, -np.inf, np.nan, 0.0, 0.0])
    value, d_x, *_ = log_prob.normal(x, np.zeros(5), np.array([1.0, 1.0, 1.0, -1.0, 1.0]))
    np.testing.assert_array_equal(value[:4], [-np.inf, -np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(d_x[:3], [-np.inf, np.inf, np.nan])
    assert value[4] == stats.norm.logpdf(0.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_bernoulli(shape, dtype, rng):
    x = np.asarray(rng.integers(0, 2, shape), dtype)
    logits = np.asarray(4 * rng.standard_normal(shape), dtype)
    value, d_logits = log_prob.bernoulli_logits(x, logits)
    wide = np.asarray(logits, np.float64)
    close(value, np.where(x == 1, special.log_expit(wide), special.log_expit(-wide)), dtype)
    # scipy.stats takes p, whose rounding is amplified by 1 / (1 - p) on the unlikely side.
    lost = np.finfo(dtype).eps * (1 + np.exp(abs(wide)))
    assert np.all(abs(value - stats.bernoulli.logpmf(x, special.expit(wide))) <= 4 * lost)
    close(d_logits, np.where(x == 1, special.expit(-wide), -special.expit(wide)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bernoulli_keeps_relative_precision(dtype):
    """The certain side: 1 - p is far below the rounding error of p."""
    logits = np.array([-80, -40, -20, -1e-3, 0.0, 1e-3, 20, 40, 80], dtype)
    for outcome in (0, 1):
        value, d_logits = log_prob.bernoulli_logits(np.full_like(logits, outcome), logits)
        sign = 1 if outcome else -1
        with mpmath.workdps(60):
            tail = [1 / (1 + mpmath.exp(mpmath.mpf(sign * float(a)))) for a in logits]
            want = np.array([float(mpmath.log1p(-t)) for t in tail])
            slope = np.array([float(sign * t) for t in tail])
        rtol = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(value, want, rtol=rtol)
        np.testing.assert_allclose(d_logits, slope, rtol=rtol)


def test_bernoulli_with_infinite_logits_and_nan():
    x = np.array([1.0, 0.0, 1.0, 0.0, 1.0, np.nan])
    logits = np.array([np.inf, np.inf, -np.inf, -np.inf, np.nan, 0.0])
    value, d_logits = log_prob.bernoulli_logits(x, logits)
    np.testing.assert_array_equal(value, [0, -np.inf, -np.inf, 0, np.nan, np.nan])
    np.testing.assert_array_equal(d_logits, [0, -1, 1, 0, np.nan, np.nan])


def test_bernoulli_takes_soft_and_integer_outcomes(rng):
    x, logits = rng.uniform(size=20), rng.standard_normal(20)
    value, d_logits = log_prob.bernoulli_logits(x, logits)
    p = special.expit(logits)
    close(value, x * np.log(p) + (1 - x) * np.log1p(-p), np.float64)
    close(d_logits, x - p, np.float64)
    single = logits.astype(np.float32)
    for whole in (np.ones(20, np.bool_), np.ones(20, np.int64)):
        value, _ = log_prob.bernoulli_logits(whole, single)
        close(value, special.log_expit(single.astype(float)), np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1,), (5,), (7, 10), (3, 4, 129), (0, 4), (2000, 3)])
def test_categorical(shape, dtype, rng):
    logits = (3 * rng.standard_normal(shape)).astype(dtype)
    index = np.asarray(rng.integers(0, shape[-1], shape[:-1]))
    copies = index.copy(), logits.copy()
    value, d_logits = log_prob.categorical_logits(index, logits)
    expected = special.log_softmax(logits.astype(np.float64), axis=-1)
    one_hot = np.arange(shape[-1]) == index[..., None]
    close(value, np.sum(expected * one_hot, axis=-1), dtype)
    close(d_logits, one_hot - np.exp(expected), dtype)
    np.testing.assert_array_equal(index, copies[0])
    np.testing.assert_array_equal(logits, copies[1])


def test_categorical_excluded_category():
    logits = np.array([[0.0, -np.inf], [0.0, -np.inf], [np.nan, 0.0]])
    value, d_logits = log_prob.categorical_logits(np.array([0, 1, 1]), logits)
    np.testing.assert_array_equal(value, [0, -np.inf, np.nan])
    np.testing.assert_array_equal(d_logits[:2], [[0, 0], [-1, 1]])


@pytest.mark.parametrize(
    ("index", "logits", "error", "says"),
    [
        (np.array([2]), np.zeros((1, 2)), SupportError, "index 2 .*2 categories.*0 to 1"),
        (np.array([-1]), np.zeros((1, 2)), SupportError, "index -1"),
        (np.array([0.0]), np.zeros((1, 2)), DTypeError, "float64.*integers"),
        (np.array([0, 0]), np.zeros((1, 2)), ShapeError, r"\(2,\).*\(1, 2\)"),
        (np.array(0), np.array(0.0), ShapeError, r"\(\)"),
        (np.array([0]), np.zeros((1, 0)), SupportError, "0 categories"),
    ],
)
def test_categorical_refuses(index, logits, error, says):
    with pytest.raises(error, match=says):
        log_prob.categorical_logits(index, logits)


def test_shapes_must_agree():
    with pytest.raises(ShapeError, match=r"normal.*x \(3,\), loc \(1,\), scale \(3,\)"):
        log_prob.normal(np.ones(3), np.ones(1), np.ones(3))
    with pytest.raises(ShapeError, match="bernoulli"):
        log_prob.bernoulli_logits(np.ones(3), np.ones(1))


def test_strided_read_only_and_mixed_dtypes(rng):
    x, loc, scale = normal_arguments(rng, (8, 9), np.float64)
    want = log_prob.normal(x, loc, scale)
    x.flags.writeable = False
    got = log_prob.normal(x, loc, np.asfortranarray(scale))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
    assert log_prob.normal(x.astype(np.float32), loc, scale)[0].dtype == np.float64
    constant = np.broadcast_to(np.float64(2.0), (8, 9))
    close(log_prob.normal(x, loc, constant)[0], stats.norm.logpdf(x, loc, 2.0), np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_change_no_bit(dtype, rng, monkeypatch):
    arguments = normal_arguments(rng, (10_007,), dtype)
    logits = rng.standard_normal((1001, 11)).astype(dtype)
    index = rng.integers(0, 11, 1001)
    runs = []
    for threshold in (0, 10**9):
        monkeypatch.setattr(log_prob, "PARALLEL", threshold)
        runs.append([
            *log_prob.normal(*arguments), *log_prob.bernoulli_logits(*arguments[:2]),
            *log_prob.categorical_logits(index, logits),
        ])  # fmt: skip
    for threaded, serial in zip(*runs, strict=True):
        np.testing.assert_array_equal(threaded, serial)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 13, 67])
def test_writes_only_its_outputs(size, dtype, rng):
    x, loc, scale = normal_arguments(rng, (size,), dtype)
    for builds, inputs, outputs in (
        (log_prob._NORMAL, (x, loc, scale), 4),
        (log_prob._BERNOULLI, (x, loc), 2),
    ):
        for build in builds:
            buffers = [np.full(size + 64, 7, dtype) for _ in range(outputs)]
            build[np.dtype(dtype)](*inputs, *(b[32:-32] for b in buffers))
            for buffer in buffers:
                assert (buffer[:32] == 7).all() and (buffer[-32:] == 7).all()
                assert (buffer[32:-32] != 7).all()
