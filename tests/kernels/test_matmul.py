"""Matrix products against a reference of twice the precision, in every layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg._arrays import LINE, aligned
from scg.errors import OptionError, ShapeError
from scg.kernels import _product, simd_tile
from scg.kernels.matmul import ACTIVATIONS, matmul, uses_blas

DTYPES = (np.float32, np.float64)
GUARD = 97.0

needs_kernel = pytest.mark.skipif(not _product.HAS_KERNEL, reason="this CPU multiplies by BLAS")

# Every remainder of a tile and of a panel, several blocks of the inner dimension, one-sided sizes.
SHAPES = [
    *((m, 7, 9) for m in range(1, 2 * simd_tile.ROWS + 2)),
    *((3, 5, n) for n in range(1, 70)),
    *((5, k, 35) for k in (1, 2, 15, 16, 17, 511, 512, 513, 1025, 3001)),
    *((m, 6, n) for m in (1, 2, 3) for n in range(90, 150, 7)),
    (61, 33, 129), (120, 40, 1024), (120, 40, 512), (1, 1, 1),
    (1, 700, 1), (700, 1, 1), (1, 1, 700), (130, 2100, 40),
]  # fmt: skip


def wide(dtype):
    """Return a dtype in which the products and sums of `dtype` are exact enough to judge it."""
    return np.float64 if dtype == np.float32 else np.longdouble


def numbers(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def layouts(x):
    """Return the same matrix in other strides, read-only and unaligned."""
    spread = np.full((2 * x.shape[0], 3 * x.shape[1]), GUARD, x.dtype)[::2, 1::3]
    spread[...] = x
    locked = x.copy()
    locked.flags.writeable = False
    unaligned = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    return {
        "rows": x.copy(), "columns": np.asfortranarray(x), "spread": spread,
        "rows backwards": x[::-1].copy()[::-1], "columns backwards": x[:, ::-1].copy()[:, ::-1],
        "both backwards": x[::-1, ::-1].copy()[::-1, ::-1], "read-only": locked,
        "unaligned": unaligned, "column blocks": np.hstack([x, x])[:, : x.shape[1]],
    }  # fmt: skip


def assert_product(value, a, b, plus=0.0):
    """Check |error| <= (k + 2) eps (|A| |B| + |plus|): the bound for a sum in any order."""
    big = wide(value.dtype)
    exact = a.astype(big) @ b.astype(big) + plus
    scale = np.abs(a).astype(big) @ np.abs(b).astype(big) + np.abs(plus)
    bound = (a.shape[-1] + 2) * np.finfo(value.dtype).eps * scale
    assert np.all(np.abs(value - exact) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sizes(shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(m + 1000 * k + n)
    a, b = numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype)
    value = matmul(a, b)
    assert value.shape == (m, n)
    assert value.dtype == dtype
    assert_product(value, a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_error_grows_slower_than_the_inner_dimension(dtype):
    """All terms positive, so that roundings cannot hide: 196 blocks of 512 bound it by 708 eps."""
    rng = np.random.default_rng(0)
    a, b = rng.random((3, 100_000)).astype(dtype), rng.random((100_000, 5)).astype(dtype)
    exact = a.astype(wide(dtype)) @ b.astype(wide(dtype))
    error = np.abs(matmul(a, b) - exact) / exact
    assert error.max() <= (_product.DEPTH + 200) * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(17, 40, 45), (1, 20, 33), (33, 20, 1), (20, 1, 20)], ids=str)
def test_layouts_have_the_same_bits_and_stay_unchanged(shape, dtype):
    m, k, n = shape
    rng = np.random.default_rng(3)
    a, b = numbers(rng, (m, k), dtype), numbers(rng, (k, n), dtype)
    expected = matmul(a, b)
    assert_product(expected, a, b)
    for name_a, x in layouts(a).items():
        for name_b, y in layouts(b).items():
            value = matmul(x, y)
            if uses_blas(m, k, n, a.dtype):
                assert_product(value, a, b)
            else:
                np.testing.assert_array_equal(value, expected, f"{name_a} @ {name_b}")
            np.testing.assert_array_equal(x, a)
            np.testing.assert_array_equal(y, b)


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_does_not_depend_on_the_other_rows(dtype):
    rng = np.random.default_rng(4)
    a, b = numbers(rng, (40, 1500), dtype), numbers(rng, (1500, 50), dtype)
    whole = matmul(a, b)
    for i in (0, 13, 14, 38):
        if simd_tile.WIDE_ROWS:
            np.testing.assert_array_equal(matmul(a[i], b), whole[i])
        np.testing.assert_array_equal(matmul(a[i : i + 2], b), whole[i : i + 2])
        np.testing.assert_array_equal(matmul(a, b[:, i : i + 2]), whole[:, i : i + 2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("n", [1, 5, 16, 31, 33, 70])
@pytest.mark.parametrize("m", [1, 4, 15])
def test_nothing_outside_is_written_or_used(m, n, transposed, dtype):
    """Every array lies in a sea of NaN: a read outside an input or a write outside C shows."""
    rng = np.random.default_rng(5)
    k = 19

    def island(shape):
        sea = np.full((shape[0] + 2) * shape[1] + 64, np.nan, dtype)
        return sea, sea[32 + shape[1] :][: shape[0] * shape[1]].reshape(shape)

    (_, a), (_, b) = island((m, k)), island((n, k) if transposed else (k, n))
    a[...], b[...] = numbers(rng, a.shape, dtype), numbers(rng, b.shape, dtype)
    b = b.T if transposed else b
    sea, out = island((m, n))
    assert matmul(a, b, out, bias=b[0].copy(), activation="relu") is out
    np.testing.assert_allclose(
        out, np.maximum(a @ b + b[0], 0), rtol=0, atol=400 * np.finfo(dtype).eps
    )
    assert np.count_nonzero(~np.isnan(sea)) == m * n


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)], ids=str)
def test_no_elements(shape, dtype):
    m, k, n = shape
    value = matmul(np.ones((m, k), dtype), np.ones((k, n), dtype), bias=np.full(n, 2, dtype))
    np.testing.assert_array_equal(value, np.full((m, n), 2, dtype))
    assert matmul(np.ones((2, 0, m, k), dtype), np.ones((k, n), dtype)).shape == (2, 0, m, n)


BATCHES = [
    ((4, 3, 5), (5, 7)), ((3, 5), (4, 5, 7)), ((4, 1, 3, 5), (6, 5, 7)),
    ((2, 1, 3, 5), (2, 4, 5, 1)),
    ((1, 1, 3, 5), (1, 5, 7)), ((5,), (5,)), ((5,), (5, 7)), ((3, 5), (5,)), ((4, 3, 5), (5,)),
    ((5,), (4, 5, 7)), ((3, 1, 2, 5), (5,)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", BATCHES, ids=str)
def test_batches_and_vectors_follow_numpy(shapes, dtype):
    rng = np.random.default_rng(6)
    a, b = (numbers(rng, s, dtype) for s in shapes)
    expected = np.matmul(a, b)
    for x in (a, np.asfortranarray(a), a[..., ::-1].copy()[..., ::-1]):
        for y in (b, np.asfortranarray(b)):
            value = matmul(x, y)
            assert value.shape == expected.shape
            np.testing.assert_allclose(value, expected, atol=30 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_axes_in_any_order(dtype):
    rng = np.random.default_rng(7)
    a = numbers(rng, (2, 4, 6, 3, 5), dtype)
    b = numbers(rng, (4, 6, 5, 9), dtype)
    expected = np.matmul(a, b)
    value = matmul(a.transpose(2, 1, 0, 3, 4), b.swapaxes(0, 1)[:, :, None])
    np.testing.assert_allclose(
        value, expected.transpose(2, 1, 0, 3, 4), atol=30 * np.finfo(dtype).eps
    )


@given(
    st.tuples(*[st.integers(0, 40)] * 3), st.sampled_from(DTYPES), st.booleans(), st.booleans(),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_any_product(sizes, dtype, flip_a, flip_b, accumulate, seed):
    m, k, n = sizes
    rng = np.random.default_rng(seed)
    a = numbers(rng, (k, m), dtype).T if flip_a else numbers(rng, (m, k), dtype)
    b = numbers(rng, (n, k), dtype).T if flip_b else numbers(rng, (k, n), dtype)
    out = numbers(rng, (m, n), dtype)
    before = out.copy()
    assert matmul(a, b, out, accumulate=accumulate) is out
    assert_product(out, a, b, before if accumulate else 0.0)


# --- what follows the product ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("shape", [(20, 30, 37), (5, 2100, 33), (9, 4, 1), (4, 0, 3)], ids=str)
def test_bias_and_activation(shape, activation, dtype):
    m, k, n = shape
    rng = np.random.default_rng(8)
    a = numbers(rng, (m, k), dtype)
    b, bias = numbers(rng, (k, n), dtype) / dtype(max(k, 1) ** 0.5), numbers(rng, n, dtype)
    x = a.astype(wide(dtype)) @ b.astype(wide(dtype)) + bias
    expected = {
        None: x, "relu": np.maximum(x, 0), "tanh": np.tanh(x),
        "sigmoid": 1 / (1 + np.exp(-x)), "softplus": np.log1p(np.exp(x)),
    }[activation]  # fmt: skip
    value = matmul(a, b, bias=bias, activation=activation)
    np.testing.assert_allclose(value, expected, rtol=0, atol=(k + 20) * np.finfo(dtype).eps)


@pytest.mark.parametrize("k", [3, 2100])
def test_accumulation_comes_before_bias_and_relu(k):
    rng = np.random.default_rng(9)
    a, b, bias, out = (numbers(rng, s, np.float64) for s in [(6, k), (k, 35), 35, (6, 35)])
    expected = np.maximum(out + a @ b + bias, 0)
    matmul(a, b, out, bias=bias, activation="relu", accumulate=True)
    np.testing.assert_allclose(out, expected, atol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "relu"])
def test_nan_and_infinity_pass_as_in_numpy(activation, dtype):
    rng = np.random.default_rng(10)
    for _ in range(20):
        a, b = numbers(rng, (16, 20), dtype), numbers(rng, (20, 34), dtype)
        for x in (a, b):
            x.flat[rng.integers(x.size, size=5)] = rng.choice([np.nan, np.inf, -np.inf, 0], 5)
        a[3] = 0
        with np.errstate(invalid="ignore"):
            expected = np.matmul(a, b)
            expected = np.maximum(expected, 0) if activation else expected
        np.testing.assert_allclose(matmul(a, b, activation=activation), expected, atol=1e-4)


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 7), (120, 200, 300)])  # one thread, and several
def test_subnormal_numbers_count_as_zero_in_a_product_and_nowhere_else(shape, dtype):
    """The control register is a thread's: what comes afterwards must find it as it was."""
    m, k, n = shape
    small = np.full((m, k), np.finfo(dtype).tiny / 2, dtype)
    assert (small > 0).all()
    assert (matmul(small, np.full((k, n), 8, dtype)) == 0).all()
    assert (matmul(4 * small, np.full((k, n), 0.25 / k, dtype)) == 0).all()
    assert (small * np.ones((), dtype) > 0).all()


# --- out -------------------------------------------------------------------------------------


def test_out_may_overlap_the_inputs():
    rng = np.random.default_rng(11)
    memory = numbers(rng, 3 * 400, np.float64)
    for shift in (0, 1, 200, 400):
        for as_b in (False, True):
            held = memory.copy()
            x = held[:400].reshape(20, 20)
            out = held[shift : shift + 400].reshape(20, 20)
            other = numbers(rng, (20, 20), np.float64)
            expected = other @ x if as_b else x @ other
            matmul(*((other, x) if as_b else (x, other)), out)
            np.testing.assert_allclose(out, expected, atol=1e-12)


def test_out_may_be_the_bias():
    bias = np.arange(4.0)
    row = matmul(np.ones((1, 2)), np.ones((2, 4)), bias[None], bias=bias)
    np.testing.assert_array_equal(row, [[2, 3, 4, 5]])


@pytest.mark.parametrize("accumulate", [False, True])
def test_out_may_have_any_strides_and_a_wider_dtype(accumulate):
    rng = np.random.default_rng(12)
    a, b = numbers(rng, (7, 9), np.float32), numbers(rng, (9, 40), np.float32)
    for out in (
        np.ones((40, 7), np.float32).T, np.ones((14, 80), np.float32)[::2, ::-2], np.ones((7, 40)),
    ):  # fmt: skip
        assert matmul(a, b, out, accumulate=accumulate) is out
        np.testing.assert_allclose(out, a @ b + accumulate, atol=1e-5)


# --- other dtypes, bad input -----------------------------------------------------------------


@pytest.mark.parametrize("pair", ["fd", "df", "id", "ii", "??", "DD", "ee", "Fd", "fi"])
def test_other_dtypes_follow_numpy(pair):
    a, b = np.arange(6).reshape(2, 3).astype(pair[0]), np.arange(6).reshape(3, 2).astype(pair[1])
    value = matmul(a, b)
    assert value.dtype == np.matmul(a, b).dtype
    np.testing.assert_array_equal(value, np.matmul(a, b))


def test_foreign_byte_order():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(matmul(a.astype(">f8"), a.T.astype(">f8")), a @ a.T)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([[1.0]], [[1.0], [2.0]]), ShapeError, "inner dimension"),
        ((np.ones((2, 1, 1)), np.ones((3, 1, 1))), ShapeError, "batch axes"),
        ((np.float64(1), [[1.0]]), ShapeError, "scalar"),
        (([[1.0]], [[1.0]], np.ones(1)), ShapeError, "out has shape"),
        (([[1.0]], [[1.0]], np.broadcast_to(1.0, (1, 1))), OptionError, "read-only"),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        matmul(*map(np.asarray, arguments))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"bias": np.ones(2)}, ShapeError, "bias has shape"),
        ({"activation": "swish"}, OptionError, "swish"),
        ({"accumulate": True}, OptionError, "out"),
    ],
)
def test_bad_options(options, error, words):
    with pytest.raises(error, match=words):
        matmul(np.ones((1, 1)), np.ones((1, 1)), **options)


# --- threads, processes, settings ------------------------------------------------------------


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lines", [1, 3, 7])
@pytest.mark.parametrize("less", [0, 1, 11])
def test_rows_that_begin_at_lines_are_read_where_they_are(dtype, lines, less):
    """With the bits of a product whose panels are packed, and without what lies beside them."""
    size = np.dtype(dtype).itemsize
    rng, (m, k, n) = np.random.default_rng(lines), (70, 300, lines * LINE // size)
    memory = aligned(k * n * size).view(dtype).reshape(k, n)
    memory[...] = GUARD
    inside = memory[:, : max(n - less, 1)]
    inside[...] = numbers(rng, inside.shape, dtype)
    a = numbers(rng, (m, k), dtype)
    value = matmul(a, inside)
    assert_product(value, a, inside)
    packed = np.zeros((k + 1) * n, dtype)[1 : k * n + 1].reshape(k, n)[:, : inside.shape[1]]
    packed[...] = inside
    np.testing.assert_array_equal(value, matmul(a, packed))


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 10, 35])
@pytest.mark.parametrize("pages", [1, 2, 1.5])
def test_columns_that_lie_pages_apart(pages, n, dtype):
    """Packed or not, they have the bits of the same numbers row after row."""
    rng, m, k = np.random.default_rng(n), int(pages * 4096) // np.dtype(dtype).itemsize, 270
    a, b = numbers(rng, (k, m), dtype).T, numbers(rng, (k, n), dtype)
    np.testing.assert_array_equal(matmul(a, b), matmul(np.ascontiguousarray(a), b))
