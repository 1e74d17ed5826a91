"""Derivatives of a function that is known to nearly full precision, from its values alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scg._typing import Array
from scg.errors import NonFiniteError, SupportError
from scg.testing._limits import ExactnessError

__all__ = ["differentiate", "slope"]

WIDEST, NARROWEST = 0.2, 1e-4
ENOUGH, TOLERABLE = 1e-10, 1e-8  # how well extrapolations must agree, and may at worst
LEVELS = 8


def differentiate(fn: Callable[..., float], values: Sequence[Array]) -> tuple[Array, ...]:
    """Return the gradient of `fn(*values)`, one element at a time."""
    result = [np.zeros(v.shape) for v in values]
    for i, value in enumerate(values):
        for index in np.ndindex(value.shape):
            result[i][index] = slope(_along(fn, values, i, index))
    return tuple(result)


def _along(
    fn: Callable[..., float], values: Sequence[Array], i: int, index: tuple[int, ...]
) -> Callable[[float], float]:
    """Return `fn` as a function of the shift of one element."""

    def moved(shift: float) -> float:
        copies = [v.copy() for v in values]
        copies[i][index] += shift
        return fn(*copies)

    return moved


def slope(fn: Callable[[float], float]) -> float:
    """Return the derivative at 0, by central differences extrapolated to step 0.

    Each halving of the step raises the order by two (Richardson 1911); it goes on until two
    extrapolations agree. The widest step shrinks until it stays in the domain of the function.

    Raises
    ------
    ExactnessError
        If the extrapolations do not settle.
    """
    step, first = _widest(fn)
    size = max(1.0, float(np.max(np.abs(first))))
    row = [(first[0] - first[1]) / (2 * step)]
    best, doubt = row[0], np.inf
    for _ in range(LEVELS):
        step *= 0.5
        previous, row = row, _extrapolated((fn(step) - fn(-step)) / (2 * step), row)
        error = max(abs(row[-1] - row[-2]), abs(row[-1] - previous[-1]))
        if error < doubt:
            best, doubt = row[-1], error
        if doubt <= ENOUGH * size:
            return best
    if doubt > TOLERABLE * max(size, abs(best)):
        raise ExactnessError(
            f"differences of the expectation do not settle: about {best:.9g}, but known to "
            f"{doubt:.1g} only; it has a kink there or is too close to the end of its domain"
        )
    return best


def _widest(fn: Callable[[float], float]) -> tuple[float, tuple[float, float]]:
    """Return the widest step that stays in the domain, with the values at its ends."""
    step = WIDEST
    while True:
        try:
            return step, (fn(step), fn(-step))
        except (SupportError, NonFiniteError):
            step *= 0.5
            if step < NARROWEST:
                raise


def _extrapolated(difference: float, before: Sequence[float]) -> list[float]:
    """Return the next row of Richardson's table: the errors are in powers of step**2."""
    row = [difference]
    for k, previous in enumerate(before, 1):
        row.append(row[-1] + (row[-1] - previous) / (4.0**k - 1))
    return row
