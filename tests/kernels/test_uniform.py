"""Uniform numbers are those of NumPy's Generator, and so is what it draws afterwards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.kernels import uniform
from scg.kernels.uniform import fill

DTYPES = (np.float32, np.float64)


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    monkeypatch.setattr(uniform, "ENOUGH", 16)


def both(seed, before, shape, dtype):
    """Return what `fill` and NumPy write, and their generators, which had drawn some before."""
    made = []
    for write in (fill, lambda rng, out: rng.random(out=out, dtype=out.dtype)):
        rng, out = np.random.default_rng(seed), np.full(shape, np.nan, dtype)
        rng.random(before, dtype=np.float32)
        write(rng, out)
        made.append((out, rng))
    return made


@given(
    seed=st.integers(0, 2**128 - 1),
    before=st.integers(0, 3),
    size=st.integers(0, 100) | st.integers(0, 40_000),
    dtype=st.sampled_from(DTYPES),
)
def test_numbers_and_state_are_numpys(seed, before, size, dtype):
    (x, a), (y, b) = both(seed, before, size, dtype)
    np.testing.assert_array_equal(x, y)
    assert a.bit_generator.state == b.bit_generator.state


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_axes_are_filled_in_order(dtype):
    (x, _), (y, _) = both(3, 1, (30, 40, 250), dtype)  # of many units: leaps of many bits
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("kind", [np.random.PCG64DXSM, np.random.Philox, np.random.MT19937])
def test_other_generators_are_asked_themselves(kind):
    a, b = (np.random.Generator(kind(5)) for _ in range(2))
    x, y = np.empty((2, 999))
    fill(a, x)
    b.random(out=y)
    np.testing.assert_array_equal(x, y)


def test_threads_that_share_a_generator_get_other_numbers():
    rng, outs = np.random.default_rng(1), np.empty((8, 20_000))
    workers = [threading.Thread(target=fill, args=(rng, out)) for out in outs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(np.unique(outs)) == outs.size
