"""The generators of a step: how another call finds them, and that nobody else draws from them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from scg.errors import TraceError
from scg.noise import default_rng

__all__ = ["Generators"]

Generator = np.random.Generator


class Generators:
    """Those that were asked for noise while a step was traced.

    Attributes
    ----------
    passed : dict of int to Generator
        Those among the arguments of a call, by their number: of the trace, or of a later call.
        The trace has objects of its own that draw from the same bits, so that one that the
        function asks past its arguments is not taken for an argument.
    """

    def __init__(self) -> None:
        self.passed: dict[int, Generator] = {}
        self._own: dict[int, Generator] = {}
        self._first = default_rng()
        self._states: dict[int, str] = {}
        self._captured: list[list[Generator]] = []
        self.drawn(self._first)

    def take(self, number: int, rng: Generator) -> None:
        """Take a generator in as an argument of the call."""
        self.passed[number] = self._own.setdefault(id(rng), type(rng)(rng.bit_generator))
        self.drawn(rng)

    def inside(self, rng: Generator) -> Generator:
        """Return what the function sees of a generator among the arguments."""
        return self._own[id(rng)]

    def find(self, rng: Generator | None) -> Callable[[], Generator]:
        """Return what finds a generator when the step runs again; None is the default one."""
        generator = default_rng() if rng is None else rng
        self._check(generator)
        if rng is None:
            return default_rng
        for number, passed in self.passed.items():
            if passed is rng:
                return lambda: self.passed[number]
        self._refuse_passed(rng)
        holder = next((h for h in self._captured if h[0] is rng), None)
        if holder is None:
            holder = [rng]
            self._captured.append(holder)
        return lambda: holder[0]

    def drawn(self, rng: Generator | None) -> None:
        """Note the state of a generator after a draw that was recorded."""
        if rng is not None:
            self._states[id(rng.bit_generator)] = _state(rng)

    def _refuse_passed(self, rng: Generator) -> None:
        """Refuse a captured generator that an argument asks too, in this call but not in all."""
        if any(rng.bit_generator is p.bit_generator for p in self.passed.values()):
            raise TraceError(
                "scg.jit: a generator that is an argument of the call is used past it too, from an "
                "enclosing scope, an attribute or a static argument; use the argument alone"
            )

    def _check(self, rng: Generator) -> None:
        """Refuse numbers that were drawn in between, which would be the same at every call."""
        if self._states.get(id(rng.bit_generator), _state(rng)) != _state(rng):
            raise TraceError(
                "scg.jit: NumPy drew from a generator inside the function, which would be the same "
                "numbers at every call; draw with a distribution, scg.Normal(0.0, 1.0).sample("
                "rng=rng), or pass the numbers as an argument"
            )

    def finish(self) -> None:
        """Check what can be checked when the function has returned."""
        if default_rng() is not self._first:
            raise TraceError("scg.jit: scg.seed was called inside; call it outside")
        for rng in (self._first, *self.passed.values()):
            self._check(rng)
        for holder in self._captured:
            # It, and what asks: a generator that nobody else knows was made inside.
            if sys.getrefcount(holder[0]) == 2:
                raise TraceError(
                    "scg.jit: a generator was made inside the function, which would start again at "
                    "every call; pass rng= a seed if that is meant, or make it outside"
                )


def _state(rng: Generator) -> str:
    return str(rng.bit_generator.state)
