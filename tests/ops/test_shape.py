"""Tensor methods that change the shape."""

import numpy as np
import pytest

import scg

X = np.arange(6.0).reshape(1, 2, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.T,
        lambda x: x.transpose(),
        lambda x: x.transpose(None),
        lambda x: x.transpose(2, 0, 1),
        lambda x: x.transpose((2, 0, 1)),
        lambda x: x.transpose(np.argsort([2, 1, 0])),
        lambda x: x.transpose(*np.argsort([2, 1, 0])),
        lambda x: x.swapaxes(0, -1),
        lambda x: x.squeeze(),
        lambda x: x.squeeze(0),
        lambda x: x.flatten(),
        lambda x: x.ravel(),
        lambda x: x.reshape(3, -1),
        lambda x: x.reshape((3, 2)),
        np.ravel,
        np.transpose,
        np.squeeze,
        lambda x: np.moveaxis(x, 0, -1),
        lambda x: np.expand_dims(x, axis=(0, 2)),
    ],
)
def test_methods_do_what_numpys_do(change):
    result = change(scg.parameter(X))
    assert isinstance(result, scg.Tensor) and result.requires_grad
    np.testing.assert_array_equal(result._data, change(X))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scg.transpose(X, (0, 1)), r"scg\.transpose.*\(1, 2, 3\).*axes=\(0, 1\)"),
        (lambda: scg.swapaxes(X, 0, 3), r"scg\.swapaxes.*axis2=3"),
        (lambda: scg.moveaxis(X, 5, 0), r"scg\.moveaxis.*source=5"),
        (lambda: scg.expand_dims(X, 5), r"scg\.expand_dims.*axis=5"),
        (lambda: scg.squeeze(X, 1), r"scg\.squeeze.*axis=1"),
    ],
)
def test_an_axis_that_does_not_fit_is_named(call, words):
    with pytest.raises(scg.ShapeError, match=words):
        call()


@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3), (700, 2, 3)])
def test_broadcasting_repeats_as_numpy_does_and_copies_only_what_is_small(shape):
    x = np.array([[1.0], [2.0]])
    y = scg.peek(scg.broadcast_to(scg.tensor(x, copy=False), shape))
    np.testing.assert_array_equal(y, np.broadcast_to(x, shape))
    assert np.shares_memory(x, y) == (y.size > 1000)


def test_broadcasting_does_not_drop_an_axis_of_size_1():
    """An assignment, which copies the small, would."""
    with pytest.raises(scg.ShapeError, match=r"broadcast_to.*\(1, 3\)"):
        scg.broadcast_to(X[:, 0], (3,))
