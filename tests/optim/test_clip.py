"""Clipping: direction, norm, overflow, and what is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg import optim
from scg.errors import NonFiniteError


def with_grads(*arrays):
    params = [scg.parameter(np.zeros(np.shape(a), np.asarray(a).dtype)) for a in arrays]
    for p, a in zip(params, arrays, strict=True):
        p.grad = a
    return params


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_bounds_the_norm(values, bound):
    params = with_grads(values, values[:1])
    joined = np.array([*values, values[0]])
    norm = np.linalg.norm(joined)
    assert optim.clip_grad_norm(params, bound) == pytest.approx(norm, rel=1e-12)
    clipped = np.concatenate([p.grad for p in params])
    expected = joined if norm <= bound else joined * (bound / norm)
    # atol: below 1e-308 numbers have fewer bits, and products with them round more coarsely.
    np.testing.assert_allclose(clipped, expected, rtol=1e-12, atol=1e-300)


def test_small_gradients_keep_every_bit():
    params = with_grads(np.array([0.1, 0.7]))
    optim.clip_grad_norm(params, 1.0)
    assert params[0].grad.tolist() == [0.1, 0.7]


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float64, 1e200)])
def test_squares_do_not_overflow(dtype, size):
    params = with_grads(np.array([3 * size, 4 * size], dtype))
    assert optim.clip_grad_norm(params, 1.0) == pytest.approx(5 * size, rel=1e-6)
    np.testing.assert_allclose(params[0].grad, [0.6, 0.8], rtol=1e-6)
    assert params[0].grad.dtype == dtype


def test_clipping_skips_what_has_no_gradient():
    idle = scg.parameter([1.0])
    (busy,) = with_grads([3.0, 4.0])
    assert optim.clip_grad_norm([idle, busy, *with_grads(np.zeros(0))], 10.0) == 5.0
    optim.clip_grad_value([idle, busy], 3.5)
    assert idle.grad is None
    assert busy.grad.tolist() == [3.0, 3.5]
    assert optim.clip_grad_norm([idle], 1.0) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_is_refused_or_left(value):
    params = dict(zip("ab", with_grads([1.0], [value]), strict=True))
    with pytest.raises(NonFiniteError, match="gradient of 'b' is NaN or infinite"):
        optim.clip_grad_norm(params, 0.5)
    assert not math.isfinite(optim.clip_grad_norm(params, 0.5, check_finite=False))
    assert params["a"].grad[0] == 1.0
