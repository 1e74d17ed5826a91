"""The Bernoulli distribution."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution, repeated
from scg.distributions._kl import kl_pair
from scg.distributions._support import REAL, UNIT
from scg.errors import OptionError
from scg.noise import Source
from scg.ops.special import xlog1my

__all__ = ["Bernoulli"]


class Bernoulli(Distribution):
    """The Bernoulli distribution over 0 and 1, elementwise.

    Parameters
    ----------
    probs : Tensor or array_like, optional
        Probability of a 1.
    logits : Tensor or array_like, optional
        Log-odds of a 1; exactly one of the two is given.

    Raises
    ------
    OptionError
        If both or neither are given.
    SupportError
        If `probs` leaves [0, 1] or `logits` is not finite.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992). Where `probs` is exactly 0
    or 1 the other outcome is never drawn and the score would miss it: refused at backward.

    Examples
    --------
    >>> import scg
    >>> scg.Bernoulli(probs=0.25).mean
    Tensor(0.25)
    """

    draws_in_support = True
    ends = MappingProxyType({"probs": (0.0, 1.0)})

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise OptionError("scg.Bernoulli takes exactly one of probs= and logits=")
        if logits is not None:
            self._set({"logits": REAL}, logits=logits)
        else:
            self._set({"probs": UNIT}, probs=probs)
        self.batch_shape = next(iter(self.parameters.values())).shape

    @property
    def probs(self) -> Tensor:
        """Probability of a 1."""
        if "probs" in self.parameters:
            return self.parameters["probs"]
        return ops.sigmoid(self.parameters["logits"])

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        given = self.parameters.get("probs")
        # Of a constant: the way from the logits to the probabilities is in no graph.
        probs = ops.sigmoid(Tensor(self.parameters["logits"]._data)) if given is None else given
        return source.bernoulli(repeated(probs._data, shape))

    def enumerate_support(self) -> Array:
        """Return 0 and 1."""
        return self._over_batch(np.array([0, 1], self.dtype))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of `value`, 0 or 1 or a weight between."""
        x = self._value(value, UNIT)
        if "logits" in self.parameters:
            return ops.bernoulli_log_prob(x, self.parameters["logits"])
        p = self.parameters["probs"]
        return ops.xlogy(x, p) + xlog1my(1.0 - x, p)

    def prob(self, value: Any) -> Tensor:
        """Return the probability of `value`, 0 or 1; linear in `probs`."""
        x = self._value(value, UNIT)
        return x * self.probs + (1.0 - x) * (1.0 - self.probs)

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        if "logits" in self.parameters:
            logits = self.parameters["logits"]
            return ops.softplus(logits) - logits * ops.sigmoid(logits)
        p = self.parameters["probs"]
        return -ops.xlogy(p, p) - xlog1my(1.0 - p, p)

    @property
    def mean(self) -> Tensor:
        """The mean, `probs`."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The variance, `probs * (1 - probs)`."""
        return self.probs * (1.0 - self.probs)


@kl_pair(Bernoulli, Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    """E_p[log p - log q]: log-probabilities are linear in the outcome, so its mean replaces it."""
    return p.log_prob(p.probs) - q.log_prob(p.probs)
