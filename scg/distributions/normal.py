"""The normal distribution, by standard deviation."""

from __future__ import annotations

import math
from typing import Any

import scg.ops as ops
from scg._typing import Shape
from scg.distributions._base import Distribution
from scg.distributions._kl import kl_pair
from scg.distributions._support import POSITIVE, REAL, check_value
from scg.noise import Source
from scg.site import with_noise
from scg.tensor import Tensor, as_tensor

__all__ = ["Normal"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Normal(Distribution):
    """The normal distribution N(loc, scale**2), elementwise.

    Parameters
    ----------
    loc : Tensor or array_like
        Mean.
    scale : Tensor or array_like
        Standard deviation, positive; broadcasts against `loc`.

    Raises
    ------
    SupportError
        If a parameter is not finite or `scale` is not positive.

    Notes
    -----
    Reparameterised: `loc + scale * eps` with `eps ~ N(0, 1)` (Kingma and Welling 2014,
    arXiv 1312.6114; Rezende, Mohamed and Wierstra 2014, arXiv 1401.4082).

    Examples
    --------
    >>> import scg
    >>> scg.Normal(0.0, 1.0).log_prob(0.0)
    Tensor(-0.91893853)
    """

    reparameterised = True
    continuous = True

    def __init__(self, loc: Any, scale: Any) -> None:
        self._set({"loc": REAL, "scale": POSITIVE}, loc=loc, scale=scale)
        self.loc, self.scale = self.parameters["loc"], self.parameters["scale"]
        self.batch_shape = self._broadcast(self.loc.shape, self.scale.shape)

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        return self.loc + self.scale * with_noise(source.normal(shape, self.dtype))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-density at `value`, any finite real number."""
        x = check_value(self.name, as_tensor(value), REAL)
        return ops.normal_log_prob(x, self.loc, self.scale)

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats."""
        return ops.broadcast_to(ops.log(self.scale) + (0.5 + _HALF_LOG_TWO_PI), self.batch_shape)

    @property
    def mean(self) -> Tensor:
        """The mean, `loc`."""
        return ops.broadcast_to(self.loc, self.batch_shape)

    @property
    def variance(self) -> Tensor:
        """The variance, `scale**2`."""
        return ops.broadcast_to(self.scale * self.scale, self.batch_shape)


@kl_pair(Normal, Normal)
def _(p: Normal, q: Normal) -> Tensor:
    """Kingma and Welling (2014), appendix B, for a general second distribution."""
    ratio = p.scale / q.scale
    shift = (p.loc - q.loc) / q.scale
    return 0.5 * (ratio * ratio + shift * shift - 1.0) - ops.log(ratio)
