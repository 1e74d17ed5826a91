"""Mixtures of the members of one batched distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg.ops as ops
from scg._bare import array_of, bare
from scg._tensor import Tensor, as_tensor
from scg._typing import Array, Shape
from scg.distributions._base import Distribution
from scg.distributions._support import NUMBER, check_value
from scg.distributions.categorical import Categorical
from scg.errors import DTypeError, ShapeError
from scg.noise import Source

__all__ = ["Mixture"]


class Mixture(Distribution):
    """A mixture: a component is chosen by its weight, then a value is drawn from it.

    Parameters
    ----------
    components : Distribution
        Its last batch axis, of size K, counts the components.
    probs : Tensor or array_like, shape (..., K), optional
        Weights, non-negative; divided by their sum, which must be positive.
    logits : Tensor or array_like, shape (..., K), optional
        Unnormalised log-weights, finite; exactly one of the two is given. The leading axes
        broadcast with the other batch axes of `components`.

    Raises
    ------
    OptionError
        If both or neither of `probs` and `logits` are given.
    ShapeError
        If the weights do not fit the components.
    DTypeError
        If the components are not one distribution, or the weights are one.
    SupportError
        If `probs` is negative or sums to 0, or a parameter is not finite.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992) of the marginal
    log-probability, `logsumexp(log w_k + log p_k)`; the component is not part of the value. All
    components are drawn from and one is kept. A weight of 0 has its derivative; a component that
    gives the value the probability 0 has none in its parameters, where its own is infinite.

    For gradients through the component's sampler, draw the component and the value as two draws::

        k = scg.Categorical(logits=logits).sample()
        x = scg.Normal(loc[k], scale[k]).sample()

    `k` is scored, `x` is pathwise, and both gradients add up.

    Examples
    --------
    >>> import scg
    >>> d = scg.Mixture(scg.Normal([-1.0, 1.0], 0.5), probs=[0.25, 0.75])
    >>> d.mean, d.variance
    (Tensor(0.5), Tensor(1.))
    """

    def __init__(self, components: Distribution, probs: Any = None, *, logits: Any = None) -> None:
        _check_kinds(components, probs if logits is None else logits)
        self.components = components
        self.weights = _Weights(probs, logits=logits)
        self._check_shapes()
        own = {f"components.{name}": value for name, value in components.parameters.items()}
        self.parameters = {**self.weights.parameters, **own}
        self.event_shape, self.continuous = components.event_shape, components.continuous
        self.moves_support = frozenset(f"components.{name}" for name in components.moves_support)

    def _check_shapes(self) -> None:
        ours, theirs = self.weights.batch_shape, self.components.batch_shape
        count = self.weights.categories
        try:
            if theirs[-1] != count:
                raise ValueError
            self.batch_shape = np.broadcast_shapes(ours, theirs[:-1])
        except (ValueError, IndexError):
            raise ShapeError(
                f"scg.Mixture: weights of shape {(*ours, count)} need components of batch shape "
                f"(..., {count}), but {self.components.describe()} has {theirs}"
            ) from None

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        kept = len(shape) - len(self.event_shape)
        index = bare(self.weights._raw_value(source, shape[:kept]))
        among = (*shape[:kept], self.weights.categories, *shape[kept:])
        values = bare(self.components._raw_value(source, among))
        chosen = index.reshape((*shape[:kept], *[1] * (len(shape) - kept + 1)))
        return array_of(np.take_along_axis(values, chosen, axis=kept).reshape(shape))

    def enumerate_support(self) -> Array:
        """Return the values of the components, which have the same ones."""
        values = self.components.enumerate_support()
        return self._over_batch(values.reshape((len(values), *self.event_shape)))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of `value`, whichever component it came from."""
        return self.weights._log_mean_exp(self.components.log_prob(self._for_each(value)))

    def prob(self, value: Any) -> Tensor:
        """Return the mean probability or density of `value` over the components."""
        return ops.sum(self.weights.probs * self.components.prob(self._for_each(value)), axis=-1)

    def _for_each(self, value: Any) -> Any:
        """Return a value with an axis of size 1 for the components."""
        x = check_value(self.name, as_tensor(value), NUMBER)
        axis = x.ndim - len(self.event_shape)
        if axis < 0:
            raise ShapeError(
                f"scg.Mixture.log_prob: the value has shape {x.shape}, which does not end in the "
                f"event shape {self.event_shape}"
            )
        return ops.expand_dims(x, axis) if x.ndim else value

    @property
    def mean(self) -> Tensor:
        """The mean, that of the components' means."""
        return self._average(self.components.mean)

    @property
    def variance(self) -> Tensor:
        """The variance: within the components and between their means, elementwise."""
        means = self.components.mean
        between = means - ops.expand_dims(self.mean, len(self.batch_shape))
        return self._average(self.components.variance + between * between)

    def _average(self, each: Tensor) -> Tensor:
        weights = self.weights.probs
        weights = weights.reshape((*weights.shape, *[1] * len(self.event_shape)))
        return ops.sum(weights * each, axis=-1 - len(self.event_shape))


def _check_kinds(components: Any, weights: Any) -> None:
    """Refuse what others take: a distribution of the component, or a list of components."""
    wrong = weights if isinstance(weights, Distribution) else components
    if isinstance(components, Distribution) and wrong is components:
        return
    found = wrong.describe() if isinstance(wrong, Distribution) else type(wrong).__name__
    raise DTypeError(
        f"scg.Mixture takes one distribution, whose last batch axis counts the components, then "
        f"their weights as an array, not {found}: scg.Mixture(scg.Normal(locs, scales), "
        "logits=logits), with the logits or probs that a scg.Categorical would be given"
    )


class _Weights(Categorical):
    """The distribution of the component."""

    @property
    def name(self) -> str:
        """The name that errors call it by."""
        return "Mixture"

    def _log_mean_exp(self, x: Tensor) -> Tensor:
        """Return the logarithm of the mean of exp(x) over the last axis, by weight."""
        if "logits" in self.parameters:
            return ops.logsumexp(ops.log_softmax(self.parameters["logits"], axis=-1) + x, axis=-1)
        # Not log(w): at a weight of 0 its slope is infinite, that of the mean is not. What `top`
        # takes off it gives back, so that it is a constant to every derivative.
        weights = self._normalised
        each = bare(x._data)
        top = _largest(each, bare(weights._data))
        # A component without weight may be larger by any factor; it only has to stay a number.
        most = top + 0.8 * np.log(np.finfo(x.dtype).max)
        excess = np.where(np.isfinite(each), np.maximum(each - most, 0.0), 0.0)
        mean = ops.sum(weights * ops.exp(x - (top + excess).astype(x.dtype)), axis=-1)
        result: Tensor = ops.xlogy(1.0, mean) + top[..., 0]
        return result


def _largest(x: Any, weights: Any) -> Any:
    """Return the largest of the last axis that has weight, 0 if it is infinite."""
    top = np.max(np.where(weights > 0, x, -np.inf), axis=-1, keepdims=True)
    return np.where(np.isfinite(top), top, 0.0).astype(x.dtype)
