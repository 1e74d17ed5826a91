"""Noise whose second half mirrors its first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import scipy.special as sp

from scg._recording import keeps_state
from scg._typing import Array, DType, Shape
from scg.noise._default import as_generator
from scg.noise._source import GeneratorSource, at_least_tiny

__all__ = ["AntitheticSource"]

_DOUBLE = np.dtype(np.float64)


class AntitheticSource(GeneratorSource):
    """Noise in mirrored pairs along axis 0: a uniform u with 1 - u, a normal e with -e.

    Of n elements along axis 0, element i and element i + ceil(n / 2) mirror each other; if n is
    odd, the one in the middle has no partner. Every other kind of noise is a monotone function of
    a uniform one and mirrored by it.

    Parameters
    ----------
    rng : None, int or numpy.random.Generator
        As that of `sample`.

    Notes
    -----
    Each element has the distribution that it should have, so a mean over axis 0 of costs that use
    one index each keeps its expectation; where the cost is monotone in the noise its variance is
    smaller than with independent noise (Hammersley and Morton 1956). Elements of a pair depend on
    each other: whatever multiplies them has another expectation. Axis 0 has to be an axis of
    repetitions, as in `sample(n, rng=source)`; that of a single vector is none.

    Examples
    --------
    >>> import scg
    >>> source = scg.noise.AntitheticSource(0)
    >>> x = scg.Normal(1.0, 2.0).sample(4, rng=source)
    >>> x[:2] + x[2:]
    Tensor([2., 2.])
    """

    coupled: ClassVar[bool] = True

    def __init__(self, rng: Any = None) -> None:
        keeps_state(self)
        super().__init__(as_generator(rng))

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        half = super().normal(_half(shape), dtype)
        return _joined(half, -half, shape)

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1); the mirror image of 0 is just below 1."""
        half = super().uniform(_half(shape), dtype)
        last = np.nextafter(dtype.type(1), dtype.type(0))
        return _joined(half, np.minimum(1 - half, last), shape)

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise, from doubles because a float32 is 0 too often."""
        return -np.log1p(-self.uniform(shape, _DOUBLE)).astype(dtype)

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1."""
        u = self.uniform(concentration.shape, _DOUBLE)
        return at_least_tiny(sp.gammaincinv(concentration, u), concentration.dtype)

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`."""
        u = self.uniform(rate.shape, _DOUBLE)
        near = _or(sp.pdtrik(u, rate), rate)
        return np.asarray(_quantile(u, near, lambda k: sp.pdtr(k, rate)), rate.dtype)

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed."""
        u = self.uniform(probs.shape, _DOUBLE)
        trials = count.astype(np.int64)
        near = _or(sp.bdtrik(u, trials, probs), trials * probs)
        return np.asarray(_quantile(u, near, lambda k: sp.bdtr(k, trials, probs)), probs.dtype)


def _half(shape: Shape) -> Shape:
    return (-(-shape[0] // 2), *shape[1:]) if shape else ()


def _joined(half: Array, mirrored: Array, shape: Shape) -> Array:
    return np.concatenate([half, mirrored])[: shape[0]] if shape else half


def _or(guess: Any, otherwise: Any) -> Any:
    """Replace what SciPy does not invert: certain outcomes, equal to their mean."""
    return np.where(np.isnan(guess), otherwise, guess)


def _quantile(u: Array, near: Any, cdf: Callable[[Any], Any]) -> Any:
    """Return the smallest count k with u < cdf(k); rounding leaves `near` a step off at most."""
    k = np.maximum(np.ceil(near), 0.0)
    k = np.where((k > 0) & (u < cdf(np.maximum(k - 1, 0))), k - 1, k)
    return np.where(u < cdf(k), k, k + 1)
