"""The exponential distribution."""

from __future__ import annotations

from typing import Any

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Shape
from scg.distributions._base import Distribution
from scg.distributions._kl import kl_pair
from scg.distributions._support import NUMBER, POSITIVE
from scg.noise import Source
from scg.site import with_noise

__all__ = ["Exponential"]


class Exponential(Distribution):
    """The exponential distribution, of density `rate * exp(-rate * x)` for x >= 0, elementwise.

    Parameters
    ----------
    rate : Tensor or array_like
        Inverse of the mean, positive.

    Raises
    ------
    SupportError
        If `rate` is not positive and finite.

    Notes
    -----
    Reparameterised: `eps / rate` with `eps` standard exponential.

    Examples
    --------
    >>> import scg
    >>> scg.Exponential(2.0).mean
    Tensor(0.5)
    """

    reparameterised = True
    continuous = True

    def __init__(self, rate: Any) -> None:
        self._set({"rate": POSITIVE}, rate=rate)
        self.rate = self.parameters["rate"]
        self.batch_shape = self.rate.shape

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        return with_noise(source.exponential(shape, self.dtype), positive=True) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-density at `value`, -inf below 0."""
        return ops.exponential_log_prob(self._value(value, NUMBER), self.rate)

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats."""
        return 1.0 - ops.log(self.rate)

    @property
    def mean(self) -> Tensor:
        """The mean, `1 / rate`."""
        return 1.0 / self.rate

    @property
    def variance(self) -> Tensor:
        """The variance, `1 / rate**2`."""
        return self.mean * self.mean


@kl_pair(Exponential, Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    """E_p[log p - log q], with the mean of x under p being 1 / p.rate."""
    ratio = q.rate / p.rate
    return ratio - 1.0 - ops.log(ratio)
