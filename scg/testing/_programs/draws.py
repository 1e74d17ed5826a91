"""The draws of random programs, within a budget of paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from scg.testing._programs.expressions import Expressions, Source
from scg.testing._programs.pieces import Value, call, number, renamed
from scg.testing._programs.rules import PART, WHOLE
from scg.testing._programs.syntax import Let, Name, Sample, Statement

__all__ = ["Draws"]

PATHS, CONTINUOUS = 240, 2  # at most, as far as the writer can tell


class Draws(Expressions):
    """Writes draws into the present block.

    Attributes
    ----------
    body : list of Statement
        The block.
    inside : tuple of str
        What it is in: branch, loop, episode.
    times : int
        How often it may run.
    paths : float
        How many paths the program has by now, at most.
    continuous : int
        How many scalar continuous draws.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.body: list[Statement] = []
        self.inside: tuple[str, ...] = ()
        self.times = 1
        self.paths = 1.0
        self.continuous = 0
        self._used = 0

    def _name(self, letter: str) -> str:
        self._used += 1
        return f"{letter}{self._used}"

    def _add(self, statement: Statement) -> None:
        self.body.append(statement)

    def bound(self, value: Value) -> Value:
        """Give a value a name, so that it may be used twice."""
        name = self._name("v")
        self._add(Let(name, value.expr))
        return renamed(value, name)

    @contextmanager
    def _block(self, kind: str, times: int = 1) -> Iterator[list[Statement]]:
        """Collect statements; what they define is forgotten at the end."""
        outer, scope, inside, before = self.body, self.scope, self.inside, self.times
        self.body, self.scope, self.inside = [], list(scope), (*inside, kind)
        self.times = before * times
        try:
            yield self.body
        finally:
            self.body, self.scope, self.inside, self.times = outer, scope, inside, before

    def _random(self) -> list[Value]:
        """Return what draws reach, what is newest twice."""
        found = [v for v in self.scope if v.random]
        return [*found, *found[-2:]]

    def _afford(self, outcomes: int, count: int = 1) -> bool:
        """Tell whether so many more draws leave few enough paths, and if so note them."""
        more = float(outcomes) ** (count * self.times)
        if self.paths * more > PATHS:
            return False
        self.paths *= more
        return True

    def _draw_something(self) -> None:
        kinds = ["bernoulli", "bernoulli", "batch", "batch", "categorical"]
        if self.continuous < CONTINUOUS and self.times == 1:
            kinds += ["normal", "normal", "uniform", "uniform"]
        kind = self.pick(kinds)
        if kind == "normal":
            self._normal()
        elif kind == "uniform":
            self._uniform()
        elif kind == "categorical":
            self._categorical()
        else:
            self._bernoulli(batch=kind == "batch")

    def _sampled(self, sample: Sample, value: Value) -> Value:
        self._add(sample)
        found = replace(value, expr=Name(sample.name), shape=sample.full, random=True)
        self.scope.append(found)
        return found

    def _scored(self) -> str | None:
        return self.pick((None, None, '"score"', "scg.estimators.Score(baseline=0.3)"))

    def _bernoulli(self, *, batch: bool) -> None:
        vector = batch and self.chance(60)
        logits = self.affine(vector=vector)
        shape = (2,) if batch and not vector else ()
        full = (*shape, *logits.shape)
        if not self._afford(2, full[0] if full else 1):
            return
        given = ("logits", logits.expr)
        if self.chance(30):
            given = ("probs", call("sigmoid", logits).expr)
        name = self._name("b")
        sample = Sample(name, "Bernoulli", (given,), full, shape, self._scored())
        self._sampled(sample, Value(Name(name), levels=0 if full else 2))

    def _categorical(self) -> None:
        shape = (2,) if self.chance(25) else ()
        if not self._afford(3, 2 if shape else 1):
            return
        logits = call("stack", self.affine(), self.affine(), self.number(), shape=(3,))
        name = self._name("k")
        given = (("logits", logits.expr),)
        sample = Sample(name, "Categorical", given, shape, shape, self._scored())
        self._sampled(sample, Value(Name(name), levels=0 if shape else 3))

    def _normal(self) -> None:
        vector = self.parameters["w"].shape == (2,) and self.continuous == 0 and self.chance(15)
        loc = self.affine(vector=vector)
        wide = self.chance(50)
        breaks = self._breaks(wide=wide, scalar=not vector)
        nodes = (len(breaks) + 1) * PART if breaks else WHOLE
        if not self._afford(nodes, 2 if vector else 1):
            return
        self.continuous += 2 if vector else 1
        scale = number(1.0 if wide else 0.5)
        if self.chance(35) and not wide:
            scale = self.scaled(call("exp", self.scaled(self.parameter(), 0.2)), 0.5)
        estimator = self.pick((None, None, None, '"score"', '"pathwise"'))
        pinned = (("an explicit pathwise draw meets a jump", frozenset[str]()),)
        name = self._name("x")
        sample = Sample(
            name, "Normal", (("loc", loc.expr), ("scale", scale.expr)), loc.shape, (), estimator,
            tuple([b.expr for b in breaks]),
        )  # fmt: skip
        self._sampled(sample, Value(
            Name(name), noise=frozenset({name}) | loc.noise, breaks=breaks,
            pinned=pinned if estimator == '"pathwise"' else (),
        ))  # fmt: skip

    def _breaks(self, *, wide: bool, scalar: bool) -> tuple[Value, ...]:
        """Choose where the program may jump in a draw: at a number, or at an earlier draw.

        A draw compared with an earlier one is wide, or the integral over the earlier is not smooth.
        """
        earlier = [v for v in self.scope if v.breaks and not v.shape and not v.breaks[0].noise]
        if wide and scalar and earlier and self.chance(40):
            return (replace(earlier[-1], breaks=()),)
        return (number(self.source.integer(-5, 5) / 10 + 0.02),) if self.chance(95) else ()

    def _uniform(self) -> None:
        fixed = self.chance(35)
        low = self.number() if fixed else self.affine()
        # A jump in a draw whose support moves has to be refused: not in too many programs.
        jumps = not low.direct or self.chance(40)
        breaks = self._breaks(wide=False, scalar=False) if jumps else ()
        if not self._afford((len(breaks) + 1) * PART):
            return
        self.continuous += 1
        why = "the support moves under a score function"
        high = call("add", low, number(1.5), gentle=True)
        name = self._name("u")
        sample = Sample(name, "Uniform", (("low", low.expr), ("high", high.expr)),
                        breaks=tuple([b.expr for b in breaks]))  # fmt: skip
        self._sampled(sample, Value(
            Name(name), noise=frozenset({name}) | low.noise, breaks=breaks,
            pinned=((why, low.direct),) if low.direct else (),
        ))  # fmt: skip
