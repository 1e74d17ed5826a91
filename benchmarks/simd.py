"""Speed of the functions of `scg.kernels.simd` beside NumPy's and SciPy's ufuncs.

    python -m benchmarks.simd                     # every function, both dtypes
    python -m benchmarks.simd --functions exp log --sizes 1000
    python -m benchmarks.simd --smoke             # once each, to see that it runs

The two take turns within one run, so that a busy machine slows both alike; the ratio is the median
over the rounds. Serial kernels on contiguous arrays, inputs in the ordinary range of the function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import scipy.special

from benchmarks._measure import beside, describe, parsed, parser, repeated
from scg.kernels import simd
from scg.kernels._jit import kernel

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


@cache
def loop_over(function: str) -> Any:
    scalar = getattr(simd, function)

    @kernel
    def loop(x, out):
        for i in range(out.size):
            out[i] = scalar(x[i])

    return loop


def measure(name: str, dtype: str, n: int, rounds: int, work: float) -> None:
    """Print a row of the table."""
    loop, ufunc = loop_over(f"{name}_{'f32' if dtype == 'float32' else 'f64'}"), UFUNCS[name]
    x = np.random.default_rng(0).uniform(1e-3 if name in POSITIVE else LOW, HIGH, n)
    x, out = x.astype(dtype), np.empty(n, dtype)
    repeats = max(1, int(work / n))
    found = beside(
        repeated(lambda: loop(x, out), repeats),
        repeated(lambda: ufunc(x, out), repeats), rounds,
    ).per(n)  # fmt: skip
    print(f"{name:12} {dtype:8} {n:8} {found.ours * 1e9:9.2f} {found.theirs * 1e9:9.2f} "
          f"{found.ratio.middle:7.2f}", flush=True)  # fmt: skip


def main() -> None:
    made = parser(__doc__, rounds=15, smoke="one short round of two functions")
    made.add_argument("--functions", nargs="+", choices=UFUNCS, default=list(UFUNCS))
    made.add_argument("--sizes", nargs="+", type=int, default=[64, 1000, 100_000])
    options = parsed(made)
    if options.smoke:
        options.functions, options.sizes = ["exp", "erf"], [100]
    print(f"{describe()}; 1 thread; nanoseconds per element")
    print(f"{'function':12} {'dtype':8} {'n':>8} {'scg':>9} {'ufunc':>9} {'ratio':>7}")
    for name in options.functions:
        for dtype in ("float32", "float64"):
            for n in options.sizes:
                measure(name, dtype, n, options.rounds, 1e3 if options.smoke else 2e5)


if __name__ == "__main__":
    main()
