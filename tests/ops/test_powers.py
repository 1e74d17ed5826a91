"""Which op a power becomes, and its slopes where the general formula would be 0 times infinity."""

import numpy as np
import pytest

import scg
from scg._op import POLE, SMOOTH
from scg.testing import check_grads


@pytest.mark.parametrize(
    "exponent", [0, 1, 2, 3, 4, 5, 6, 0.5, -1, -2, 1.5, -0.5, 2.0, np.int64(3)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_dtype_are_those_of_numpy(exponent, dtype):
    x = np.array([0.25, 1.0, 3.5], dtype)
    y = scg.tensor(x) ** exponent
    assert y.dtype == (x**exponent).dtype
    np.testing.assert_allclose(scg.peek(y), x**exponent, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("exponent", [1, 2, 3, 4, 5, 6, 0.5, -1, -2, 1.5, -3])
def test_derivatives_to_third_order(exponent):
    check_grads(lambda x: x**exponent, np.array([0.7, 1.3]), order=3)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5])
def test_every_derivative_of_a_polynomial_is_right_at_zero(exponent):
    wanted = np.polynomial.Polynomial([0] * exponent + [1])
    y, x = None, scg.parameter(0.0)
    y = x**exponent
    for _ in range(4):
        assert float(scg.peek(y)) == wanted(0.0)
        wanted = wanted.deriv()
        if not y.requires_grad:
            assert wanted(0.0) == 0
            break
        (y,) = scg.grad(y, [x], create_graph=True)


def test_a_constant_exponent_tells_the_smoothness():
    x = scg.parameter([1.0, 2.0])

    def classes(y):
        return y._node.op.smoothness(1, y._node.statics)[0]

    assert classes(x**3) is SMOOTH
    assert classes(x**2) is SMOOTH
    assert classes(x**5.0) is SMOOTH
    assert classes(x**-3) is POLE
    assert classes(x**1.5) is POLE


def test_slope_in_the_exponent_is_zero_at_base_zero():
    b = scg.parameter([1.0, 2.0])
    (scg.tensor([0.0, 0.0]) ** b).sum().backward()
    np.testing.assert_array_equal(b.grad, [0.0, 0.0])


def test_number_to_a_tensor():
    b = scg.parameter([1.0, 2.0])
    (3.0**b).sum().backward()
    np.testing.assert_allclose(b.grad, 3.0 ** np.array([1, 2]) * np.log(3.0), rtol=1e-15)


def test_float32_to_a_float64_scalar_widens_as_in_numpy():
    x = scg.parameter(np.array([2.0], np.float32))
    y = x ** np.float64(2.0)
    assert y.dtype == np.float64
    y.backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [4.0])


def test_integers_stay_integers():
    assert (scg.tensor([2, 3]) ** 2).dtype == np.int64
    with pytest.raises(scg.ShapeError, match="power"):
        scg.tensor([2, 3]) ** -1


def test_numpy_power_takes_the_same_road():
    x = scg.parameter([2.0])
    np.power(x, 3).backward()
    np.testing.assert_array_equal(x.grad, [12.0])
