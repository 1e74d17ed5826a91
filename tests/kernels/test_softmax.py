"""Softmax and its relatives against scipy.special, their vjps against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from scg.kernels import softmax, softmax_rows

DTYPES = (np.float32, np.float64)
FUNCTIONS = [
    (softmax.softmax, special.softmax),
    (softmax.log_softmax, special.log_softmax),
    (softmax.logsumexp, special.logsumexp),
]
SHAPES = [  # (shape, axis)
    ((1,), 0), ((7,), -1), ((), None), ((), ()), ((5, 1), 1), ((50, 10), 1), ((9, 127), -1),
    ((9, 128), 1), ((9, 129), 1), ((3, 1000), 1), ((2, 5000), 1), ((200, 33), 1), ((20, 30), 0),
    ((4, 5, 6), 1), ((4, 5, 6), (0, 2)), ((4, 5, 6), (2, 0)), ((4, 5, 6), None), ((6000, 2), 1),
]  # fmt: skip


def tolerance(dtype):
    return 16 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize(("ours", "theirs"), FUNCTIONS)
def test_matches_scipy(ours, theirs, shape, axis, dtype, rng):
    x = (5 * rng.standard_normal(shape)).astype(dtype)
    before = x.copy()
    got = ours(x, axis)
    want = np.asarray(theirs(x.astype(np.float64), axis=axis))
    want = want.reshape(np.shape(np.sum(x, axis)) if ours is softmax.logsumexp else shape)
    assert got.shape == want.shape and got.dtype == dtype and got.flags.c_contiguous
    np.testing.assert_allclose(got, want, rtol=tolerance(dtype), atol=tolerance(dtype))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_keepdims(shape, axis, rng):
    x = rng.standard_normal(shape)
    kept = softmax.logsumexp(x, axis, keepdims=True)
    assert kept.shape == np.sum(x, axis, keepdims=True).shape
    np.testing.assert_array_equal(kept.ravel(), softmax.logsumexp(x, axis).ravel())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [3, 200])
@pytest.mark.parametrize(
    "special_values",
    [
        (-np.inf,), (np.inf,), (np.nan,), (np.inf, -np.inf), (np.inf, np.inf), (np.nan, np.inf),
        (np.nan, -np.inf), (-0.0,), (1e30, 1e30), (-1e30,), (88.0, 89.0), (-104.0,),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("ours", "theirs"), FUNCTIONS)
def test_special_values(ours, theirs, special_values, width, dtype):
    x = np.zeros((4, width), dtype)
    x[1, : len(special_values)] = special_values
    x[2, -len(special_values) :] = special_values
    x[3] = special_values[0]
    with np.errstate(all="ignore"):
        want = theirs(x.astype(np.float64), axis=1)
    np.testing.assert_allclose(
        ours(x, axis=1), want, rtol=tolerance(dtype), atol=np.finfo(dtype).tiny
    )


def test_a_sum_that_overflows_and_one_that_underflows():
    for shift in (1e4, -1e4):
        x = np.array([0.0, 1.0, 2.0]) + shift
        np.testing.assert_allclose(softmax.softmax(x), special.softmax(x - shift), rtol=1e-11)
        np.testing.assert_allclose(
            softmax.logsumexp(x), shift + special.logsumexp(x - shift), rtol=1e-14
        )


@pytest.mark.parametrize(("shape", "axis"), [((0,), 0), ((3, 0), 1), ((3, 0), 0), ((0, 3), 1)])
def test_empty(shape, axis):
    x = np.empty(shape)
    assert softmax.softmax(x, axis).shape == shape
    assert softmax.log_softmax(x, axis).shape == shape
    got = softmax.logsumexp(x, axis)
    np.testing.assert_array_equal(got, np.full(np.sum(x, axis).shape, -np.inf))


@pytest.mark.parametrize(("ours", "theirs"), FUNCTIONS)
def test_other_dtypes_strides_and_read_only(ours, theirs, rng):
    integers = rng.integers(-3, 4, (20, 30))
    half = rng.standard_normal((20, 30)).astype(np.float16)
    assert ours(integers, axis=1).dtype == np.float64
    np.testing.assert_allclose(ours(integers, axis=1), theirs(integers, axis=1), rtol=1e-14)
    assert ours(half, axis=1).dtype == np.float16
    np.testing.assert_allclose(
        ours(half, axis=1), theirs(half.astype(float), axis=1), rtol=2e-3, atol=1e-7
    )
    x = rng.standard_normal((40, 60))
    x.flags.writeable = False
    for view in (x, x.T, x[::2, ::-1], np.broadcast_to(x[0], (5, 60)), x.astype(">f8")):
        np.testing.assert_allclose(
            ours(view, axis=1), theirs(view.astype(float), axis=1), rtol=1e-13, atol=1e-13
        )


@pytest.mark.parametrize("function", [f for f, _ in FUNCTIONS])
@pytest.mark.parametrize("axis", [2, -3, (0, 0)])
def test_bad_axes_are_refused(function, axis):
    with pytest.raises(ValueError):  # NumPy's AxisError is one
        function(np.ones((4, 5)), axis)


# --- vjps ------------------------------------------------------------------------------------


def differences(function, x, g, step=1e-6):
    """Return the gradient of sum(g * function(x)) by central differences."""
    result = np.empty_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        result[index] = np.sum(g * (function(up) - function(down))) / (2 * step)
    return result


@pytest.mark.parametrize(
    ("shape", "axis"), [((7,), 0), ((4, 5), 1), ((4, 5), 0), ((2, 3, 4), (0, 2)), ((2, 130), 1)]
)
def test_vjps_match_differences(shape, axis, rng):
    x = rng.standard_normal(shape)
    g = rng.standard_normal(shape)
    got = softmax.softmax_vjp(g, softmax.softmax(x, axis), axis)
    want = differences(lambda z: special.softmax(z, axis), x, g)
    np.testing.assert_allclose(got, want, atol=1e-8)
    got = softmax.log_softmax_vjp(g, softmax.log_softmax(x, axis), axis)
    want = differences(lambda z: special.log_softmax(z, axis), x, g)
    np.testing.assert_allclose(got, want, atol=1e-7)
    y = softmax.logsumexp(x, axis, keepdims=True)
    g = rng.standard_normal(y.shape)
    got = softmax.logsumexp_vjp(g, x, y, axis)
    want = differences(lambda z: special.logsumexp(z, axis, keepdims=True), x, g)
    np.testing.assert_allclose(got, want, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(50, 10), (9, 128), (9, 129), (3, 5000), (3000, 3)])
def test_vjps_match_their_formulas(shape, dtype, rng):
    x, g = (rng.standard_normal((2, *shape))).astype(dtype)
    y, log_y = softmax.softmax(x), softmax.log_softmax(x)
    total = softmax.logsumexp(x, 1, keepdims=True)
    wide, wide_g = y.astype(float), g.astype(float)
    expected = {
        "softmax": wide * (wide_g - np.sum(wide_g * wide, 1, keepdims=True)),
        "log_softmax": wide_g - np.exp(log_y.astype(float)) * wide_g.sum(1, keepdims=True),
        "logsumexp": wide_g[:, :1] * np.exp(x.astype(float) - total),
    }
    got = {
        "softmax": softmax.softmax_vjp(g, y),
        "log_softmax": softmax.log_softmax_vjp(g, log_y),
        "logsumexp": softmax.logsumexp_vjp(g[:, :1], x, total, 1),
    }
    for name, want in expected.items():
        assert got[name].dtype == dtype
        scale = 1 + np.sum(abs(wide_g), 1).max() * (name == "log_softmax")
        np.testing.assert_allclose(got[name], want, atol=4 * np.finfo(dtype).eps * scale)


def test_a_row_without_terms_has_no_gradient():
    x = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    y = softmax.logsumexp(x, 1, keepdims=True)
    np.testing.assert_array_equal(softmax.logsumexp_vjp(np.ones((2, 1)), x, y, 1), [[0, 0], [1, 0]])


def test_vjps_take_any_layout_and_leave_inputs_alone(rng):
    y = softmax.softmax(rng.standard_normal((6, 8)))
    g = rng.standard_normal((8, 6)).T
    copies = y.copy(), g.copy()
    got = softmax.softmax_vjp(g, y)
    np.testing.assert_array_equal(got, softmax.softmax_vjp(g.copy(), y))
    broadcast = np.broadcast_to(np.float64(2.0), y.shape)
    np.testing.assert_allclose(softmax.softmax_vjp(broadcast, y), 0, atol=1e-15)
    np.testing.assert_array_equal(y, copies[0])
    np.testing.assert_array_equal(g, copies[1])


# --- threads and memory ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3001, 7), (301, 129)])
def test_threads_change_no_bit(shape, dtype, rng, monkeypatch):
    x, g = rng.standard_normal((2, *shape)).astype(dtype)
    y = special.softmax(x, 1)
    runs = []
    for threshold in (0, 10**9):
        monkeypatch.setattr(softmax_rows, "PARALLEL", threshold)
        total = softmax.logsumexp(x, 1, keepdims=True)
        runs.append([
            total, softmax.softmax(x), softmax.log_softmax(x), softmax.softmax_vjp(g, y),
            softmax.log_softmax_vjp(g, np.log(y)), softmax.logsumexp_vjp(total, x, total, 1),
        ])  # fmt: skip
    for threaded, serial in zip(*runs, strict=True):
        np.testing.assert_array_equal(threaded, serial)


TABLES = ("SOFTMAX", "SOFTMAX_VJP", "LOG_SOFTMAX_VJP", "LOGSUMEXP_VJP", "LOGS")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (2, 150)])
@pytest.mark.parametrize("table", TABLES)
def test_writes_only_its_output(table, shape, dtype, rng):
    x = rng.standard_normal(shape).astype(dtype)
    buffer = np.full(x.size + 64, 7, dtype)
    out = buffer[32:-32].reshape(shape)
    args = {
        "SOFTMAX": (x, out, *np.empty((2, shape[0]), dtype)),
        "SOFTMAX_VJP": (x, x, out),
        "LOG_SOFTMAX_VJP": (x, x, out),
        "LOGSUMEXP_VJP": (x, x[:, 0].copy(), x[:, 0].copy(), out),
        "LOGS": (x, np.empty(shape[0], dtype), buffer[32 : 32 + shape[0]]),
    }[table]
    softmax_rows.run(getattr(softmax_rows, table), *args)
    assert (buffer[:32] == 7).all() and (buffer[-32:] == 7).all()
    inside = buffer[32 : 32 + (shape[0] if table == "LOGS" else x.size)]
    assert (inside != 7).all()
