"""Casts, detaching, and logic that never loses a gradient unnoticed."""

import numpy as np
import pytest

import scg


def test_cotangents_come_back_in_the_dtype_of_the_input():
    x = scg.parameter(np.array([1.0, 2.0], np.float32))
    (x.astype(np.float64) * 3.0).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])


def test_a_cast_to_integers_passes_nothing():
    x = scg.parameter([1.5, 2.5])
    y = x.astype(np.int64) * x
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 2.0])


def test_a_cast_to_the_same_dtype_shares_memory():
    x = scg.tensor([1.0])
    assert np.shares_memory(x.astype(np.float64)._data, x._data)


@pytest.mark.parametrize(
    "jump", [scg.floor, scg.round, scg.sign, lambda z: z > 0, lambda z: z.astype(int), scg.isnan,
             lambda z: scg.mod(z, 2.0), lambda z: z // 2.0, lambda z: scg.logical_not(z)],
)  # fmt: skip
def test_a_pathwise_gradient_through_a_jump_is_refused(jump):
    mu = scg.parameter(0.3)
    z = scg.Normal(mu, 1.0).sample(estimator="pathwise")
    with pytest.raises(scg.BiasedGradientError):
        (jump(z) * z).backward()


def test_comparisons_are_recorded_and_have_no_slope():
    x = scg.parameter([1.0, 3.0])
    y = scg.parameter(2.0)
    mask = (x > y) & ~(x == y)
    assert mask.dtype == np.bool_
    assert not mask.requires_grad
    (mask * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 1.0])
    assert y.grad is None


def test_tensors_compare_with_numbers_on_either_side():
    x = scg.tensor([1.0, 2.0])
    for result, wanted in [
        (1.5 < x, [False, True]),
        (x != 2, [True, False]),
        (2 >= x, [True, True]),
    ]:
        np.testing.assert_array_equal(scg.peek(result), wanted)
