"""Convolutions and pools against naive loops, scipy.signal and the definition of a transpose."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import signal

from scg.errors import OptionError, ShapeError
from scg.kernels import _conv_tasks, _pool_tasks, conv, pool
from scg.kernels._once import computed_once
from scg.kernels._product import HAS_KERNEL

DTYPES = (np.float32, np.float64)
# (x shape, w shape, stride, padding, dilation)
CASES = [
    ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, 1),
    ((2, 3, 5, 6), (4, 3, 3, 3), 1, 0, 1),
    ((2, 3, 5, 6), (4, 3, 3, 2), 1, 1, 1),
    ((2, 2, 7, 8), (3, 2, 3, 3), 2, 1, 1),
    ((2, 2, 8, 7), (3, 2, 3, 3), (2, 3), (0, 2), 1),
    ((1, 2, 9, 9), (2, 2, 3, 2), 1, 2, (2, 3)),
    ((3, 1, 6, 5), (2, 1, 2, 2), 3, 0, 1),  # pixels that no window sees
    ((2, 3, 4, 4), (5, 3, 1, 1), 1, 0, 1),
    ((2, 1, 2, 2), (1, 1, 4, 4), 1, 1, 1),  # filter larger than the image
    ((0, 2, 4, 4), (3, 2, 3, 3), 1, 0, 1),
    ((2, 0, 4, 4), (3, 0, 3, 3), 1, 0, 1),
    ((2, 2, 4, 4), (0, 2, 3, 3), 1, 0, 1),
]


def both(value):
    return (value, value) if isinstance(value, int) else value


def naive_conv2d(x, w, stride, padding, dilation):
    (sh, sw), (ph, pw), (dh, dw) = both(stride), both(padding), both(dilation)
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    kh, kw = w.shape[2:]
    oh = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow))
    for n, o, r, c in np.ndindex(y.shape):
        for i, j in itertools.product(range(kh), range(kw)):
            y[n, o, r, c] += x[n, :, r * sh + i * dh, c * sw + j * dw] @ w[o, :, i, j]
    return y


def close(actual, expected, dtype, terms=100):
    assert actual.dtype == dtype and actual.shape == expected.shape
    assert actual.flags.c_contiguous
    np.testing.assert_allclose(actual, expected, atol=terms * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "padding", "dilation"), CASES)
def test_conv2d_matches_loops(x_shape, w_shape, stride, padding, dilation, dtype, rng):
    x = rng.standard_normal(x_shape).astype(dtype)
    w = rng.standard_normal(w_shape).astype(dtype)
    copies = x.copy(), w.copy()
    y = conv.conv2d(x, w, stride, padding, dilation)
    close(y, naive_conv2d(x.astype(float), w.astype(float), stride, padding, dilation), dtype)
    np.testing.assert_array_equal(x, copies[0])
    np.testing.assert_array_equal(w, copies[1])


def all_three(x, w, g, *options):
    return (
        conv.conv2d(x, w, *options),
        conv.conv2d_input_vjp(g, w, x.shape, *options),
        conv.conv2d_weight_vjp(g, x, w.shape, *options),
    )


@pytest.fixture(params=[
    ((3, 5, 23, 19), (7, 5, 3, 3), 1, 1, 1), ((9, 4, 21, 40), (6, 4, 5, 2), (2, 3), (3, 0), (1, 2)),
    ((1, 17, 12, 33), (30, 17, 2, 3), (3, 2), (0, 2), 1), ((2, 3, 40, 9), (1, 3, 7, 1), 1, 0, 2),
])  # fmt: skip
def operands(request, rng):
    """Images, filters, a cotangent and options; of several bands and vectors, and parts of them."""
    x, w, *options = request.param
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x, w))
    g = rng.standard_normal(conv.conv2d(x, w, *options).shape).astype(np.float32)
    return x, w, g, *options


def test_large_images_match_products_of_all_windows(operands):
    found = all_three(*operands)
    with computed_once():
        expected = all_three(*operands)
    for actual, other in zip(found, expected, strict=True):
        assert actual.dtype == np.float32 and actual.flags.c_contiguous
        np.testing.assert_allclose(actual, other, rtol=1e-4, atol=1e-4 * abs(other).max())


def test_narrow_bands_add_up_to_the_same(operands, monkeypatch):
    whole = all_three(*operands)
    monkeypatch.setattr(_conv_tasks, "BAND_BYTES", 1)
    monkeypatch.setattr(_conv_tasks, "ENOUGH", 1)
    rows = all_three(*operands)
    np.testing.assert_array_equal(rows[0], whole[0])
    for actual, expected in zip(rows[1:], whole[1:], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_shares_of_threads_change_no_bit(operands, monkeypatch):
    monkeypatch.setattr(_conv_tasks, "BAND_BYTES", 1)
    monkeypatch.setattr(_conv_tasks, "_shares", lambda images, most: 1)
    undivided = all_three(*operands)
    monkeypatch.setattr(_conv_tasks, "_shares", lambda images, most: most)
    for actual, expected in zip(all_three(*operands), undivided, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_pixels_that_no_window_sees_touch_nothing(rng):
    """Nor does what lies beside a row that is copied in whole vectors."""
    x, w = rng.standard_normal((2, 3, 9, 21)), rng.standard_normal((4, 3, 3, 3))
    y = conv.conv2d(x, w, 2, 1)
    x[0, :, 8], x[1, :, 0, 0] = np.nan, np.inf
    seen = conv.conv2d(x, w, 2, 1)
    np.testing.assert_array_equal(seen[0, :, :4], y[0, :, :4])
    np.testing.assert_array_equal(seen[1, :, :, 1:], y[1, :, :, 1:])
    assert not np.isfinite(seen[0, :, 4]).any() and not np.isfinite(seen[1, :, 0, 0]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "padding", "dilation"), CASES)
def test_vjps_are_the_transposes(x_shape, w_shape, stride, padding, dilation, dtype, rng):
    """The convolution is linear in x and in w: each column of its matrix is a unit vector's image.

    So the vjp is exact when <g, conv(e)> = <vjp(g), e> for every unit vector e.
    """
    x, w = rng.standard_normal(x_shape), rng.standard_normal(w_shape)
    options = stride, padding, dilation
    y = conv.conv2d(x, w, *options)
    g = rng.standard_normal(y.shape)
    single = g.astype(dtype), x.astype(dtype), w.astype(dtype)
    copies = [a.copy() for a in single]
    dx = conv.conv2d_input_vjp(single[0], single[2], x_shape, *options)
    dw = conv.conv2d_weight_vjp(single[0], single[1], w_shape, *options)
    close(dx, columns(lambda e: naive_conv2d(e, w, *options), g, x_shape), dtype, terms=400)
    close(dw, columns(lambda e: naive_conv2d(x, e, *options), g, w_shape), dtype, terms=2000)
    for array, copy in zip(single, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def columns(linear, g, shape):
    result = np.zeros(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1
        result[index] = np.sum(g * linear(unit))
    return result


def test_conv2d_matches_scipy(rng):
    x, w = rng.standard_normal((1, 3, 20, 30)), rng.standard_normal((1, 3, 5, 4))
    want = signal.correlate(x[0], w[0], mode="valid")[0]
    np.testing.assert_allclose(conv.conv2d(x, w)[0, 0], want, atol=1e-12)


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 3, 1), (3, 1, 2)])
def test_conv1d(stride, padding, dilation, rng):
    x, w = rng.standard_normal((2, 3, 11)), rng.standard_normal((4, 3, 3))
    y = conv.conv1d(x, w, stride, padding, dilation)
    tall = (1, stride), (0, padding), (1, dilation)
    want = naive_conv2d(x[:, :, None], w[:, :, None], *tall)[:, :, 0]
    close(y, want, np.float64)
    g = rng.standard_normal(y.shape)
    dx = conv.conv1d_input_vjp(g, w, x.shape, stride, padding, dilation)
    dw = conv.conv1d_weight_vjp(g, x, w.shape, stride, padding, dilation)
    flat = lambda x, w: naive_conv2d(x[:, :, None], w[:, :, None], *tall)[:, :, 0]  # noqa: E731
    close(dx, columns(lambda e: flat(e, w), g, x.shape), np.float64)
    close(dw, columns(lambda e: flat(x, e), g, w.shape), np.float64, terms=1000)


def test_conv1d_matches_scipy(rng):
    x, w = rng.standard_normal((1, 1, 50)), rng.standard_normal((1, 1, 7))
    want = signal.correlate(x[0, 0], w[0, 0], mode="valid")
    np.testing.assert_allclose(conv.conv1d(x, w)[0, 0], want, atol=1e-12)


def test_chunks_change_nothing(rng, monkeypatch):
    """Integers: sums are exact in whatever chunks they are taken."""
    x = rng.integers(-4, 5, (7, 2, 6, 6)).astype(float)
    w = rng.integers(-4, 5, (3, 2, 3, 3)).astype(float)
    g = rng.integers(-4, 5, (7, 3, 4, 4)).astype(float)
    runs = []
    for chunk in (1, 700, 10**9):
        monkeypatch.setattr(conv, "CHUNK", chunk)
        runs.append([
            conv.conv2d(x, w), conv.conv2d_input_vjp(g, w, x.shape),
            conv.conv2d_weight_vjp(g, x, w.shape),
        ])  # fmt: skip
    for a, b, c in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_strided_read_only_and_other_dtypes(rng):
    x, w = rng.integers(-4, 5, (2, 6, 5, 3)), rng.integers(-4, 5, (4, 3, 2, 2))
    images = x.transpose(0, 3, 1, 2)
    want = naive_conv2d(images, w, 1, 1, 1)
    np.testing.assert_array_equal(conv.conv2d(images, w, padding=1), want)
    images = images.astype(float)
    images.flags.writeable = False
    got = conv.conv2d(images, np.asfortranarray(w.astype(np.float32)), padding=1)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, want)


def test_nan_reaches_only_the_windows_that_see_it():
    x = np.zeros((1, 1, 6, 6))
    x[0, 0, 2, 3] = np.nan
    y = conv.conv2d(x, np.ones((1, 1, 2, 2)))
    want = np.zeros((5, 5), bool)
    want[1:3, 2:4] = True
    np.testing.assert_array_equal(np.isnan(y[0, 0]), want)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x, w: conv.conv2d(x, w[:, :1]), ShapeError, "2 channels.*have 1"),
        (lambda x, w: conv.conv2d(x[0], w), ShapeError, "3 axes"),
        (lambda x, w: conv.conv2d(x, w, dilation=3), ShapeError, "does not fit.*4x4"),
        (lambda x, w: conv.conv2d(x, w, stride=0), OptionError, "stride is 0"),
        (lambda x, w: conv.conv2d(x, w, padding=-1), OptionError, "padding is -1"),
        (lambda x, w: conv.conv2d(x, w, stride=(1, 1, 1)), OptionError, "stride"),
        (lambda x, w: conv.conv2d_input_vjp(x, w, x.shape), ShapeError, r"\(1, 3, 2, 2\)"),
        (lambda x, w: conv.conv2d_weight_vjp(x, x, w.shape), ShapeError, r"\(1, 3, 2, 2\)"),
        (lambda x, w: conv.conv1d(x, w), ShapeError, "conv1d.*4 axes"),
        (
            lambda x, w: conv.conv1d(x[:, :, 0], w[:, :, 0], (1, 2)),
            OptionError, r"stride is \(1, 2\)",
        ),
        (lambda x, w: pool.max_pool2d(x, 5), ShapeError, "max_pool2d.*5x5"),
        (lambda x, w: pool.max_pool2d(x[0], 2), ShapeError, "four axes"),
        (lambda x, w: pool.max_pool2d(x, 2, padding=2), OptionError, "more than half"),
        (lambda x, w: pool.avg_pool2d(x, 0), OptionError, "size is 0"),
        (lambda x, w: pool.avg_pool2d_vjp(x, x.shape, 2), ShapeError, r"\(1, 2, 2, 2\)"),
        (
            lambda x, w: pool.max_pool2d_vjp(x, np.full(x.shape, 16), x.shape),
            ShapeError, "from 16 to 16.*16 pixels",
        ),
        (
            lambda x, w: pool.max_pool2d_vjp(x, np.zeros((1, 2, 4, 3), int), x.shape),
            ShapeError, "belong together",
        ),
    ],
)  # fmt: skip
def test_refuses(call, error, says):
    with pytest.raises(error, match=says):
        call(np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3)))


# --- pools -----------------------------------------------------------------------------------

# (x shape, size, stride, padding)
POOLS = [
    ((1, 1, 1, 1), 1, None, 0),
    ((2, 3, 6, 8), 2, None, 0),
    ((2, 3, 7, 9), 2, None, 0),
    ((3, 2, 5, 43), 2, None, 0),
    ((2, 3, 7, 9), 3, 2, 1),
    ((2, 3, 7, 9), (3, 2), (1, 2), (1, 0)),
    ((2, 1, 5, 5), 2, 3, 0),
    ((0, 3, 4, 4), 2, None, 0),
]


def naive_pool(x, size, stride, padding, fill, pick):
    (kh, kw), (ph, pw) = both(size), both(padding)
    sh, sw = both(size if stride is None else stride)
    x = np.pad(x.astype(float), ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    oh, ow = (x.shape[2] - kh) // sh + 1, (x.shape[3] - kw) // sw + 1
    y = np.zeros((*x.shape[:2], oh, ow))
    for n, c, i, j in np.ndindex(y.shape):
        y[n, c, i, j] = pick(x[n, c, i * sh : i * sh + kh, j * sw : j * sw + kw])
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "size", "stride", "padding"), POOLS)
@pytest.mark.parametrize("negative", [False, True])
def test_max_pool2d(shape, size, stride, padding, negative, dtype, rng):
    x = (rng.integers(0, 4, shape) - 10 * negative).astype(dtype)  # many ties; zeros must not win
    copy = x.copy()
    value, index = pool.max_pool2d(x, size, stride, padding)
    close(value, naive_pool(x, size, stride, padding, -np.inf, np.max), dtype, terms=0)
    pixels = np.broadcast_to(np.arange(shape[2] * shape[3]).reshape(shape[2:]), shape)
    order = np.lexsort((pixels.ravel(), -x.astype(float).ravel()))
    rank = np.empty(x.size)
    rank[order] = np.arange(x.size)  # the larger first, of equal ones the earlier
    # The rank of the chosen pixel is the best rank that its window holds.
    rank = rank.reshape(shape)
    n, c = np.ogrid[: shape[0], : shape[1]]
    chosen = rank[n[..., None, None], c[..., None, None], index // shape[3], index % shape[3]]
    best = naive_pool(-rank, size, stride, padding, -np.inf, np.max)
    np.testing.assert_array_equal(chosen, -best)
    np.testing.assert_array_equal(x, copy)


def test_max_pool2d_takes_the_first_nan_and_infinities():
    x = np.array([[[[1.0, np.nan, np.nan, -np.inf], [np.inf, 2.0, 3.0, -np.inf]]]])
    value, index = pool.max_pool2d(x, (2, 2))
    np.testing.assert_array_equal(value[0, 0], [[np.nan, np.nan]])
    np.testing.assert_array_equal(index[0, 0], [[1, 2]])
    value, index = pool.max_pool2d(x[..., 3:], (2, 1))
    assert value.item() == -np.inf and index.item() == 0
    assert pool.max_pool2d(x[..., :1], (2, 1))[0].item() == np.inf


def test_max_pool2d_vjp_adds_where_windows_overlap(rng):
    x = rng.standard_normal((2, 2, 6, 6))
    value, index = pool.max_pool2d(x, 3, 1, 1)
    g = rng.standard_normal(value.shape)
    want = np.zeros((2, 2, 36))
    for n, c, i, j in np.ndindex(g.shape):
        want[n, c, index[n, c, i, j]] += g[n, c, i, j]
    close(pool.max_pool2d_vjp(g, index, x.shape), want.reshape(x.shape), np.float64)
    single = pool.max_pool2d_vjp(g.astype(np.float32), index, x.shape)
    close(single, want.reshape(x.shape), np.float32)


@pytest.mark.parametrize("size", [2, 3])
def test_max_pool2d_layouts_dtypes_and_threads(size, rng, monkeypatch):
    x = rng.integers(-9, 9, (3, 7, 5, 4)).transpose(0, 3, 1, 2)
    x.flags.writeable = False
    want = naive_pool(x, size, None, 0, -np.inf, np.max)
    value, index = pool.max_pool2d(x, size)
    assert value.dtype == x.dtype
    np.testing.assert_array_equal(value, want)
    monkeypatch.setattr(pool, "PARALLEL", 0)
    monkeypatch.setattr(_pool_tasks, "PARALLEL", 0)
    threaded = pool.max_pool2d(x, size)
    np.testing.assert_array_equal(threaded[0], value)
    np.testing.assert_array_equal(threaded[1], index)


@pytest.mark.parametrize("build", ["_max_serial", "_max_threaded"])
def test_max_pool2d_writes_only_its_outputs(build, rng):
    x = rng.standard_normal((2, 5, 5))
    value, index = np.full(2 * 9 + 64, 7.0), np.full(2 * 9 + 64, 70)
    inner = value[32:-32].reshape(2, 3, 3), index[32:-32].reshape(2, 3, 3)
    getattr(pool, build)(x, 3, 3, 2, 2, 1, 1, *inner)
    for buffer, guard in ((value, 7), (index, 70)):
        assert (buffer[:32] == guard).all() and (buffer[-32:] == guard).all()
        assert (buffer[32:-32] != guard).all()


@pytest.mark.skipif(not HAS_KERNEL, reason="no vector code for this processor")
@pytest.mark.parametrize("dtype", DTYPES)
def test_pools_of_two_by_two_write_only_their_outputs(dtype, rng):
    x = rng.standard_normal((3, 6, 23)).astype(dtype)
    value, index = np.full(3 * 33 + 64, 7, dtype), np.full(3 * 33 + 64, 1000)
    inner = value[32:-32].reshape(3, 3, 11), index[32:-32].reshape(3, 3, 11)
    _pool_tasks.largest(x, *inner)
    for buffer, guard in ((value, 7), (index, 1000)):
        assert (buffer[:32] == guard).all() and (buffer[-32:] == guard).all()
        assert (buffer[32:-32] != guard).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "size", "stride", "padding"), POOLS)
def test_avg_pool2d(shape, size, stride, padding, dtype, rng):
    x = rng.standard_normal(shape).astype(dtype)
    mean = lambda image: naive_pool(image, size, stride, padding, 0.0, np.mean)  # noqa: E731
    y = pool.avg_pool2d(x, size, stride, padding)
    close(y, mean(x.astype(float)), dtype)
    g = rng.standard_normal(y.shape).astype(dtype)
    dx = pool.avg_pool2d_vjp(g, shape, size, stride, padding)
    close(dx, columns(mean, g.astype(float), shape), dtype)
