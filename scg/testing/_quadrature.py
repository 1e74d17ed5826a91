"""Integrals over one scalar of noise, as generators: they yield nodes and are sent what came out.

So a program is integrated by running it: several draws are several generators on a stack. Where
the course of the program changes the integral is split at that place, found by bisection, so that
each piece is smooth; on it the trapezoidal rule under a double exponential map is halved until it
has converged.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, TypeAlias

import numpy as np

from scg._typing import Array
from scg.testing._charts import Chart, Noise
from scg.testing._course import Entry
from scg.testing._crossing import Bracket, crossings

__all__ = ["Integral", "Outcome", "integral"]

HALVINGS = 5
STEPS_OVER = (2.0**-50, 2.0**-46, 2.0**-42)  # the last for noise times a small scale
NEGLIGIBLE = 1e-13  # of a term, against the whole sum
THIN = 1e-12  # of a density that only a growing integrand keeps worth following
FLOOR = 1e-3  # below this part of the largest component, one is judged against the largest


@dataclass(slots=True)
class Outcome:
    """What came of a run, or of all runs below a draw.

    Attributes
    ----------
    value : ndarray, shape (k,)
    finite : bool
        Whether all of the value is.
    entries : list of Entry
        The course, as far as it depends on no continuous draw that was integrated already.
    inner : int
        Equal where the integrals over those draws were split alike. They need not be smooth where
        it is not, but mostly are: a kink may have moved out of sight.
    """

    value: Array
    entries: list[Entry]
    inner: int = 0
    course: int = field(init=False)
    finite: bool = field(init=False)

    def __post_init__(self) -> None:
        self.finite = bool(np.all(np.isfinite(self.value)))
        self.course = hash(tuple([entry.side for entry in self.entries]))


@dataclass(slots=True)
class Node:
    """A place on the axis, what came out there, and its weights in x and in t."""

    x: float
    t: float
    density: float
    weight: float
    outcome: Outcome


# Yields (noise, density there), is sent the outcome, returns a result.
Integral: TypeAlias = Generator[tuple[float, float], Outcome, Outcome]
Nodes: TypeAlias = Generator[tuple[float, float], Outcome, list[Node]]


def integral(noise: Noise, depth: int, tolerance: float) -> Integral:
    """Integrate over the whole support of some noise.

    Parameters
    ----------
    noise : Noise
    depth : int
        How many draws of the run come before this one.
    tolerance : float
        Relative to the integral of the absolute value.

    Notes
    -----
    A place at which the outcome is not finite, as at a pole, is stepped over. If it is no better
    beside it, that outcome is returned at once.
    """
    whole = _Piece(noise, noise.low, noise.high, tolerance, np.zeros(1))
    pieces = whole.integrate()
    try:
        x, density = next(pieces)
        while True:
            outcome = yield x, density
            for near in _beside(noise, x):
                if outcome.finite:
                    break
                outcome = yield near, density
            if not outcome.finite:
                return outcome
            x, density = pieces.send(outcome)
    except StopIteration as done:
        value = done.value
    entries = [entry for entry in whole.first.entries if entry.depth <= depth]
    return Outcome(value, entries, hash(tuple(side for side, _ in groupby(whole.sides))))


def _beside(noise: Noise, x: float) -> Iterator[float]:
    """Yield places ever farther from `x`, but within rounding of it, inside the support."""
    downwards = x > 0.5 if math.isfinite(noise.high) else False
    for step in STEPS_OVER:
        yield x + (-step if downwards else step) * max(1.0, abs(x))


class _Piece:
    """An interval; `sides` are the courses met in it, from left to right, `first` an outcome."""

    first: Outcome

    def __init__(self, noise: Noise, a: float, b: float, tolerance: float, scale: Array) -> None:
        self.noise, self.a, self.b = noise, a, b
        self.chart: Chart = noise.chart(a, b)
        self.step = 2 * self.chart.step  # coarse at first: enough to see most changes of course
        self.tolerance = tolerance
        self.scale = scale
        self.nodes: list[Node] = []
        self.origin = 0  # the number of the node at t = 0
        self.sides: list[Any] = []

    def integrate(self) -> Generator[tuple[float, float], Outcome, Array]:
        """Return the integral of the outcomes' values."""
        right = yield from self._march(0.0, self.step)
        left = yield from self._march(-self.step, -self.step)
        self.nodes = [*reversed(left), *right]
        self.origin = len(left)
        if not self.nodes:
            return np.zeros(1)
        self.first = self.nodes[0].outcome
        self.sides = [(self.first.course, self.first.inner)]
        slow = False
        for halvings in range(HALVINGS + 1):
            if halvings:
                yield from self._halve()
            if self._changes("course"):
                return (yield from self._split_at_crossings("course"))
            if halvings:
                value, slow = self._trapezoid()
                if value is not None:
                    return value
            if slow:
                break
        if self._changes("inner"):
            return (yield from self._split_at_crossings("inner"))
        return (yield from self._split_where_it_bends())

    # --- nodes -------------------------------------------------------------------------------

    def _node(self, t: float) -> Generator[tuple[float, float], Outcome, Node | None]:
        """Evaluate at `t`; None if that is too close to an end to be told from it."""
        x, slope = self.chart.at(t)
        density = self.noise.density(x) if self.a < x < self.b else 0.0
        if density * slope <= 0.0:
            return None
        outcome = yield x, density
        return Node(x, t, density, density * slope, outcome)

    def _march(self, t: float, step: float) -> Nodes:
        """Evaluate from `t` outwards until neither the density nor the terms are worth it."""
        found: list[Node] = []
        while (node := (yield from self._node(t))) is not None:
            found.append(node)
            self._grow_scale(node)
            term = node.weight * np.abs(node.outcome.value)
            if node.weight < THIN and np.all(term <= NEGLIGIBLE * self._scale()):
                break
            t += step
        return found

    def _grow_scale(self, node: Node) -> None:
        """Keep the sum of absolute terms, of this piece or of what it is a piece of."""
        self.scale = self.scale + self.step * node.weight * np.abs(node.outcome.value)

    def _scale(self) -> Array:
        largest = np.max(self.scale)
        if largest == 0.0:  # 0 at every node, but perhaps not in between
            return np.ones_like(self.scale)
        return np.asarray(np.maximum(self.scale, FLOOR * largest))

    def _halve(self) -> Generator[tuple[float, float], Outcome, None]:
        """Put a node between any two."""
        merged = self.nodes[:1]
        for left, right in pairwise(self.nodes):
            between = yield from self._node(0.5 * (left.t + right.t))
            assert between is not None
            merged += [between, right]
        self.nodes, self.origin, self.step = merged, 2 * self.origin, 0.5 * self.step

    # --- the rule ----------------------------------------------------------------------------

    def _trapezoid(self) -> tuple[Array | None, bool]:
        """Return the sum if it has converged, and whether it does so too slowly.

        With sums T of steps h, 2h, 4h, the error of T(h) of an analytic integrand is about
        |T(h) - T(2h)| times the square of how much smaller that is than |T(2h) - T(4h)|.
        """
        terms = np.array([n.weight * n.outcome.value for n in self.nodes]) * self.step
        fine, middle, coarse = (
            s * terms[self.origin % s :: s].sum(axis=0) for s in (1, 2, 4)
        )  # fmt: skip
        last, before = np.abs(fine - middle), np.abs(middle - coarse)
        ratio = np.minimum(1.0, last / np.maximum(before, np.finfo(float).tiny))
        scale = np.maximum(np.abs(terms).sum(axis=0), self.scale)
        scale = np.maximum(scale, FLOOR * np.max(scale))
        open_ = last * ratio**2 > self.tolerance * scale
        if not np.any(open_):
            return fine, False
        doubtful = self.step < (0.7 if self._changes("inner") else 0.4) * self.chart.step
        return None, doubtful and bool(np.any(open_ & (ratio > 0.1)))

    # --- splitting ---------------------------------------------------------------------------

    def _changes(self, side: str) -> bool:
        return len({getattr(n.outcome, side) for n in self.nodes}) > 1

    def _split_at_crossings(self, side: str) -> Generator[tuple[float, float], Outcome, Array]:
        brackets: list[Bracket] = []
        for left, right in pairwise(self.nodes):
            if getattr(left.outcome, side) != getattr(right.outcome, side):
                found = crossings(self.noise.density, left, right, self._scale(), side)
                brackets.extend((yield from found))
        return (yield from self._pieces(brackets))

    def _split_where_it_bends(self) -> Generator[tuple[float, float], Outcome, Array]:
        """Split where the terms bend most, for there is something that the course did not show."""
        terms = np.array([n.weight * n.outcome.value for n in self.nodes]) / self._scale()
        bend = np.abs(np.diff(np.pad(terms, ((1, 1), (0, 0))), n=2, axis=0)).max(axis=1)
        middle = self.nodes[int(np.argmax(bend))]
        return (yield from self._pieces([(middle, middle)]))

    def _pieces(self, brackets: list[Bracket]) -> Generator[tuple[float, float], Outcome, Array]:
        """Integrate between the brackets, and over each by its two ends."""
        total = sum(
            0.5 * (right.x - left.x)
            * (left.density * left.outcome.value + right.density * right.outcome.value)
            for left, right in brackets
        )  # fmt: skip
        ends = [self.a, *[x for left, right in brackets for x in (left.x, right.x)], self.b]
        self.sides = []
        for a, b in zip(ends[::2], ends[1::2], strict=True):
            if a < b:
                piece = _Piece(self.noise, a, b, self.tolerance, self.scale)
                total = total + (yield from piece.integrate())
                self.sides.extend(piece.sides)
        return np.asarray(total)
