"""What the distributions of counts share: a probability given as itself or by its log-odds."""

from __future__ import annotations

from typing import Any

import scg.ops as ops
from scg._tensor import Tensor
from scg.distributions._base import Distribution
from scg.distributions._support import REAL, Support
from scg.errors import OptionError
from scg.ops.special import xlog1my

__all__ = ["Trials"]


class Trials(Distribution):
    """A number of trials that each succeed with one probability: its parametrisations."""

    def _set_trials(self, support: Support, probs: Any, logits: Any, **others: Any) -> None:
        """Take exactly one of the probability of success, in `support`, and its log-odds."""
        if (probs is None) == (logits is None):
            raise OptionError(f"scg.{self.name} takes exactly one of probs= and logits=")
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        supports = {name: support if logits is None else REAL}
        self._set(supports | {key: REAL for key in others}, **others, **{name: given})
        self.batch_shape = self._broadcast(*[p.shape for p in self.parameters.values()])

    @property
    def probs(self) -> Tensor:
        """The probability of a success."""
        if "probs" in self.parameters:
            return self.parameters["probs"]
        return ops.sigmoid(self.parameters["logits"])

    def _log_successes(self, count: Any) -> Tensor:
        """Return `count * log(p)`, 0 where the count is."""
        if "probs" in self.parameters:
            return ops.xlogy(count, self.parameters["probs"])
        return ops.multiply(count, ops.log_sigmoid(self.parameters["logits"]))

    def _log_failures(self, count: Any) -> Tensor:
        """Return `count * log(1 - p)`, 0 where the count is."""
        if "probs" in self.parameters:
            return xlog1my(count, self.parameters["probs"])
        return ops.multiply(count, ops.log_sigmoid(-self.parameters["logits"]))
