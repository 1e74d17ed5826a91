"""The gamma distribution, differentiable in its shape by implicit reparameterisation."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg.ops as ops
from scg import _axes
from scg._elementwise import broadcast_shape
from scg._op import POLE, SMOOTH, Op
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution, repeated
from scg.distributions._kl import kl_pair
from scg.distributions._support import NUMBER, POSITIVE
from scg.noise import Source
from scg.ops.incomplete_gamma import density, shape_slope
from scg.site import with_noise
from scg.tape import NONNEGATIVE
from scg.tape import POSITIVE as KNOWN_POSITIVE

__all__ = ["Gamma"]


def _given(_a: Array, x: Array, /) -> Array:
    return x


def _slope(_F: Any, g: Any, _y: Any, a: Any, x: Any) -> Any:
    """Pull back to the shape `a` of a draw `x`: its quantile P(a, x) stays what it is.

    From P(a, x(a)) = u follows dx/da = -(dP/da) / p (Figurnov, Mohamed and Mnih 2018, equation 5).
    How the noise was made, by rejection for instance, does not enter.
    """
    a, x = a.astype(np.float64), x.astype(np.float64)
    p = density(a, x)
    # Where the density is too small for a number the draw is 0 in all but name, and stays there.
    return g * np.divide(-shape_slope(a, x), p, out=np.zeros_like(p), where=p > 0), None


# Not one of the registered ops: its value, a constant, has no differences to compare slopes with.
_DRAWN = Op(
    "gamma_draw", _given, shape=broadcast_shape, axes=_axes.elementwise, smooth=(POLE, SMOOTH),
    sign=KNOWN_POSITIVE | NONNEGATIVE, max_order=1,
)  # fmt: skip
_DRAWN.set_vjp(_slope)


class Gamma(Distribution):
    """The gamma distribution, of density proportional to `x**(a - 1) * exp(-rate * x)` for x > 0.

    Parameters
    ----------
    concentration : Tensor or array_like
        The shape a, positive.
    rate : Tensor or array_like
        Inverse scale, positive; the two broadcast.

    Raises
    ------
    SupportError
        If a parameter is not positive and finite.

    Notes
    -----
    Reparameterised: `eps / rate` with `eps` of rate 1, which follows the concentration along its
    quantile (implicit reparameterisation: Figurnov, Mohamed and Mnih 2018, arXiv 1805.08498,
    equation 5). In the rate any order of derivative is right; in the concentration a pathwise draw
    can be differentiated once, and a second derivative raises `GradientError`:
    `estimator="score"` has every order.

    Draws of rate 1 below the smallest normal number of the dtype are raised to it. In float64 that
    is one in 10**309 at concentration 1 but half of them at 0.001.

    Examples
    --------
    >>> import scg
    >>> scg.Gamma(3.0, 2.0).mean
    Tensor(1.5)
    """

    reparameterised = True
    continuous = True

    def __init__(self, concentration: Any, rate: Any) -> None:
        self._set({"concentration": POSITIVE, "rate": POSITIVE},
                  concentration=concentration, rate=rate)  # fmt: skip
        self.concentration, self.rate = self.parameters["concentration"], self.parameters["rate"]
        self.batch_shape = self._broadcast(self.concentration.shape, self.rate.shape)

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        noise = source.gamma(repeated(self.concentration._data, shape))
        draw: Tensor = _DRAWN.public(self.concentration, with_noise(noise, positive=True))
        return draw / self.rate

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-density at `value`, -inf below 0."""
        return ops.gamma_log_prob(self._value(value, NUMBER), self.concentration, self.rate)

    def entropy(self) -> Tensor:
        """Return the differential entropy in nats."""
        a = self.concentration
        return a + ops.gammaln(a) + (1.0 - a) * ops.digamma(a) - ops.log(self.rate)

    @property
    def mean(self) -> Tensor:
        """The mean, `concentration / rate`."""
        return self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        """The variance, `concentration / rate**2`."""
        return self.mean / self.rate


@kl_pair(Gamma, Gamma)
def _(p: Gamma, q: Gamma) -> Tensor:
    """E_p[log p - log q], with E_p[log x] = digamma(a) - log(rate)."""
    a, b, ratio = p.concentration, q.concentration, q.rate / p.rate
    shapes = (a - b) * ops.digamma(a) - ops.gammaln(a) + ops.gammaln(b)
    return shapes - b * ops.log(ratio) + a * (ratio - 1.0)
