"""The expectation of `scg.grad` of a program, by running its source along every path."""

from __future__ import annotations

import itertools
import linecache
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import numpy as np

import scg
from scg._run import fresh_run
from scg._tensor import as_tensor, parameter
from scg._typing import Array, DType, Shape
from scg.autodiff import grad
from scg.errors import EscapeWarning, GradientError
from scg.noise import Source, using
from scg.testing._programs.syntax import Program
from scg.testing._programs.truth import Path

__all__ = ["compiled", "expected_gradient"]

_numbers = itertools.count()


class World:
    """An outside world that remembers all it was told."""

    def __init__(self) -> None:
        self.seen = 0.0

    def step(self, v: Array) -> float:
        """Return a reward that depends on the sum of all arguments so far."""
        self.seen += float(np.sum(v))
        return float(np.cos(self.seen))


def compiled(program: Program) -> Callable[..., Any]:
    """Return a program as a Python function; errors in it quote its lines."""
    source = str(program)
    file = f"<program {next(_numbers)}>"
    namespace: dict[str, Any] = {"scg": scg, "np": np}
    exec(compile(source, file, "exec"), namespace)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    run = namespace["program"]

    def afresh(*parameters: Any) -> Any:
        namespace["world"] = World()
        return run(*parameters)

    return afresh


class Script:
    """A source of noise that hands out what a path prescribes."""

    coupled: ClassVar[bool] = False

    def __init__(self, noise: Sequence[tuple[str, Array]]) -> None:
        self._left = list(noise)[::-1]

    def _next(self, kind: str, shape: Shape, dtype: DType | type) -> Array:
        if not self._left or self._left[-1][0] != kind or self._left[-1][1].shape != shape:
            expected = f"{self._left[-1][0]} {self._left[-1][1].shape}" if self._left else "nothing"
            raise AssertionError(f"the program drew {kind} {shape} where {expected} was expected")
        return self._left.pop()[1].astype(dtype)

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        return self._next("normal", shape, dtype)

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        return self._next("uniform", shape, dtype)

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1."""
        return self._next("bernoulli", probs.shape, probs.dtype)

    def categorical(self, probs: Array) -> Array:
        """Return indices."""
        return self._next("categorical", probs.shape[:-1], np.int64)

    def finish(self) -> None:
        """Check that everything was drawn."""
        if self._left:
            raise AssertionError(f"the program made {len(self._left)} draws less than expected")


def expected_gradient(program: Program, paths: Sequence[Path]) -> tuple[list[Array], list[Array]]:
    """Return the expectation of the estimate, and of its absolute value, for each parameter."""
    run = compiled(program)
    values = [v for name, v in program.parameters if name in program.wrt]
    mean, size = ([np.zeros(np.shape(v)) for v in values] for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EscapeWarning)
        for path in paths:
            for m, s, g in zip(mean, size, _gradient(program, run, path), strict=True):
                m += path.probability * g
                s += path.probability * np.abs(g)
    return mean, size


def _gradient(program: Program, run: Callable[..., Any], path: Path) -> list[Array]:
    fresh_run()
    leaves = {name: parameter(np.asarray(v, float), name=name) for name, v in program.parameters}
    script = Script(path.noise)
    with using(cast(Source, script)):  # programs draw nothing else
        loss = as_tensor(run(*leaves.values()))
    script.finish()
    if not np.isclose(loss._data.sum(), path.loss, rtol=1e-9, atol=1e-9):
        raise AssertionError(f"the loss is {loss._data.sum()!r}, but should be {path.loss!r}")
    asked = [leaves[name] for name in program.wrt]
    try:
        return [g._data for g in grad(loss, asked)]
    except GradientError as error:
        if not str(error).startswith("nothing trainable"):
            raise
        return [np.zeros(leaf.shape) for leaf in asked]
