"""Integrals over a scalar density of unknown support, to about 1e-11."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate

from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import SupportError

__all__ = ["Density"]

FAR = 1e12  # in units of the spread: a support that goes on there has no end


class Density:
    """The density of a distribution over single numbers.

    Parameters
    ----------
    distribution : Distribution
        Continuous, with neither batch nor event axes.
    draws : ndarray
        Some values of it: they show where its mass is.
    """

    def __init__(self, distribution: Any, draws: Array) -> None:
        self.distribution = distribution
        low, self.middle, high = np.quantile(draws, [0.1, 0.5, 0.9]).tolist()
        self.spread = high - low
        self.low, self.high = self._end(-1.0), self._end(1.0)

    def log(self, x: float) -> float:
        """Return the log-density, -inf outside the support."""
        try:
            value = self.distribution.log_prob(Tensor(np.asarray(x, np.float64)))
        except SupportError:
            return -math.inf
        return float(value._data)

    def __call__(self, x: float) -> float:
        return math.exp(self.log(x))

    def _end(self, sign: float) -> float:
        """Return where the density becomes 0 for good, by bisection; infinity if it does not."""
        inside, step = self.middle, self.spread
        while self.log(inside + sign * step) > -math.inf:
            inside += sign * step
            step *= 2
            if step > FAR * self.spread:
                return sign * math.inf
        outside = inside + sign * step
        while inside < (middle := 0.5 * (inside + outside)) < outside or inside > middle > outside:
            inside, outside = (
                (middle, outside) if self.log(middle) > -math.inf else (inside, middle)
            )
        return inside if abs(inside) > 1e-12 * self.spread else 0.0

    def integral(
        self, of: Callable[[float], Any], a: float | None = None, b: float | None = None
    ) -> Any:
        """Integrate `of(x)` times the density over the support, or from `a` to `b`."""
        a, b = self.low if a is None else a, self.high if b is None else b
        middle = min(max(self.middle, a), b)
        below = self._part(of, middle, a) if a < middle else 0.0
        return below + (self._part(of, middle, b) if b > middle else 0.0)

    def _part(self, of: Callable[[float], Any], start: float, end: float) -> Any:
        """Integrate to an end by x = end - (end - start) exp(-s), which tames a singular density.

        To an infinite end by x = start + spread (exp(s) - 1), which tames a heavy tail.
        """
        sign = math.copysign(1.0, end - start)

        def towards(s: float) -> Any:
            reach = abs(end - start) * math.exp(-s)
            return self._term(of, end - sign * reach, reach)

        def away(s: float) -> Any:
            reach = self.spread * math.exp(s)
            return self._term(of, start + sign * (reach - self.spread), reach)

        rule, last = (towards, 700.0) if math.isfinite(end) else (away, 200.0)
        # Panels that narrow towards the middle, near which a density may have its kink.
        points = (2.0 ** np.arange(-12, 7, 0.5)).tolist()
        return integrate.quad_vec(
            rule, 0.0, last, epsabs=1e-13, epsrel=1e-13, limit=5000, points=points
        )[0]

    def _term(self, of: Callable[[float], Any], x: float, slope: float) -> Any:
        p = self(x) if self.low <= x <= self.high else 0.0
        return np.asarray(of(x)) * (p * slope) if p * slope > 0 else 0.0 * np.asarray(of(x))
