"""The scans against loops, in any layout."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scg.kernels.scan import linear_recurrence, products_of_others


def by_hand(a, b, axis):
    a, y = np.moveaxis(a, axis, 0), np.moveaxis(np.array(b, float), axis, 0)
    for i in range(1, len(y)):
        y[i] = a[i] * y[i - 1] + y[i]
    return np.moveaxis(y, 0, axis)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "axis"), [((7,), 0), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), -2), ((1,), 0),
                        ((0, 3), 1), ((3, 0), 1), ((33, 17), 0)]
)  # fmt: skip
def test_it_is_the_loop(shape, axis, dtype, rng):
    a, b = (rng.uniform(-1, 1, shape).astype(dtype) for _ in range(2))
    y = linear_recurrence(a, b, axis)
    assert y.dtype == dtype
    eps = np.finfo(dtype).eps
    assert_allclose(y, by_hand(a, b, axis), rtol=32 * eps, atol=32 * eps)


def test_layout_and_writability_change_no_bit(rng):
    a, b = rng.uniform(-1, 1, (2, 6, 4))
    plain = linear_recurrence(a, b, 0)
    a.flags.writeable = b.flags.writeable = False
    assert_array_equal(linear_recurrence(a, b, 0), plain)
    assert_array_equal(linear_recurrence(np.asfortranarray(a), np.asfortranarray(b), 0), plain)
    assert_array_equal(linear_recurrence(a[::2, ::-1], b[::2, ::-1], 0),
                       linear_recurrence(a[::2, ::-1].copy(), b[::2, ::-1].copy(), 0))  # fmt: skip


def test_a_zero_factor_forgets_and_the_first_is_not_read():
    a = np.array([np.nan, 2.0, 0.0, 2.0])
    assert_array_equal(linear_recurrence(a, np.ones(4)), [1, 3, 1, 3])


def test_integers_are_computed_as_floats():
    y = linear_recurrence(np.array([1, 2, 3]), np.array([1, 1, 1]))
    assert y.dtype == np.float64
    assert_array_equal(y, [1, 3, 10])


def test_the_inputs_are_left_alone(rng):
    a, b = rng.normal(size=(2, 5))
    before = a.copy(), b.copy()
    linear_recurrence(a, b)
    assert_array_equal((a, b), before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 7])
def test_the_products_of_others_are_those_without_one(n, inner, dtype, rng):
    x = rng.uniform(-2, 2, (2, n, inner)).astype(dtype)
    x[0, n // 2 : n // 2 + 1] = 0
    expected = [np.prod(np.delete(x.astype(float), i, 1), 1) for i in range(n)]
    expected = np.moveaxis(np.reshape(expected, (n, 2, inner)), 0, 1)
    before = x.copy()
    y = products_of_others(x)
    assert y.dtype == dtype
    assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)
    x.flags.writeable = False
    assert_array_equal(products_of_others(x), y)
    assert_array_equal(products_of_others(np.asfortranarray(x)), y)
    assert_array_equal(x, before)
