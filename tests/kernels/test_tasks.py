"""The lines of hand-written tasks have the bits of the functions that they stand for."""

from __future__ import annotations

from ctypes import CFUNCTYPE, c_int64
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scg.kernels import _product
from scg.kernels.execute import Schedule
from scg.kernels.matmul import matmul
from scg.kernels.tasks import Matrix, multiply, transpose

DTYPES = (np.float32, np.float64)
needs_kernel = pytest.mark.skipif(not _product.HAS_KERNEL, reason="this CPU multiplies by BLAS")


def matrix(x):
    """Return where the last two axes of an array lie."""
    return Matrix(x.ctypes.data, *x.strides[-2:], x.strides[0] if x.ndim == 3 else 0)


@needs_kernel
@given(
    sizes=st.tuples(*[st.integers(1, 80)] * 3),
    batch=st.integers(1, 5),
    dtype=st.sampled_from(DTYPES),
    flips=st.tuples(*[st.booleans()] * 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_product_has_the_bits_of_matmul(sizes, batch, dtype, flips, seed):
    m, k, n = sizes
    across, b_across, relu, accumulate, biased = flips
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return rng.standard_normal(shape).astype(dtype)

    a = numbers(batch, k, m).transpose(0, 2, 1) if across else numbers(batch, m, k)
    b = numbers(batch, n, k).transpose(0, 2, 1) if b_across else numbers(batch, k, n)
    bias, c = numbers(n), numbers(batch, m, n)
    # From two columns on: a matrix times a vector may be left to BLAS by `matmul`.
    wanted = matmul(
        np.concatenate([a, a], 1), np.concatenate([b, b], 2), np.tile(c, (1, 2, 2)),
        bias=np.tile(bias, 2) if biased else None, activation="relu" if relu else None,
        accumulate=accumulate,
    )[:, :m, :n]  # fmt: skip
    line = multiply(
        c.dtype, m, k, n, matrix(a), matrix(b), matrix(c), batch=batch,
        bias=bias.ctypes.data if biased else 0, relu=relu, accumulate=accumulate,
    )  # fmt: skip
    Schedule([line]).run()
    np.testing.assert_array_equal(c, wanted)


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_large_product_is_divided_and_keeps_its_bits(dtype, monkeypatch):
    monkeypatch.setattr("scg.kernels.tasks.threads", lambda: 3)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(dtype) for s in ((300, 700), (700, 90)))
    c = np.empty((300, 90), dtype)
    line = multiply(c.dtype, 300, 700, 90, matrix(a), matrix(b), matrix(c))
    assert line.units > line.grain
    Schedule([line])._in_parallel()
    np.testing.assert_array_equal(c, matmul(a, b))


@needs_kernel
@settings(max_examples=10)
@given(data=st.data())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "across", "batch"),
    [((60, 300, 300), False, 1), ((900, 40, 90), False, 1), ((900, 30, 150), True, 1),
     ((110, 90, 40), False, 7)], ids=str,
)  # fmt: skip
def test_a_product_may_be_divided_anywhere(sizes, across, batch, dtype, data):
    """Blocks that are computed as one have the bits of those that are not."""
    m, k, n = sizes
    rng = np.random.default_rng(1)
    shape = (batch, k, m) if across else (batch, m, k)
    a, b = (rng.standard_normal(s).astype(dtype) for s in (shape, (batch, k, n)))
    a = a.transpose(0, 2, 1) if across else a
    c = np.full((batch, m, n), np.nan, dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scg.kernels.tasks.threads", lambda: 4)
        line = multiply(c.dtype, m, k, n, matrix(a), matrix(b), matrix(c), batch=batch)
    assert line.units > 7
    row = np.array(line.row)
    call = CFUNCTYPE(None, c_int64, c_int64, c_int64)(line.task.address)
    cuts = data.draw(st.lists(st.integers(0, line.units), max_size=6))
    for begin, end in pairwise(sorted([0, *cuts, line.units])):
        call(begin, end, row.ctypes.data)
    np.testing.assert_array_equal(c, matmul(a, b))


@needs_kernel
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("run", ["_in_order", "_in_parallel"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (8, 16), (7, 100), (64, 64), (129, 71), (200, 300), (1, 50), (50, 1)], ids=str
)
def test_a_transposed_copy(shape, run, dtype):
    """Between arrays whose rows are longer than what is copied, which stays as it was."""
    rows, columns = shape
    x = np.random.default_rng(1).standard_normal((rows, columns + 3)).astype(dtype)
    y = np.full((columns, rows + 5), 7, dtype)
    line = transpose(y.dtype, rows, columns, matrix(x), matrix(y))
    schedule = Schedule([line])
    getattr(schedule, run)()
    np.testing.assert_array_equal(y[:, :rows], x[:, :columns].T)
    assert (y[:, rows:] == 7).all()
