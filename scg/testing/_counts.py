"""Probabilities of the counts 0, 1, 2, ..., as far as they can be told from nothing.

Every run of a program asks again, so the tables are remembered.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from scg._typing import Array

__all__ = ["binomial", "geometric", "poisson"]

_TAIL = 46.0  # exp(-46) is 1e-20
_LONGEST = 10**6  # more than any limit of runs that could be waited for

Table = tuple[float, ...]


def _table(probabilities: Array) -> Table:
    return tuple(probabilities[:_LONGEST].tolist())


@lru_cache(maxsize=256)
def poisson(rate: float) -> Table:
    """Return the probabilities of a Poisson count, up to where its tail has fallen below 1e-20."""
    k = np.arange(int(rate + 12 * math.sqrt(rate)) + 60)
    return _table(np.exp(special.xlogy(k, rate) - rate - special.gammaln(k + 1)))


@lru_cache(maxsize=256)
def binomial(count: float, probability: float) -> Table:
    """Return the probabilities of a number of successes."""
    k = np.arange(int(count) + 1)
    ways = special.gammaln(count + 1) - special.gammaln(k + 1) - special.gammaln(count - k + 1)
    logs = special.xlogy(k, probability) + special.xlog1py(count - k, -probability)
    return _table(np.exp(ways + logs))


@lru_cache(maxsize=256)
def geometric(probability: float) -> Table:
    """Return the probabilities of a number of failures before the first success."""
    if probability == 1:
        return (1.0,)
    failure = math.log1p(-probability)
    k = np.arange(min(1 + int(_TAIL / -failure), _LONGEST))
    return _table(probability * np.exp(k * failure))
