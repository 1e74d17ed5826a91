"""How much work an exact expectation may be, and the error when that does not suffice."""

from __future__ import annotations

from dataclasses import dataclass

from scg.errors import ScgError

__all__ = ["ExactnessError", "Limits"]


class ExactnessError(ScgError, ValueError):
    """An expectation or a derivative that cannot be computed exactly within the limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much work one exact expectation may be.

    Attributes
    ----------
    max_runs : int
        Runs of the program.
    max_continuous : int
        Scalar continuous draws in one run: each multiplies the number of runs by 30 to 100.
    """

    max_runs: int = 10_000
    max_continuous: int = 2
