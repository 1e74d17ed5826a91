"""The loops of `softmax.py`, over the rows of contiguous matrices.

Rows of more than 128 numbers are read as matrices of 64 columns ("lanes") that are reduced side by
side and then together, as in `reduce.py`. Shorter rows are taken many at a time, so that the
exponentials run over all of them at full vector width. Either way the order is written down:
neither threads nor vector widths change a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels._dtypes import Build, float32_twin, kernels
from scg.kernels._jit import cgutils, intrinsic, ir, kernel, parallel_call, prange
from scg.kernels._once import once
from scg.kernels.simd import exp_f64, log_f64
from scg.kernels.simd_bits import select

__all__ = ["LOGS", "LOGSUMEXP_VJP", "LOG_SOFTMAX_VJP", "SOFTMAX", "SOFTMAX_VJP", "run", "subtract"]

LANES = 64
SHORT = 128
TASK = 1 << 12  # elements that are worth a task and stay in the first cache
PARALLEL = 1 << 16  # elements from which threads pay (measured)


def run(builds: tuple[Build, ...], x: Array, *args: Array) -> None:
    """Run the loop for short rows or that for long ones, on one thread or several."""
    if once():
        with np.errstate(all="ignore"):
            next(f for known, f in _BY_NUMPY if known is builds)(x, *args)
        return
    serial, threaded = builds[:2] if x.shape[1] <= SHORT or len(builds) == 2 else builds[2:]
    if x.size < PARALLEL:
        serial[x.dtype](x, *args)
    else:
        parallel_call(serial[x.dtype], threaded[x.dtype], x, *args)


# --- one row ---------------------------------------------------------------------------------


@kernel
def _short_sum(row: Any) -> Any:
    """Add in four running sums, so that each addition need not wait for the one before."""
    a = b = c = d = row.dtype.type(0)
    whole = row.size // 4 * 4
    for j in range(0, whole, 4):
        a += row[j]
        b += row[j + 1]
        c += row[j + 2]
        d += row[j + 3]
    for j in range(whole, row.size):
        a += row[j]
    return (a + b) + (c + d)


@intrinsic
def _larger(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the larger number, and of NaN and a number the number.

    One instruction of LLVM, whose running value becomes a vector; a comparison and a choice stay
    scalar, because NaN makes them depend on their order.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = args[0].type
        name = f"llvm.maxnum.f{32 if isinstance(real, ir.FloatType) else 64}"
        kind = ir.FunctionType(real, [real, real])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return a(a, a), codegen


@kernel
def _top(row: Any) -> Any:
    """Return the largest number; NaN is passed over, the exponentials will bring it back."""
    top = row.dtype.type(-np.inf)
    for j in range(row.size):
        top = _larger(top, row[j])
    return top


@kernel
def _together(lanes: Any) -> Any:
    """Add the lanes pairwise."""
    for j in range(16):
        lanes[j] = (lanes[j] + lanes[j + 32]) + (lanes[j + 16] + lanes[j + 48])
    for j in range(4):
        lanes[j] = (lanes[j] + lanes[j + 8]) + (lanes[j + 4] + lanes[j + 12])
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


def _sum_exp_f64(row: Any, shift: Any, lanes: Any) -> Any:
    """Return sum(exp(row - shift))."""
    lanes[:] = 0
    for k in range(0, row.size, LANES):
        part = row[k : k + LANES]
        for j in range(part.size):
            lanes[j] += exp_f64(part[j] - shift)
    return _together(lanes)


def _store_exp_f64(row: Any, shift: Any, out: Any, lanes: Any) -> Any:
    """Write exp(row - shift) and return its sum."""
    lanes[:] = 0
    for k in range(0, row.size, LANES):
        part, here = row[k : k + LANES], out[k : k + LANES]
        for j in range(part.size):
            e = exp_f64(part[j] - shift)
            here[j] = e
            lanes[j] += e
    return _together(lanes)


@kernel
def _dot(a: Any, b: Any, lanes: Any) -> Any:
    lanes[:] = 0
    for k in range(0, a.size, LANES):
        left, right = a[k : k + LANES], b[k : k + LANES]
        for j in range(left.size):
            lanes[j] += left[j] * right[j]
    return _together(lanes)


@kernel
def _sum(row: Any, lanes: Any) -> Any:
    lanes[:] = 0
    for k in range(0, row.size, LANES):
        part = row[k : k + LANES]
        for j in range(part.size):
            lanes[j] += part[j]
    return _together(lanes)


_sum_exp_f32, _sum_exp_f64 = kernel(float32_twin(_sum_exp_f64)), kernel(_sum_exp_f64)
_store_exp_f32, _store_exp_f64 = kernel(float32_twin(_store_exp_f64)), kernel(_store_exp_f64)


# --- many short rows -------------------------------------------------------------------------


@kernel
def _shift_rows(x: Any, shift: Any, guard: Any, out: Any) -> None:
    """Subtract each row's largest number; with `guard`, zero where that is infinite."""
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        row, y = x[i], out[i]
        top = x.dtype.type(-np.inf)
        for j in range(row.size):
            top = select(row[j] > top, row[j], top)
        shift[i] = select(guard & (abs(top) == np.inf), zero, top)
        for j in range(row.size):
            y[j] = row[j] - shift[i]


@kernel
def _sum_rows(x: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _short_sum(x[i])


def _exp_all_f64(x: Any) -> None:
    """Exponentiate in place; `_exp_into` with both arguments the same would not be vectorised."""
    for i in range(x.size):
        x[i] = exp_f64(x[i])


def _exp_into_f64(x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = exp_f64(x[i])


_exp_all_f32, _exp_all_f64 = kernel(float32_twin(_exp_all_f64)), kernel(_exp_all_f64)
_exp_into_f32, _exp_into_f64 = kernel(float32_twin(_exp_into_f64)), kernel(_exp_into_f64)


# --- all rows --------------------------------------------------------------------------------


@kernel
def _per_task(x: Any) -> Any:
    return max(1, TASK // max(1, x.shape[1]))


def _logs_short_f64(x: Any, shift: Any, rest: Any) -> None:
    per = _per_task(x)
    for task in prange((shift.size + per - 1) // per):
        rows = x[task * per : (task + 1) * per]
        total = rest[task * per : (task + 1) * per]
        e = np.empty(rows.shape, x.dtype)
        _shift_rows(rows, shift[task * per : (task + 1) * per], True, e)
        _exp_all_f64(e.reshape(-1))
        _sum_rows(e, total)
        for i in range(total.size):
            total[i] = log_f64(total[i])


def _logs_f64(x: Any, shift: Any, rest: Any) -> None:
    for i in prange(shift.size):
        lanes = np.empty(LANES, x.dtype)
        row = x[i]
        top = _top(row)
        # Infinity minus infinity would be NaN; zero leaves the right infinity.
        shift[i] = select(abs(top) == np.inf, x.dtype.type(0), top)
        rest[i] = log_f64(_sum_exp_f64(row, shift[i], lanes))


def _softmax_short_f64(x: Any, out: Any, top: Any, total: Any) -> None:
    per = _per_task(x)
    for task in prange((x.shape[0] + per - 1) // per):
        rows, y = x[task * per : (task + 1) * per], out[task * per : (task + 1) * per]
        _shift_rows(rows, top[task * per : (task + 1) * per], False, y)
        _exp_all_f64(y.reshape(-1))
        _sum_rows(y, total[task * per : (task + 1) * per])
        for i in range(y.shape[0]):
            here, scale = y[i], x.dtype.type(1) / total[task * per + i]
            for j in range(here.size):
                here[j] *= scale


def _softmax_f64(x: Any, out: Any, top: Any, total: Any) -> None:
    for i in prange(x.shape[0]):
        lanes = np.empty(LANES, x.dtype)
        row, y = x[i], out[i]
        top[i] = _top(row)
        total[i] = _store_exp_f64(row, top[i], y, lanes)
        scale = x.dtype.type(1) / total[i]
        for j in range(y.size):
            y[j] *= scale


@kernel
def _subtract(x: Any, shift: Any, rest: Any, out: Any) -> None:
    """Write (x - shift) - rest, one shift and rest per row."""
    for i in range(x.shape[0]):
        row, y = x[i], out[i]
        for j in range(y.size):
            y[j] = (row[j] - shift[i]) - rest[i]


def _logsumexp_vjp_f64(x: Any, g: Any, y: Any, out: Any) -> None:
    per = _per_task(x)
    for task in prange((x.shape[0] + per - 1) // per):
        rows = out[task * per : (task + 1) * per]
        for k in range(rows.shape[0]):
            i = task * per + k
            row, here = x[i], rows[k]
            shift = select(y[i] == -np.inf, x.dtype.type(0), y[i])
            for j in range(here.size):
                here[j] = row[j] - shift
        _exp_all_f64(rows.reshape(-1))
        for k in range(rows.shape[0]):
            here, scale = rows[k], g[task * per + k]
            for j in range(here.size):
                here[j] *= scale


def _softmax_vjp_short_f64(y: Any, g: Any, out: Any) -> None:
    """All in one body: calls of helpers made rows of ten numbers four times as slow."""
    n = y.shape[1]
    for i in prange(y.shape[0]):
        row, cotangent, here = y[i], g[i], out[i]
        a = b = y.dtype.type(0)
        for j in range(0, n - 1, 2):
            a += row[j] * cotangent[j]
            b += row[j + 1] * cotangent[j + 1]
        if n % 2:
            a += row[n - 1] * cotangent[n - 1]
        a += b
        for j in range(here.size):
            here[j] = row[j] * (cotangent[j] - a)


def _softmax_vjp_f64(y: Any, g: Any, out: Any) -> None:
    for i in prange(y.shape[0]):
        lanes = np.empty(LANES, y.dtype)
        row, cotangent, here = y[i], g[i], out[i]
        mean = _dot(row, cotangent, lanes)
        for j in range(here.size):
            here[j] = row[j] * (cotangent[j] - mean)


def _log_softmax_vjp_short_f64(y: Any, g: Any, out: Any) -> None:
    per = _per_task(y)
    for task in prange((y.shape[0] + per - 1) // per):
        first, last = task * per, (task + 1) * per
        _exp_into_f64(y[first:last].reshape(-1), out[first:last].reshape(-1))
        for i in range(first, min(last, y.shape[0])):
            cotangent, here = g[i], out[i]
            total = y.dtype.type(0)
            for j in range(cotangent.size):
                total += cotangent[j]
            for j in range(here.size):
                here[j] = cotangent[j] - here[j] * total


def _log_softmax_vjp_f64(y: Any, g: Any, out: Any) -> None:
    for i in prange(y.shape[0]):
        lanes = np.empty(LANES, y.dtype)
        row, cotangent, here = y[i], g[i], out[i]
        total = _sum(cotangent, lanes)
        for j in range(here.size):
            here[j] = cotangent[j] - exp_f64(row[j]) * total


def _builds(*bodies: Callable[..., None]) -> tuple[Build, ...]:
    """Compile serial and threaded loops, those for short rows first."""
    return tuple(kernels(body, parallel=p) for body in bodies for p in (False, True))


def subtract(x: Array, shift: Array, rest: Array, out: Array) -> None:
    """Write (x - shift) - rest, one shift and rest per row."""
    if once():
        np.subtract(x - shift[:, None], rest[:, None], out=out)
    else:
        _subtract(x, shift, rest, out)


# --- without kernels -------------------------------------------------------------------------


def _logs_by_numpy(x: Array, shift: Array, rest: Array) -> None:
    top = x.max(1, initial=-np.inf)
    shift[:] = np.where(np.isinf(top), 0, top)
    rest[:] = np.log(np.exp(x - shift[:, None]).sum(1))


def _softmax_by_numpy(x: Array, out: Array, top: Array, total: Array) -> None:
    np.exp(x - x.max(1, initial=-np.inf, keepdims=True), out=out)
    out /= out.sum(1, keepdims=True)


def _logsumexp_vjp_by_numpy(x: Array, g: Array, y: Array, out: Array) -> None:
    np.multiply(np.exp(x - np.where(y == -np.inf, 0, y)[:, None]), g[:, None], out=out)


def _softmax_vjp_by_numpy(y: Array, g: Array, out: Array) -> None:
    np.multiply(y, g - (y * g).sum(1, keepdims=True), out=out)


def _log_softmax_vjp_by_numpy(y: Array, g: Array, out: Array) -> None:
    np.subtract(g, np.exp(y) * g.sum(1, keepdims=True), out=out)


LOGS = _builds(_logs_short_f64, _logs_f64)
SOFTMAX = _builds(_softmax_short_f64, _softmax_f64)
LOGSUMEXP_VJP = _builds(_logsumexp_vjp_f64)
SOFTMAX_VJP = _builds(_softmax_vjp_short_f64, _softmax_vjp_f64)
LOG_SOFTMAX_VJP = _builds(_log_softmax_vjp_short_f64, _log_softmax_vjp_f64)

_BY_NUMPY = (
    (LOGS, _logs_by_numpy), (SOFTMAX, _softmax_by_numpy),
    (LOGSUMEXP_VJP, _logsumexp_vjp_by_numpy), (SOFTMAX_VJP, _softmax_vjp_by_numpy),
    (LOG_SOFTMAX_VJP, _log_softmax_vjp_by_numpy),
)  # fmt: skip
