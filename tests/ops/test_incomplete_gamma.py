"""The slope of the incomplete gamma functions in the shape parameter, against mpmath."""

import mpmath as mp
import numpy as np
import pytest

import scg
from scg.ops.incomplete_gamma import shape_slope


def exact_slope(a, x):
    """Difference P, or Q where that is smaller, in 50 digits: a step of 1e-12 leaves 1e-40."""
    with mp.workdps(50):
        a, x = mp.mpf(a), mp.mpf(x)
        ends = (0, x) if x < a + 1 else (x, mp.inf)
        sign = 1 if x < a + 1 else -1
        step = a * mp.mpf(10) ** -12
        values = [mp.gammainc(a + k * step, *ends, regularized=True) for k in (-2, -1, 1, 2)]
        total = values[0] - 8 * values[1] + 8 * values[2] - values[3]
        return float(sign * total / (12 * step))


@pytest.mark.parametrize("a", [1e-3, 0.05, 0.9, 1.0, 2.0, 7.5, 30.0, 200.0, 1e4])
@pytest.mark.parametrize("ratio", [1e-5, 0.2, 0.9, 1.0, 1.1, 3.0])
def test_slope_to_twelve_digits(a, ratio):
    for x in {a * ratio, ratio}:
        wanted = exact_slope(a, x)
        if abs(wanted) < 1e-290:
            continue
        assert float(shape_slope(np.float64(a), np.float64(x))) == pytest.approx(
            wanted, rel=2e-12
        ), (a, x)


def test_ends_of_the_domain():
    a = np.array([1.0, 1.0, 0.0, -1.0, np.nan, 2.0, np.inf])
    x = np.array([0.0, np.inf, 1.0, 1.0, 1.0, -1.0, 1.0])
    expected = [0.0, 0.0, np.nan, np.nan, np.nan, np.nan, 0.0]
    np.testing.assert_array_equal(shape_slope(a, x), expected)


def test_the_two_slopes_are_opposite_and_of_the_dtype():
    a = scg.parameter(np.array([0.5, 3.0], np.float32))
    x = scg.parameter(np.array([2.0, 2.5], np.float32))
    (scg.gammainc(a, x) + scg.gammaincc(a, x)).sum().backward()
    assert a.grad.dtype == x.grad.dtype == np.float32
    np.testing.assert_array_equal(a.grad, 0.0)
    np.testing.assert_array_equal(x.grad, 0.0)


def test_a_second_derivative_is_refused_by_name():
    a = scg.parameter(2.0)
    with pytest.raises(scg.GradientError, match="gammainc"):
        scg.grad(scg.gammainc(a, 1.0), [a], create_graph=True)
