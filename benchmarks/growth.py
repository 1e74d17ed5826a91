"""How the cost of a graph grows: with draws and their costs, with paths, with nodes.

    python -m benchmarks.growth
    python -m benchmarks.growth --smoke    # small ones, to see that it runs

Chains of draws with a cost each; 2**n paths between a draw and the loss; up to a million nodes,
plain and below a score draw, each in a process of its own because memory is measured. Microseconds
are those of one draw, doubling or node, and stay the same where growth is linear.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import scg
from benchmarks._measure import describe, parsed, parser, seconds
from benchmarks._worker import memory

Build = Callable[[int], scg.Tensor]


def walk(draws: int) -> scg.Tensor:
    """Return the loss of a chain of coins, each of which moves the odds of the next."""
    theta, rng = scg.parameter(0.1), np.random.default_rng(0)
    state, total = theta, 0.0
    for _ in range(draws):
        b = scg.Bernoulli(logits=0.5 * state).sample(rng=rng)
        state = theta - b
        total = total + scg.cost((b - 0.45) ** 2)
    return total


def tower(levels: int) -> scg.Tensor:
    """Return a loss with 2**levels paths to a draw."""
    x = scg.Bernoulli(logits=scg.parameter(0.1)).sample(rng=0)
    x = x * 1e-300
    for _ in range(levels):
        x = x + x
    return x


def line(x: scg.Tensor, nodes: int) -> scg.Tensor:
    """Return a loss so many operations below a tensor."""
    for _ in range(nodes // 2):
        x = scg.tanh(x * 1.01)
    return x.sum()


def plain(nodes: int) -> scg.Tensor:
    return line(scg.parameter(np.full(4, 0.1)), nodes)


def drawn(nodes: int) -> scg.Tensor:
    theta = scg.parameter(np.full(4, 0.1))
    return line(scg.Bernoulli(logits=theta).sample(rng=0) + theta, nodes)


LINES: dict[str, Build] = {"nodes": plain, "nodes below a score draw": drawn}


def grown(build: Build, size: int) -> tuple[float, float]:
    """Return the times of forward and backward, in seconds."""
    start = time.perf_counter()
    loss = build(size)
    return time.perf_counter() - start, seconds(loss.backward)


def growth(build: Build, what: str, size: int, rounds: int) -> None:
    build(10).backward()  # loads the kernels
    pairs = [grown(build, size) for _ in range(rounds)]
    forward, back = (median(times) / size * 1e6 for times in zip(*pairs, strict=True))
    print(f"{size:9,} {what:26} forward {forward:8.2f} us   backward {back:8.2f} us each",
          flush=True)  # fmt: skip


def alone(what: str, nodes: int) -> None:
    """Build and sweep one long graph, and print what it took at the peak."""
    LINES[what](10).backward()  # what is loaded once is not part of a graph
    before = memory()
    growth(LINES[what], what, nodes, 1)
    after = memory()
    if before and after:
        taken = after["peak"] - before["now"]
        print(f"{'':9} {taken / 2**20:.0f} MiB at the peak, {taken / nodes:.0f} bytes a node")


def main() -> None:
    made = parser(__doc__, rounds=3, smoke="one round of small graphs")
    made.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = parsed(made)
    if options.alone:
        alone(options.alone[0], int(options.alone[1]))
        return
    print(describe())
    for size in [100] if options.smoke else [2500, 5000, 10_000]:
        growth(walk, "draws, each with a cost", size, options.rounds)
    for size in [100] if options.smoke else [250, 1000]:
        growth(tower, "doublings", size, options.rounds)
    for what in LINES:
        for nodes in [1000] if options.smoke else [1000, 10_000, 100_000, 1_000_000]:
            command = [sys.executable, __file__, "--alone", what, str(nodes)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
