"""Sorting: ties, ranks, dtypes that cannot be negated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

import scg


def gradient(fn, x, weights):
    p = scg.parameter(np.asarray(x, float))
    (g,) = scg.grad((fn(p) * weights).sum(), [p])
    return np.asarray(g)


def test_equal_elements_share_the_cotangents_of_their_places():
    assert_array_equal(gradient(scg.sort, [2.0, 1.0, 2.0], [1.0, 10.0, 20.0]), [15, 1, 15])


def test_what_ties_with_the_last_of_the_largest_shares():
    fn = lambda p: scg.topk(p, 2).values  # noqa: E731
    assert_array_equal(gradient(fn, [3.0, 1.0, 1.0, 0.0], [5.0, 6.0]), [5, 3, 3, 0])
    assert_array_equal(gradient(fn, [1.0, 1.0, 1.0, 1.0], [5.0, 7.0]), [3, 3, 3, 3])


@given(
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(-2, 2)),
    st.data(),
)
def test_the_gradient_of_sort_is_the_average_over_all_orders(x, data):
    """Equal elements get equal shares of the cotangents of the places they take."""
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    weights = np.random.default_rng(0).normal(size=x.shape)
    g = gradient(lambda p: scg.sort(p, axis=axis), x, weights)
    for row, out, w in zip(
        *(np.moveaxis(a, axis, -1).reshape(-1, x.shape[axis]) for a in (x, g, weights)), strict=True
    ):
        expected = [np.mean(w[np.sort(row) == v]) for v in row]
        assert_allclose(out, expected, atol=1e-12)


@given(
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=2, max_side=5), elements=st.integers(-2, 2)),
    st.data(),
)
def test_topk_takes_from_a_stable_order(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    k = data.draw(st.integers(0, x.shape[axis]))
    values, indices = scg.topk(x, k, axis=axis)
    wanted = np.take(np.argsort(-x, axis=axis, kind="stable"), range(k), axis=axis)
    assert_array_equal(indices.numpy(), wanted)
    assert_array_equal(values.numpy(), np.take_along_axis(x, wanted, axis))


def test_topk_of_unsigned_numbers():
    values, indices = scg.topk(np.array([3, 250, 0], np.uint8), 2)
    assert_array_equal(values.numpy(), [250, 3])
    assert_array_equal(indices.numpy(), [1, 0])


def test_more_than_there_are_is_refused():
    with pytest.raises(scg.ShapeError, match=r"scg\.topk: k=4 of 3 elements .*shape \(2, 3\)"):
        scg.topk(np.ones((2, 3)), 4)


def test_indices_pass_no_gradient():
    x = scg.parameter([2.0, 1.0])
    assert not scg.argsort(x).requires_grad
    assert not scg.topk(x, 1).indices.requires_grad
    assert not scg.argmax(x).requires_grad
