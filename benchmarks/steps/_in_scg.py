"""What the steps in scg share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import Any

import scg
from benchmarks._worker import Program
from scg._compile import TRACED_CALLS
from scg.kernels._jit import threads


def program(
    step: Callable[..., Any], batches: Sequence[tuple[Any, ...]], parameters: Iterable[scg.Tensor],
    *, compiled: bool,
) -> Program:  # fmt: skip
    """Return the program that calls a step, as it is or compiled, on one batch after the other."""
    if compiled:
        step = scg.jit(step)
    data = cycle(batches)

    def steps(count: int) -> None:
        for _ in range(count):
            step(*next(data))

    return made(steps, parameters, traced=TRACED_CALLS if compiled else 0)


def made(
    steps: Callable[[int], Any], parameters: Iterable[scg.Tensor], *, traced: int = 0
) -> Program:
    size = sum(p.size for p in parameters)
    return Program(steps, f"scg {scg.__version__}", threads(), size, traced)
