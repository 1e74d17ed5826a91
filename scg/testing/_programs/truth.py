"""The exact gradient of a program, by an interpreter that knows nothing of tensors or graphs.

Every path through the program is followed; its probability and its loss are analytic functions of
the parameters, so the derivative of their finite sum is exact up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg._typing import Array
from scg.testing._programs.rules import CONTINUOUS, Outcome
from scg.testing._programs.syntax import (
    Append,
    Call,
    Cost,
    Episode,
    Expr,
    If,
    Let,
    Name,
    Number,
    Program,
    Repeat,
    Sample,
    Statement,
    Stop,
)
from scg.testing._programs.values import MEANING, aligned, as_value

__all__ = ["Path", "Truth", "truth_of"]

STEP = 1e-30


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the program: its noise, draw by draw, its probability and its loss."""

    noise: tuple[tuple[str, Array], ...]
    probability: float
    loss: float


@dataclass(frozen=True)
class Truth:
    """The gradient for each parameter that is differentiated, and every path."""

    gradient: tuple[Array, ...]
    value: float
    paths: tuple[Path, ...]


def truth_of(program: Program, max_paths: int = 4096) -> Truth:
    """Follow every path of a program."""
    env, slots = _steps(program)
    paths: list[Path] = []
    total: Any = 0.0
    script: list[int] = []
    while True:
        walk = _Walk(dict(env), script)
        walk.run(program.body)
        loss = walk.value(program.result)
        loss = loss.reshape(-1, loss.shape[-1]).sum(axis=0)  # an array stands for its sum
        total = total + walk.probability * loss
        paths.append(Path(tuple(walk.noise), _first(walk.probability), _first(loss)))
        if len(paths) > max_paths:
            raise RuntimeError(f"the program has more than {max_paths} paths")
        script = walk.next()
        if not script:
            break
    derivative = np.broadcast_to(np.asarray(total).imag / STEP, (_count(program),))
    gradient = tuple(derivative[part].reshape(shape) for part, shape in slots)
    return Truth(gradient, _first(np.asarray(total)), tuple(paths))


def _first(x: Array) -> float:
    return float(np.asarray(x).real.flat[0])


def _count(program: Program) -> int:
    return sum(int(np.size(v)) for n, v in program.parameters if n in program.wrt)


def _steps(program: Program) -> tuple[dict[str, Any], list[tuple[slice, tuple[int, ...]]]]:
    """Return the parameters, each element with its imaginary step, and where their steps are."""
    env: dict[str, Any] = {"total": as_value(0.0), "costs": (), "seen": as_value(0.0)}
    slots, begin = [], 0
    for name, given in program.parameters:
        value = as_value(np.asarray(given, float)).astype(complex)
        if name in program.wrt:
            size = value.size
            value = np.repeat(value, _count(program), axis=-1)
            flat = value.reshape(size, -1)
            flat[np.arange(size), begin + np.arange(size)] += 1j * STEP
            value = flat.reshape(value.shape)
            slots.append((slice(begin, begin + size), np.shape(given)))
            begin += size
        env[name] = value
    return env, slots


class _Stopped(Exception):
    """Leaves a loop."""


class _Walk:
    """One path, by a script of choices that is extended with first ones."""

    def __init__(self, env: dict[str, Any], script: Sequence[int]) -> None:
        self.env = env
        self.script = list(script)
        self.sizes: list[int] = []
        self.noise: list[tuple[str, Array]] = []
        self.probability: Any = as_value(1.0)

    def next(self) -> list[int]:
        """Return the script of the next path; empty after the last."""
        script = self.script[: len(self.sizes)]
        while script and script[-1] == self.sizes[len(script) - 1] - 1:
            script.pop()
        if script:
            script[-1] += 1
        return script

    # --- statements ------------------------------------------------------------------------

    def run(self, body: Sequence[Statement]) -> None:
        """Execute statements."""
        for statement in body:
            self._execute(statement)

    def _execute(self, statement: Statement) -> None:
        match statement:
            case Let(name, value):
                self.env[name] = self.value(value)
            case Sample(name):
                self.env[name] = self._draw(statement)
            case Cost(value):
                self.env["total"] = self.env["total"] + self.value(value)
            case Append(value):
                self.env["costs"] = (*self.env["costs"], self.value(value))
            case If(test, body, orelse):
                self.run(body if _first(self.value(test)) else orelse)
            case Repeat(count, body):
                self._repeat(int(_first(self.value(count))), body)
            case Stop(test):
                if _first(self.value(test)):
                    raise _Stopped
            case Episode(body):
                self.run(body)

    def _repeat(self, count: int, body: Sequence[Statement]) -> None:
        try:
            for _ in range(count):
                self.run(body)
        except _Stopped:
            return

    # --- draws -----------------------------------------------------------------------------

    def _draw(self, s: Sample) -> Array:
        given = [self.value(v) for _, v in s.arguments]
        if s.family == "Bernoulli":
            return self._bernoulli(s, given[0])
        if s.family == "Categorical":
            return self._categorical(s, given[0])
        kind, rule = CONTINUOUS[s.family]
        breaks = [self.value(b) for b in s.breaks]
        one, two = (np.broadcast_to(v, (*s.full, v.shape[-1])) for v in given)
        drawn = [
            self._choose(rule(one[i], two[i], [_element(b, s.full, i) for b in breaks]))
            for i in np.ndindex(s.full)
        ]
        return self._note(s, kind, drawn, float)

    def _bernoulli(self, s: Sample, p: Array) -> Array:
        if s.arguments[0][0] == "logits":
            p = MEANING["sigmoid"](p)
        p = np.broadcast_to(p, (*s.full, p.shape[-1]))
        outcomes = [
            [(0.0, as_value(0.0), 1.0 - p[i]), (1.0, as_value(1.0), p[i])]
            for i in np.ndindex(s.full)
        ]
        return self._note(s, "bernoulli", [self._choose(o) for o in outcomes], float)

    def _categorical(self, s: Sample, logits: Array) -> Array:
        p = np.exp(logits)
        p = p / p.sum(axis=-2, keepdims=True)
        p = np.broadcast_to(p, (*s.full, *p.shape[-2:]))
        outcomes = [
            [(k, as_value(float(k)), p[i][k]) for k in range(p.shape[-2])]
            for i in np.ndindex(s.full)
        ]
        return self._note(s, "categorical", [self._choose(o) for o in outcomes], int)

    def _choose(self, outcomes: Sequence[Outcome]) -> Outcome:
        depth = len(self.sizes)
        if depth == len(self.script):
            self.script.append(0)
        self.sizes.append(len(outcomes))
        chosen = outcomes[self.script[depth]]
        self.probability = self.probability * chosen[2]
        return chosen

    def _note(self, s: Sample, kind: str, drawn: Sequence[Outcome], dtype: type) -> Array:
        noise: Array = np.array([n for n, _, _ in drawn], dtype).reshape(s.full)
        self.noise.append((kind, noise))
        value = np.stack(aligned(*[v for _, v, _ in drawn]))
        return value.reshape((*s.full, value.shape[-1]))

    # --- expressions -----------------------------------------------------------------------

    def value(self, expr: Expr) -> Array:
        """Evaluate an expression."""
        if isinstance(expr, Name):
            return np.asarray(self.env[expr.name])
        if isinstance(expr, Number):
            return as_value(expr.value)
        return self._call(expr)

    def _call(self, call: Call) -> Array:
        if call.op in ("total_of", "mean_of", "stacked_mean"):
            costs = self.env["costs"]
            total = sum(costs, as_value(0.0))
            return total if call.op == "total_of" else total / len(costs)
        if call.op == "ternary":
            return self.value(call.args[1 if _first(self.value(call.args[0])) else 2])
        args = [self.value(a) for a in call.args]
        if call.op == "world":
            self.env["seen"] = self.env["seen"] + MEANING["sum"](args[0])
            return np.asarray(np.cos(self.env["seen"]))
        return MEANING[call.op](*args, *call.static)


def _element(b: Array, full: tuple[int, ...], index: tuple[int, ...]) -> Array:
    return np.asarray(np.broadcast_to(b, (*full, b.shape[-1]))[index])
