"""Gauss rules for one scalar draw, split where the program jumps or bends in it.

A node is a value x of the draw. Its probability is its weight times the density at x, as a function
of the parameters, over the density at the parameters given: so an integral becomes a finite sum
that is analytic in the parameters. Where a break moves with a parameter, so do the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from scg._typing import Array
from scg.testing._programs.values import as_value

__all__ = ["Outcome", "normal_outcomes", "uniform_outcomes"]

# (noise that makes it, value, probability), the last two with an imaginary step for each parameter.
Outcome: TypeAlias = tuple[float, Array, Array]

WHOLE, PART = 14, 12  # nodes of an undivided rule and of a piece
FAR = 10.0  # standard deviations
_FINE = np.polynomial.legendre.leggauss(80)


@lru_cache(maxsize=4096)
def gauss(low: float, high: float, count: int) -> tuple[Array, Array]:
    """Return the Gauss rule of a standard normal density on an interval.

    By the Lanczos process on a fine discretisation (Gautschi 2004, section 2.2).
    """
    low, high = max(low, -FAR), min(high, FAR)
    edges = np.linspace(low, high, 1 + max(1, int(np.ceil((high - low) / 2.5))))
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    x = (middle[:, None] + half[:, None] * _FINE[0]).reshape(-1)
    mass = (half[:, None] * _FINE[1]).reshape(-1) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    total = mass.sum()
    basis = [np.sqrt(mass / total)]
    diagonal, beside = [], []
    for _ in range(count):
        image = x * basis[-1]
        diagonal.append(basis[-1] @ image)
        for _ in range(2):  # twice is enough
            image = image - np.stack(basis).T @ (np.stack(basis) @ image)
        beside.append(np.linalg.norm(image))
        basis.append(image / beside[-1])
    nodes, vectors = np.linalg.eigh(
        np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    )
    return nodes, total * vectors[0] ** 2


def normal_outcomes(loc: Array, scale: Array, breaks: Sequence[Array]) -> list[Outcome]:
    """Return the nodes for a normal draw."""
    loc0, scale0 = float(loc.real.flat[0]), float(scale.real.flat[0])
    edges = sorted(breaks, key=_real)
    ends: list[Array | None] = [None, *edges, None]
    found: list[Outcome] = []
    for a, b in pairwise(ends):
        low = -np.inf if a is None else (_real(a) - loc0) / scale0
        high = np.inf if b is None else (_real(b) - loc0) / scale0
        if min(high, FAR) - max(low, -FAR) < 1e-9:
            continue
        for noise, weight in zip(*gauss(low, high, PART if edges else WHOLE), strict=True):
            x0 = loc0 + scale0 * noise
            x, stretch = _moved(x0, a, b)
            change = np.exp(0.5 * noise**2 - 0.5 * ((x - loc) / scale) ** 2) * scale0 / scale
            found.append((float(noise), x, weight * change * stretch))
    return found


def _moved(x: float, a: Array | None, b: Array | None) -> tuple[Array, Array | float]:
    """Return a node that moves with the ends of its interval, and how that stretches it."""
    if a is None or b is None:
        end = a if b is None else b
        return as_value(x) + (0.0 if end is None else end - _real(end)), 1.0
    part = (x - _real(a)) / (_real(b) - _real(a))
    return a + (b - a) * part, (b - a) / (_real(b) - _real(a))


def uniform_outcomes(low: Array, high: Array, breaks: Sequence[Array]) -> list[Outcome]:
    """Return the nodes for a uniform draw; breaks outside the support do not count."""
    inside = [b for b in breaks if _real(low) < _real(b) < _real(high)]
    t, w = np.polynomial.legendre.leggauss(PART)
    t, w = 0.5 * (t + 1.0), 0.5 * w
    found: list[Outcome] = []
    for a, b in pairwise([low, *sorted(inside, key=_real), high]):
        for node, weight in zip(t, w, strict=True):
            x = a + (b - a) * node
            noise = (_real(x) - _real(low)) / (_real(high) - _real(low))
            found.append((noise, x, weight * (b - a) / (high - low)))
    return found


def _real(value: Array) -> float:
    return float(value.real.flat[0])


Family: TypeAlias = Callable[[Array, Array, Sequence[Array]], list[Outcome]]
CONTINUOUS: dict[str, tuple[str, Family]] = {
    "Normal": ("normal", normal_outcomes),
    "Uniform": ("uniform", uniform_outcomes),
}
