"""Runs, episodes, draws and escapes: what the engine remembers of one execution of a program.

A run is everything since the last parameter update (`optimizer.step`, `zero_grad`). An episode is a
run within a run. What Python read inside either may have decided anything that it did afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from scg._place import Place
from scg.errors import GradientError

__all__ = [
    "PAST", "Draw", "Escape", "Run", "check_marks", "current_run", "end_run", "episode",
    "fresh_run", "gradients_cleared", "merge", "order",
]  # fmt: skip

order = count()  # of nodes and escapes


@dataclass(frozen=True, slots=True, eq=False)
class Escape:
    """A raw value that left the graph.

    Attributes
    ----------
    kind : str
        How it was read: `bool`, `float`, ...
    place : Place
        Where.
    node : Node
        What was read.
    order : int
        When: everything made later may depend on it.
    noisy : bool
        Continuous noise may have reached it, if only because noise was read raw before.
    """

    kind: str
    place: Place
    node: Any
    order: int
    noisy: bool


@dataclass(slots=True, eq=False)
class Run:
    """One execution of the random program, or one episode within it.

    Attributes
    ----------
    escapes : list of Escape
        Every raw read of a value that depends on a draw, or on a parameter.
    evaluations : list of Escape
        The first such read under no_grad before all else; `zero_grad` forgets it.
    compiled_read : Escape or None
        The first such read of a draw made inside a compiled function; `zero_grad` forgets it.
    start : int
        Order at which it began.
    since : int
        Order at which the first run after the last update began.
    cleared : tuple of (Escape, int, int), or None
        A read of that kind that `zero_grad` has forgotten, and the orders between which a loss may
        have been formed that it decided.
    more_evaluations : int
        How many followed; only counted, or a program that never updates would pile them up.
    noise_read : Escape or None
        A raw read of continuous noise that no parameter reaches: harmless, unless a jump in a
        parameter follows, which may be a comparison with that number.
    parameter_reads : dict of Node to Escape
        Raw reads of what depends on parameters alone; they matter to a random loss only.
    marks : dict of Node to Place
        The costs marked by `scg.cost` that no backward has reached yet.
    marked : bool
        A cost was marked in it.
    begin, end : int
        Orders of the nodes between which Python could act on an escape.
    drawn : bool
        Anything at all was drawn in it, from fixed distributions too.
    fixed : deque of (Coupling, Draw)
        The last draws in it that no parameter reaches and whose generators the user gave: a scored
        draw must not have their noise.
    pending : bool
        Something was drawn or read since the last backward.
    ended : bool
        An update or `zero_grad` closed it.
    updates : int
        How many updates of parameters there had been when it began.
    parent : Run or None
        What encloses an episode.
    closed : list of Run
        The episodes in it, and before the first of them the last run, whose escapes a tensor made
        there still carries.
    fresh : bool
        The user promised that nothing read outside matters in this episode.
    peek : Place or None
        The first free look at a value that a draw reaches; only `scg.audit` asks.
    forgotten : list of tuple of int
        Orders of nodes between which earlier runs and episodes lie, which are not kept.
    """

    escapes: list[Escape] = field(default_factory=list)
    evaluations: list[Escape] = field(default_factory=list)
    compiled_read: Escape | None = None
    start: int = field(default_factory=lambda: next(order))
    since: int = field(default_factory=lambda: next(order))
    cleared: tuple[Escape, int, int] | None = None
    more_evaluations: int = 0
    noise_read: Escape | None = None
    parameter_reads: dict[Any, Escape] = field(default_factory=dict)
    marks: dict[Any, Place] = field(default_factory=dict)
    marked: bool = False
    begin: int | None = None
    end: int = 0
    drawn: bool = False
    fixed: deque[tuple[Any, Draw]] = field(default_factory=partial(deque, maxlen=1000))
    pending: bool = False
    ended: bool = False
    updates: int = 0
    parent: Run | None = None
    fresh: bool = False
    peek: Place | None = None
    closed: list[Run] = field(default_factory=list)
    forgotten: list[tuple[int, int]] = field(default_factory=list)

    @property
    def root(self) -> Run:
        """Return the outermost run."""
        return self if self.parent is None else self.parent.root

    @property
    def chain(self) -> list[Run]:
        """Return this run and what encloses it, innermost first."""
        return [self] if self.parent is None else [self, *self.parent.chain]

    @property
    def updated(self) -> bool:
        """Whether it ended and parameters were changed since it began."""
        root = self if self.parent is None else self.root
        return root.ended and (self.updates != _updates[0] or root.updates < 0)

    @property
    def decided(self) -> bool:
        """Whether anything was read in it that Python may have acted on."""
        return bool(self.escapes or self.evaluations or self.compiled_read)

    @property
    def blank(self) -> bool:
        """Whether nothing was noted in it: its successor would be no different."""
        noted = self.drawn or self.fixed or self.marked or self.decided or self.noise_read
        return not (noted or self.parameter_reads or self.peek or self.begin is not None)

    def add_draw(self) -> None:
        """Note that something was drawn whose gradient a later backward will want."""
        self._begin(pending=True)
        if self.parent is not None:
            self.parent.add_draw()

    def add_escape(self, escape: Escape, *, recorded: bool) -> None:
        """Note a raw read.

        What was read under no_grad before the program has begun is an evaluation: the first one is
        kept, to refuse a gradient that depends on it.
        """
        if recorded or self.pending:
            self.escapes.append(escape)
            for run in self.chain:
                run._begin(pending=True)
            return
        if self.evaluations:
            self.more_evaluations += 1
        else:
            self.evaluations.append(escape)
        self._begin(pending=False)

    def forget_compiled_read(self) -> None:
        """Forget it for what is formed from now on, and not for a loss that waits to go backward.

        Its draw has no score here, so that such a loss can only be refused.
        """
        if self.compiled_read is not None:
            first = self.start if self.cleared is None else min(self.start, self.cleared[1])
            self.cleared = (self.compiled_read, first, next(order))
            self.compiled_read = None

    def _begin(self, pending: bool) -> None:
        self.pending |= pending
        if self.begin is None:
            self.begin = next(order)

    def settle(self) -> None:
        """Note that a backward has answered for everything drawn so far."""
        self.pending = False
        if self.parent is not None:
            self.parent.settle()

    def successor(self) -> Run:
        """Return the run that follows, which keeps sight of the last one only.

        Keeping more would keep every graph of a training loop alive.
        """
        self.end = next(order)
        run = Run(updates=_updates[0], forgotten=self.forgotten, closed=self.closed)
        if self.begin is not None:
            spans = [run.span for run in self.closed]
            run.forgotten, run.closed = _joined([*self.forgotten, *spans]), []
        if self.decided:
            run.closed.append(self)
        if self.updates == _updates[0]:  # else what was formed before is stale
            run.cleared, run.since = self.cleared, self.since
        self.closed = []
        return run

    @property
    def span(self) -> tuple[int, int]:
        """Return the orders between which it acted."""
        return self.begin or 0, self.end

    def close(self) -> None:
        """Hand an episode over to what encloses it."""
        self.end = next(order)
        assert self.parent is not None
        self.parent.forgotten = _joined([*self.parent.forgotten, *self.forgotten])
        kept = [run for run in (*self.closed, self) if run.decided]
        self.closed = []
        if self.pending:
            self.parent.closed.extend(kept)
        else:
            self.parent.forgotten = _joined([*self.parent.forgotten, *(r.span for r in kept)])
        _check_marks(self)


_SPANS = 8  # kept apart, so that what was made between the last of them is not taken for theirs


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join the oldest spans into one: a loss formed so long ago is refused, not searched for."""
    old = sorted(spans)[: 1 - _SPANS]
    if len(old) < 2:
        return spans
    return [(old[0][0], max(s[1] for s in old)), *sorted(spans)[1 - _SPANS :]]


_updates = [0]  # of parameters, by anybody


@dataclass(slots=True, eq=False)
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
    """Return the run or episode that this thread or task is in."""
    run = _run.get()
    if run is None or (run if run.parent is None else run.root).ended:  # perhaps by another task
        run = Run(updates=_updates[0]) if run is None else run.root.successor()
        _run.set(run)
    return run


def end_run(*, updated: bool) -> None:
    """End the current run: what follows is another execution of the program.

    Parameters
    ----------
    updated : bool
        Whether parameters changed (`step`), or only gradients were cleared (`zero_grad`).
    """
    root = current_run().root
    root.ended = True
    _updates[0] += updated
    _run.set(root.successor())
    for run in (root, *root.closed):
        _check_marks(run)


def gradients_cleared() -> None:
    """End the current run, unless what it drew or read still waits for its backward.

    For `loss = ...; zero_grad(); loss.backward()` is one execution of the program and not two.
    """
    run = current_run()
    if run.parent is None and run.blank:
        return
    root = run.root
    root.evaluations.clear()
    root.forget_compiled_read()
    start = root.begin
    root.parameter_reads = {
        n: e for n, e in root.parameter_reads.items() if start is not None and e.order > start
    }
    if not root.escapes and not root.closed and not root.pending:
        root.begin = None
    if not root.pending:
        end_run(updated=False)


def _check_marks(run: Run) -> None:
    """Refuse to forget a marked cost that no backward used: its draws' gradients lack it."""
    if run.marks and not run.pending:
        place = next(iter(run.marks.values()))
        count = len(run.marks)
        run.marks.clear()
        raise GradientError(
            f"scg.cost at {place} marked a cost that no backward of its run reached"
            f"{f' (and {count - 1} more)' if count > 1 else ''}; add it to the loss, scaled at "
            "most (what is computed from it is another cost: mark that), and call its backward "
            "before any step(), or compute it under scg.no_grad()"
        )


def check_marks() -> None:
    """Refuse to go on to an update if a marked cost of this run was not reached."""
    _check_marks(current_run().root)


def fresh_run() -> None:
    """Begin a run that has nothing to do with what went before, as a test's repetition has not."""
    root = current_run().root
    root.ended, root.updates = True, -1
    _run.set(Run(updates=_updates[0]))


@contextmanager
def episode(*, fresh: bool = False) -> Iterator[None]:
    """Run one of several independent repetitions of the program, inside a `with` block.

    What Python reads inside decides nothing outside, unless through a tensor made inside: costs of
    one episode are not weighted into the draws of another.

    Parameters
    ----------
    fresh : bool
        The user's promise that nothing read before matters inside either.

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter(0.0)
    >>> costs = []
    >>> for _ in range(4):
    ...     with scg.episode():
    ...         b = scg.Bernoulli(logits=a).sample()
    ...         costs.append(scg.cost(1.0 if b else 0.0))
    >>> (sum(costs) / 4.0).backward()
    """
    outer = current_run()
    inner = Run(updates=_updates[0], parent=Run(updates=_updates[0]) if fresh else outer,
                fresh=fresh)  # fmt: skip
    token = _run.set(inner)
    try:
        yield
    except BaseException:
        inner.marks.clear()  # what failed has no costs to answer for
        raise
    finally:
        _run.reset(token)
        ended, inner.parent = inner.root.ended or outer.root.ended, outer
        if not ended:
            inner.close()


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
