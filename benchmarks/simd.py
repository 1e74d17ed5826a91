"""Speed of the functions of `scg.kernels.simd` beside NumPy's and SciPy's ufuncs.

    python benchmarks/simd.py                     # every function, both dtypes
    python benchmarks/simd.py --functions exp log --sizes 1000
    python benchmarks/simd.py --smoke             # once each, to see that it runs

The two take turns within one run, so that a busy machine slows both alike; the ratio is the median
over the rounds. Serial kernels on contiguous arrays, inputs in the ordinary range of the function.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy
import scipy.special

from scg.kernels import simd
from scg.kernels._jit import kernel, versions

LOW, HIGH = -4.0, 4.0
POSITIVE = {"log", "log1p", "gammaln", "digamma"}


def softplus(x: np.ndarray, out: np.ndarray) -> None:
    np.logaddexp(x, x.dtype.type(0), out=out)


UFUNCS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "softplus": softplus,
    "log_sigmoid": scipy.special.log_expit,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "gammaln": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
}


def loop_over(function: Any) -> Any:
    @kernel
    def loop(x, out):
        for i in range(out.size):
            out[i] = function(x[i])

    return loop


def seconds(run: Callable[..., Any], x: np.ndarray, out: np.ndarray, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run(x, out)
    return (time.perf_counter() - start) / repeats


def measure(name: str, dtype: str, sizes: list[int], rounds: int, work: float) -> None:
    """Print a row of the table for each size."""
    ours = loop_over(getattr(simd, f"{name}_{'f32' if dtype == 'float32' else 'f64'}"))
    for n in sizes:
        x = np.random.default_rng(0).uniform(1e-3 if name in POSITIVE else LOW, HIGH, n)
        x, out = x.astype(dtype), np.empty(n, dtype)
        repeats = max(1, int(work / n))
        runs = (ours, UFUNCS[name])
        for run in runs:
            run(x, out)
        times = [[seconds(run, x, out, repeats) / n * 1e9 for run in runs] for _ in range(rounds)]
        mine, theirs = (median(column) for column in zip(*times, strict=True))
        ratio = median(a / b for a, b in times)
        print(f"{name:12} {dtype:8} {n:8} {mine:9.2f} {theirs:9.2f} {ratio:7.2f}", flush=True)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--functions", nargs="+", choices=UFUNCS, default=list(UFUNCS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 1000, 100_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="one short round of two functions")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    if chosen.smoke:
        chosen.functions, chosen.sizes, chosen.rounds = ["exp", "erf"], [100], 1
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__},")
    print(f"{versions()}; 1 thread; nanoseconds per element")
    print(f"{'function':12} {'dtype':8} {'n':>8} {'scg':>9} {'ufunc':>9} {'ratio':>7}")
    for name in chosen.functions:
        for dtype in ("float32", "float64"):
            measure(name, dtype, chosen.sizes, chosen.rounds, 1e3 if chosen.smoke else 2e5)


if __name__ == "__main__":
    main()
