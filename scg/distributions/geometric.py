"""The geometric distribution."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import repeated
from scg.distributions._counts import Trials
from scg.distributions._kl import kl_pair
from scg.distributions._support import COUNT, Support, check_parameter
from scg.noise import Source

__all__ = ["Geometric"]

_POSSIBLE = Support("above 0 and at most 1", lambda x: (x > 0) & (x <= 1))


class Geometric(Trials):
    """The number of failures before the first success, over 0, 1, 2, ..., elementwise.

    Parameters
    ----------
    probs : Tensor or array_like, optional
        Probability of a success, above 0.
    logits : Tensor or array_like, optional
        Its log-odds; exactly one of the two is given.

    Raises
    ------
    OptionError
        If both or neither are given.
    SupportError
        If `probs` is not above 0 and at most 1, or `logits` is not finite; of a draw, if `logits`
        are so low that the probability is 0 as a number.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992). Values have the dtype of the
    parameter. The other convention, the number of trials, is one more. Where `probs` is exactly 1
    only 0 is ever drawn and the score would miss the rest: refused at backward.

    Examples
    --------
    >>> import scg
    >>> scg.exp(scg.Geometric(0.5).log_prob([0, 1, 2]))
    Tensor([0.5  , 0.25 , 0.125])
    """

    ends = MappingProxyType({"probs": (1.0,)})

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        self._set_trials(_POSSIBLE, probs, logits)

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        check_parameter(self.name, "logits, as a probability,", self.probs, _POSSIBLE)
        return source.geometric(repeated(self.probs._data, shape))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of `value` failures."""
        return self._expected_log_prob(self._value(value, COUNT))

    def _expected_log_prob(self, failures: Tensor) -> Tensor:
        return self._log_successes(1.0) + self._log_failures(failures)

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        return -self._expected_log_prob(self.mean)

    @property
    def mean(self) -> Tensor:
        """The mean, `(1 - probs) / probs`."""
        if "logits" in self.parameters:
            return ops.exp(-self.parameters["logits"])
        return (1.0 - self.probs) / self.probs

    @property
    def variance(self) -> Tensor:
        """The variance, `(1 - probs) / probs**2`."""
        return self.mean * (1.0 + self.mean)


@kl_pair(Geometric, Geometric)
def _(p: Geometric, q: Geometric) -> Tensor:
    """E_p[log p - log q]: log-probabilities are linear in the value, so its mean replaces it."""
    return p._expected_log_prob(p.mean) - q._expected_log_prob(p.mean)
