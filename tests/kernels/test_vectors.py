"""Vector code means what the scalar functions and NumPy mean."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from scg.kernels import machine, simd, vector_loops
from scg.kernels.vector_loops import write
from scg.kernels.vector_spec import Access, Spec

CALL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)


def run(nodes, arrays, dtype, lanes=8):
    """Compute nodes over arrays of one length; the last node is stored."""
    n = arrays[0].size
    accesses = tuple(Access(str(a.dtype), False, "one") for a in arrays)
    out = np.empty(n, dtype)
    places = (*accesses, Access(dtype, False, "one"))
    tail, last = "again" if n > lanes else "mask", (len(nodes) - 1, len(arrays))
    spec = Spec(False, 0, 0, lanes, tail, places, nodes, (last,))
    row = np.array([n, *(a.ctypes.data for a in (*arrays, out))])
    call(spec)(0, 1, row.ctypes.data)
    return out


def call(spec):
    return CALL(machine.address_of(vector_loops.NAME, repr(spec), lambda: write(spec)))


def applied(text, functions, dtype, result=None, **arrays):
    names = tuple(arrays)
    loads = [("load", i) for i in range(len(names))]
    op = ("op", text, functions, names, (), dtype, tuple(range(len(names))), result or dtype)
    return run((*loads, op), list(arrays.values()), result or dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted({f.rsplit("_", 1)[0] for f in simd.__all__}))
def test_functions_have_the_bits_of_their_kernels(name, dtype):
    from scg.kernels.generate import elementwise_kernel

    x = np.concatenate([
        np.linspace(-30, 30, 1001), [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38, -1e-12],
    ]).astype(dtype)  # fmt: skip
    theirs = np.empty_like(x)
    elementwise_kernel(name, ("x",), (), (f"{name}(x)",), dtype)(x, theirs)
    ours = applied(f"{name}(x)", (name,), dtype, x=x)
    # LLVM may fuse other products into sums in the one than in the other: a rounding or two.
    np.testing.assert_allclose(ours, theirs, rtol=8 * np.finfo(dtype).eps, atol=1e-37)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize(
    "text", ["a + b", "a - b", "a * b", "-a", "abs(a)", "3 * a - b", "where(a > b, a, b)"]
)
def test_arithmetic_is_numpys(text, dtype):
    a, b = (np.random.default_rng(i).integers(-9, 9, 37).astype(dtype) for i in range(2))
    functions = tuple(f for f in ("abs", "where") if f in text)
    theirs = eval(text, {"a": a, "b": b, "abs": abs, "where": np.where})
    np.testing.assert_array_equal(applied(text, functions, dtype, a=a, b=b), theirs)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons_with_nan_are_numpys(sign):
    a = np.array([1, 2, np.nan, np.nan, 3], np.float32)
    b = np.array([1, 3, 1, np.nan, 2], np.float32)
    ours = applied(f"a {sign} b", (), "float32", "bool", a=a, b=b)
    np.testing.assert_array_equal(ours, eval(f"a {sign} b"))


@pytest.mark.parametrize("source", ["bool", "uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("target", ["bool", "int32", "int64", "float32", "float64"])
def test_conversions_are_numpys(source, target):
    x = np.random.default_rng(0).uniform(0, 9, 21).astype(source)
    ours = run((("load", 0), ("cast", 0, target)), [x], target)
    np.testing.assert_array_equal(ours, x.astype(target))
