"""The uniform distribution on an interval."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution
from scg.distributions._kl import kl_pair
from scg.distributions._support import NUMBER, REAL, Support, check_parameter
from scg.noise import Source
from scg.site import with_noise

__all__ = ["Uniform"]


class Uniform(Distribution):
    """The uniform distribution on [low, high], elementwise.

    Parameters
    ----------
    low : Tensor or array_like
        Lower end.
    high : Tensor or array_like
        Upper end, greater than `low`; the two broadcast.

    Raises
    ------
    SupportError
        If an end is not finite or `high` is not above `low`.

    Notes
    -----
    Reparameterised: `low + (high - low) * u` with `u` uniform on [0, 1). The score function misses
    what an end that moves lets in or out, so it is refused where an end is trainable.

    Examples
    --------
    >>> import scg
    >>> scg.Uniform(0.0, 4.0).variance
    Tensor(1.33333333)
    """

    reparameterised = True
    continuous = True
    moves_support = frozenset({"low", "high"})

    def __init__(self, low: Any = 0.0, high: Any = 1.0) -> None:
        self._set({"low": REAL, "high": REAL}, low=low, high=high)
        self.low, self.high = self.parameters["low"], self.parameters["high"]
        self.batch_shape = self._broadcast(self.low.shape, self.high.shape)
        self._check_ends()

    def _check_ends(self) -> None:
        low = self.low._data
        above = Support(
            "above low by a finite width", lambda x: (x > low) & np.isfinite(_width(low, x))
        )
        everywhere = Tensor(np.broadcast_to(self.high._data, self.batch_shape))
        check_parameter(self.name, "high", everywhere, above)

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        u = with_noise(source.uniform(shape, self.dtype), positive=True)
        # Never past `high`: u is at most 1 - eps / 2, which outweighs how much rounding adds.
        return self.low + (self.high - self.low) * u

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-density at `value`, -inf outside [low, high]."""
        x = self._value(value, NUMBER)
        if self._drew(x):
            # No end is crossed, however noise and ends move: the comparison would be refused.
            return ops.broadcast_to(-self.entropy(), x.shape)
        return ops.uniform_log_prob(x, self.low, self.high)

    def _drew(self, x: Tensor) -> bool:
        site = getattr(x._node, "site", None)
        return site is not None and site.distribution is self

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats."""
        return ops.log(self.high - self.low)

    @property
    def mean(self) -> Tensor:
        """The mean, the middle of the interval."""
        return 0.5 * self.low + 0.5 * self.high  # the sum itself may overflow

    @property
    def variance(self) -> Tensor:
        """The variance, a twelfth of the squared width."""
        return ops.square(self.high - self.low) / 12.0


def _width(low: Array, high: Array) -> Array:
    with np.errstate(over="ignore"):
        return high - low


@kl_pair(Uniform, Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    """E_p[log p - log q], infinite unless q's interval contains p's."""
    inside = (q.low <= p.low) & (p.high <= q.high)
    return ops.where(inside, q.entropy() - p.entropy(), np.inf)
