"""A hypothesis strategy that writes whole random programs.

The writer follows the rules of the library's semantics as a careful user would, and knows when it
breaks one on purpose: then the program says why it has to be refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from scg.testing._programs.control import Control
from scg.testing._programs.pieces import Value, call, number
from scg.testing._programs.rules import PART
from scg.testing._programs.syntax import Append, Call, Expr, Name, Program, Sample

__all__ = ["written"]

T = TypeVar("T")


class _Choices:
    """Choices made by hypothesis one by one, so that programs shrink."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


class _Dice:
    """Choices that are independent of each other, so that programs vary."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


@st.composite
def written(draw: st.DrawFn, shrink: bool) -> Program:
    """Write a program."""
    dice = _Choices(draw) if shrink else _Dice(draw(st.randoms(use_true_random=True)))
    return _Writer(dice).program()


class _Writer(Control):
    """Writes the program as a whole, and what needs care: baselines, and what is to be refused."""

    def program(self) -> Program:
        """Write it all."""
        values = self._parameters()
        if self.listed:
            self.body.append(Append(self.smooth(self.parameter()).expr))
        self._draw_something()
        for _ in range(self.source.integer(2, 5)):
            self._statement()
        if self.chance(6):
            self._forbidden()
        self._cost()
        result = self._result()
        names = tuple(name for name, _ in values)
        left_out = self.pick(names) if self.chance(15) else None
        wrt = tuple([n for n in names if n != left_out])
        because = [why for why, which in self.refusals if not which or which & set(wrt)]
        return Program(values, tuple(self.body), result, wrt, because[0] if because else "")

    def _parameters(self) -> tuple[tuple[str, float | tuple[float, ...]], ...]:
        size = self.pick((2, 2, 3))
        vector = tuple([self.real() for _ in range(size)])
        for name in ("a", "b"):
            self.parameters[name] = Value(Name(name), direct=frozenset({name}))
        self.parameters["w"] = Value(Name("w"), (size,), direct=frozenset({"w"}))
        return (("a", self.real()), ("b", self.real()), ("w", vector))

    def _result(self) -> Expr:
        total: Expr = Name("total")
        if self.listed:
            joined = Call(self.pick(("total_of", "mean_of", "stacked_mean")), ())
            total = Call("add", (total, joined))
        if self.chance(30):
            total = Call("mul", (total, self.weighted(number(0.5)).expr))
        if not self.linear and self.continuous == 0 and self.chance(15):
            total = Call("sin", (total,))
        return total

    # --- statements --------------------------------------------------------------------------

    def _statement(self) -> None:
        kinds = ["draw", "draw", "cost", "branch", "branch", "loop", "loop", "let", "left out"]
        kind = self.pick(kinds if self.listed else [*kinds, "episode"])
        if kind == "draw":
            self._draw_something()
        elif kind == "cost":
            self._cost()
        elif kind == "let":
            self._let()
        elif kind == "branch":
            self._branch()
        elif kind == "loop":
            self._loop()
        elif kind == "episode":
            self._episode()
        else:
            self._leave_one_out()

    # --- baselines ---------------------------------------------------------------------------

    def _leave_one_out(self) -> None:
        """Draw several elements that are each other's baseline, and use them in one cost only."""
        logits = self.affine(vector=self.chance(50))
        lead = not logits.shape or self.chance(30)
        full = (2, *logits.shape) if lead else logits.shape
        size = 1
        for n in full:
            size *= n
        if not self._afford(2, size):
            return
        self.linear = True
        name = self._name("b")
        estimator = "scg.estimators.LeaveOneOut(2)" if lead else (
            "scg.estimators.Score(baseline=scg.estimators.BatchMean(0))"
        )  # fmt: skip
        self._add(Sample(name, "Bernoulli", (("logits", logits.expr),), full, (), estimator))
        value = self.smooth(Value(Name(name), full, random=True))
        others = [v for v in self._random() if not v.shape and not v.noise]
        if others and self.chance(50):
            value = call("mul", value, self.pick(others))
        if self.chance(35):
            self.refusals.append(("a baseline sees its own draw", frozenset()))
            value = self.mixed(value)
        self._emit(value)

    # --- what has to be refused --------------------------------------------------------------

    def _forbidden(self) -> None:
        kind = self.pick(("threshold", "probability", "shift", "told"))
        if kind == "told":
            value = self.affine_of_parameters()
            self.refusals.append(("the outside world sees a parameter", value.direct))
            cost = call("answer", call("stack", value, shape=(1,)), static=(0,))
            self._emit(cost)
        elif self._afford(2 * PART):
            self.continuous += 1
            self._emit(self._noise_against_parameter(kind))

    def _noise_against_parameter(self, kind: str) -> Value:
        """Return a step where noise crosses a parameter: of a draw, or of fixed noise."""
        name, p = self._name("x"), self.affine_of_parameters()
        x = Value(Name(name), random=True, noise=frozenset({name}))
        zero, one = number(0.0), number(1.0)
        if kind == "probability":
            p = call("sigmoid", p)
            family, given, edge = "Uniform", {"low": zero, "high": one}, p
        elif kind == "shift":
            family, given = "Normal", {"loc": zero, "scale": one}
            edge = call("sub", number(0.3), p)
        else:
            family, given, edge = "Normal", {"loc": self.affine_of_parameters(), "scale": one}, p
        arguments = tuple([(k, v.expr) for k, v in given.items()])
        self._add(Sample(name, family, arguments, breaks=(edge.expr,)))
        self.refusals.append(("a parameter is compared with noise", edge.direct))
        if kind == "shift":
            return call("where_above", call("add", x, p), number(0.3), one, self.number())
        return call("where_above", x, edge, one, self.number())
