"""Loops written once for float64: their float32 twins stay in float32 and both are cached."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from scg.kernels import _dtypes, log_prob, optim, reduce, simd, softmax, softmax_rows
from scg.kernels._jit import device, types
from scg.kernels.simd import exp_f64

TWO_F64, TWO_F32 = np.float64(2), np.float32(2)


def doubled_exp_f64(x):
    return TWO_F64 * exp_f64(x)


def test_twin_rebinds_functions_and_constants():
    twin = _dtypes.float32_twin(doubled_exp_f64)
    assert twin.__name__ == twin.__qualname__ == "doubled_exp_f32"
    assert twin.__globals__["exp_f64"] is simd.exp_f32
    assert twin.__globals__["TWO_F64"] is TWO_F32
    assert doubled_exp_f64.__globals__["exp_f64"] is simd.exp_f64


def test_a_missing_float32_name_is_an_error():
    def body_f64():
        return nowhere_f64  # noqa: F821

    with pytest.raises(AttributeError, match="nowhere_f32"):
        _dtypes.float32_twin(body_f64)


def float32_kernels():
    """Call everything once in float32; yield the compiled loops."""
    x = np.linspace(0.1, 0.9, 600, dtype=np.float32).reshape(3, 200)
    short = x[:, :100].copy()
    for rows in (x, short):
        y = softmax.softmax(rows)
        softmax.log_softmax(rows)
        total = softmax.logsumexp(rows, 1, True)
        softmax.softmax_vjp(rows, y)
        softmax.log_softmax_vjp(rows, rows)
        softmax.logsumexp_vjp(total, rows, total, 1)
    log_prob.normal(x, x, x)
    log_prob.bernoulli_logits(x, x)
    log_prob.categorical_logits(np.zeros(3, int), x)
    big = np.ones((70, 1100), np.float32)
    reduce.sum(big, 1)
    reduce.sum(big, 0)
    reduce.sum(big[:, :50].copy(), 1)
    single = np.dtype(np.float32)
    tables = ("LOGS", "SOFTMAX", "LOGSUMEXP_VJP", "SOFTMAX_VJP", "LOG_SOFTMAX_VJP")
    yield from (getattr(softmax_rows, t)[k][single] for t in tables[:2] for k in (0, 2))
    yield from (getattr(softmax_rows, t)[0][single] for t in tables[2:])
    yield from (
        t[0][single] for t in (log_prob._NORMAL, log_prob._BERNOULLI, log_prob._CATEGORICAL)
    )
    yield from (reduce._short_rows_serial, reduce._segments_serial, reduce._columns_serial)


def test_float32_loops_never_compute_in_double():
    """One untyped constant would: twice the time, and other digits than the state can hold."""
    for compiled in float32_kernels():
        found = 0
        for signature in compiled.signatures:
            if "float64" in str(signature):
                continue
            found += 1
            assert not computes_in_double(compiled.py_func, signature), compiled.py_func
        assert found, compiled.py_func


RULES = [optim.SGD, optim.MOMENTUM, optim.RMSPROP, optim.ADAGRAD, optim.ADAM]


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_float32_updates_never_compute_in_double(rule):
    body = rule.tasks[_dtypes.FLOAT32]._function
    assert not computes_in_double(body, (types.int64,) * 3)


def computes_in_double(body, signature):
    fresh = device(body)  # code from the cache cannot be inspected
    fresh.compile(signature)
    return re.search(r"fpext .*float.* to .*double", fresh.inspect_llvm(signature))


PROGRAM = """
import numpy as np
from scg.kernels import log_prob, softmax, softmax_rows
x = np.ones((2, 3), np.float32)
for dtype in (np.float32, np.float64):
    softmax.softmax(x.astype(dtype))
    log_prob.normal(x.astype(dtype), x.astype(dtype), x.astype(dtype))
builds = [*softmax_rows.SOFTMAX[0].values(), *log_prob._NORMAL[0].values()]
print(*(sum(b.stats.cache_hits.values()) for b in builds))
"""


def test_a_second_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "SCG_CACHE_DIR": str(tmp_path)}
    for expected in ("0 0 0 0", "1 1 1 1"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert run.stdout.strip() == expected
