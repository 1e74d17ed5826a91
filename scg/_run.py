"""Runs, draws and escapes: what the engine remembers about one execution of a random program.

A run is everything since the last parameter update (`optimizer.step`, `zero_grad`). Its draws are
weighted into the surrogate even when no edge leads from them to the loss, because Python may have
read them and decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from types import CodeType
from typing import Any

__all__ = [
    "PAST", "Draw", "Escape", "Place", "Run", "current_run", "end_run", "fresh_run",
    "gradients_cleared", "merge",
    "order",
]  # fmt: skip

order = count()  # of nodes; it tells which of them were made while a run went on


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the user's source: a code object and an instruction in it.

    Only the code object is held, never the frame, which would keep the user's locals alive.
    """

    code: CodeType
    instruction: int

    @property
    def line(self) -> int:
        """Return the line number, looked up only when somebody asks."""
        positions = list(self.code.co_positions())
        index = self.instruction // 2
        line = positions[index][0] if 0 <= index < len(positions) else None
        return line if line is not None else self.code.co_firstlineno

    def __str__(self) -> str:
        return f"{self.code.co_filename}:{self.line}"


@dataclass(frozen=True, slots=True)
class Escape:
    """A raw value that left the graph: how (`bool`, `float`, ...) and where."""

    kind: str
    place: Place | None
    draw: Draw


@dataclass(slots=True, eq=False)
class Run:
    """One execution of the random program: its score-function draws and its escapes.

    Attributes
    ----------
    draws : list
        The score-function sites of this run whose parameters a trainable parameter reaches.
    escapes : list of Escape
        The first raw read whose consequences no unbiased gradient can follow, if there was one.
    evaluations : list of Escape
        The same for what was drawn under no_grad before all else; `zero_grad` forgets it.
    more_escapes : int
        How many followed; only counted, or a program that never updates would pile them up.
    noise_read : Escape or None
        A raw read of continuous noise that no parameter reaches: harmless, unless a jump in a
        parameter follows, which may be a comparison with that number.
    begin, end : int
        Orders of the nodes between which Python could act on a draw or an escape.
    pending : bool
        Something was drawn or read since the last backward.
    ended : bool
        `optimizer.step` or `zero_grad` closed it.
    updates : int
        How many updates of parameters there had been when it began.
    before : Run or None
        The last run before this one with draws or escapes: a loss may have been formed in it.
    forgotten : tuple of int, or None
        Orders of nodes between which earlier such runs lie, which are not kept.
    """

    draws: list[Any] = field(default_factory=list)
    escapes: list[Escape] = field(default_factory=list)
    evaluations: list[Escape] = field(default_factory=list)
    more_escapes: int = 0
    noise_read: Escape | None = None
    begin: int | None = None
    end: int = 0
    pending: bool = False
    ended: bool = False
    updates: int = 0
    before: Run | None = None
    forgotten: tuple[int, int] | None = None

    @property
    def updated(self) -> bool:
        """Whether it ended and parameters were changed since it began."""
        return self.ended and self.updates != _updates[0]

    def add_draw(self, site: Any) -> None:
        """Note a draw whose score weights every loss of this run."""
        self.draws.append(site)
        self._begin(pending=True)

    def add_escape(self, escape: Escape) -> None:
        """Note a raw read that refuses every loss of this run."""
        # What was drawn under no_grad is an evaluation, unless the program has begun.
        program = self.pending or escape.draw.recorded
        kept = self.escapes if program else self.evaluations
        if kept:
            self.more_escapes += 1
        else:
            kept.append(escape)
        self._begin(pending=program)

    def _begin(self, pending: bool) -> None:
        self.pending |= pending
        if self.begin is None:
            self.begin = next(order)

    def successor(self) -> Run:
        """Return the run that follows this one, which keeps sight of the last with draws only.

        Keeping more would keep every graph of a training loop alive.
        """
        if self.begin is None:
            return Run(updates=_updates[0], before=self.before, forgotten=self.forgotten)
        self.end = next(order)
        forgotten, before = self.forgotten, self.before
        if before is not None:
            first = before.begin if forgotten is None else forgotten[0]
            forgotten = (first or 0, before.end)
        self.before = None
        return Run(updates=_updates[0], before=self, forgotten=forgotten)


_updates = [0]  # of parameters, by anybody


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What a tensor keeps of a draw it depends on: its name, and nothing that holds a graph."""

    name: str
    distribution: str
    place: Place | None
    run: Run
    recorded: bool = True  # not under no_grad

    def __str__(self) -> str:
        where = f" drawn at {self.place}" if self.place else ""
        label = f"'{self.name}' ~ " if self.name else ""
        return f"{label}{self.distribution}{where}"


_run: ContextVar[Run | None] = ContextVar("scg_run", default=None)


def current_run() -> Run:
    """Return the run that this thread or task is in."""
    run = _run.get()
    if run is None or run.ended:  # another task that shares it may have ended it
        run = Run(updates=_updates[0]) if run is None else run.successor()
        _run.set(run)
    return run


def end_run(*, updated: bool) -> None:
    """End the current run: what follows is another execution of the program.

    Parameters
    ----------
    updated : bool
        Whether parameters changed (`step`), or only gradients were cleared (`zero_grad`).
    """
    run = current_run()
    run.ended = True
    _updates[0] += updated
    _run.set(run.successor())


def gradients_cleared() -> None:
    """End the current run, unless what it drew or read still waits for its backward.

    For `loss = ...; zero_grad(); loss.backward()` is one execution of the program and not two.
    """
    run = current_run()
    run.evaluations.clear()
    if not run.draws and not run.escapes:
        run.begin = None
    if not run.pending:
        end_run(updated=False)


def fresh_run() -> None:
    """Begin a run that has nothing to do with what went before, as a test's repetition has not."""
    current_run().ended = True
    _run.set(Run(updates=_updates[0]))


# Tasks started before the first draw copy this context, and so share its run.
fresh_run()

# Stands for all runs before the last update, once a tensor mixes them with something newer: a
# running average over a training loop would otherwise keep every run it ever saw alive.
PAST = Run(ended=True, updates=-1)


def merge(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Return the union of runs, with those that parameters have since moved away from as `PAST`."""
    distinct = tuple(dict.fromkeys(runs))
    if len(distinct) < 2:
        return distinct
    return tuple(dict.fromkeys(PAST if run.updated else run for run in distinct))
