"""Convolutions and pools: padding by name, one dimension, transposes, ties and errors."""

import numpy as np
import pytest
from scipy import signal

import scg
from scg.testing import check_grads


def images(rng, *shape):
    return rng.standard_normal(shape)


def test_conv2d_is_a_sum_of_scipys_correlations(rng):
    x, w = images(rng, 2, 3, 6, 5), images(rng, 4, 3, 3, 2)
    y = scg.conv2d(x, w)
    for n, o in np.ndindex(2, 4):
        expected = sum(signal.correlate2d(x[n, c], w[o, c], "valid") for c in range(3))
        np.testing.assert_allclose(y._data[n, o], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_gives_the_size_divided_by_the_stride(rng, size, stride, dilation):
    x, w = images(rng, 1, 2, 7, 8), images(rng, 3, 2, size, size)
    y = scg.conv2d(x, w, stride, "same", dilation)
    assert y.shape == (1, 3, -(-7 // stride), -(-8 // stride))
    full = max((y.shape[2] - 1) * stride + dilation * (size - 1) + 1 - 7, 0)
    wide = max((y.shape[3] - 1) * stride + dilation * (size - 1) + 1 - 8, 0)
    widths = [(0, 0), (0, 0), (full // 2, full - full // 2), (wide // 2, wide - wide // 2)]
    expected = scg.conv2d(np.pad(x, widths), w, stride, 0, dilation)
    np.testing.assert_allclose(y._data, expected._data, rtol=1e-12, atol=1e-12)


def test_valid_is_no_padding(rng):
    x, w = images(rng, 1, 1, 5, 5), images(rng, 1, 1, 3, 3)
    np.testing.assert_array_equal(scg.conv2d(x, w, padding="valid")._data, scg.conv2d(x, w)._data)


def test_conv1d_is_conv2d_of_height_one(rng):
    x, w = images(rng, 2, 3, 9), images(rng, 4, 3, 2)
    y = scg.conv1d(x, w, stride=2, padding=1, dilation=3)
    flat = scg.conv2d(x[:, :, None], w[:, :, None], (1, 2), (0, 1), (1, 3))
    np.testing.assert_array_equal(y._data, flat._data[:, :, 0])
    assert scg.conv1d(x, w, 2, "same").shape == (2, 4, 5)
    check_grads(lambda a, b: (scg.conv1d(a, b, padding="same") ** 2).sum(), x, w, order=2)


@pytest.mark.parametrize("options", [(1, 0, 1), (2, 1, 1), ((2, 3), (1, 0), (1, 2))])
def test_the_transpose_is_the_transpose(rng, options):
    """`<conv(x), y> = <x, conv_transpose(y)>` for the image size that fits."""
    x, w = images(rng, 2, 3, 7, 9), images(rng, 4, 3, 3, 2)
    y = scg.conv2d(x, w, *options)
    g = images(rng, *y.shape)
    back = scg.conv_transpose2d(g, w, *options)
    extra = tuple(np.subtract(x.shape[2:], back.shape[2:]).tolist())
    back = scg.conv_transpose2d(g, w, *options, output_padding=extra)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(y._data * g), np.sum(back._data * x), rtol=1e-10)


def test_third_order_through_a_convolution_and_a_pool(rng):
    x, w = images(rng, 1, 2, 4, 4), images(rng, 2, 2, 2, 2)

    def fn(x, w):
        return (scg.avg_pool2d(scg.conv2d(x, w, padding=1) ** 2, 2) ** 2).sum()

    check_grads(fn, x, w, order=3)


def test_float32_stays_float32(rng):
    x, w = images(rng, 1, 1, 4, 4).astype(np.float32), images(rng, 1, 1, 2, 2).astype(np.float32)
    for y in (scg.conv2d(x, w, padding="same"), scg.conv_transpose2d(x, w), scg.max_pool2d(x, 2)):
        assert y.dtype == np.float32


def test_max_pool_gives_ties_to_the_first():
    x = scg.parameter([[[[1.0, 3.0, 3.0], [3.0, 0.0, 0.0]]]])
    scg.max_pool2d(x, (2, 3)).sum().backward()
    np.testing.assert_array_equal(x.grad, [[[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]])


def test_max_pool_passes_nan_on():
    y = scg.max_pool2d(np.array([[[[1.0, np.nan, 2.0, 3.0]]]]), (1, 2))
    np.testing.assert_array_equal(y._data, [[[[np.nan, 3.0]]]])


def test_same_pools_never_choose_the_padding():
    x = -np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    y = scg.max_pool2d(x, 2, padding="same")
    np.testing.assert_array_equal(y._data, [[[[-1.0, -3.0], [-7.0, -9.0]]]])
    z = scg.avg_pool2d(x, 2, padding="same")
    np.testing.assert_array_equal(z._data, [[[[-3.0, -2.25], [-3.75, -2.25]]]])
    check_grads(lambda t: (scg.max_pool2d(t, 2, padding="same") ** 2).sum(), x, order=2)


def test_overlapping_windows_add_their_cotangents():
    x = scg.parameter([[[[1.0, 5.0, 2.0]]]])
    (scg.max_pool2d(x, (1, 2), 1) * np.array([10.0, 1.0])).sum().backward()
    np.testing.assert_array_equal(x.grad, [[[[0.0, 11.0, 0.0]]]])


ONES = np.ones((1, 1, 3, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: scg.conv2d(ONES[0], ONES), scg.ShapeError, r"conv2d.*\(1, 3, 3\)"),
        (lambda: scg.conv2d(ONES[0], ONES, 1, "same"), scg.ShapeError, r"scg\.conv2d.*x has"),
        (lambda: scg.conv2d(ONES, np.ones((1, 2, 2, 2))), scg.ShapeError, "conv2d.*channels"),
        (lambda: scg.conv2d(ONES, np.ones((1, 1, 4, 4))), scg.ShapeError, "conv2d.*does not fit"),
        (lambda: scg.conv2d(ONES, ONES, 0), scg.OptionError, "conv2d: stride is 0"),
        (lambda: scg.conv2d(ONES, ONES, padding="full"), scg.OptionError, "conv2d.*'full'"),
        (lambda: scg.conv1d(ONES, ONES), scg.ShapeError, "conv1d.*3 axes"),
        (lambda: scg.conv1d(ONES[0], ONES[0], (1, 1)), scg.OptionError, "conv1d: stride"),
        (lambda: scg.conv_transpose2d(ONES, np.ones((2, 1, 2, 2))), scg.ShapeError, "channels"),
        (
            lambda: scg.conv_transpose2d(ONES, ONES, 2, output_padding=2),
            scg.OptionError, "output_padding is 2",
        ),
        (lambda: scg.max_pool2d(ONES[0], 2), scg.ShapeError, "max_pool2d"),
        (lambda: scg.max_pool2d(ONES, 2, padding=2), scg.OptionError, "half the window"),
        (lambda: scg.avg_pool2d(ONES, 4), scg.ShapeError, "avg_pool2d.*does not fit"),
        (lambda: scg.avg_pool2d(ONES, 2, padding="full"), scg.OptionError, "avg_pool2d.*'full'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
