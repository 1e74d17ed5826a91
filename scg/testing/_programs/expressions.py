"""Expressions of random programs: smooth, jumpy, mixed along axes, reduced in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from scg.testing._programs.pieces import Value, call, number

__all__ = ["Expressions", "Source"]

T = TypeVar("T")


class Source(Protocol):
    """Where choices come from: hypothesis."""

    def pick(self, options: Sequence[T]) -> T:
        """Return one of some options."""

    def integer(self, low: int, high: int) -> int:
        """Return a whole number between two, ends included."""


class Expressions:
    """Makes expressions from parameters and from what is in scope.

    Attributes
    ----------
    scope : list of Value
        The variables that may be used.
    parameters : dict of str to Value
    refusals : list of (str, frozenset of str)
        What was written that has no unbiased gradient, and the parameters that it matters for.
    noise_read : bool
        Python has seen a raw continuous draw, so any later jump in a parameter is suspect.
    told : frozenset of str
        The continuous draws that the outside world was told of.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.scope: list[Value] = []
        self.parameters: dict[str, Value] = {}
        self.refusals: list[tuple[str, frozenset[str]]] = []
        self.noise_read = False
        self.told: frozenset[str] = frozenset()

    # --- choices ---------------------------------------------------------------------------

    def pick(self, options: Sequence[T]) -> T:
        """Return one of some options."""
        return self.source.pick(options)

    def chance(self, percent: int) -> bool:
        """Return True with a chance; a shrunk program has False."""
        return self.source.integer(0, 99) >= 100 - percent

    def real(self) -> float:
        """Return a constant between -1.2 and 1.2 that is not 0."""
        return self.source.integer(2, 12) / 10 * self.pick((1, -1))

    def number(self) -> Value:
        """Return a constant expression."""
        return number(self.real())

    def bound(self, value: Value) -> Value:
        """Return a variable for a value that is used twice."""
        raise NotImplementedError

    # --- smooth ----------------------------------------------------------------------------

    def parameter(self, *, scalar: bool = True) -> Value:
        """Return a parameter, or an element of one."""
        found = self.pick(tuple(self.parameters.values()))
        if scalar and found.shape:
            at = self.source.integer(0, found.shape[0] - 1)
            return call("index", found, static=(at,), shape=(), gentle=True)
        return found

    def scaled(self, value: Value, factor: float | None = None) -> Value:
        """Return a multiple."""
        by = number(self.real() if factor is None else factor)
        return call("mul", by, value, gentle=True, degree=value.degree)

    def affine(self, *, vector: bool = False) -> Value:
        """Return what parameters of a distribution are made of."""
        base = self.parameters["w"] if vector else self.parameter()
        total = call("add", self.scaled(base), self.number(), gentle=True)
        known = [v for v in self.scope if v.gentle and v.degree == 1 and v.random and not v.shape]
        if known and self.chance(55):
            chosen = self.pick(known[-4:])
            # Steep in noise, a sigmoid is too close to its pole to be integrated.
            slope = self.pick((0.3, -0.3)) if chosen.noise else None
            total = call("add", total, self.scaled(chosen, slope), gentle=True)
        return total

    def smooth(self, value: Value) -> Value:
        """Return a smooth function."""
        forms = ["scaled", "square", "times"]
        if value.gentle:
            forms += ["sin", "cos", "exp", "sigmoid"]
        form = self.pick(forms)
        if form == "scaled" or (value.degree > 2 and form in ("square", "times")):
            return call("add", self.scaled(value), self.number(), gentle=True)
        if form == "square":
            return call("square", value, degree=2 * value.degree)
        if form == "times":
            return call("mul", value, self.affine_of_parameters(), gentle=True)
        if form in ("exp", "sigmoid"):
            return call(form, self.scaled(value, 0.4), degree=2 if form == "exp" else 1)
        return call(form, value, degree=1)

    def affine_of_parameters(self) -> Value:
        """Return an expression that no draw reaches."""
        return call("add", self.scaled(self.parameter()), self.number(), gentle=True)

    # --- jumps -----------------------------------------------------------------------------

    def crossed(self, *values: Value) -> None:
        """Note a step that no derivative passes, on some values."""
        for value in values:
            self.refusals.extend(value.pinned)
            if value.noise and value.direct:
                self.refusals.append(("noise meets a parameter in a jump", value.direct))

    def threshold(self, x: Value) -> Value:
        """Return a place where a draw may be cut, as a jump in both."""
        t = self.pick(x.breaks)
        self.crossed(x, t)
        if t.direct:
            self.refusals.append(("a parameter is compared with noise", t.direct))
        return t

    def jump(self, x: Value) -> Value:
        """Return a function of a continuous draw that jumps."""
        t = self.threshold(x)
        form = self.pick(("where", "sign", "floor", "argmax", "step"))
        if form == "sign":
            return call("sign", call("sub", x, t, gentle=True), degree=0)
        if form == "floor":
            return call("floor_sigmoid", x, t, degree=0)
        if form == "argmax" and not x.shape:
            return call("choose_larger", x, t, self.number(), self.affine_of_parameters())
        low, high = (number(0.0), number(1.0)) if form == "step" else (self.number(), self.affine())
        return call("where_above", x, t, high, low)

    def kink(self, x: Value) -> Value:
        """Return a function of a continuous draw that bends."""
        t = self.pick(x.breaks)
        form = self.pick(("abs", "relu", "maximum"))
        if form == "maximum":
            return call("maximum", x, t)
        return call(form, call("sub", x, t, gentle=True))

    def of(self, value: Value) -> Value:
        """Return any function of a value."""
        if value.breaks and self.chance(70):
            usable = value.breaks[0].direct or self.chance(65)
            return self.jump(value) if usable else self.kink(value)
        if not value.noise and self.chance(20) and not (self.noise_read and value.direct):
            shifted = call("add", self.scaled(value, 1.7), number(0.037))
            return call("floor", shifted, degree=1)
        if value.levels and self.chance(35):
            return self.table(value)
        if not value.direct and value.random and value.degree > 0 and self.chance(12):
            return self.opaque(value)
        return self.smooth(value)

    def table(self, k: Value) -> Value:
        """Return an entry that a discrete draw chooses, in Python or as an index."""
        entries = [self.of_parameters() for _ in range(k.levels)]
        if k.levels == 2 and self.chance(50):
            return call("ternary", k, *entries[::-1])
        # A Bernoulli draw is a floating-point number, which is no index.
        gathers = k.levels > 2 and self.chance(50)
        return call("gather" if gathers else "pick", k, *entries, shape=())

    def of_parameters(self) -> Value:
        """Return a constant or a smooth function of parameters."""
        return self.number() if self.chance(30) else self.smooth(self.parameter())

    def opaque(self, value: Value) -> Value:
        """Return what the outside world answers, or a detached value."""
        self.crossed(value)
        forms = ["detach", *["world"] * value.gentle, *["answer"] * bool(value.shape)]
        form = self.pick(forms)
        if form == "detach":
            return call("detach", value, gentle=True)
        if form == "answer":
            return call("answer", value, static=(0,), degree=2 * value.degree)
        self.noise_read |= bool(value.noise)
        self.told |= value.noise
        answer = call("world", value, shape=(), degree=0)
        return replace(answer, noise=self.told, gentle=not self.told, random=True)

    # --- costs -----------------------------------------------------------------------------

    def mixed(self, value: Value) -> Value:
        """Return a vector some elements of which depend on several of a vector."""
        form = self.pick(("flip", "roll", "cumsum", "slices", "square_of_mean"))
        value = self.bound(value)
        if form == "slices":
            n = value.shape[0]
            ends = [call("slice", value, static=s, shape=(n - 1, *value.shape[1:]))
                    for s in ((1, n), (0, n - 1))]  # fmt: skip
            return call("mul", *ends, degree=2 * value.degree)
        if form == "square_of_mean":
            mean = call("mean", value, shape=(), gentle=True)
            return call("mul", value, mean, degree=2 * value.degree)
        other = call(form, value, gentle=True)
        return other if form == "cumsum" else call("mul", value, other, degree=2 * value.degree)

    def reduced(self, value: Value) -> Value:
        """Return the sum, the mean, or some other linear function to a scalar."""
        if not value.shape:
            return value
        forms = ["sum", "mean", "parts", "flat", "join"]
        if len(value.shape) > 1:
            forms += ["sum_axis", "mean_axis"]
        form = self.pick(forms)
        if form in ("sum", "mean"):
            return call(form, value, shape=(), gentle=True)
        if form in ("sum_axis", "mean_axis"):
            inner = call(form, value, static=(0,), shape=value.shape[1:], gentle=True)
            return self.reduced(inner)
        if form == "flat":
            return self._of_flat(value)
        if form == "join":
            extra = call("stack", self.number(), self.affine_of_parameters(), shape=(2,))
            return call("mean", call("join", value, extra, shape=()), shape=())
        n, value = value.shape[0], self.bound(value)
        first = call("index", value, static=(0,), shape=value.shape[1:], gentle=True)
        rest = call("slice", value, static=(1, n), shape=(n - 1, *value.shape[1:]), gentle=True)
        parts = self.reduced(first), self.scaled(call("sum", rest, shape=(), gentle=True))
        return call("add", *parts, gentle=True)

    def _of_flat(self, value: Value) -> Value:
        size = 1
        for n in value.shape:
            size *= n
        flat = call("reshape", value, static=((size,),), shape=(size,), gentle=True)
        weights = call("stack", *[self.number() for _ in range(size)], shape=(size,))
        return call("sum", call("mul", flat, weights, gentle=True), shape=(), gentle=True)

    def cost(self, chosen: Sequence[Value]) -> Value:
        """Return a scalar cost of some values; marks are up to the caller."""
        total = self.of(chosen[0])
        for other in chosen[1:]:
            factor = self.of(other)
            if total.shape and factor.shape not in ((), total.shape):
                factor = self.reduced(factor)
            op = "mul" if total.degree + factor.degree <= 4 and self.chance(60) else "add"
            total = call(op, total, factor, degree=total.degree + factor.degree)
        if total.shape and self.chance(35):
            total = self.mixed(total)
        return total

    def weighted(self, value: Value) -> Value:
        """Return a cost times a coefficient, which may depend on a parameter."""
        if self.chance(40):
            return value
        by = self.affine_of_parameters() if self.chance(60) else self.number()
        return call("mul", *self.pick(((by, value), (value, by))), gentle=True)
