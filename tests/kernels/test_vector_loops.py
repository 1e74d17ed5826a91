"""The two forms of a loop, any division of their units, and sums that lose little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.kernels.vector_spec import COLUMN_SEGMENT, ROW_SEGMENT, Access, Spec
from tests.kernels.test_vectors import call

F32 = "float32"


def rows(x, kind, lanes=8):
    """Reduce each row of a matrix; return the results of the segments."""
    m, n = x.shape
    count = -(-n // ROW_SEGMENT)
    out = np.empty((m, count), x.dtype)
    kept = Access(str(x.dtype), False, "none", segment=True)
    tail = "mask" if n < lanes else "again"
    spec = Spec(False, 1, ROW_SEGMENT, lanes, tail, (Access(str(x.dtype), False, "one"), kept),
                (("load", 0), ("reduce", kind, 0)), ((1, 1),))  # fmt: skip
    size = x.itemsize
    row = np.array([n, m, x.ctypes.data, n * size, out.ctypes.data, count * size, size])
    return call(spec), row, m * count, out


def columns(x, kind, lanes=8):
    n, width = x.shape
    count = -(-n // COLUMN_SEGMENT)
    out = np.empty((count, width), x.dtype)
    tail = "mask" if width < lanes else "again"
    spec = Spec(True, 0, COLUMN_SEGMENT, lanes, tail, (Access(str(x.dtype), True, "one"),
                Access(str(x.dtype), False, "one", segment=True)),
                (("load", 0), ("reduce", kind, 0)), ((1, 1),))  # fmt: skip
    size = x.itemsize
    row = np.array([n, width, x.ctypes.data, width * size, out.ctypes.data, width * size])
    return call(spec), row, count * -(-width // lanes), out


@given(
    st.sampled_from([rows, columns]), st.sampled_from(["sum", "max", "min"]),
    st.integers(1, 40), st.integers(1, 300), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_both_forms_reduce(form, kind, m, n, seed):
    x = np.random.default_rng(seed).standard_normal((m, n)).astype(F32)
    task, row, units, out = form(x, kind)
    task(0, units, row.ctypes.data)
    axis = 1 if form is rows else 0
    theirs = getattr(np, kind)(x.astype(float), axis=axis)
    np.testing.assert_allclose(out.reshape(-1), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", [rows, columns])
def test_any_division_of_the_units_gives_the_same_bits(form):
    x = np.random.default_rng(0).standard_normal((3 * COLUMN_SEGMENT + 5, 37)).astype(F32)
    x = x if form is columns else np.ascontiguousarray(x.T)
    task, row, units, out = form(x, "sum")
    task(0, units, row.ctypes.data)
    whole = out.copy()
    for parts in (2, 3, units):
        out[...] = np.nan
        for i in reversed(range(parts)):
            task(i * units // parts, (i + 1) * units // parts, row.ctypes.data)
        np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("form", [rows, columns])
def test_sums_lose_at_most_twice_what_pairwise_sums_may(form):
    n = ROW_SEGMENT if form is rows else COLUMN_SEGMENT
    x = np.random.default_rng(1).uniform(0, 1, (1, n) if form is rows else (n, 8)).astype(F32)
    task, row, units, out = form(x, "sum")
    task(0, units, row.ctypes.data)
    theirs = np.sum(x.astype(float), axis=1 if form is rows else 0)
    # NumPy adds up to 128 numbers in 8 running sums and those pairwise (Higham 2002, section 4.2).
    bound = (16 + np.log2(n / 16)) * np.finfo(F32).eps / 2
    assert np.max(abs(out.reshape(-1) - theirs) / theirs) <= 2 * bound


@pytest.mark.parametrize("n", [1, 5, 8, 9, 16, 23])
def test_nothing_is_written_beyond_a_row(n):
    x, out = np.ones(n, F32), np.zeros(n + 32, F32)
    access = Access(F32, False, "one")
    tail = "mask" if n < 8 else "again"
    spec = Spec(False, 0, 0, 8, tail, (access, access), (("load", 0),), ((0, 1),))
    row = np.array([n, x.ctypes.data, out[16:].ctypes.data])
    call(spec)(0, 1, row.ctypes.data)
    np.testing.assert_array_equal(out, np.r_[np.zeros(16), x, np.zeros(16)])


def test_strided_numbers_are_gathered_and_scattered():
    x, out = np.arange(60, dtype=F32).reshape(20, 3), np.zeros((20, 2), F32)
    access = Access(F32, False, "any")
    spec = Spec(False, 0, 0, 8, "again", (access, access), (("load", 0),), ((0, 1),))
    row = np.array([20, x.ctypes.data, x.strides[0], out.ctypes.data, out.strides[0]])
    call(spec)(0, 1, row.ctypes.data)
    np.testing.assert_array_equal(out, np.c_[x[:, 0], np.zeros(20)])


def test_a_running_sum():
    x, out = np.arange(44, dtype=F32).reshape(4, 11), np.zeros((4, 11), F32)
    access = Access(F32, True, "one")
    spec = Spec(True, 0, 0, 8, "again", (access, access), (("load", 0), ("scan", 0)), ((1, 1),))
    row = np.array([4, 11, x.ctypes.data, 44, out.ctypes.data, 44])
    call(spec)(0, 2, row.ctypes.data)
    np.testing.assert_array_equal(out, np.cumsum(x, axis=0))
