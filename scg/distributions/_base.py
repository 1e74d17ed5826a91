"""What every distribution shares: shapes, sampling by route, and description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

import scg.ops as ops
from scg._observed import is_past
from scg._tensor import Tensor, as_array, as_tensor
from scg._typing import Array, DType, Shape
from scg.distributions._support import Support, check_parameter, check_value
from scg.errors import BiasedGradientError, DTypeError, OptionError, ShapeError
from scg.noise import Source, as_source
from scg.site import (
    check_estimator,
    check_route,
    coupling_of,
    note_own_score,
    pathwise_site,
    score_site,
)  # fmt: skip

__all__ = ["Distribution", "float_parameters", "repeated"]


def float_parameters(**values: Any) -> dict[str, Tensor]:
    """Return parameters as floating-point tensors of one common dtype (NEP 50)."""
    tensors: dict[str, Tensor] = {}
    raw = []
    for name, value in values.items():
        tensor = tensors[name] = as_tensor(value)
        raw.append(value if type(value) in _WEAK else tensor._data)
    dtype = np.result_type(*raw)
    if dtype.kind not in "biuf":
        raise DTypeError(f"parameters {', '.join(values)} must be real numbers, not {dtype}")
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    for name, tensor in tensors.items():
        if tensor._node is not None and is_past(tensor._node):
            tensor = tensors[name] = Tensor(tensor._data)  # an observation from before an update
        if tensor._data.dtype != dtype:
            tensors[name] = tensor.astype(dtype)
    return tensors


_WEAK = (int, float, bool)  # take the dtype of the others


def repeated(values: Array, shape: Shape) -> Array:
    """Return parameters for each element of a draw: as they are, if they have its shape."""
    return values if values.shape == shape else np.broadcast_to(values, shape)


@lru_cache
def _described(name: str, batch_shape: Shape, event_shape: Shape) -> str:
    parts = [f"batch {batch_shape}"] if batch_shape else []
    parts += [f"event {event_shape}"] if event_shape else []
    return f"{name}({', '.join(parts) or 'scalar'})"


def _noting_own_draws(log_prob: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Mark the score of a draw, so that a surrogate written by hand with it can be recognised."""

    @wraps(log_prob)
    def noting(self: Any, value: Any) -> Tensor:
        result = log_prob(self, value)
        return note_own_score(self, value, result)

    return noting


class Distribution:
    """A family of random variables with tensors as parameters.

    A subclass sets `parameters`, `batch_shape`, `event_shape` and the class attributes below, and
    defines `_noise_to_value` (if reparameterised) or `_draw`, and `log_prob`.

    Attributes
    ----------
    parameters : dict of str to Tensor
        What the log-probability is a function of.
    batch_shape : tuple of int
        Shape of the independent members.
    event_shape : tuple of int
        Shape of one value; `log_prob` sums over it.
    reparameterised : bool
        Whether a value is a differentiable function of parameters and noise.
    continuous : bool
        Whether the values have a density.
    draws_in_support : bool
        Whether its sampler can return nothing else, however it rounds, so that the support of what
        it has just drawn need not be checked by `log_prob`.
    moves_support : frozenset of str
        The parameters that the set of possible values depends on. The score function misses what
        such a parameter lets in or out.
    without_gradient : frozenset of str
        The parameters that cannot be varied by small amounts.
    ends : mapping of str to tuple of float
        Values of parameters at which outcomes are never drawn, although their probability has a
        slope there. The score function misses them.

    Examples
    --------
    >>> import scg
    >>> d = scg.Normal([0.0, 1.0], 2.0)
    >>> isinstance(d, scg.Distribution), d.batch_shape, d.sample(3).shape
    (True, (2,), (3, 2))
    """

    reparameterised: ClassVar[bool] = False
    draws_in_support: ClassVar[bool] = False
    without_gradient: ClassVar[frozenset[str]] = frozenset()
    ends: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType({})
    # Of the class too, unless a distribution is made of others.
    continuous: bool = False
    moves_support: frozenset[str] = frozenset()

    parameters: dict[str, Tensor]
    _drawn: Array | None = None  # last, if in the support
    batch_shape: Shape
    event_shape: Shape = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Let every `log_prob` note when it is asked about a draw of the very same distribution."""
        super().__init_subclass__(**options)
        if "log_prob" in vars(cls):
            cls.log_prob = _noting_own_draws(cls.log_prob)  # type: ignore[method-assign]

    @property
    def name(self) -> str:
        """The name of the family."""
        return type(self).__name__

    @property
    def dtype(self) -> DType:
        """The common dtype of the parameters."""
        return next(iter(self.parameters.values())).dtype

    def _set(self, supports: Mapping[str, Support], **values: Any) -> dict[str, Tensor]:
        """Take the parameters, checked against their supports and of one dtype."""
        self.parameters = float_parameters(**values)
        for name, value in self.parameters.items():
            check_parameter(self.name, name, value, supports[name])
        return self.parameters

    def _broadcast(self, *shapes: Shape) -> Shape:
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            given = ", ".join(f"{k} {v.shape}" for k, v in self.parameters.items())
            raise ShapeError(
                f"scg.{self.name}: parameter shapes {given} do not broadcast"
            ) from None

    def sample(
        self, shape: int | Shape = (), *, estimator: Any = "auto", name: str | None = None,
        rng: Any = None,
    ) -> Tensor:  # fmt: skip
        """Draw values.

        Parameters
        ----------
        shape : int or tuple of int
            How many independent draws of the whole batch.
        estimator : {"auto", "pathwise", "score"} or estimator of scg.estimators
            How the gradient is estimated: through the sampler, by the score function, or for each
            cost in the best of these ways that is right.
        name : str, optional
            Shown in errors and pictures.
        rng : int, numpy.random.Generator or Source, optional
            Where the noise comes from; None means the generator that `scg.seed` seeds.

        Returns
        -------
        Tensor, shape `shape + batch_shape + event_shape`

        Raises
        ------
        BiasedGradientError
            If `estimator="pathwise"` and the family has no differentiable sampler.
        """
        source, sizes = as_source(rng), self._sample_shape(shape)
        options = {"name": name, "coupling": coupling_of(rng, source)}
        if not isinstance(estimator, str):
            drawn: Tensor = check_estimator(estimator).draw(self, source, sizes, options)
            return drawn
        return self._draw(source, sizes, check_route(estimator), estimator, options)

    def _draw(
        self, source: Source, sizes: Shape, route: str, estimator: Any, options: Mapping[str, Any]
    ) -> Tensor:
        """Draw by a route, and record who estimates the gradient."""
        full = sizes + self.batch_shape + self.event_shape
        if route == "pathwise" and not self.reparameterised:
            raise BiasedGradientError(
                f'scg.{self.name} has no differentiable sampler; use estimator="score"'
            )
        if self.reparameterised and route != "score":
            value = self._noise_to_value(source, full)
            return pathwise_site(self, value, estimator=estimator, **options)
        raw = self._raw_value(source, full)
        if self.draws_in_support:
            self._drawn = raw
        return score_site(self, raw, continuous=self.continuous, estimator=estimator, **options)

    def _sample_shape(self, shape: int | Shape) -> Shape:
        if shape.__class__ is tuple and not shape:
            return shape
        sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        if any(not isinstance(n, int | np.integer) or n < 0 for n in sizes):
            raise OptionError(f"scg.{self.name}.sample: shape {shape!r} is not made of sizes >= 0")
        return tuple(int(n) for n in sizes)

    def _noise_to_value(self, source: Source, shape: Shape) -> Tensor:
        """Return a value as a differentiable function of the parameters and of noise."""
        raise OptionError(f"scg.{self.name} is not reparameterised")

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        """Return a value as a plain array."""
        return self._noise_to_value(source, shape)._data

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of a value, event axes summed."""
        raise OptionError(f"scg.{self.name} has no log_prob")

    def prob(self, value: Any) -> Tensor:
        """Return the probability of a value, or its density, event axes multiplied.

        Unlike `exp(log_prob(value))` it has a slope where a probability is exactly 0, for the
        families that are given by `probs`.

        Examples
        --------
        >>> import scg
        >>> p = scg.parameter(0.0)
        >>> scg.Bernoulli(p).prob(1.0).backward()
        >>> float(p.grad)
        1.0
        """
        return ops.exp(self.log_prob(value))

    def _value(self, value: Any, support: Support) -> Tensor:
        """Return a value as a tensor, checked to have a log-probability.

        A Python number or an integer takes the dtype of the parameters, so that `log_prob(1)` of
        float32 parameters stays float32; the support is judged before rounding to that dtype.
        """
        x = as_tensor(value)
        if x._data is not self._drawn:
            check_value(self.name, x, support)
        weak = not isinstance(value, Tensor) and not isinstance(as_array(value), np.ndarray)
        return x.astype(self.dtype) if weak or x._data.dtype.kind != "f" else x

    def _event(self, value: Any, support: Support) -> Tensor:
        """Return a value as `_value` does, its last axes checked to be one event."""
        x = as_tensor(value)
        if x.shape[x.ndim - len(self.event_shape) :] != self.event_shape:
            raise ShapeError(
                f"scg.{self.name}.log_prob: the value has shape {x.shape}, which does not end in "
                f"the event shape {self.event_shape}"
            )
        return self._value(value, support)

    def enumerate_support(self) -> Array:
        """Return every possible value, whether or not it has a positive probability.

        Returns
        -------
        ndarray, shape (K, 1, ..., 1) + event_shape
            One axis of size 1 per batch axis, so that `log_prob` gives shape (K,) + batch_shape.

        Raises
        ------
        OptionError
            If the values are not finitely many, or not the same ones over the batch.

        Examples
        --------
        >>> import scg
        >>> d = scg.Bernoulli([0.2, 0.7])
        >>> scg.exp(d.log_prob(d.enumerate_support()))
        Tensor([[0.8, 0.3],
                [0.2, 0.7]])
        """
        others = ' or "pathwise"' if self.reparameterised else ""
        raise OptionError(
            f"scg.{self.name} has infinitely many values, which cannot be enumerated; draw some, "
            f'with estimator="score"{others}'
        )

    def _over_batch(self, values: Array) -> Array:
        """Give the values of `enumerate_support` their axes of size 1."""
        return values.reshape((len(values), *[1] * len(self.batch_shape), *self.event_shape))

    def entropy(self) -> Tensor:
        """Return the entropy in nats, event axes summed."""
        raise OptionError(f"scg.{self.name} has no entropy in closed form")

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise OptionError(f"scg.{self.name} has no mean in closed form")

    @property
    def variance(self) -> Tensor:
        """The variance, elementwise."""
        raise OptionError(f"scg.{self.name} has no variance in closed form")

    def describe(self) -> str:
        """Return the family and its shapes: `Normal(batch (3,))`, `Normal(scalar)`."""
        return _described(self.name, self.batch_shape, self.event_shape)

    def __repr__(self) -> str:
        shown = {k: v.shape or f"{v._data:.6g}" for k, v in self.parameters.items()}
        inner = ", ".join(f"{k}: {v}" for k, v in shown.items())
        return f"{self.name}({inner})"
