"""Speed of the reductions in `scg.kernels` beside NumPy's and SciPy's.

    python benchmarks/reduce.py                   # contiguous vectors, then rows and columns
    python benchmarks/reduce.py --functions sum --sizes 1000
    python benchmarks/reduce.py --smoke           # once each, to see that it runs

The two take turns within one run, so that a busy machine slows both alike; the ratio is the median
over the rounds. `logsumexp` is set beside the three lines of NumPy that one would write by hand.
There is no `max`: the library calls NumPy's, which is the faster.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from scg.kernels import reduce, softmax
from scg.kernels._jit import threads, versions

SIZES = [1, 64, 1000, 100_000, 1_000_000]
MATRICES = [(100, 10), (100, 784), (1000, 64), (1000, 1000), (100_000, 10)]


def by_hand(x: np.ndarray, axis: int | None = None) -> Any:
    top = np.max(x, axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis, keepdims=True)) + top
    return np.squeeze(total, axis)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (reduce.sum, np.sum),
    "mean": (reduce.mean, np.mean),
    "logsumexp": (softmax.logsumexp, by_hand),
}


def seconds(run: Callable[..., Any], x: np.ndarray, axis: int | None, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run(x, axis)
    return (time.perf_counter() - start) / repeats


def measure(name: str, x: np.ndarray, axis: int | None, rounds: int, work: float) -> None:
    """Print a row of the table."""
    runs = FUNCTIONS[name]
    repeats = max(1, int(work / (x.size + 500)))
    for run in runs:
        run(x, axis)
    times = [[seconds(run, x, axis, repeats) * 1e6 for run in runs] for _ in range(rounds)]
    mine, theirs = (median(column) for column in zip(*times, strict=True))
    ratio = median(a / b for a, b in times)
    shape = "x".join(map(str, x.shape))
    print(
        f"{name:10} {x.dtype!s:8} {shape:>10} {axis!s:>5} {mine:9.2f} {theirs:9.2f} {ratio:6.2f}",
        flush=True,
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="lengths of vectors")
    parser.add_argument("--vectors-only", action="store_true", help="no rows and columns")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="one short round of small arrays")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    matrices = [] if chosen.vectors_only else MATRICES
    if chosen.smoke:
        chosen.sizes, matrices, chosen.rounds = [1, 1000], [(20, 300)], 1
    work = 1e3 if chosen.smoke else 2e5
    cases = [((n,), None) for n in chosen.sizes] + [(m, axis) for m in matrices for axis in (1, 0)]
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {versions()},")
    print(f"{threads()} threads; microseconds per call")
    print(f"{'function':10} {'dtype':8} {'shape':>10} {'axis':>5} {'scg':>9} {'NumPy':>9}  ratio")
    for name in chosen.functions:
        for dtype in ("float32", "float64"):
            for shape, axis in cases:
                x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
                measure(name, x, axis, chosen.rounds, work)


if __name__ == "__main__":
    main()
