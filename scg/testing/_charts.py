"""Maps of the real line onto an interval of noise, under which the trapezoidal rule is spectral.

After such a map an integrand that is smooth inside the interval decays double exponentially, or as
fast as its density, towards both ends, whatever it does at the ends themselves (Takahasi and Mori
1974, "Double exponential formulas for numerical integration"). The nodes of a step are among those
of half that step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["EXPONENTIAL", "NORMAL", "UNIFORM", "Chart", "Noise", "gamma"]

# Of a point t: the noise there, and its derivative with respect to t.
Map = Callable[[float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A map onto an interval, and the step that integrates what is smooth there."""

    at: Map
    step: float


@dataclass(frozen=True, slots=True)
class Noise:
    """A family of scalar noise.

    Attributes
    ----------
    low, high : float
        Ends of its support.
    density : callable
        Of a number inside the support.
    tail : {"normal", "exponential"}
        How fast the density falls towards an infinite end.
    """

    name: str
    low: float
    high: float
    density: Callable[[float], float]
    tail: str = "normal"

    def chart(self, a: float, b: float) -> Chart:
        """Return the map onto the interval from `a` to `b`."""
        if math.isfinite(a) and math.isfinite(b):
            return Chart(_between(a, b), 0.22)
        if math.isfinite(a):
            return Chart(_above(a, 1.0, self.tail), 0.3 if self.tail == "normal" else 0.2)
        if math.isfinite(b):
            return Chart(_above(b, -1.0, self.tail), 0.3)
        return Chart(lambda t: (t, 1.0), 0.55)


def _between(a: float, b: float) -> Map:
    def at(t: float) -> tuple[float, float]:
        s = math.pi * math.sinh(t)
        e = math.exp(-abs(s))
        part = e / (1 + e)  # the distance from the nearer end, as a part of the whole
        x = a + (b - a) * part if s < 0 else b - (b - a) * part
        return x, (b - a) * math.pi * math.cosh(t) * part / (1 + e)

    return at


def _above(end: float, sign: float, tail: str) -> Map:
    def normal(t: float) -> tuple[float, float]:
        """Follow log(1 + e^u): at u = t far from the end, double exponentially close to it."""
        decay = math.exp(-t)
        u = t - decay
        e = math.exp(-abs(u))
        distance = max(u, 0.0) + math.log1p(e)
        slope = (1.0 if u > 0 else e) / (1 + e)
        return end + sign * distance, slope * (1 + decay)

    def exponential(t: float) -> tuple[float, float]:
        decay = math.exp(-t)
        distance = math.exp(t - decay)
        return end + sign * distance, distance * (1 + decay)

    return normal if tail == "normal" else exponential


_ROOT_TWO_PI = math.sqrt(2 * math.pi)

NORMAL = Noise(
    "normal", -math.inf, math.inf, lambda x: math.exp(-0.5 * x * x) / _ROOT_TWO_PI
)  # fmt: skip
UNIFORM = Noise("uniform", 0.0, 1.0, lambda x: 1.0)
EXPONENTIAL = Noise("exponential", 0.0, math.inf, lambda x: math.exp(-x), "exponential")


def gamma(concentration: float) -> Noise:
    """Return gamma noise of rate 1, whose density may be infinite at 0."""
    constant = math.lgamma(concentration)

    def density(z: float) -> float:
        return math.exp((concentration - 1) * math.log(z) - z - constant)

    return Noise("gamma", 0.0, math.inf, density, "exponential")
