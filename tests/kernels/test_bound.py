"""Built-in functions made of compiled ones: they return None, keep nothing and let others run."""

import gc
import sys
import threading
import time

import numpy as np

from scg.kernels._bound import bound
from scg.kernels.execute import _look
from scg.kernels.machine import task
from scg.kernels.simd_memory import load_i64, store_i64


@task
def add(row, number):
    store_i64(row, 0, load_i64(row, 0) + number)


@task
def wait(row, most):
    """Look at a counter until another thread has changed it, or so many times."""
    looks = 0
    while _look(row, 0) == 0 and looks < most:
        looks += 1
    store_i64(row, 1, looks)


def test_it_is_called_with_what_it_was_bound_to():
    total = np.zeros(1, np.int64)
    one, million = (bound(add.address, total.ctypes.data, n) for n in (1, -1_000_000))
    assert one() is None
    assert million() is None
    one()
    assert total.tolist() == [-999_998]


def test_it_keeps_neither_memory_nor_references():
    total = np.zeros(1, np.int64)
    gc.collect()
    before = sys.getrefcount(None), sys.getallocatedblocks()
    for _ in range(2000):
        bound(add.address, total.ctypes.data, 1)()
    gc.collect()
    after = sys.getrefcount(None), sys.getallocatedblocks()
    assert total.tolist() == [2000]
    assert all(abs(a - b) < 500 for a, b in zip(after, before, strict=True))


def test_other_threads_of_python_run_meanwhile():
    """With Python's lock held nobody could change the number that is waited for."""
    row, most = np.zeros(2, np.int64), 3_000_000_000

    def change():
        time.sleep(0.05)
        row[0] = 1

    other = threading.Thread(target=change)
    other.start()
    bound(wait.address, row.ctypes.data, most)()
    other.join()
    assert row[1] < most
