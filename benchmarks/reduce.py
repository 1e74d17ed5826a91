"""Speed of the reductions in `scg.kernels` beside NumPy's and SciPy's.

    python -m benchmarks.reduce                   # contiguous vectors, then rows and columns
    python -m benchmarks.reduce --functions sum --sizes 1000
    python -m benchmarks.reduce --smoke           # once each, to see that it runs

The two take turns within one run, so that a busy machine slows both alike; the ratio is the median
over the rounds. `logsumexp` is set beside the three lines of NumPy that one would write by hand.
There is no `max`: the library calls NumPy's, which is the faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._measure import beside, describe, parsed, parser, repeated
from scg.kernels import reduce, softmax

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


def measure(name: str, x: np.ndarray, axis: int | None, rounds: int, work: float) -> None:
    """Print a row of the table."""
    ours, theirs = FUNCTIONS[name]
    repeats = max(1, int(work / (x.size + 500)))
    found = beside(
        repeated(lambda: ours(x, axis), repeats), repeated(lambda: theirs(x, axis), repeats), rounds
    )
    shape = "x".join(map(str, x.shape))
    print(
        f"{name:10} {x.dtype!s:8} {shape:>10} {axis!s:>5} {found.ours * 1e6:9.2f} "
        f"{found.theirs * 1e6:9.2f} {found.ratio.middle:6.2f}",
        flush=True,
    )


def main() -> None:
    made = parser(__doc__, rounds=15, smoke="one short round of small arrays")
    made.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    made.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="lengths of vectors")
    made.add_argument("--vectors-only", action="store_true", help="no rows and columns")
    options = parsed(made)
    matrices = [] if options.vectors_only else MATRICES
    if options.smoke:
        options.sizes, matrices = [1, 1000], [(20, 300)]
    work = 1e3 if options.smoke else 2e5
    cases = [((n,), None) for n in options.sizes] + [(m, axis) for m in matrices for axis in (1, 0)]
    print(f"{describe()}; microseconds per call")
    print(f"{'function':10} {'dtype':8} {'shape':>10} {'axis':>5} {'scg':>9} {'NumPy':>9}  ratio")
    for name in options.functions:
        for dtype in ("float32", "float64"):
            for shape, axis in cases:
                x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
                measure(name, x, axis, options.rounds, work)


if __name__ == "__main__":
    main()
