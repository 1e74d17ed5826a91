"""Noise that stays the same when a parameter moves a little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from scg._typing import Array, DType, Shape
from scg.noise import GeneratorSource

__all__ = ["CommonSource"]

_DOUBLE = np.dtype(np.float64)


class CommonSource(GeneratorSource):
    """Common random numbers: request number i of run number n always has the same noise.

    A request that takes more or fewer numbers than it did at other parameters shifts no later
    one, and gamma noise is a continuous function of its concentration.

    Parameters
    ----------
    seed, run : int
        Which noise.
    outcomes : list of ndarray, optional
        Answers to the discrete requests of an earlier run, to be given again whatever their
        probabilities have become.
    """

    def __init__(self, seed: int, run: int, outcomes: list[Array] | None = None) -> None:
        super().__init__(np.random.default_rng((seed, run)))
        self._key = (seed, run)
        self._requests = self._discrete_requests = 0
        self._given = outcomes
        self.outcomes: list[Array] = []

    def _next(self) -> None:
        self._requests += 1
        self.rng = np.random.default_rng((*self._key, self._requests))

    def _discrete(self, shape: Shape, draw: Callable[..., Array], *args: Any) -> Array:
        """Answer as the earlier run did, if that asked for the same."""
        self._next()
        index = self._discrete_requests
        self._discrete_requests += 1
        given = self._given
        if given is not None and index < len(given) and given[index].shape == shape:
            return given[index].copy()
        answer = draw(*args)
        self.outcomes.append(answer.copy())
        return answer

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        self._next()
        return super().normal(shape, dtype)

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        self._next()
        return super().uniform(shape, dtype)

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""
        self._next()
        return super().exponential(shape, dtype)

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1, by inversion."""
        u = self.uniform(concentration.shape, _DOUBLE)
        tiny = np.finfo(concentration.dtype).tiny
        value = np.maximum(sp.gammaincinv(concentration, u), tiny)
        return np.asarray(value, concentration.dtype)

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`."""
        return self._discrete(probs.shape, super().bernoulli, probs)

    def categorical(self, probs: Array) -> Array:
        """Return indices into the last axis of `probs`."""
        return self._discrete(probs.shape[:-1], super().categorical, probs)

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`."""
        return self._discrete(rate.shape, super().poisson, rate)

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed."""
        return self._discrete(probs.shape, super().binomial, count, probs)

    def geometric(self, probs: Array) -> Array:
        """Return the number of failures before a first success."""
        return self._discrete(probs.shape, super().geometric, probs)
