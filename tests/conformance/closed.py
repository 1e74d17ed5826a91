"""Expectations in plain NumPy, and their derivatives by complex step: nothing of `scg` takes part.

An expectation is written as a function that is analytic in the parameters, so that its derivative
is the imaginary part at a complex parameter (Squire and Trapp 1998), exact to rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import special

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
STEP = 1e-30
ndtr = special.ndtr  # takes complex numbers


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def density(x: Any) -> Any:
    """Return the standard normal density."""
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def coin(p: Any, f: Callable[[float], Any]) -> Any:
    """Return E[f(b)] for b ~ Bernoulli(p)."""
    return p * f(1.0) + (1 - p) * f(0.0)


def coins(probs: Sequence[Any], f: Callable[..., Any]) -> Any:
    """Return E[f(b_1, ..., b_n)] for independent coins."""
    return sum(p * f(*b) for p, b in tosses(probs))


def tosses(probs: Sequence[Any]) -> Iterator[tuple[Any, tuple[float, ...]]]:
    """Yield the probability and the outcome of independent coins."""
    for b in itertools.product((0.0, 1.0), repeat=len(probs)):
        yield math.prod(q if x else 1 - q for q, x in zip(probs, b, strict=True)), b


def integral(f: Callable[[Any], Any], low: float, high: float, breaks: Iterable[float] = ()) -> Any:
    """Integrate by Gauss-Legendre on pieces that end at the breaks and are one wide at most."""
    edges = sorted({low, high, *(b for b in breaks if low < b < high)})
    total = 0.0
    for a, b in itertools.pairwise(edges):
        pieces = max(1, int(np.ceil(b - a)))
        for left in a + (b - a) / pieces * np.arange(pieces):
            width = (b - a) / pieces
            total = total + width / 2 * np.sum(WEIGHTS * f(left + width / 2 * (NODES + 1)), axis=-1)
    return total


def gauss(f: Callable[[Any], Any], loc: Any, scale: Any = 1.0, breaks: Iterable[float] = ()) -> Any:
    """Return E[f(x)] for x ~ N(loc, scale**2); `f` takes real arrays and may jump at the breaks."""
    low, high = (np.real(loc) + s * 10 * np.real(scale) for s in (-1, 1))
    return integral(lambda x: f(x) * density((x - loc) / scale) / scale, low, high, breaks)


def gradient(expected: Callable[..., Any], values: Sequence[Any]) -> list[np.ndarray]:
    """Differentiate an expectation in every element of every parameter."""
    found = []
    for i, v in enumerate(values):
        slopes = np.zeros(np.shape(v))
        for index in np.ndindex(np.shape(v)):
            moved = [np.array(x, complex) for x in values]
            moved[i][index] += STEP * 1j
            slopes[index] = np.imag(expected(*moved)) / STEP
        found.append(slopes)
    return found


def curvature(expected: Callable[..., Any], values: Sequence[Any]) -> list[np.ndarray]:
    """Return the Hessian, a row for every element, by differences of complex-step gradients.

    Two Richardson steps of central differences: the error is of order 1e-10.
    """
    whole = [np.array(v, float) for v in values]
    places = [(i, index) for i, v in enumerate(whole) for index in np.ndindex(v.shape)]

    def row(i: int, index: tuple[int, ...]) -> np.ndarray:
        def at(shift: float) -> np.ndarray:
            moved = [v.copy() for v in whole]
            moved[i][index] += shift
            return np.concatenate([g.reshape(-1) for g in gradient(expected, moved)])

        a, b, c = ((at(h) - at(-h)) / (2 * h) for h in (4e-2, 2e-2, 1e-2))
        first = [(4 * b - a) / 3, (4 * c - b) / 3]
        return (16 * first[1] - first[0]) / 15

    return [row(*place) for place in places]


def moments(outcomes: Iterable[tuple[float, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of an estimator from (probability, gradient) pairs."""
    pairs = [(p, np.atleast_1d(np.asarray(g, float))) for p, g in outcomes]
    mean = sum(p * g for p, g in pairs)
    return mean, sum(p * (g - mean) ** 2 for p, g in pairs)
