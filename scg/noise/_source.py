"""What a distribution may ask for, and the source that asks a NumPy Generator."""

from __future__ import annotations

import math
from typing import ClassVar, Protocol

import numpy as np

from scg._typing import Array, DType, Shape
from scg.kernels.uniform import ENOUGH, fill

__all__ = ["GeneratorSource", "Source", "at_least_tiny"]

_DOUBLE = np.dtype(np.float64)


class Source(Protocol):
    """What a distribution may ask for.

    Attributes
    ----------
    coupled : bool
        Whether elements of one draw depend on each other.
    """

    coupled: ClassVar[bool]

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1, positive, of the dtype of `concentration`."""

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`, 1 with that probability, elementwise."""

    def categorical(self, probs: Array) -> Array:
        """Return an index into the last axis of `probs`, int64, with those probabilities."""

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`, of its dtype."""

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed, of the dtype of `probs`; of one shape."""

    def geometric(self, probs: Array) -> Array:
        """Return the number of failures before a first success, of the dtype of `probs`."""


class GeneratorSource:
    """Independent noise from a NumPy Generator.

    Parameters
    ----------
    rng : numpy.random.Generator
    """

    coupled: ClassVar[bool] = False

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        return np.asarray(self.rng.standard_normal(shape, dtype=dtype))

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        if math.prod(shape) < ENOUGH:
            return np.asarray(self.rng.random(shape, dtype=dtype))
        out = np.empty(shape, dtype)
        fill(self.rng, out)
        return out

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""
        return np.asarray(self.rng.standard_exponential(shape, dtype=dtype))

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1.

        For a concentration a < 1 it is that of a + 1 times the a-th root of a uniform number
        (Marsaglia and Tsang 2000), multiplied as logarithms: the root alone may be too small for
        a number that the product is not.
        """
        small = concentration < 1
        value = self.rng.standard_gamma(np.where(small, concentration + 1.0, concentration))
        if np.any(small):
            root = np.log1p(-self.rng.random(concentration.shape))
            with np.errstate(over="ignore"):
                value = np.where(small, np.exp(np.log(value) + root / concentration), value)
        return at_least_tiny(value, concentration.dtype)

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`.

        The uniform number is of the same dtype, so that probability 0 never and 1 always occurs.
        """
        return np.asarray(self.uniform(probs.shape, probs.dtype) < probs).astype(probs.dtype)

    def categorical(self, probs: Array) -> Array:
        """Return indices by inverting the cumulative sum along the last axis.

        Scaling the uniform number by the total, instead of trusting it to be 1, keeps rounding
        from ever choosing an index past the last one with positive probability.
        """
        total = np.add.accumulate(probs, axis=-1, dtype=np.float64)  # cumsum, and no more
        u = self.uniform(probs.shape[:-1], _DOUBLE)[..., None] * total[..., -1:]
        return np.asarray(np.add.reduce(u >= total, axis=-1, dtype=np.int64))

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`."""
        return np.asarray(self.rng.poisson(rate)).astype(rate.dtype)

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed."""
        return np.asarray(self.rng.binomial(count.astype(np.int64), probs)).astype(probs.dtype)

    def geometric(self, probs: Array) -> Array:
        """Return the integer part of an exponential variable with that chance of being below 1.

        As a floating-point number it may be as large as a small probability asks for.
        """
        with np.errstate(divide="ignore"):
            rate = -np.log1p(-probs.astype(np.float64))
        return np.floor(self.exponential(probs.shape, _DOUBLE) / rate).astype(probs.dtype)


def at_least_tiny(value: Array, dtype: DType) -> Array:
    """Round positive numbers to a dtype, those too small for it up to its smallest normal one.

    At 0 a gamma density of concentration below 1 is infinite.
    """
    with np.errstate(under="ignore"):
        return np.asarray(np.maximum(value, np.finfo(dtype).tiny), dtype)
