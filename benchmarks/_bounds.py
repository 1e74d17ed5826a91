"""What the machine can do: multiply-adds in registers, and bytes from caches and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.kernels._jit import cgutils, intrinsic, ir, threads, types
from scg.kernels._product import HAS_KERNEL
from scg.kernels.execute import Line, Schedule
from scg.kernels.machine import Task, task
from scg.kernels.simd_memory import (
    load_f32,
    load_i64,
    read_f32,
    store_f32,
    store_f64,
)
from scg.kernels.simd_tile import REALS, ROWS, VECTOR_BYTES
from scg.kernels.simd_vector import broadcast, fma

CHAINS = 2 * ROWS  # as many sums as a tile has, so that none waits for the one before
STEPS = 20_000
CALLS = 3  # at least, of what is timed: see `best`


def _chains(real: Any) -> Any:
    @intrinsic
    def multiply_add(typingctx: Any, steps: Any) -> Any:
        """Do so many multiply-adds of whole vectors in each of some independent chains."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, size = REALS[real]
            lanes = VECTOR_BYTES // size
            x = broadcast(builder, builder.sitofp(args[0], kind), lanes)
            sums = [cgutils.alloca_once_value(builder, x) for _ in range(CHAINS)]
            multiply = fma(builder.module, kind, lanes)
            with cgutils.for_range(builder, args[0]):
                for cell in sums:
                    builder.store(builder.call(multiply, [builder.load(cell), x, x]), cell)
            total = builder.load(sums[0])
            for cell in sums[1:]:
                total = builder.fadd(total, builder.load(cell))
            return builder.extract_element(total, ir.IntType(32)(0))

        return real(types.intp), codegen

    return multiply_add


_chains_f32, _chains_f64 = _chains(types.float32), _chains(types.float64)


@task
def _peak_f32(begin: int, end: int, row: int) -> None:
    for unit in range(begin, end):
        store_f32(load_i64(row, 0), unit * 16, _chains_f32(load_i64(row, 1)))


@task
def _peak_f64(begin: int, end: int, row: int) -> None:
    for unit in range(begin, end):
        store_f64(load_i64(row, 0), unit * 8, _chains_f64(load_i64(row, 1)))


@task(reassociate=True)
def _read(begin: int, end: int, row: int) -> None:
    a, out, size = load_i64(row, 0), load_i64(row, 1), load_i64(row, 2)
    for unit in range(begin, end):
        total = load_f32(out, unit * 16) * 0
        for i in range(unit * size, (unit + 1) * size):
            total += read_f32(a, i)
        store_f32(out, unit * 16, total)


@task
def _triad(begin: int, end: int, row: int) -> None:
    a, b, c, size = load_i64(row, 0), load_i64(row, 1), load_i64(row, 2), load_i64(row, 3)
    for i in range(begin * size, end * size):
        store_f32(c, i, read_f32(a, i) + read_f32(b, i))


def best(run: Callable[[], object], window: float) -> float:
    """Return the seconds of the fastest call: what the machine can do, not what it shares out.

    There are at least `CALLS`, however long they take: a kernel whose first call found the cores
    busy stays on one thread, and compiles its loop for several in a later call.
    """
    run()
    taken: list[float] = []
    end = time.perf_counter() + window
    while len(taken) < CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _time(done: Task, row: list[int], units: int, window: float) -> float:
    return best(Schedule([Line(done, row, units, 1)]).run, window)


def fma_peak(dtype: str, window: float) -> float | None:
    """Return the multiply-adds of all threads, in flops a second; None without vector code."""
    if not HAS_KERNEL:
        return None
    real = np.dtype(dtype)
    out = np.zeros(16 * threads(), real)
    done = _peak_f32 if real.itemsize == 4 else _peak_f64
    taken = _time(done, [out.ctypes.data, STEPS], threads(), window)
    return 2 * CHAINS * (VECTOR_BYTES // real.itemsize) * STEPS * threads() / taken


def bandwidth(size: int, window: float) -> dict[str, float]:
    """Return bytes a second of a sum and of `c = a + b`, over arrays of so many bytes together."""
    units = 8 * threads()
    counts = {"read": size // 4 // units, "triad": size // 12 // units}
    a, b, c = (np.ones(counts["read"] * units, np.float32) for _ in range(3))
    out = np.zeros(16 * units, np.float32)
    read = _time(_read, [a.ctypes.data, out.ctypes.data, counts["read"]], units, window)
    row = [x.ctypes.data for x in (a, b, c)]
    triad = _time(_triad, [*row, counts["triad"]], units, window)
    return {
        "read": 4 * counts["read"] * units / read,
        "triad": 12 * counts["triad"] * units / triad,
    }
