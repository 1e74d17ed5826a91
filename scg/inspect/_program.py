"""A program that is run many times, at its parameters and near them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from scg._plan import answers
from scg._run import episode, fresh_run
from scg._surrogate.plan import analyse
from scg._tensor import Tensor, as_tensor, parameter
from scg._typing import Array
from scg.autodiff import grad
from scg.inspect._source import CommonSource
from scg.noise import using
from scg.tape import no_grad
from scg.testing._exact import argument_names

__all__ = ["Program", "flat"]

MOST_DIRECTIONS = 3
_ELSEWHERE = 1 << 40  # no run has so large a number


class Program:
    """A loss as a function of parameters and noise.

    Parameters
    ----------
    fn : callable
        Takes the parameters, or nothing if it knows them, and returns a loss.
    params : sequence of Tensor or array_like
        An `scg.parameter` is itself moved and put back; anything else becomes one.
    seed : int
        Of all noise.

    Attributes
    ----------
    leaves : list of Tensor
        The parameters.
    directions : ndarray, shape (k, n)
        Of all n parameter elements together: each by itself if they are few, else random signs.
    enumerated : bool
        Some draw stands for all its outcomes, so the loss is not a plain average over draws.
    scored : bool
        Some draw is scored, so the loss may jump in the parameters under one and the same noise.
    """

    def __init__(self, fn: Callable[..., Any], params: Sequence[Any], seed: int) -> None:
        self._fn = fn
        self.leaves = [_as_leaf(p) for p in params]
        self._names = argument_names(fn, params)
        self.seed = seed
        self._args = self.leaves if _accepts(fn, len(params)) else []
        size = sum(leaf.size for leaf in self.leaves)
        self._single = size <= MOST_DIRECTIONS
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (MOST_DIRECTIONS, size))
        self.directions = np.eye(size) if self._single else signs
        self.enumerated = False
        self.scored = False

    def call(self) -> Tensor:
        """Run the program once with whatever noise there is."""
        return as_tensor(self._fn(*self._args))

    @contextmanager
    def run(self, source: Any) -> Iterator[Tensor]:
        """Run the program once, and keep that run open inside a `with` block."""
        with episode(fresh=True), using(source):
            fresh_run()
            yield self.call()

    def fresh_source(self, run: int, point: int) -> CommonSource:
        """Return noise that no other run and no other point has."""
        return CommonSource(self.seed, _ELSEWHERE + 4 * run + point)

    def source(self, run: int, outcomes: list[Array] | None = None) -> CommonSource:
        """Return the noise of a run."""
        return CommonSource(self.seed, run, outcomes)

    def value(self, source: Any, shift: Array | None = None) -> float:
        """Return the loss, each outcome of an enumerated draw counted by its probability."""
        with self.moved(shift):
            if self.enumerated:
                with self.run(source) as loss:
                    return weighted_value(loss)
            with no_grad(), self.run(source) as loss:
                return float(np.sum(loss._data))

    def gradient(self, loss: Tensor, *, retain: bool = False) -> Array:
        """Return the gradient estimate of a loss, of all parameters together."""
        return flat([g._data for g in grad(loss, self.leaves, retain=retain)])

    def steps(self, wanted: float) -> float:
        """Return the largest step, at most `wanted`, that stays where the program is defined."""
        step = wanted
        for _ in range(8):
            if all(self._is_defined(sign * step * v) for v in self.directions for sign in (-2, 2)):
                return step
            step /= 4
        return 0.0

    def _is_defined(self, shift: Array) -> bool:
        try:
            return bool(np.isfinite(self.value(self.source(0), shift)))
        except (ArithmeticError, ValueError):
            return False

    @contextmanager
    def moved(self, shift: Array | None) -> Iterator[None]:
        """Move the parameters, and put back exactly what was there."""
        if shift is None:
            yield
            return
        before = [leaf._data.copy() for leaf in self.leaves]
        ends = np.cumsum([leaf.size for leaf in self.leaves])[:-1]
        try:
            for leaf, part in zip(self.leaves, np.split(shift, ends), strict=True):
                leaf._data[...] += part.reshape(leaf.shape).astype(leaf.dtype)
            yield
        finally:
            for leaf, old in zip(self.leaves, before, strict=True):
                leaf._data[...] = old

    def name_of(self, direction: int) -> str:
        """Name a direction: an element of a parameter, or a number."""
        if not self._single:
            return f"random direction {direction + 1}"
        for number, leaf in enumerate(self.leaves):
            if direction < leaf.size:
                name = leaf.name or self._names[number]
                index = ", ".join(str(i) for i in np.unravel_index(direction, leaf.shape))
                return f"{name}[{index}]" if index else name
            direction -= leaf.size
        return ""


def _as_leaf(value: Any) -> Tensor:
    if isinstance(value, Tensor) and value.is_parameter:
        return value
    return parameter(value._data if isinstance(value, Tensor) else value)


def _accepts(fn: Callable[..., Any], count: int) -> bool:
    """Tell whether a function takes that many arguments; one that takes none knows them."""
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        try:
            signature.bind()
        except TypeError:
            return True
        return False
    return True


def flat(arrays: Sequence[Array]) -> Array:
    """Return arrays as one long vector of doubles."""
    return np.concatenate([np.asarray(a, np.float64).reshape(-1) for a in arrays])


def weighted_value(loss: Tensor) -> float:
    """Return a loss whose enumerated outcomes count by their probabilities."""
    with answers():
        decided = analyse(loss, np.ones(loss.shape, loss.dtype), None)
    if decided is None:
        return float(np.sum(loss._data))
    pairs = zip(decided.parts.costs, decided.factors, strict=True)
    return float(sum(np.sum(c.terms if f is None else c.terms * f) for c, f in pairs))
