"""The categorical distribution over indices, and what it shares with one-hot values."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor, as_tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution, repeated
from scg.distributions._kl import kl_pair
from scg.distributions._support import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    category,
    check_parameter,
    check_value,
)
from scg.errors import OptionError, ShapeError
from scg.noise import Source

__all__ = ["Categorical", "Categories"]


class Categories(Distribution):
    """A choice among K categories: parameters, entropy and divergence, however values are coded."""

    ends = MappingProxyType({"probs": (0.0,)})

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        if (probs is None) == (logits is None):
            raise OptionError(f"scg.{self.name} takes exactly one of probs= and logits=")
        if logits is not None:
            self._set({"logits": REAL}, logits=logits)
        else:
            self._set({"probs": NONNEGATIVE}, probs=probs)
        ((given, weights),) = self.parameters.items()
        if not weights.shape or not weights.shape[-1]:
            raise ShapeError(
                f"scg.{self.name}: parameter {given} needs a last axis of at least one category, "
                f"but has shape {weights.shape}"
            )
        self.batch_shape, self.categories = weights.shape[:-1], weights.shape[-1]
        if given == "probs":
            self._total = self._check_total(weights)
            self._normalised = weights / self._total

    def _check_total(self, weights: Tensor) -> Tensor:
        with np.errstate(over="ignore"):
            total = ops.sum(weights, axis=-1, keepdims=True)
        return check_parameter(self.name, "probs, summed over its last axis,", total, POSITIVE)

    @property
    def probs(self) -> Tensor:
        """The probabilities, summing to 1 over the last axis."""
        if "probs" in self.parameters:
            return self._normalised
        return ops.softmax(self.parameters["logits"], axis=-1)

    def _indices(self, source: Source, shape: Shape) -> Array:
        return source.categorical(repeated(self.probs._data, (*shape, self.categories)))

    def _expected_log_prob(self, weights: Tensor) -> Tensor:
        """Return the log-probability averaged with weights on the categories, summing to 1."""
        if "logits" in self.parameters:
            terms = weights * ops.log_softmax(self.parameters["logits"], axis=-1)
        else:
            # Not of the quotient: where it is 0 its infinite slope would reach all categories.
            terms = ops.xlogy(weights, self.parameters["probs"]) - weights * ops.log(self._total)
        return ops.sum(terms, axis=-1)

    def entropy(self) -> Tensor:
        """Return the entropy in nats."""
        return -self._expected_log_prob(self.probs)


class Categorical(Categories):
    """The categorical distribution over the indices 0 to K - 1.

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
    Not reparameterised: draws use the score function (Williams 1992). Values are int64. An index of
    probability 0 is never drawn; if its probability has a slope, the score would miss it: refused
    at backward.

    Examples
    --------
    >>> import scg
    >>> scg.Categorical([1.0, 3.0]).log_prob([0, 1])
    Tensor([-1.38629436, -0.28768207])
    """

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        return self._indices(source, shape)

    def enumerate_support(self) -> Array:
        """Return the indices 0 to K - 1."""
        return self._over_batch(np.arange(self.categories))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of the index `value`."""
        index = self._index(value)
        return self._table(index).reshape(index.shape[:-1])

    def prob(self, value: Any) -> Tensor:
        """Return the probability of the index `value`; linear in `probs` but for their sum."""
        index = self._index(value)
        table = ops.broadcast_to(self.probs, (*index.shape[:-1], self.categories))
        return ops.take_along_axis(table, index, axis=-1).reshape(index.shape[:-1])

    def _index(self, value: Any) -> Tensor:
        """Return an index with a last axis of size 1, broadcast against the batch."""
        index = self._whole(value)
        shape = self._broadcast_value(index.shape)
        index = index if index.shape == shape else ops.broadcast_to(index, shape)
        return index.reshape((*shape, 1))

    def _whole(self, value: Any) -> Tensor:
        """Return an index as int64; an integer does not pass through the parameters' dtype."""
        x, support = as_tensor(value), category(self.categories)
        if x.dtype.kind not in "iu":
            return self._value(value, support).astype(np.int64)
        if x._data is not self._drawn:
            check_value(self.name, x, support)
        return x if x.dtype == np.int64 else x.astype(np.int64)

    def _table(self, index: Tensor) -> Tensor:
        """Look log-probabilities up, taking logarithms last where most are not needed."""
        shape = (*index.shape[:-1], self.categories)
        if "logits" in self.parameters:
            table = ops.log_softmax(self.parameters["logits"], axis=-1)
            return ops.take_along_axis(_repeated(table, shape), index, axis=-1)
        table = _repeated(self.parameters["probs"], shape)
        chosen = ops.take_along_axis(table, index, axis=-1)
        return ops.xlogy(1.0, chosen) - ops.log(self._total)

    def _broadcast_value(self, shape: Shape) -> Shape:
        try:
            return np.broadcast_shapes(shape, self.batch_shape)
        except ValueError:
            raise ShapeError(
                f"scg.{self.name}.log_prob: a value of shape {shape} does not broadcast with the "
                f"batch shape {self.batch_shape}"
            ) from None

    @property
    def mean(self) -> Tensor:
        """The mean of the index, as a number."""
        return ops.sum(self.probs * self._numbers(), axis=-1)

    @property
    def variance(self) -> Tensor:
        """The variance of the index, as a number."""
        deviation = self._numbers() - self.mean.reshape((*self.batch_shape, 1))
        return ops.sum(self.probs * deviation * deviation, axis=-1)

    def _numbers(self) -> Array:
        return np.arange(self.categories, dtype=self.dtype)


def _repeated(table: Tensor, shape: Shape) -> Tensor:
    """Return a table for each outcome: as it is, if there is one for each already."""
    return table if table.shape == shape else ops.broadcast_to(table, shape)


@kl_pair(Categorical, Categorical)
def _(p: Categorical, q: Categorical) -> Tensor:
    return kl_of_categories(p, q)


def kl_of_categories(p: Categories, q: Categories) -> Tensor:
    """Return E_p[log p - log q], infinite where q excludes what p allows."""
    if p.categories != q.categories:
        raise ShapeError(
            f"KL({p.name} || {q.name}): {p.categories} and {q.categories} categories differ"
        )
    return p._expected_log_prob(p.probs) - q._expected_log_prob(p.probs)
