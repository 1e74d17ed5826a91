"""How close kernels come to what the machine can do: bytes and instructions against their bounds.

    python -m benchmarks.roofline            # one and all threads, arrays in and out of the caches
    python -m benchmarks.roofline --smoke    # a few calls of each, small

The time that a kernel cannot beat is that of its bytes at the measured bandwidth (of a sum, or of
c = a + b if it writes) for arrays of that size together, or that of its vector instructions at the
rate of multiply-adds in registers, whichever is longer. Bytes are those of its arguments and
results, each once. Instructions of an elementary function are counted in its machine code, a
division or root as one, so that functions with divisions fall short. The time is that of the
fastest call; a share above 100 % means that the bound was measured in a busier moment.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks._bounds import bandwidth, best, fma_peak
from benchmarks._measure import describe, parsed, parser
from benchmarks.matmul import THREADS
from scg._op import OPS
from scg.kernels import log_prob, optim, reduce, simd, softmax
from scg.kernels._jit import device, threads, types
from scg.kernels.execute import Schedule
from scg.kernels.matmul import matmul
from scg.kernels.tasks import Matrix, transpose

SIZES = (1 << 15, 1 << 18, 1 << 22)  # numbers in an array: first, second or third cache, memory
FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "softplus")


class Work(NamedTuple):
    """A call, the bytes it touches, whether it writes many, and its instructions."""

    run: Callable[[], object]
    bytes: int
    writes: bool
    instructions: float


@cache
def instructions(name: str) -> int:
    """Count the floating-point instructions of a function's float32 code, which has no branch."""
    compiled = device(getattr(simd, f"{name}_f32").py_func)
    compiled.compile((types.float32,))
    (text,) = compiled.inspect_asm().values()
    body = text[text.index(":\n") :].split("retq", 1)[0]
    return len(re.findall(r"^\s+v(?!mov|zeroupper)", body, re.MULTILINE))


def kernels(size: int) -> Iterator[tuple[str, Work]]:
    """Yield kernels over float32 arrays of about so many numbers."""
    rng = np.random.default_rng(0)
    rows = 256
    x, y, z, v = (
        rng.random((rows, size // rows), dtype=np.float32) + np.float32(0.1) for _ in range(4)
    )
    total = x.nbytes
    for name in FUNCTIONS:
        rule, count = OPS[name].value, instructions(name)
        yield name, Work(lambda rule=rule: rule.in_one_pass([x], {}), 2 * total, True, count * size)
    yield "multiply", Work(lambda: np.multiply(x, y, out=z), 3 * total, True, size)
    for axis in (None, 0, 1):
        run = lambda axis=axis: reduce.sum(x, axis)  # noqa: E731
        yield f"sum, axis {axis}", Work(run, total, False, size)
    exp, log = instructions("exp"), instructions("log")
    yield "softmax", Work(lambda: softmax.softmax(x), 2 * total, True, (exp + 3) * size)
    yield "logsumexp", Work(lambda: softmax.logsumexp(x, 1), total, False, (exp + 2) * size)
    yield "normal", Work(lambda: log_prob.normal(x, y, z), 7 * total, True, (log + 5) * size)
    logits = instructions("softplus") + 3
    yield "bernoulli", Work(lambda: log_prob.bernoulli_logits(x, y), 4 * total, True, logits * size)
    goal = v.reshape(-1, rows)
    places = (Matrix(a.ctypes.data, *a.strides) for a in (x, goal))
    copy = Schedule([transpose(x.dtype, *x.shape, *places)])
    yield "transposed copy", Work(copy.run, 2 * total, True, 0)
    yield "the same by NumPy", Work(lambda: np.copyto(goal, x.T), 2 * total, True, 0)
    for rule, scalars, arrays in (
        (optim.SGD, optim.SGD.scalars(lr=1e-9), (x, y)),
        (optim.ADAM, optim.ADAM.scalars(lr=1e-9, step=9), (x, y, z, v)),
    ):
        updates = optim.Updates(rule, [arrays])
        updates.set([scalars])
        touched = (2 * len(arrays) - 1) * total  # all but the gradient are read and written
        yield rule.name, Work(updates.run, touched, True, (2 if len(arrays) == 2 else 14) * size)


def products() -> Iterator[tuple[str, Work]]:
    for n in (96, 512, 1024):
        a, b, c = (np.ones((n, n), np.float32) for _ in range(3))
        run = lambda a=a, b=b, c=c: matmul(a, b, c)  # noqa: E731
        yield f"matmul {n}", Work(run, 3 * a.nbytes, True, n**3)


def report(smoke: bool) -> None:
    """Print the table for the number of threads that this process was given."""
    window = 0.0 if smoke else 0.2
    peak = fma_peak("f4", window)
    if peak is None:
        print("no vector code for this CPU")
        return
    print(f"\nthreads {threads()}: {peak / 1e9:.0f} GF/s of multiply-adds")
    print(f"{'kernel':17} {'numbers':>8} {'us':>9} {'GB/s':>7} {'Ginstr/s':>8}  bound   share")
    bounds: dict[int, dict[str, float]] = {}
    for size in SIZES[:1] if smoke else SIZES:
        for name, work in [*kernels(size), *(products() if size == SIZES[-1] else ())]:
            power = work.bytes.bit_length()
            if power not in bounds:
                bounds[power] = bandwidth(1 << power, window)
            row(name, size, work, bounds[power], peak, window)


def row(
    name: str, size: int, work: Work, speeds: dict[str, float], peak: float, window: float
) -> None:
    taken = best(work.run, window)
    memory = work.bytes / speeds["triad" if work.writes else "read"]
    lanes = work.instructions / (peak / 2)
    bound = "memory" if memory > lanes else "compute"
    print(f"{name:17} {size:8} {taken * 1e6:9.1f} {work.bytes / taken / 1e9:7.1f} "
          f"{work.instructions / taken / 1e9:8.1f}  {bound:7} {max(memory, lanes) / taken:5.0%}",
          flush=True)  # fmt: skip


def main() -> None:
    made = parser(__doc__, rounds=1, smoke="a few calls of each, small")
    made.add_argument("--threads", type=int, nargs="+", help="default: 1 and all")
    made.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parsed(made)
    if options.child:
        report(options.smoke)
        return
    print(describe())
    for count in options.threads or sorted({1, os.cpu_count() or 1}):
        sys.stdout.flush()
        environment: dict[str, Any] = os.environ | dict.fromkeys(THREADS, str(count))
        command = [sys.executable, "-m", "benchmarks.roofline", *sys.argv[1:], "--child"]
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
