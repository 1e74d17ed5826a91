"""The noise of a step that is traced: drawn as always, and written down how to draw it again.

What takes one kind of noise and arithmetic is written down as that; what rejects, as a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._op import OPS
from scg._recording import Recorder, paused
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.noise._source import GeneratorSource

__all__ = ["HostedSource", "RecordedSource"]

_DOUBLE = np.dtype(np.float64)


class RecordedSource(GeneratorSource):
    """A generator's noise, each kind of which a recorder is told of.

    Parameters
    ----------
    generator : numpy.random.Generator
        What is asked.
    rng : None, int or numpy.random.Generator
        How the user named it: another call may have to ask another one.
    here : Recorder
    """

    def __init__(self, generator: np.random.Generator, rng: Any, here: Recorder) -> None:
        super().__init__(generator)
        self._here = here
        # Of a seed the same numbers come at every call: they are constants.
        self._fixed = isinstance(rng, int | np.integer)
        self._generator = None if self._fixed else here.generator(rng)

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        return self._noted("normal", super().normal(shape, dtype))

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        return self._noted("uniform", super().uniform(shape, dtype))

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""
        return self._noted("exponential", super().exponential(shape, dtype))

    def _noted(self, kind: str, y: Array) -> Array:
        if self._generator is not None:
            self._here.noise(kind, self._generator, self.rng, y)
        return y

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`."""
        hit = Tensor(self.uniform(probs.shape, probs.dtype)) < Tensor(probs)
        return hit.astype(probs.dtype)._data

    def categorical(self, probs: Array) -> Array:
        """Return indices by inverting the cumulative sum along the last axis."""
        total = OPS["cumsum"].public(Tensor(probs).astype(_DOUBLE), axis=-1)
        u = Tensor(self.uniform(probs.shape[:-1], _DOUBLE))
        hit = u.reshape((*probs.shape[:-1], 1)) * total[..., -1:] >= total
        index: Tensor = hit.astype(np.int64).sum(axis=-1)
        return index._data

    def geometric(self, probs: Array) -> Array:
        """Return the integer part of an exponential variable with that chance of being below 1."""
        rate = -OPS["log1p"].public(-Tensor(probs).astype(_DOUBLE))
        count = OPS["floor"].public(Tensor(self.exponential(probs.shape, _DOUBLE)) / rate)
        return count.astype(probs.dtype)._data  # type: ignore[no-any-return]

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1."""
        return self._called("gamma", GeneratorSource.gamma, concentration)

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`."""
        return self._called("poisson", GeneratorSource.poisson, rate)

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed."""
        return self._called("binomial", GeneratorSource.binomial, count, probs)

    def _called(self, name: str, sampler: Callable[..., Array], *inputs: Array) -> Array:
        generator = self._generator or _from_here(self.rng)
        y = sampler(GeneratorSource(self.rng), *inputs)

        def call(*arrays: Array) -> tuple[Array, ...]:
            return (sampler(GeneratorSource(generator()), *arrays),)

        self._here.host(name, call, inputs, (y,), rng=self.rng)
        return y


class HostedSource:
    """A source of the user's own, which each call of a compiled step asks again.

    Parameters
    ----------
    source : Source
    here : Recorder
    """

    def __init__(self, source: Any, here: Recorder) -> None:
        self.coupled = source.coupled
        self._source, self._here = source, here

    def __getattr__(self, kind: str) -> Callable[..., Array]:
        method = getattr(self._source, kind)
        if kind in _OF_SHAPES:
            return lambda shape, dtype: self._asked(kind, lambda: method(shape, dtype))
        return lambda *inputs: self._asked(kind, method, *inputs)

    def _asked(self, kind: str, method: Callable[..., Array], *inputs: Array) -> Array:
        with paused():
            y = np.array(method(*inputs))
        self._here.host(kind, lambda *arrays: (np.asarray(method(*arrays)),), inputs, (y,))
        return y


_OF_SHAPES = ("normal", "uniform", "exponential")


def _from_here(rng: np.random.Generator) -> Callable[[], np.random.Generator]:
    """Return what makes generators that go on as this one would."""
    state, kind = rng.bit_generator.state, type(rng.bit_generator)

    def generator() -> np.random.Generator:
        again = np.random.Generator(kind())
        again.bit_generator.state = state
        return again

    return generator
