"""The categorical distribution over one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg.ops as ops
from scg._bare import array_of, bare
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._kl import kl_pair
from scg.distributions._support import Support
from scg.distributions.categorical import Categories, kl_of_categories
from scg.noise import Source

__all__ = ["OneHotCategorical"]


def _is_one_hot(x: Array) -> Any:
    single = np.sum(x == 1, axis=-1, keepdims=True) == 1
    return single & ((x == 0) | (x == 1))


_ONE_HOT = Support("one-hot (a single 1, the rest 0)", _is_one_hot)


class OneHotCategorical(Categories):
    """The categorical distribution over one-hot vectors of size K.

    Parameters
    ----------
    probs : Tensor or array_like, shape (..., K), optional
        Probabilities, non-negative; divided by their sum, which must be positive.
    logits : Tensor or array_like, shape (..., K), optional
        Unnormalised log-probabilities, finite; exactly one of the two is given.

    Raises
    ------
    OptionError
        If both or neither are given.
    ShapeError
        If there is no last axis of categories.
    SupportError
        If `probs` is negative or sums to 0, or a parameter is not finite.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992). Values have the dtype of the
    parameters; the last axis is the event.

    Examples
    --------
    >>> import scg
    >>> scg.OneHotCategorical([1.0, 3.0]).log_prob([0.0, 1.0])
    Tensor(-0.28768207)
    """

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        super().__init__(probs, logits=logits)
        self.event_shape = (self.categories,)

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        indices = bare(self._indices(source, shape[:-1]))
        return array_of(bare(np.eye(self.categories, dtype=self.dtype))[indices])

    def enumerate_support(self) -> Array:
        """Return the K one-hot vectors."""
        return self._over_batch(np.eye(self.categories, dtype=self.dtype))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of the one-hot vector `value`."""
        return self._expected_log_prob(self._event(value, _ONE_HOT))

    def prob(self, value: Any) -> Tensor:
        """Return the probability of the one-hot vector `value`."""
        return ops.sum(self._event(value, _ONE_HOT) * self.probs, axis=-1)

    @property
    def mean(self) -> Tensor:
        """The mean, `probs`."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The variance of every element, `probs * (1 - probs)`."""
        return self.probs * (1.0 - self.probs)


@kl_pair(OneHotCategorical, OneHotCategorical)
def _(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return kl_of_categories(p, q)
