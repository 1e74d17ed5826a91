"""The vectorisable functions: accuracy, special values, and that they do become packed code."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scg.kernels import simd
from scg.kernels._jit import cpu_features, kernel

_spec = importlib.util.spec_from_file_location(
    "simd_reference", Path(__file__).with_name("reference.py")
)
assert _spec is not None and _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

F32, F64 = np.float32, np.float64
DTYPES = (F32, F64)
INF, NAN, GAMMA = math.inf, math.nan, 0.5772156649015329

# Largest error allowed, in ulp. The promise is 2; where products are fused the functions do better,
# and a test that let them slip to 2 would miss a wrong digit in a coefficient.
PROMISED = dict.fromkeys(
    ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "log_sigmoid", "erf"), 2.0
) | {"erfc": 4.5}
FUSED = {
    "exp": 1.05, "expm1": 1.55, "log": 0.95, "log1p": 0.95, "tanh": 1.4, "sigmoid": 1.35,
    "softplus": 1.35, "log_sigmoid": 1.35, "erf": 1.35, "erfc": 4.5,
}  # fmt: skip
# In epsilons of the larger of 1, the value and what it is reflected from, see `reference.least`.
EPSILONS = {"gammaln": 8.0, "digamma": 9.5}
ALLOWED = (FUSED if "fma" in cpu_features() else PROMISED) | EPSILONS
NAMES = tuple(ALLOWED)

# Where each is interesting: a random bit pattern is nearly always huge or tiny.
RANGES = {
    "exp": (-110, 100), "expm1": (-50, 100), "log": (0, 5), "log1p": (-1, 5), "tanh": (-12, 12),
    "sigmoid": (-100, 40), "softplus": (-100, 40), "log_sigmoid": (-40, 100), "erf": (-6, 6),
    "erfc": (-6, 28), "gammaln": (-20, 20), "digamma": (-20, 20),
}  # fmt: skip


def suffixed(name: str, dtype: type) -> str:
    return f"{name}_{'f32' if dtype is F32 else 'f64'}"


def loop_over(function: Any) -> Any:
    @kernel
    def loop(x, out):
        for i in range(out.size):
            out[i] = function(x[i])

    return loop


@cache
def loop(name: str, dtype: type) -> Any:
    return loop_over(getattr(simd, suffixed(name, dtype)))


def apply(name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    loop(name, x.dtype.type)(x, out)
    return out


def inside(name: str, x: np.ndarray) -> np.ndarray:
    """Keep the finite numbers at which the function is finite; the rest is in `SPECIAL`."""
    x = x[np.isfinite(x)]
    if name == "log":
        return x[x > 0]
    if name == "log1p":
        return x[x > -1]
    return x[(x > 0) | (x != np.rint(x))] if name in EPSILONS else x


def bit_patterns(rng, dtype, size):
    whole = np.uint32 if dtype is F32 else np.uint64
    return rng.integers(0, np.iinfo(whole).max, size, whole, endpoint=True).view(dtype)


def worst(name: str, x: np.ndarray) -> tuple[float, Any]:
    y, values = apply(name, x), reference.exact(name, x)
    rounded = reference.nearest(values, x.dtype.type)
    errors = reference.error(y, values, rounded, reference.least(name, x))
    where = np.argmax(errors)
    return errors[where], x[where]


# --- accuracy --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_where_it_is_interesting(name, dtype, rng):
    error, where = worst(name, inside(name, rng.uniform(*RANGES[name], 2000).astype(dtype)))
    assert error <= ALLOWED[name], where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_near_zero(name, dtype, rng):
    tiny = np.exp(rng.uniform(-40, 0, 1000)) * rng.choice([-1, 1], 1000)
    error, where = worst(name, inside(name, tiny.astype(dtype)))
    assert error <= ALLOWED[name], where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_random_bits(name, dtype, rng):
    error, where = worst(name, inside(name, bit_patterns(rng, dtype, 2000)))
    assert error <= ALLOWED[name], where


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_a_million_random_float64(name, rng):
    for _ in range(20):
        bits = inside(name, bit_patterns(rng, F64, 25_000))
        usual = inside(name, rng.uniform(*RANGES[name], 25_000))
        for x in (bits, usual):
            error, where = worst(name, x)
            assert error <= ALLOWED[name], where


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_every_float32(name):
    size = 2**20
    for start in range(0, 2**32, size):
        x = np.arange(start, start + size, dtype=np.uint32).view(F32)
        with np.errstate(all="ignore"):
            values = reference.DOUBLE[name](x.astype(F64))
            rounded = values.astype(F32)
            least = reference.least(name, x)
        errors = reference.error(apply(name, x), values, rounded, least)
        assert errors.max() <= ALLOWED[name], x[np.argmax(errors)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_gammaln_is_relative_at_its_zeros(dtype):
    """Where log(Gamma) crosses 0, at 1 and 2, its sign and leading digits must be right."""
    eps = np.finfo(dtype).eps
    for zero, slope in ((1, -GAMMA), (2, 1 - GAMMA)):
        step = np.array([-64, -8, 8, 64], dtype) * eps
        y = apply("gammaln", (zero + step).astype(dtype))
        np.testing.assert_allclose(y, slope * step, rtol=100 * eps)


# --- special values --------------------------------------------------------------------------

SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1), (1e4, INF), (-1e4, -1)],
    "log": [(1, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1, NAN), (-INF, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1, -INF), (INF, INF), (-2, NAN), (-INF, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (1e4, 1), (-1e4, -1)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0.0), (1e4, 1), (-1e4, 0.0)],
    "softplus": [(INF, INF), (-INF, 0.0), (2.0**20, 2.0**20), (-1e4, 0.0)],
    "log_sigmoid": [(INF, -0.0), (-INF, -INF), (-(2.0**20), -(2.0**20)), (1e4, -0.0)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (30, 1), (-30, -1)],
    "erfc": [(0.0, 1), (-0.0, 1), (INF, 0.0), (-INF, 2), (30, 0.0), (-30, 2)],
    "gammaln": [(0.0, INF), (-0.0, INF), (1, 0.0), (2, 0.0), (-1, INF), (-2, INF), (INF, INF),
                (-INF, -INF), (-1e30, INF)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-1, NAN), (-2, NAN), (INF, INF), (-INF, NAN),
                (-1e30, NAN)],
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_special_values(name, dtype):
    """Seventeen copies of each, so that they pass through packed code as well as the remainder."""
    x, want = np.array([(NAN, NAN), *SPECIAL[name]]).T.astype(dtype)
    y = apply(name, np.repeat(x, 17)).reshape(-1, 17)
    for got in y.T:
        np.testing.assert_array_equal(got, want)
        signed = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got[signed]), np.signbit(want[signed]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_largest_and_smallest_numbers(dtype):
    info = np.finfo(dtype)
    big, small = np.array([info.max]), np.array([info.smallest_subnormal, info.tiny])
    for name in ("expm1", "log1p", "tanh"):
        np.testing.assert_array_equal(apply(name, small), small)
        np.testing.assert_array_equal(apply(name, -small), -small)
    np.testing.assert_array_equal(apply("softplus", big), big)
    assert apply("log", big)[0] == apply("log1p", big)[0] == dtype(np.log(F64(info.max)))
    edge = np.log(F64(info.max))
    assert np.isfinite(apply("exp", np.array([edge * (1 - info.eps)], dtype))).all()
    assert np.isinf(apply("exp", np.array([edge * (1 + 4 * info.eps)], dtype))).all()


# --- the code they become --------------------------------------------------------------------

ARITHMETIC = r"\tv?(?:add|sub|mul|div|fn?m(?:add|sub)\d*)"
PACKED, SCALAR, CALL = (
    re.compile(p) for p in (ARITHMETIC + "p[sd]", ARITHMETIC + "s[sd]", r"\tcall")
)
x86_only = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="the test reads x86 assembly",
)


def computing_loops(compiled: Any) -> list[str]:
    """Return the text of every loop that does floating-point arithmetic.

    A loop is what lies between a label and a later jump back to it.
    """
    (assembly,) = compiled.inspect_asm().values()
    lines = assembly.splitlines()
    labels = {line[:-1]: i for i, line in enumerate(lines) if re.fullmatch(r"\.?\w+:", line)}
    jumps = [(i, m[1]) for i, line in enumerate(lines) if (m := re.match(r"\tj\w+\t(\.\w+)", line))]
    loops = ["\n".join(lines[labels[to] : i]) for i, to in jumps if labels.get(to, i) < i]
    return [text for text in loops if PACKED.search(text) or SCALAR.search(text)]


def is_vectorised(compiled: Any) -> bool:
    loops = computing_loops(compiled)
    return any(PACKED.search(text) for text in loops) and not any(CALL.search(t) for t in loops)


@x86_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_loop_is_packed_and_calls_nothing(name, dtype):
    apply(name, np.ones(3, dtype))
    assert is_vectorised(loop(name, dtype))


@x86_only
@pytest.mark.parametrize("name", NAMES)
def test_float32_is_not_computed_in_double(name):
    apply(name, np.ones(3, F32))
    for text in computing_loops(loop(name, F32)):
        assert not re.search(r"\t\w+(?:pd|sd|ps2pd|ss2sd)\t", text)


@x86_only
@pytest.mark.parametrize("function", [math.exp, math.tanh, math.erf])
def test_the_check_finds_a_call(function):
    """The C library's functions are what a loop calls when nothing is done about it."""
    scalar = loop_over(function)
    scalar(np.ones(3), np.empty(3))
    assert not is_vectorised(scalar)


@x86_only
def test_a_long_expression_is_packed_too():
    """Inlining several long functions must not hit a size limit and leave a call."""
    from scg.kernels.simd import exp_f64, gammaln_f64, log1p_f64, softplus_f64, tanh_f64

    @kernel
    def long_loop(x, y, out):
        for i in range(out.size):
            a = tanh_f64(x[i]) * softplus_f64(y[i])
            out[i] = gammaln_f64(exp_f64(a) + log1p_f64(y[i] * y[i]))

    x = np.linspace(-3, 3, 50)
    long_loop(x, x + 1, np.empty(50))
    assert is_vectorised(long_loop)


WITHOUT_JIT = """
import numpy as np
from scg.kernels import simd
for name in simd.__all__:
    dtype = np.float32 if name.endswith("_f32") else np.float64
    y = [getattr(simd, name)(dtype(x)) for x in (0.3, 1.0, 2.5, 20.0)]
    assert all(type(v) is dtype for v in y), name
    print(name, *(float(v).hex() for v in y))
"""


def test_they_are_valid_python():
    """With the JIT off they give the same numbers, to the rounding of fused multiply-add."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JIT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == len(simd.__all__)
    for line in lines:
        name, *values = line.split()
        dtype = F32 if name.endswith("_f32") else F64
        y = apply(name[:-4], np.array([0.3, 1.0, 2.5, 20.0], dtype))
        want = np.array([float.fromhex(v) for v in values], dtype)
        np.testing.assert_allclose(
            y, want, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps
        )
