"""Sums and means: exact values, error bound, bits, shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.kernels import reduce

DTYPES = (np.float32, np.float64)
# Around every boundary of the blocking, on both sides of NumPy's share, and into a third level.
LENGTHS = (1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2049, 131_101, 300_007)
SHAPES = [  # (shape, axis)
    ((5, 1), 1), ((400, 7), 1), ((40, 128), 1), ((33, 129), -1), ((9, 1025), 1), ((3, 2049), 1),
    ((5, 1), 0), ((1, 9), 0), ((16, 3), 0), ((17, 3), 0), ((100, 50), 0), ((1000, 2), 0),
    ((33, 5000), 0), ((3, 17, 5), 1), ((30, 40, 6), 1), ((2, 3, 4, 5), (1, 2)),
    ((2, 3, 40, 50), (2, 3)), ((2, 3, 40, 50), (0, 1)), ((2, 3, 40, 50), (0, 1, 2, 3)),
    ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (-1, -2)), ((3, 0, 2), 1), ((3, 0, 2), 0), ((0,), None),
    ((2, 3), ()), ((), None), ((), ()), ((3, 2), [0, 1]), ((70, 1000), 0), ((600, 500), 1),
]  # fmt: skip


def pairwise_depth(n):
    """Return how many roundings a number can meet in NumPy's pairwise sum of n numbers."""
    if n < 8:
        return n - 1
    if n <= 128:
        return n // 8 - 1 + 3 + n % 8
    half = n // 2 - n // 2 % 8
    return 1 + max(pairwise_depth(half), pairwise_depth(n - half))


def integers(rng, shape, dtype):
    """Return numbers whose sums are exact in any order."""
    return rng.integers(-8, 9, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_sums_exactly_where_sums_are_exact(shape, axis, dtype, rng):
    x = integers(rng, shape, dtype)
    before = x.copy()
    for keepdims in (False, True):
        got = reduce.sum(x, axis, keepdims)
        want = np.sum(x, axis if not isinstance(axis, list) else tuple(axis), keepdims=keepdims)
        assert isinstance(got, np.ndarray) and got.dtype == dtype
        np.testing.assert_array_equal(got, want, strict=isinstance(want, np.ndarray))
        assert got.shape == np.shape(want)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_rows_and_columns_of_every_length(n, dtype, rng, monkeypatch):
    monkeypatch.setattr(reduce, "SMALL", 0)
    monkeypatch.setattr(reduce, "LONE", 0)
    x = integers(rng, (3, n), dtype)
    np.testing.assert_array_equal(reduce.sum(x, 1), x.sum(1))
    np.testing.assert_array_equal(reduce.sum(x), x.sum())
    columns = np.ascontiguousarray(x.T)
    np.testing.assert_array_equal(reduce.sum(columns, 0), x.sum(1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7, 1.9])
def test_error_is_at_most_twice_the_pairwise_bound(value, dtype, monkeypatch):
    """Equal numbers round the same way again and again: a running sum fails this by far."""
    monkeypatch.setattr(reduce, "LONE", 0)
    monkeypatch.setattr(reduce, "SMALL", 0)
    half_ulp = np.finfo(dtype).eps / 2
    for n in LENGTHS:
        x = np.full(n, value, dtype)
        exact = math.fsum(x.tolist())
        allowed = 2 * pairwise_depth(n) * half_ulp * exact
        assert abs(float(reduce.sum(x)) - exact) <= allowed
        columns = np.repeat(x[:, None], 2, axis=1)
        assert np.all(abs(reduce.sum(columns, 0).astype(float) - exact) <= allowed)


def test_the_error_bound_would_catch_a_running_sum():
    x = np.full(300_007, 0.1, np.float32)
    exact = math.fsum(x.tolist())
    allowed = 2 * pairwise_depth(x.size) * np.finfo(np.float32).eps / 2 * exact
    assert abs(float(np.cumsum(x)[-1]) - exact) > allowed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((300_007,), None), ((3, 5001), 1), ((400, 77), 1), ((1001, 37), 0), ((3, 65, 5000), 1)],
)
def test_threads_change_no_bit(shape, axis, dtype, rng, monkeypatch):
    x = rng.standard_normal(shape).astype(dtype)
    results = []
    for threshold in (0, 10**9):
        monkeypatch.setattr(reduce, "PARALLEL", threshold)
        results.append(reduce.sum(x, axis))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", ["_short_rows", "_segments", "_columns"])
@pytest.mark.parametrize("build", ["serial", "threaded"])
def test_writes_only_its_output(name, build, rng):
    run = getattr(reduce, f"{name}_{build}")
    for n, shape in ((100, (7, 1)), (40, (7, 1)), (17, (7, 1)), (1, (3, 1))):
        shape = shape if name != "_columns" else (shape[0], 9)
        buffer = np.full(math.prod(shape) + 64, 7.0)
        out = buffer[32:-32].reshape(shape)
        x = integers(rng, (shape[0], n, shape[1]), np.float64)
        run(x.reshape(-1), n, out)
        np.testing.assert_array_equal(out, x.sum(1))
        assert (buffer[:32] == 7).all() and (buffer[-32:] == 7).all()


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_agrees_with_fsum(n, seed):
    x = np.random.default_rng(seed).standard_normal(n)
    reference = math.fsum(x.tolist())
    bound = 2 * pairwise_depth(n) * 2.0**-53 * math.fsum(abs(x).tolist()) + 1e-300
    rows = np.broadcast_to(x, (2048 // n + 2, n)).copy()
    assert np.all(abs(reduce.sum(rows, 1) - reference) <= bound)


@pytest.mark.parametrize("n", [1, 5, 100, 1000, 70_000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(n, bad):
    for position in {0, n // 2, n - 1}:
        x = np.ones((3, n))
        x[1, position] = bad
        np.testing.assert_array_equal(reduce.sum(x, 1), [n, bad, n])
        np.testing.assert_array_equal(reduce.sum(np.ascontiguousarray(x.T), 0), [n, bad, n])
        np.testing.assert_array_equal(reduce.sum(x), bad)


def test_opposite_infinities_make_nan():
    x = np.zeros((40, 200))
    x[:, 3], x[:, 150] = np.inf, -np.inf
    assert np.isnan(reduce.sum(x, 1)).all()


@pytest.mark.parametrize(("shape", "axis"), [((40, 200), 1), ((600, 5), 1), ((40, 200), 0)])
def test_negative_zeros_stay_negative(shape, axis):
    assert np.signbit(reduce.sum(np.full(shape, -0.0), axis)).all()


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.bool_, np.float16, np.dtype(">f8")])
def test_other_dtypes_go_to_numpy(dtype):
    x = np.ones((30, 200), dtype)
    for axis in (None, 0, 1):
        want = np.add.reduce(x, axis)
        got = reduce.sum(x, axis)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(reduce.mean(x, axis), np.mean(x, axis))


def test_strided_and_read_only(rng):
    x = integers(rng, (80, 90), np.float64)
    for view in (x.T, x[::2], x[:, ::-1], np.broadcast_to(x[0], (50, 90))):
        for axis in (None, 0, 1):
            np.testing.assert_array_equal(reduce.sum(view, axis), view.sum(axis))
    x.flags.writeable = False
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(reduce.sum(x, axis), x.sum(axis))


@pytest.mark.parametrize("axis", [2, -3, (0, 0), (0, 5)])
def test_bad_axes_are_refused(axis):
    with pytest.raises(ValueError):  # NumPy's AxisError is one
        reduce.sum(np.ones((40, 100)), axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axis"), [case for case in SHAPES if 0 not in case[0] and case[1] != [0, 1]]
)
def test_mean(shape, axis, dtype, rng):
    x = rng.uniform(1, 2, shape).astype(dtype)
    for keepdims in (False, True):
        got = reduce.mean(x, axis, keepdims)
        want = np.mean(x.astype(np.float64), axis, keepdims=keepdims)
        assert got.dtype == dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=20 * np.finfo(dtype).eps)


def test_mean_of_nothing_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning):
        assert np.isnan(reduce.mean(np.empty(0)))
