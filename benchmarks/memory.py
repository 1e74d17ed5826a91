"""Memory of the VAE step: its peak beside JAX and PyTorch, and that it stays flat.

    python -m benchmarks.memory                     # peaks, then 100,000 steps
    python -m benchmarks.memory --steps 1000
    python -m benchmarks.memory --small             # peaks of 100,000 steps of a small net alone
    python -m benchmarks.memory --smoke             # a few steps, to see that it runs

784-400-20, batch 100 and 512, each side in a fresh process. "peak" is the most that the process
ever held, libraries and compiler included; "of the step" is that less what it held once the library
was imported. Flat: what the process of scg holds after each tenth of the steps. Small: 784-32-4,
batch 8, whose steps are nearly all Python: the peak after a hundredth of them, a tenth and all.
"""

from __future__ import annotations

import sys

from benchmarks._measure import describe, parsed, parser
from benchmarks._table import markdown
from benchmarks._turns import SIDES, Worker, workers
from benchmarks.steps import ROWS

MODULE = "benchmarks.steps.vae"
STAGES = 10


def mebibytes(count: float) -> str:
    return f"{count / 2**20:.0f} MiB"


def cells(name: str, worker: Worker, steps: int) -> list[str]:
    if worker.missing:
        return [name, worker.missing, "-", "-"]
    held, then = worker.about["imported"], worker.memory(steps)
    over = then["peak"] - held["now"]
    return [name, mebibytes(held["now"]), mebibytes(then["peak"]), mebibytes(over)]


def peaks(batch: int, steps: int) -> None:
    with workers(MODULE, {"batch": batch}) as sides:
        rows = [cells(name, worker, steps) for name, worker in sides.items()]
    print(markdown([[f"batch {batch}", "imported", "peak", "of the step"], *rows]), flush=True)


def flat(name: str, steps: int) -> None:
    """Print what a process holds as its steps go on."""
    worker = Worker(SIDES[name], MODULE, ROWS["vae-100"].options)
    if worker.missing:
        print(f"{name}: {worker.missing}")
        return
    each = max(1, steps // STAGES)
    held = [worker.memory(each)["now"] for _ in range(STAGES)]
    worker.close()
    print(f"{name}, after each {each:,} steps: {', '.join(map(mebibytes, held))}; "
          f"{(held[-1] - held[0]) / (each * (STAGES - 1)):.1f} bytes a step")  # fmt: skip


def small(name: str, steps: int) -> None:
    """Print the peaks of a process that does small steps."""
    worker = Worker(SIDES[name], MODULE, {"batch": 8, "hidden": 32, "latent": 4})
    peaks, done = [], 0
    for goal in (steps // 100, steps // 10, steps):
        peaks.append((goal, worker.memory(goal - done)["peak"]))
        done = goal
    worker.close()
    told = ", ".join(f"{peak / 2**20:.2f} MiB after {goal:,}" for goal, peak in peaks)
    print(f"{name}, peak of small steps: {told}", flush=True)


def main() -> None:
    made = parser(__doc__, rounds=1, smoke="a few steps")
    made.add_argument("--steps", type=int, default=100_000, help="of the flat run")
    made.add_argument("--small", action="store_true", help="the small net alone")
    options = parsed(made)
    if sys.platform != "linux":
        sys.exit("only Linux tells what a process holds and held at most")
    print(describe())
    if options.small:
        small("scg", options.steps)
        small("scg eager", options.steps // 10)
        return
    few, many = (2, 10) if options.smoke else (20, options.steps)
    peaks(100, few)
    flat("scg", many)
    if not options.smoke:
        peaks(512, few)
        flat("scg eager", many // 10)


if __name__ == "__main__":
    main()
