"""The normal distribution, by standard deviation or by a factor of its covariance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor, as_array
from scg._typing import Array, Shape
from scg.distributions._base import Distribution
from scg.distributions._kl import kl_pair
from scg.distributions._spread import Factor, Scale, Spread
from scg.distributions._support import POSITIVE, REAL
from scg.errors import OptionError, ShapeError
from scg.noise import Source
from scg.site import with_noise

__all__ = ["Normal"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Normal(Distribution):
    """The normal distribution: N(loc, scale**2) elementwise, or N(loc, R R^T) of vectors.

    Parameters
    ----------
    loc : Tensor or array_like, shape (...) or (..., n)
        Mean.
    scale_or_factor : Tensor or array_like
        With exactly one more dimension than `loc`, the same leading shape and `loc.ndim >= 1` it
        is a factor, else a standard deviation. The keywords always mean what they say.
    scale : Tensor or array_like
        Standard deviation, positive; broadcasts against `loc`.
    factor : Tensor or array_like, shape (..., n, k)
        R, of covariance R R^T; the event is the vector of size n. A density needs a square,
        invertible factor, not necessarily a triangular one; any other can be drawn from.

    Raises
    ------
    OptionError
        If not exactly one of the last three is given.
    ShapeError
        If the shapes do not fit together.
    SupportError
        If a parameter is not finite or `scale` is not positive.

    Notes
    -----
    Reparameterised: `loc + scale * eps` or `loc + R eps` with `eps ~ N(0, 1)` (Kingma and Welling
    2014, arXiv 1312.6114; Rezende, Mohamed and Wierstra 2014, arXiv 1401.4082).

    Examples
    --------
    >>> import scg
    >>> scg.Normal(0.0, 1.0).log_prob(0.0)
    Tensor(-0.91893853)
    >>> d = scg.Normal([0.0, 0.0], [[1.0, 0.0], [0.5, 2.0]])
    >>> d.event_shape, d.variance
    ((2,), Tensor([1.  , 4.25]))
    """

    reparameterised = True
    continuous = True

    def __init__(
        self, loc: Any, scale_or_factor: Any = None, *, scale: Any = None, factor: Any = None
    ) -> None:
        if sum(given is not None for given in (scale_or_factor, scale, factor)) != 1:
            raise OptionError(
                "scg.Normal takes a mean and exactly one of a second positional argument, scale= "
                "and factor="
            )
        if scale_or_factor is not None and _is_factor(_shape(loc), _shape(scale_or_factor)):
            factor = scale_or_factor
        elif scale_or_factor is not None:
            scale = scale_or_factor
        self._spread: Spread = self._by_scale(loc, scale) if factor is None else (
            self._by_factor(loc, factor)
        )  # fmt: skip

    def _by_scale(self, loc: Any, scale: Any) -> Scale:
        self._set({"loc": REAL, "scale": POSITIVE}, loc=loc, scale=scale)
        self.loc, self.scale = self.parameters["loc"], self.parameters["scale"]
        self.batch_shape = self._broadcast(self.loc.shape, self.scale.shape)
        return Scale(self.scale)

    def _by_factor(self, loc: Any, factor: Any) -> Factor:
        self._set({"loc": REAL, "factor": REAL}, loc=loc, factor=factor)
        self.loc, self.factor = self.parameters["loc"], self.parameters["factor"]
        if self.loc.ndim < 1 or self.factor.ndim < 2 or self.loc.shape[-1] != self.factor.shape[-2]:
            raise ShapeError(
                f"scg.Normal: a factor of shape (..., n, k) needs a mean of shape (..., n), but "
                f"factor has shape {self.factor.shape} and loc {self.loc.shape}"
            )
        self.batch_shape = self._broadcast(self.loc.shape[:-1], self.factor.shape[:-2])
        self.event_shape = self.loc.shape[-1:]
        return Factor(self.factor)

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        noise = source.normal(self._spread.noise_shape(shape), self.dtype)
        return self.loc + self._spread.times(with_noise(noise))

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        self._spread.check_density()  # the score function would ask for it too late to be clear
        return super()._raw_value(source, shape)

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-density at `value`, any finite real number or vector."""
        x = self._event(value, REAL)
        if isinstance(self._spread, Scale):
            return ops.normal_log_prob(x, self.loc, self.scale)
        volume = self._log_volume()  # first, because it refuses a factor that cannot be solved
        z = self._spread.whiten(x - self.loc)
        return -0.5 * ops.sum(z * z, axis=-1) - volume

    def _log_volume(self) -> Tensor:
        """Return the logarithm of the density's normalising constant."""
        return self._spread.log_det() + math.prod(self.event_shape) * _HALF_LOG_TWO_PI

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats."""
        entropy = self._log_volume() + 0.5 * math.prod(self.event_shape)
        return ops.broadcast_to(entropy, self.batch_shape)

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return ops.broadcast_to(self.loc, self.batch_shape + self.event_shape)

    @property
    def variance(self) -> Tensor:
        """The variance of every element, `scale**2` or the diagonal of R R^T."""
        return ops.broadcast_to(self._spread.variance(), self.batch_shape + self.event_shape)


def _shape(x: Any) -> Shape:
    return x.shape if isinstance(x, Tensor) else np.shape(as_array(x, "Normal"))


def _is_factor(loc: Shape, second: Shape) -> bool:
    return len(loc) >= 1 and len(second) == len(loc) + 1 and second[:-1] == loc


@kl_pair(Normal, Normal)
def _(p: Normal, q: Normal) -> Tensor:
    """Kingma and Welling (2014), appendix B, for a general second distribution."""
    if p.event_shape or q.event_shape:
        return _kl_of_vectors(p, q)
    ratio = p.scale / q.scale
    shift = (p.loc - q.loc) / q.scale
    return 0.5 * (ratio * ratio + shift * shift - 1.0) - ops.log(ratio)


def _kl_of_vectors(p: Normal, q: Normal) -> Tensor:
    """Return the divergence between vectors; the last axis of a standard deviation is the event."""
    n = math.prod(p.event_shape or q.event_shape)
    first, second = p._spread.of_vectors(n), q._spread.of_vectors(n)
    volumes = second.log_det() - first.log_det()  # first, because it refuses a singular factor
    shift = second.whiten(p.loc - q.loc)
    return 0.5 * (second.trace(first) + ops.sum(shift * shift, axis=-1) - n) + volumes
