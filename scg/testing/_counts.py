"""Probabilities of the counts 0, 1, 2, ..., as far as they can be told from nothing."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from scg._typing import Array

__all__ = ["binomial", "geometric", "poisson"]

_TAIL = 40.0  # exp(-40) is 4e-18


def poisson(rate: float) -> Array:
    """Return the probabilities of a Poisson count, whose tail is below that of a normal one."""
    k = np.arange(int(rate + 12 * math.sqrt(rate)) + 60)
    return np.asarray(np.exp(special.xlogy(k, rate) - rate - special.gammaln(k + 1)))


def binomial(count: float, probability: float) -> Array:
    """Return the probabilities of a number of successes."""
    k = np.arange(int(count) + 1)
    ways = special.gammaln(count + 1) - special.gammaln(k + 1) - special.gammaln(count - k + 1)
    logs = special.xlogy(k, probability) + special.xlog1py(count - k, -probability)
    return np.asarray(np.exp(ways + logs))


def geometric(probability: float) -> Array:
    """Return the probabilities of a number of failures before the first success."""
    failure = math.log1p(-probability) if probability < 1 else -math.inf
    k = np.arange(min(1 + int(_TAIL / -failure), 10**7))
    return np.asarray(probability * np.exp(k * failure) if k.size > 1 else np.ones(1))
