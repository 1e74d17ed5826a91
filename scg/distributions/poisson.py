"""The Poisson distribution."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution, repeated
from scg.distributions._kl import kl_pair
from scg.distributions._support import COUNT, Support
from scg.noise import Source

__all__ = ["Poisson"]

# Beyond it NumPy does not draw: a count no longer fits 64 bits.
_RATE = Support("non-negative and at most 1e18", lambda x: (x >= 0) & (x <= 1e18))


class Poisson(Distribution):
    """The Poisson distribution over the counts 0, 1, 2, ..., elementwise.

    Parameters
    ----------
    rate : Tensor or array_like
        Mean, not negative and at most 1e18.

    Raises
    ------
    SupportError
        If `rate` is negative or too large.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992). Values have the dtype of the
    rate. Where the rate is exactly 0 only 0 is ever drawn and the score would miss the rest:
    refused at backward.

    Examples
    --------
    >>> import scg
    >>> scg.Poisson(2.0).log_prob([0, 1])
    Tensor([-2.        , -1.30685282])
    """

    ends = MappingProxyType({"rate": (0.0,)})

    def __init__(self, rate: Any) -> None:
        self._set({"rate": _RATE}, rate=rate)
        self.rate = self.parameters["rate"]
        self.batch_shape = self.rate.shape

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        return source.poisson(repeated(self.rate._data, shape))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of the count `value`."""
        return ops.poisson_log_prob(self._value(value, COUNT), self.rate)

    @property
    def mean(self) -> Tensor:
        """The mean, `rate`."""
        return self.rate

    @property
    def variance(self) -> Tensor:
        """The variance, `rate`."""
        return self.rate


@kl_pair(Poisson, Poisson)
def _(p: Poisson, q: Poisson) -> Tensor:
    """E_p[log p - log q], infinite where only q's rate is 0."""
    return ops.xlogy(p.rate, p.rate) - ops.xlogy(p.rate, q.rate) + q.rate - p.rate
