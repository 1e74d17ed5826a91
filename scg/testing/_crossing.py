"""Where, between two nodes, a program changes its course."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from scg._typing import Array

__all__ = ["Bracket", "crossings"]

ACCURATE = 1e-14  # of what lies between the two ends of a bracket, against the whole integral


class Place(NamedTuple):
    """A place on the axis and what came out there."""

    x: float
    density: float
    outcome: Any


# Two places so close to each other that what lies between is negligible.
Bracket: TypeAlias = tuple[Any, Any]


def crossings(
    density: Callable[[float], float], left: Any, right: Any, scale: Array, side: str
) -> Generator[tuple[float, float], Any, list[Bracket]]:
    """Return brackets around every change that is seen between two places.

    `side` is the attribute of an outcome that changes.
    """
    sides = getattr(left.outcome, side), getattr(right.outcome, side)
    search = _Search(left, right)
    while not _negligible(left, right, scale):
        x = search.guess(left, right)
        if not left.x < x < right.x:  # the guess is an end, as far as numbers tell
            x = 0.5 * (left.x + right.x)
            if not left.x < x < right.x:
                break
        place = Place(x, density(x), (yield x, density(x)))
        if getattr(place.outcome, side) == sides[0]:
            left = place
        elif getattr(place.outcome, side) == sides[1]:
            right = place
        else:  # a third course in between
            first = yield from crossings(density, left, place, scale, side)
            return first + (yield from crossings(density, place, right, scale, side))
    return [(left, right)]


def _negligible(left: Any, right: Any, scale: Array) -> bool:
    """Tell whether the trapezoid between two places is as good as the integral.

    Across a jump its error is the mass times the jump; across a kink, and of what is smooth, the
    mass times the square of the width.
    """
    width = right.x - left.x
    mass = max(left.density, right.density) * width
    ends = left.outcome.value, right.outcome.value
    # Both ends may happen to be 0; in between there is something of the size of the whole.
    size = np.maximum(scale, np.maximum(*np.abs(ends)))
    error = np.abs(ends[1] - ends[0]) + width**2 * size
    return bool(np.all(mass * error <= ACCURATE * scale))


class _Search:
    """Guesses by the ITP method where a margin is known, by bisection otherwise.

    Oliveira and Takahashi (2020), "An enhancement of the bisection method average performance
    preserving minmax optimality": as few steps as the secant takes, and never more than one above
    bisection.
    """

    def __init__(self, left: Any, right: Any) -> None:
        self.width = right.x - left.x
        self.count = 0

    def guess(self, left: Any, right: Any) -> float:
        """Return where to look next."""
        middle = 0.5 * (left.x + right.x)
        radius = self.width * 0.5**self.count - 0.5 * (right.x - left.x)
        self.count += 1
        ends = _margins(left.outcome, right.outcome)
        if ends is None:
            return float(middle)
        falsi = (right.x * ends[0] - left.x * ends[1]) / (ends[0] - ends[1])
        towards = math.copysign(1.0, middle - falsi)
        step = 0.2 * (right.x - left.x) ** 2 / self.width
        x = falsi + towards * step if step <= abs(middle - falsi) else middle
        near = abs(x - middle) <= radius
        return float(x if near else middle - towards * max(radius, 0.0))


def _margins(left: Any, right: Any) -> tuple[float, float] | None:
    """Return the margins of the first entry that differs, if they have opposite signs."""
    for a, b in zip(left.entries, right.entries, strict=False):
        if a.side != b.side:
            return (a.margin, b.margin) if a.margin * b.margin < 0 else None
    return None
