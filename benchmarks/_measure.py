"""What every benchmark needs: timing in turns, ratios with their spread, and the machine's name."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from scg.__main__ import table

Run = Callable[[], object]

MACHINE = ("Python", "numpy", "scipy", "numba", "llvmlite", "CPU", "vector features", "BLAS",
           "threading layer", "threads")  # fmt: skip


def seconds(run: Run, repeats: int = 1) -> float:
    """Return the seconds that one call takes, on average over the repeats."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def repeated(run: Run, repeats: int) -> Callable[[], float]:
    """Return a function that times so many calls and returns the seconds of one."""
    return lambda: seconds(run, repeats)


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the least and the greatest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread:
        numbers = list(numbers)
        return cls(median(numbers), min(numbers), max(numbers))

    def text(self, unit: float = 1.0, digits: int = 2) -> str:
        """Write it as `0.71 (0.69 to 0.75)`, in a unit of so many seconds."""
        middle, low, high = (f"{x / unit:.{digits}f}" for x in (self.middle, self.low, self.high))
        return f"{middle} ({low} to {high})"


@dataclass(frozen=True)
class Comparison:
    """Median seconds of two sides, and the ratios of neighbouring rounds."""

    ours: float
    theirs: float
    ratio: Spread

    def per(self, count: int) -> Comparison:
        """Return the same of one part, where both sides consist of so many."""
        return Comparison(self.ours / count, self.theirs / count, self.ratio)


def compared(rounds: Iterable[tuple[float, float]]) -> Comparison:
    """Compare the times of the rounds."""
    rounds = list(rounds)
    ours, theirs = zip(*rounds, strict=True)
    return Comparison(median(ours), median(theirs), Spread.of(a / b for a, b in rounds))


def beside(a: Callable[[], float], b: Callable[[], float], rounds: int) -> Comparison:
    """Let two timed functions take turns, so that a busy machine slows both alike."""
    a(), b()
    return compared((a(), b()) for _ in range(rounds))


def ratio(ours: Run, theirs: Run, rounds: int, repeats: int) -> float:
    """Return the median ratio of the times of two functions that take turns."""
    return beside(repeated(ours, repeats), repeated(theirs, repeats), rounds).ratio.middle


def show(what: str, other: str, found: Comparison, unit: float) -> None:
    """Print a comparison; times in a unit of so many seconds."""
    name = {1.0: "s", 1e-3: "ms", 1e-6: "us"}[unit]
    print(f"{what:36} scg {found.ours / unit:8.2f} {name}   {other} {found.theirs / unit:8.2f} "
          f"{name}   ratio {found.ratio.text()}", flush=True)  # fmt: skip


def parser(documentation: str, *, rounds: int, smoke: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have."""
    made = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rounds", type=int, default=rounds, help="turns (default %(default)s)")
    made.add_argument("--smoke", action="store_true", help=smoke)
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line; a smoke run has one round."""
    options = made.parse_args()
    if options.smoke:
        options.rounds = 1
    return options


def machine() -> dict[str, str]:
    """Return what the numbers were made with."""
    rows = dict(table())
    return {name: rows[name] for name in MACHINE}


def describe() -> str:
    """Return the machine as a line of text."""
    return ", ".join(f"{name} {value}" for name, value in machine().items())
