"""Exact expectations where the user knows best where a program jumps in its one Gaussian draw.

The public quadrature looks for jumps; it cannot see one inside a callback, nor a pole that is
touched and not crossed. Here the places are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import exact
import numpy as np
from conformance.closed import NODES, WEIGHTS, density

from scg._run import fresh_run
from scg.noise import using

REACH = 9.0  # standard deviations: what lies beyond has a probability of 2e-19


def rule(cuts: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of standard normal noise, exact between the cuts."""
    inside = [c for c in cuts if abs(c) < REACH]
    # Two cuts may be so close that what lies between them underflows.
    edges = np.unique(np.round([*np.arange(-REACH, REACH + 1), *inside], 13))
    places, weights = [], []
    for a, b in pairwise(edges):
        x = a + (b - a) / 2 * (NODES + 1)
        places.append(x)
        weights.append(WEIGHTS * (b - a) / 2 * density(x))
    return np.concatenate(places), np.concatenate(weights)


class Split(exact.Replay):
    """A replay that knows where to split."""

    nodes: tuple[np.ndarray, np.ndarray]

    def normal(self, shape: Any, dtype: Any) -> Any:
        return self._array(shape, dtype, *self.nodes)


def polynomial(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights that are exact for polynomials in several Gaussian draws."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(degree // 2 + 1)
    return nodes, weights / weights.sum()


def expectation(run: Callable[[], Any], nodes: tuple[np.ndarray, np.ndarray]) -> Any:
    """Return the expectation of what `run()` returns."""
    total, path = 0.0, []
    while True:
        source = Split(path)
        source.nodes = nodes
        fresh_run()
        with using(source):
            value = np.asarray(run())
        total = total + source.weight * value
        path = source.path
        while path and path[-1] == source.sizes[len(path) - 1] - 1:
            path.pop()
        if not path:
            return total
        path[-1] += 1
