"""Cost of the engine: one op forward and backward, and starting up.

    python benchmarks/engine.py
    python benchmarks/engine.py --smoke    # once each, to see that it runs

Overhead: a chain of multiply, add, tanh on four tracked elements, forward and backward, beside the
same written by hand in NumPy. Slices: backward through the rows of a tensor read one by one, per
row, for 1000 rows and for 4000; a ratio of 1 means linear growth. Start: `import scg` beside
`import numba, scipy.special`, and a first backward of two ops in a fresh process whose compile
cache is warm. The two sides take turns; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import scg
from scg.kernels._jit import threads, versions

LENGTH = 50


def ours(x: scg.Tensor) -> None:
    y = x
    for _ in range(LENGTH):
        y = scg.tanh(y * 1.01 + 0.1)
    y.sum().backward()


def by_hand(x: np.ndarray) -> np.ndarray:
    values = []
    y = x
    for _ in range(LENGTH):
        y = np.tanh(y * 1.01 + 0.1)
        values.append(y)
    g = np.ones_like(x)
    for y in reversed(values):
        g = g * (1 - y * y) * 1.01
    return g


def seconds(run: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def interleaved(a: Callable[[], object], b: Callable[[], object], rounds: int, repeats: int):
    """Return the median times of both, and the median of the ratios of neighbouring rounds."""
    a(), b()
    pairs = [(seconds(a, repeats), seconds(b, repeats)) for _ in range(rounds)]
    return (
        median(p[0] for p in pairs),
        median(p[1] for p in pairs),
        median(p[0] / p[1] for p in pairs),
    )


def overhead(rounds: int) -> None:
    x = scg.parameter(np.full(4, 0.5))
    a, b, ratio = interleaved(lambda: ours(x), lambda: by_hand(scg.peek(x)), rounds, 20)
    ops = 3 * LENGTH
    print(f"op, forward and backward   scg {a / ops * 1e6:6.2f} us   NumPy by hand "
          f"{b / ops * 1e6:6.2f} us   ratio {ratio:.2f}")  # fmt: skip


def rows_back(count: int) -> Callable[[], object]:
    x = scg.parameter(np.ones((count, 64)))
    total = scg.stack([row[0] for row in x]).sum()
    return lambda: total.backward(retain=True)


def slices(rounds: int) -> None:
    a, b, ratio = interleaved(rows_back(4000), rows_back(1000), rounds, 1)
    print(f"a row read by itself, back     {a / 4000 * 1e6:6.2f} us of 4000            "
          f"{b / 1000 * 1e6:6.2f} us of 1000   ratio {ratio / 4:.2f}")  # fmt: skip


def process(code: str) -> Callable[[], object]:
    """Run in a fresh process that finds its bytecode, as that of an installed package is found."""
    known = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=known)


FIRST = "import scg; x = scg.parameter([1.0]); (scg.tanh(x) * x).backward()"


def start(rounds: int) -> None:
    a, b, ratio = interleaved(
        process("import scg"), process("import numba, scipy.special"), rounds, 1
    )
    print(f"import                     scg {a:6.2f} s    numba and scipy.special {b:6.2f} s    "
          f"ratio {ratio:.2f}")  # fmt: skip
    a, b, _ = interleaved(process(FIRST), process("import scg"), rounds, 1)
    print(f"first two-op backward      {a - b:6.2f} s after the import, warm cache")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="one round of each")
    rounds = 1 if parser.parse_args().smoke else 9
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"{versions()}, {threads()} threads")  # fmt: skip
    overhead(rounds)
    slices(rounds)
    start(rounds)


if __name__ == "__main__":
    main()
