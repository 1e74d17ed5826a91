"""Tasks mean what Python means by the same text."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import device
from scg.kernels.machine import task
from scg.kernels.simd import exp_f64
from scg.kernels.simd_memory import load_f64, load_i64, store_f64, store_i64
from scg.kernels.task_code import Unsupported

LIMIT = 7


class Memory:
    """Stands for memory in Python: the numbers of an array, by the address where it begins."""

    def __init__(self, array):
        self.array = array

    def load(self, place, i):
        return int(self.array[i])

    def store(self, place, i, value):
        self.array[i] = value


def both(body, *numbers):
    """Run a task on integers, compiled and in Python, and return what each left behind."""
    compiled, plain = (np.array([*numbers, *[0] * 8], np.int64) for _ in range(2))
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(task(body).address)(
        len(numbers), LIMIT, compiled.ctypes.data
    )
    memory = Memory(plain)
    names = {**body.__globals__, "load_i64": memory.load, "store_i64": memory.store}
    type(body)(body.__code__, names)(len(numbers), LIMIT, 0)
    return compiled.tolist(), plain.tolist()


def arithmetic(out, limit, row):
    a, b = load_i64(row, 0), load_i64(row, 1)
    store_i64(row, out, a // b)
    store_i64(row, out + 1, a % b)
    store_i64(row, out + 2, -a * LIMIT - b + limit)
    store_i64(row, out + 3, min(a, b, 3) + max(a, 5, b))
    store_i64(row, out + 4, (a < b) + (a <= b < 9) + (a != b))


def choices(out, limit, row):
    a, b = load_i64(row, 0), load_i64(row, 1)
    store_i64(row, out, a or b)
    store_i64(row, out + 1, a > 0 and b)
    store_i64(row, out + 2, a // b if b > a else -(-a // b))
    if not a > 3:
        store_i64(row, out + 3, 1 if LIMIT == 7 else 2)
    elif b:
        a += b
        store_i64(row, out + 4, a)


def loops(out, limit, row):
    a, b = load_i64(row, 0), load_i64(row, 1)
    total = 0
    for i in range(a):
        for j in range(i, a + limit, 3):
            total += i * j
    for i in range(a, b, -1 if a > b else 1):
        total -= i
    while True:
        total -= 1
        if total % 5 == 0:
            break
    store_i64(row, out, total)


@device
def divided(a, b):
    """Return two numbers at once."""
    whole, rest = a // b, a % b
    return whole, (rest, LIMIT)


def functions(out, limit, row):
    a, b = load_i64(row, 0), load_i64(row, 1)
    whole, (rest, seven) = divided(a, b)
    rule = divided
    store_i64(row, out, whole * 3 + rest + seven)
    store_i64(row, out + 1, rule(b, a + 100)[1][0])


small = st.integers(-20, 20)


@pytest.mark.parametrize("body", [arithmetic, choices, loops, functions])
@given(a=small, b=small.filter(bool))
def test_a_task_means_what_python_means(body, a, b):
    compiled, plain = both(body, a, b)
    assert compiled == plain


def test_arrays_are_made_and_given_back():
    """Two thousand arrays of a megabyte: kept, they would be two gigabytes."""

    @task
    def arrays(begin, end, row):
        for i in range(begin, end):
            store_i64(row, 0, load_i64(row, 0) + with_array(i))

    row = np.zeros(1, np.int64)
    before = resident()
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(arrays.address)(0, 2000, row.ctypes.data)
    assert row.tolist() == [sum(2 * i for i in range(2000))]
    assert resident() - before < 100e6


@device
def with_array(i):
    numbers, zeros = np.empty(131072, np.int64), np.zeros(131072, np.int64)
    for j in range(131072):
        numbers[j] = i + zeros[j]
    return numbers[0] + numbers[131071]


def resident():
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _scaled_f64(begin, end, row):
    """Write x * x - 3 x."""
    x, y = load_i64(row, 0), load_i64(row, 1)
    for i in range(begin, end):
        value = load_f64(x, i)
        store_f64(y, i, value * value - 3 * value if value > 0 else np.sqrt(-value))


SCALED = {FLOAT32: task(float32_twin(_scaled_f64)), FLOAT64: task(_scaled_f64)}


@pytest.mark.parametrize("dtype", SCALED)
def test_a_twin_computes_in_its_own_dtype(dtype, rng):
    x = rng.standard_normal(37).astype(dtype)
    y = np.empty_like(x)
    row = np.array([x.ctypes.data, y.ctypes.data])
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(SCALED[dtype].address)(0, 37, row.ctypes.data)
    wanted = np.where(x > 0, x * x - 3 * x, np.sqrt(abs(x)))
    np.testing.assert_allclose(y, wanted, rtol=8 * np.finfo(dtype).eps)


def test_functions_of_simd_are_called():
    @task
    def exponentials(begin, end, row):
        for i in range(begin, end):
            store_f64(row, i, exp_f64(load_f64(row, i)))

    x = np.linspace(-2, 2, 9)
    wanted = np.exp(x)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(exponentials.address)(0, 9, x.ctypes.data)
    np.testing.assert_allclose(x, wanted, rtol=1e-15)


def test_what_a_task_cannot_say_is_refused():
    @task
    def listed(begin, end, row):
        for i in [1, 2]:
            store_i64(row, i, i)

    @task
    def early(begin, end, row):
        if begin > end:
            return
        store_i64(row, 0, 1)

    @task
    def made_in_a_loop(begin, end, row):
        for i in range(begin, end):
            store_i64(row, i, np.zeros(end, np.int64)[i])

    @task
    def shifted(begin, end, row):
        store_i64(row, 0, begin << 1)

    reasons = {listed: "range", early: "Return", made_in_a_loop: "loop", shifted: "LShift"}
    for wrong, reason in reasons.items():
        with pytest.raises(Unsupported, match=reason):
            _ = wrong.address
