"""Costs and control flow of random programs."""

from __future__ import annotations

from dataclasses import replace

from scg.testing._programs.draws import Draws
from scg.testing._programs.expressions import Source
from scg.testing._programs.pieces import Value, call, number, renamed
from scg.testing._programs.syntax import (
    Append,
    Call,
    Cost,
    Episode,
    Expr,
    If,
    Let,
    Name,
    Repeat,
    Sample,
    Statement,
    Stop,
)

__all__ = ["Control"]


class Control(Draws):
    """Writes costs, branches, loops and episodes.

    Attributes
    ----------
    listed : bool
        Costs are put into a list instead of being added up.
    linear : bool
        The loss has to be linear in its costs, because one was marked or elements are kept apart.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.listed = self.chance(25)
        self.linear = False

    def _cost(self) -> None:
        found = self._random()
        if not found:
            self._emit(self.weighted(self.smooth(self.parameter())))
            return
        count = self.source.integer(1, 2)
        self._emit(self.cost([self.pick(found) for _ in range(count)]))

    def _emit(self, cost: Value) -> None:
        """Add a cost, marked or not, reduced and weighted."""
        marks = bool(cost.random) and (self.chance(25) or "episode" in self.inside)
        reduced_first = self.chance(50)
        value = self.reduced(cost) if reduced_first else cost
        if marks:
            value = call("cost", value, gentle=True)
            self.linear = True
        value = self.weighted(value)
        value = value if reduced_first else self.reduced(value)
        listed = self.listed and "episode" not in self.inside
        self._add(Append(value.expr) if listed else Cost(value.expr))

    def _let(self) -> None:
        found = self._random()
        if not found:
            return
        value = self.of(self.pick(found))
        plain = not value.direct and value.random and self.chance(35)
        if plain:
            self.crossed(value)
        name = self._name("v")
        self._add(Let(name, value.expr, no_grad=plain))
        self.scope.append(renamed(value, name))

    # --- control -----------------------------------------------------------------------------

    def _test(self) -> tuple[Expr, Value] | None:
        """Return something that Python can decide by."""
        found = [v for v in self.scope if (v.levels or v.breaks) and not v.shape]
        if not found:
            return None
        chosen = self.pick(found)
        if chosen.breaks:
            return call("above", chosen, self.threshold(chosen)).expr, chosen
        if chosen.levels == 2 and self.chance(70):
            return chosen.expr, chosen
        return call("above", chosen, number(0.5)).expr, chosen

    def _branch(self) -> None:
        test = self._test()
        if test is None:
            return
        name = self._name("c") if self.chance(60) else None
        arms = [self._arm(name), self._arm(name) if name or self.chance(50) else ((), None)]
        self._add(If(test[0], arms[0][0], arms[1][0]))
        ends = [end for _, end in arms if end is not None]
        if name and "episode" not in self.inside:
            chosen = call("add", test[1], *ends, shape=())
            self.scope.append(replace(renamed(chosen, name), random=True, gentle=not chosen.noise))

    def _arm(self, name: str | None) -> tuple[tuple[Statement, ...], Value | None]:
        with self._block("branch") as body:
            for _ in range(self.source.integer(0 if name else 1, 1)):
                self._nested()
            if name is None:
                return tuple(body), None
            found = [v for v in self._random() if not v.shape]
            value = self.of(self.pick(found)) if found and self.chance(40) else self.of_parameters()
            body.append(Let(name, value.expr))
            return tuple(body), value

    def _nested(self) -> None:
        """Write a statement in a block: a cost, a draw and its cost, or a smaller block."""
        kind = self.pick(("cost", "cost", "draw", "draw", "branch", "scale"))
        if kind == "branch" and len(self.inside) < 3:
            self._branch()
        elif kind == "scale" and "episode" not in self.inside:
            self._add(Let("total", Call("mul", (self.number().expr, Name("total")))))
        elif kind != "cost":
            self._draw_something()
        self._cost()

    def _loop(self) -> None:
        counts = [v for v in self.scope if v.levels and not v.shape]
        drawn = bool(counts) and self.chance(70)
        count = self.pick(counts) if drawn else number(2.0)
        times = count.levels - 1 if drawn else 2
        chain = self._name("s") if "episode" not in self.inside else None
        if chain:
            self._add(Let(chain, self.of_parameters().expr))
        link = Value(Name(chain or ""), random=True)
        with self._block("loop", times) as body:
            before = len(self.scope)
            if self.chance(85):
                self._draw_something()
            if chain:
                link = self._link(chain)
            self._cost()
            fresh = [v for v in self.scope[before:] if v.levels == 2]
            if fresh and self.chance(85):
                self._add(Stop(fresh[-1].expr))
        self._add(Repeat(count.expr, tuple(body)))
        if chain:
            self.scope.append(link)

    def _link(self, chain: str) -> Value:
        """Write `chain = chain / 2 + something`."""
        found = [v for v in self._random() if not v.shape]
        step = self.of(self.pick(found)) if found else self.affine_of_parameters()
        everything = frozenset(self.parameters)
        value = call("add", self.scaled(Value(Name(chain), direct=everything), 0.5), step)
        self._add(Let(chain, value.expr))
        known = replace(renamed(value, chain), random=True, gentle=not value.noise)
        self.scope.append(known)
        return known

    def _episode(self) -> None:
        with self._block("episode") as body:
            self._draw_something()
            self._cost()
            if self.chance(50):
                self._branch()
            drawn = {s.name for s in body if isinstance(s, Sample)}
            kept = [v for v in self.scope if isinstance(v.expr, Name) and v.expr.name in drawn]
        self._add(Episode(tuple(body)))
        self.scope.extend(kept)
