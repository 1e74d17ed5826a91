"""Exact expectations by running a program once for every outcome of its draws.

The noise source answers the first draws of a run from a stack of open choices and opens a new one
for each draw beyond. When a run ends, its outcome goes to the innermost choice, which either names
the next value to try or is finished and hands the sum over all its values to the one below. The
program may draw as often and decide as it likes: it only has to be a function of its draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np

from scg._run import fresh_run
from scg._typing import Array, DType, Shape
from scg.errors import NonFiniteError
from scg.noise import using
from scg.tape import Node
from scg.testing._charts import EXPONENTIAL, NORMAL, UNIFORM, Noise, gamma
from scg.testing._counts import binomial, geometric, poisson
from scg.testing._course import Course, Entry
from scg.testing._limits import ExactnessError, Limits
from scg.testing._quadrature import Outcome, integral

__all__ = ["Replay"]

RARE = 1e-20  # below this probability an outcome is left out
TOLERANCE = 1e-12

# Yields (value, factor of the weight), is sent the outcome, returns the sum.
Choices: TypeAlias = Generator[tuple[Any, float], Outcome, Outcome]


class _TooRare(BaseException):
    """Ends a run all continuations of which are too rare; no program should catch it."""


@dataclass(slots=True)
class _Level:
    """An open choice: what it is of, its values still to try, and the present one."""

    kind: str
    choices: Choices
    value: Any = None
    factor: float = 1.0


class Replay:
    """A noise source that goes through every outcome.

    Attributes
    ----------
    runs : int
        How often a program was run, over all expectations.
    coupled : bool
        False: the elements of a draw are independent.
    left_out : float
        Bound on what outcomes of probability below 1e-20 add to the last expectation, judged by
        their neighbours.
    """

    coupled: ClassVar[bool] = False

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.runs = 0
        self.left_out = 0.0
        self._levels: list[_Level] = []
        self._shape: Shape = ()  # of what the last run returned, and its largest absolute value
        self._size = 0.0
        self._not_finite = ""  # about the first run that came out as NaN or infinite
        self._course = Course()

    # --- the expectation -----------------------------------------------------------------------

    def expectation(self, run: Callable[[], Any]) -> Array:
        """Return the exact expectation of what `run()` returns, an array of one fixed shape.

        Raises
        ------
        ExactnessError
            If the limits do not suffice, or the program is not a function of its draws.
        NonFiniteError
            If a run comes out as NaN or infinite, and not for one value of continuous noise only.
        """
        self._levels, self.left_out, first = [], 0.0, self.runs
        self._shape, self._size, self._not_finite = (), 0.0, ""
        with using(self), self._course.watched(), np.errstate(all="ignore"):
            try:
                outcome = self._finish(self._run(run))
                while outcome is None:
                    if self.runs - first >= self.limits.max_runs:
                        raise ExactnessError(self._too_many_runs())
                    outcome = self._finish(self._run(run))
            finally:
                fresh_run()  # what the last run read decides nothing for the caller
        if not outcome.finite:
            raise NonFiniteError(self._not_finite)
        self._check_left_out(outcome.value)
        return outcome.value.reshape(self._shape)

    def _run(self, run: Callable[[], Any]) -> Outcome:
        self.runs += 1
        self._course.begin()
        fresh_run()
        try:
            value = np.asarray(run(), dtype=np.float64)
        except _TooRare:
            return Outcome(np.zeros(math.prod(self._shape)), self._course.entries)
        if self._course.depth != len(self._levels):
            raise ExactnessError(_NOT_A_FUNCTION)
        outcome = Outcome(value.reshape(-1), self._course.entries)
        self._shape = value.shape
        if outcome.finite:
            self._size = float(np.max(np.abs(value), initial=0.0))
        elif not self._not_finite:
            self._not_finite = f"a run came out as {value}{self._path()}"
        return outcome

    def note_line(self, node: Node) -> None:
        """Note which line made the result: Python may have chosen it without telling."""
        self._course.note(b"%d:%d" % (id(node.code), node.instruction))

    def _finish(self, outcome: Outcome) -> Outcome | None:
        """Hand an outcome down the stack; None as long as there is another value to try."""
        while self._levels:
            level = self._levels[-1]
            try:
                level.value, level.factor = level.choices.send(outcome)
                return None
            except StopIteration as done:
                outcome = done.value
                self._levels.pop()
        return outcome

    # --- choices -------------------------------------------------------------------------------

    def _choose(self, kind: str, begin: Callable[[], Choices]) -> Any:
        """Return the present value of the next choice of this run, opening it if it is new."""
        depth = self._course.depth
        if depth == len(self._levels):
            level = _Level(kind, begin())
            try:
                level.value, level.factor = next(level.choices)
            except StopIteration:
                raise _TooRare from None
            self._levels.append(level)
        level = self._levels[depth]
        if level.kind != kind:
            raise ExactnessError(_NOT_A_FUNCTION)
        self._course.depth += 1
        return level.value

    def _weight(self, *kinds: str) -> float:
        """Return the product of the probabilities or densities of the open choices."""
        return math.prod(v.factor for v in self._levels if not kinds or v.kind in kinds)

    def _discrete(self, values: Iterable[Any], probabilities: Iterable[float]) -> Choices:
        """Go through outcomes that are not too rare."""
        weight, above = self._weight(), self._weight("discrete")
        total: Any = 0.0
        entries: list[Entry] = []
        inner = []
        rare = 0.0
        for value, p in zip(values, probabilities, strict=False):
            if p * above < RARE:
                rare += p
                continue
            outcome = yield value, p
            if not outcome.finite:
                return outcome
            total = total + p * outcome.value
            entries += outcome.entries
            inner.append(outcome.inner)
        self.left_out += rare * weight * self._size
        return Outcome(np.asarray(total), entries, hash(tuple(inner)))

    def _continuous(self, noise: Noise) -> Choices:
        open_ = [level for level in self._levels if level.kind != "discrete"]
        if len(open_) >= self.limits.max_continuous:
            raise ExactnessError(self._too_many_continuous())
        # What is improbable anyway need not be known as well.
        tolerance = TOLERANCE * (0.2 if open_ else 1.0) / math.sqrt(min(1.0, self._weight()))
        return integral(noise, len(self._levels), min(tolerance, 1e-3))

    def _array(self, noise: Noise, shape: Shape, dtype: DType) -> Array:
        count = int(np.prod(shape))
        begin = partial(self._continuous, noise)
        values = [self._choose(noise.name, begin) for _ in range(count)]
        return np.array(values, dtype).reshape(shape)

    # --- what a distribution asks for ------------------------------------------------------------

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        return self._array(NORMAL, shape, dtype)

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        return self._array(UNIFORM, shape, dtype)

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""
        return self._array(EXPONENTIAL, shape, dtype)

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`, elementwise."""
        chosen = [self._one_of((0.0, 1.0), (1.0 - p, p)) for p in probs.reshape(-1).tolist()]
        return np.array(chosen, probs.dtype).reshape(probs.shape)

    def categorical(self, probs: Array) -> Array:
        """Return an index into the last axis of `probs`, int64."""
        rows = probs.reshape(-1, probs.shape[-1])
        chosen = [self._one_of(range(len(p)), (p / p.sum()).tolist()) for p in rows]
        return np.array(chosen, np.int64).reshape(probs.shape[:-1])

    def gamma(self, concentration: Array) -> Array:
        """Return gamma noise of rate 1."""
        sizes = concentration.reshape(-1).tolist()
        values = [self._choose("gamma", partial(self._continuous, gamma(a))) for a in sizes]
        return np.array(values, concentration.dtype).reshape(concentration.shape)

    def poisson(self, rate: Array) -> Array:
        """Return counts with mean `rate`."""
        return self._counts(rate, poisson)

    def binomial(self, count: Array, probs: Array) -> Array:
        """Return how many of `count` trials succeed."""
        return self._counts(probs, binomial, count)

    def geometric(self, probs: Array) -> Array:
        """Return the number of failures before a first success."""
        return self._counts(probs, geometric)

    def _counts(self, like: Array, table: Callable[..., tuple[float, ...]], *more: Array) -> Array:
        """Draw from tables of the probabilities of 0, 1, 2, ..."""
        rows = zip(*[x.reshape(-1).tolist() for x in (*more, like)], strict=True)
        chosen = [self._one_of(range(len(p)), p) for p in (table(*row) for row in rows)]
        return np.array(chosen, like.dtype).reshape(like.shape)

    def _one_of(self, values: Iterable[Any], probabilities: Iterable[float]) -> Any:
        return self._choose("discrete", lambda: self._discrete(values, probabilities))

    # --- refusals --------------------------------------------------------------------------------

    def _path(self) -> str:
        shown = ", ".join(f"{level.kind} {level.value:.6g}" for level in self._levels[:8])
        return f" at noise ({shown})" if shown else ""

    def _too_many_runs(self) -> str:
        kinds = [level.kind for level in self._levels]
        found = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return (
            f"the expectation is not exact after {self.limits.max_runs} runs of the program; the "
            f"run at hand made these scalar draws: {found}. Make fewer draws, or pass a larger "
            "max_runs="
        )

    def _too_many_continuous(self) -> str:
        return (
            f"a run makes more than {self.limits.max_continuous} scalar continuous draws; each "
            "multiplies the runs by 25 to 100. Make fewer or smaller draws, or pass a larger "
            "max_continuous= together with max_runs="
        )

    def _check_left_out(self, value: Array) -> None:
        if self.left_out > 1e-10 * max(1.0, float(np.max(np.abs(value), initial=0.0))):
            raise ExactnessError(
                "outcomes of probability below 1e-20 were left out, but judged by their neighbours "
                f"they may add {self.left_out:.2g} to the expectation; it may not exist"
            )


_NOT_A_FUNCTION = (
    "the program made other draws than in an earlier run with the same noise, so it is not a "
    "function of its draws: take random numbers from scg distributions only, and keep no state "
    "from run to run"
)
