"""Speed of `scg.kernels.matmul` beside np.matmul and, if installed, torch.

    python -m benchmarks.matmul                       # the shapes of the table, one and all threads
    python -m benchmarks.matmul --sweep               # many sizes: where is BLAS faster?
    python -m benchmarks.matmul --shape 100 784 400   # one shape

Each shape is timed in rounds that take every library in turn, so that a busy machine slows all of
them alike; a round's figure is the median of its time, ratios are medians over the rounds. Threads
are pinned in child processes. One thread's time is what the system gave to it: a busy machine then
takes its caches but not its turns. With several threads there is a pause between two libraries,
because the threads of one keep spinning into the time of the next. "task" is the product as a
compiled step has it, without the call from Python; the share is its best round's of what
multiply-adds in registers reach.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

from benchmarks._bounds import fma_peak
from benchmarks._measure import describe, parsed, parser
from scg.kernels import _jit
from scg.kernels._product import HAS_KERNEL
from scg.kernels.execute import Schedule
from scg.kernels.matmul import matmul, uses_blas
from scg.kernels.tasks import Matrix, multiply

try:
    import torch
except ImportError:
    torch = None

# (m, k, n, layout): "nn" as is, "tn" A transposed, "nt" B transposed.
TABLE = [
    (112, 784, 384, "nn"), (112, 384, 768, "nn"), (560, 784, 384, "nn"), (100, 784, 400, "nn"),
    (100, 400, 20, "nn"), (784, 100, 400, "tn"), (100, 400, 784, "nt"), (100, 400, 784, "nn"),
    (64, 64, 64, "nn"), (96, 96, 96, "nn"), (96, 96, 96, "tn"), (96, 96, 96, "nt"),
    (128, 1024, 1024, "nn"), (128, 1024, 1024, "nt"), (1024, 128, 1024, "tn"),
    (512, 512, 512, "tt"), (1000, 1000, 1000, "nn"), (1024, 1024, 1024, "nt"),
]  # fmt: skip
LAYOUTS = ("nn", "tn", "nt", "tt")
SMALL = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LARGE = (512, 1024, 2048)
PAUSE, WINDOW, CHUNK = 0.5, 0.03, 5e-4  # seconds; threads of BLAS spin on for a while
THREADS = {"SCG_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}


def operands(m: int, k: int, n: int, layout: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if layout[0] == "t" else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if layout[1] == "t" else (k, n)).astype(dtype)
    return (a.T if layout[0] == "t" else a), (b.T if layout[1] == "t" else b)


def contestants(a: np.ndarray, b: np.ndarray) -> dict[str, Callable[[], object]]:
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    runs: dict[str, Callable[[], object]] = {
        "scg": lambda: matmul(a, b, out),
        "numpy": lambda: np.matmul(a, b, out=out),
    }
    if HAS_KERNEL:
        runs["task"] = task(a, b, out).run
    if torch is not None:
        x, y, z = (torch.from_numpy(array) for array in (a, b, out))
        runs["torch"] = lambda: torch.matmul(x, y, out=z)
    return runs


def task(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Schedule:
    (m, k), n = a.shape, b.shape[1]
    places = (Matrix(x.ctypes.data, *x.strides) for x in (a, b, out))
    return Schedule([multiply(a.dtype, m, k, n, *places)])


def seconds(run: Callable[[], object], window: float) -> float:
    """Run for so long and return the median seconds of a call."""
    clock = time.perf_counter if _jit.threads() > 1 else time.thread_time

    def timed(count: int) -> float:
        start = clock()
        for _ in range(count):
            run()
        return (clock() - start) / count

    run()
    count = max(1, round(min(CHUNK, window) / timed(1)))
    times, end = [timed(count)], time.perf_counter() + window
    while time.perf_counter() < end:
        times.append(timed(count))
    return median(times)


def measure(
    shape: tuple[int, int, int, str], dtype: str, peak: float | None, options: argparse.Namespace
) -> str:
    """Return the table row of a shape."""
    m, k, n, layout = shape
    flops = 2 * m * k * n
    pause = PAUSE if _jit.threads() > 1 and not options.smoke else 0
    times: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, run in contestants(*operands(*shape, dtype)).items():
            time.sleep(pause)
            times.setdefault(name, []).append(seconds(run, 0 if options.smoke else WINDOW))
    speeds = " ".join(
        f"{flops / median(t) / 1e9:7.1f} {flops / min(t) / 1e9:7.1f}" for t in times.values()
    )
    ratios = " ".join(
        f"{median(x / s for x, s in zip(t, times['scg'], strict=True)):8.2f}"
        for name, t in times.items()
        if name != "scg"
    )
    kind = "blas" if uses_blas(m, k, n, np.dtype(dtype)) else "tile"
    share = f"{flops / min(times['task']) / peak:5.0%}" if peak else "    -"
    return f"{m:5} {k:5} {n:5} {layout} {dtype} {kind} {speeds} | {ratios} | {share}"


def shapes(options: argparse.Namespace) -> Iterator[tuple[int, int, int, str]]:
    if options.shape:
        yield from ((*options.shape, layout) for layout in LAYOUTS)
    elif options.smoke:
        yield from [(3, 5, 7, "nn"), (17, 9, 33, "tn"), (17, 9, 33, "nt")]
    elif options.sweep:
        yield from ((m, k, n, "nn") for m, k, n in itertools.product(SMALL[::2], repeat=3))
        yield from ((s, s, s, layout) for s in SMALL + LARGE for layout in LAYOUTS)
    else:
        yield from TABLE


def report(options: argparse.Namespace) -> None:
    """Print the rows for the number of threads that this process was given."""
    if torch is not None:
        torch.set_num_threads(_jit.threads())
    names = list(contestants(*operands(1, 1, 1, "nn", "f4")))
    print(
        f"\nthreads {_jit.threads()}: GF/s (median and best round) of {', '.join(names)}"
        " | speed of scg over the others (median) | share of the peak"
    )
    for dtype in ("f4", "f8"):
        peak = fma_peak(dtype, 0 if options.smoke else 0.5)
        if peak:
            print(f"multiply-adds in registers, {dtype}: {peak / 1e9:.1f} GF/s")
        for shape in shapes(options):
            print(measure(shape, dtype, peak, options), flush=True)


def main() -> None:
    made = parser(__doc__, rounds=7, smoke="a few small shapes, once")
    made.add_argument("--sweep", action="store_true", help="sizes on both sides of the crossover")
    made.add_argument("--shape", type=int, nargs=3, metavar=("M", "K", "N"))
    made.add_argument("--threads", type=int, nargs="+", help="default: 1 and all")
    made.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parsed(made)
    if options.child:
        report(options)
        return
    print(describe())
    print(f"torch {torch.__version__}" if torch is not None else "torch is not installed")
    for count in options.threads or sorted({1, os.cpu_count() or 1}):
        sys.stdout.flush()
        environment = os.environ | dict.fromkeys(THREADS, str(count))
        command = [sys.executable, "-m", "benchmarks.matmul", *sys.argv[1:], "--child"]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
