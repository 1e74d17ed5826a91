"""Runs, draws and escapes: what the engine remembers about one execution of a random program.

A run is everything since the last parameter update (`optimizer.step`, `zero_grad`). Its draws are
weighted into the surrogate even when no edge leads from them to the loss, because Python may have
read them and decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

__all__ = ["PAST", "Draw", "Escape", "Place", "Run", "current_run", "end_run", "merge"]


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
        Raw reads whose consequences no unbiased gradient can follow.
    ended : bool
        `optimizer.step` or `zero_grad` closed it; later reads of its values change nothing.
    updated : bool
        Parameters were changed since.
    """

    draws: list[Any] = field(default_factory=list)
    escapes: list[Escape] = field(default_factory=list)
    ended: bool = False
    updated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What a tensor keeps of a draw it depends on: its name, and nothing that holds a graph."""

    name: str
    distribution: str
    place: Place | None
    run: Run

    def __str__(self) -> str:
        where = f" drawn at {self.place}" if self.place else ""
        label = f"'{self.name}' ~ " if self.name else ""
        return f"{label}{self.distribution}{where}"


_run: ContextVar[Run | None] = ContextVar("scg_run", default=None)


def current_run() -> Run:
    """Return the run that this thread or task is in."""
    run = _run.get()
    if run is None:
        run = Run()
        _run.set(run)
    return run


def end_run(*, updated: bool) -> None:
    """End the current run: what follows is another execution of the program.

    Parameters
    ----------
    updated : bool
        Whether parameters changed (`step`), or only gradients were cleared (`zero_grad`).
    """
    run = _run.get()
    if run is not None:
        run.ended = True
        run.updated = updated
        _run.set(None)


# Stands for all runs before the last update, once a tensor mixes them with something newer: a
# running average over a training loop would otherwise keep every run it ever saw alive.
PAST = Run(ended=True, updated=True)


def merge(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Return the union of runs, with those that parameters have since moved away from as `PAST`."""
    distinct = tuple(dict.fromkeys(runs))
    if len(distinct) < 2:
        return distinct
    return tuple(dict.fromkeys(PAST if run.updated else run for run in distinct))
