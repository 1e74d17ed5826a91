"""Runs lists of tasks: one call from Python, one parallel region, whatever the number of tasks.

A line of the table is a task, how many units of work it has and how many of them a thread takes at
least (a chunk). The threads of a region go through the lines together. Each starts on a share of
a line's chunks that is the same in every call, so that it finds its data in its own cache, and then
takes what is left of the others' shares: half of what is left of a share at a time, so that large
pieces come first and small ones let all threads end together. It waits only for pieces that another
thread has begun: a thread that the system has not started yet, or has put aside between two pieces,
delays nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from ctypes import CFUNCTYPE, addressof, c_char, c_int64
from functools import cache, cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from scg._typing import Array
from scg.kernels._bound import bound
from scg.kernels._jit import (
    cgutils,
    device,
    intrinsic,
    ir,
    parallel_call,
    region_entry,
    threads,
    types,
)
from scg.kernels.machine import Task, task
from scg.kernels.simd_memory import call_task, keep, load_i64
from scg.kernels.simd_tile import address

__all__ = ["PIECES", "TOGETHER", "Compiled", "Line", "Schedule", "place", "team"]

# Columns of the table.
TASK, UNITS, GRAIN, ROW, AFTER = range(5)
COLUMNS = 5
# Chunks in a thread's share of a line: the last of them is what others may have to wait for.
PIECES = 8
# Counters that different threads change lie on different cache lines.
APART = 16
# Numbers before the counters that tell the members of a team what to do.
FRAME = 16
# Looks at a counter before the rest of a time slice is given up: some 10 us.
PATIENCE = 256


class Compiled(NamedTuple):
    """A function that is no Numba function: its address is all that is asked of a task."""

    address: int


class Line(NamedTuple):
    """A task and its work.

    Parameters
    ----------
    task : Task or Compiled
        What is called.
    row : sequence of int
        What it finds at its row's address: addresses, sizes, strides.
    units : int
        How many pieces of work there are; any division of them among threads gives the same bits.
    grain : int
        How many a thread takes at least. As many as `units`, or more: the line is not divided.
    after : int or None
        The line may start when all lines before this number are done; None means all before it.
    """

    task: Task | Compiled
    row: Sequence[int]
    units: int = 1
    grain: int = 1
    after: int | None = None


class Schedule:
    """Lines made ready to run, any number of times.

    Parameters
    ----------
    lines : iterable of Line
        In an order that is right on one thread.

    Attributes
    ----------
    rows : ndarray of int64
        The rows of all lines, one after the other; may be changed between two runs.
    starts : tuple of int
        Where in `rows` each line's row begins.

    Notes
    -----
    The arrays behind the addresses are the caller's to keep alive. Two threads may run different
    schedules at once, and the same one if its tasks allow it.

    Examples
    --------
    >>> from scg.kernels.machine import task
    >>> from scg.kernels.simd_memory import load_f64, load_i64, store_f64
    >>> @task
    ... def double(begin, end, row):
    ...     place = load_i64(row, 0)
    ...     for i in range(begin, end):
    ...         store_f64(place, i, 2.0 * load_f64(place, i))
    >>> x = np.arange(4.0)
    >>> Schedule([Line(double, [x.ctypes.data], units=4, grain=2)]).run()
    >>> x
    array([0., 2., 4., 6.])
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        lines = list(lines)
        ends = accumulate(len(line.row) for line in lines)
        self.starts = (0, *ends)[:-1]
        self.rows = np.array([x for line in lines for x in line.row], np.int64)
        first = place(self.rows)
        table = [
            (line.task.address, line.units, line.grain, first + 8 * start,
             i if line.after is None else line.after)
            for i, (line, start) in enumerate(zip(lines, self.starts, strict=True))
        ]  # fmt: skip
        self._table = np.array(table, np.int64)
        self._arguments = (place(self._table), len(lines))
        self.divided = any(line.units > line.grain for line in lines)

    def run(self) -> None:
        """Run the lines, on several threads if one can be divided and the cores are free."""
        if self.divided and threads() > 1:
            parallel_call(self._in_order, self._in_parallel)
        else:
            self._in_order()

    @cached_property
    def _in_order(self) -> Callable[[], None]:
        return bound(_IN_ORDER.address, *self._arguments)

    def _in_parallel(self) -> None:
        _enter()(*self._arguments, *team())


def place(array: Array) -> int:
    """Return the address of a contiguous array's first number, in a quarter of a microsecond.

    NumPy's own way to it takes four times as long; it remains for arrays that are read-only.
    """
    try:
        return addressof(_BYTE(array))
    except (TypeError, ValueError):
        return int(array.ctypes.data)


_BYTE: Any = c_char.from_buffer

# --- single instructions ---------------------------------------------------------------------

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


def _pointer(builder: Any, place: Any, i: Any) -> Any:
    return builder.gep(builder.inttoptr(place, _I64.as_pointer()), [i])


@intrinsic
def _start(
    typingctx: Any, entry: Any, member: Any, args: Any, sizes: Any, steps: Any, frame: Any,
    team: Any,
) -> Any:  # fmt: skip
    """Start a parallel region of `team` members; see `numba.np.ufunc.parallel`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I64] * 7 + [_I32])
        team = builder.trunc(args[6], _I32)
        call = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(call, [*args[1:6], _I64(0), _I64(1), team])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), codegen


@intrinsic
def _fetch_add(typingctx: Any, place: Any, i: Any, value: Any) -> Any:
    """Add to a counter and return what it was, in one step that no other thread can divide."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, *args[:2]), args[2], "seq_cst")

    return types.int64(*[types.int64] * 3), codegen


@intrinsic
def _look(typingctx: Any, place: Any, i: Any) -> Any:
    """Return a counter; what its last writer had written before can be read afterwards."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(builder, *args), "acquire", 8)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def _give_way(typingctx: Any) -> Any:
    """Let another thread have the core, if one wants it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_I32, [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, _YIELD), [])
        return context.get_dummy_value()

    return types.void(), codegen


# --- the loops -------------------------------------------------------------------------------


@device
def _wait(counter: Any, i: Any, value: Any) -> None:
    """Wait until a counter has reached a value; whoever counts is at work."""
    looks = 0
    while _look(counter, i) < value:
        looks += 1
        if looks > PATIENCE:
            _give_way()


@device
def _piece(first: Any, last: Any, number: Any) -> tuple[Any, Any]:
    """Return where the piece of that number begins and ends: each is half of what it finds."""
    begin, end = first, first + max((last - first) // 2, 1)
    for _ in range(number):
        begin, end = end, end + max((last - end) // 2, 1)
    return begin, end


@device
def _help(line: Any, counters: Any, me: Any, team: Any) -> None:
    """Do chunks of a line until none is left: the own share first, then the others'."""
    task, row = load_i64(line, TASK), load_i64(line, ROW)
    units, grain = load_i64(line, UNITS), load_i64(line, GRAIN)
    chunks = -(-units // grain)
    for turn in range(team):
        share = (me + turn) % team
        first, last = share * chunks // team, (share + 1) * chunks // team
        while True:
            number = _fetch_add(counters, (share + 1) * APART, 1)
            begin, end = _piece(first, last, number)
            if begin >= last:
                break
            call_task(task, begin * grain, min(end * grain, units), row)
            _fetch_add(counters, 0, end - begin)


@device
def _take_part(table: Any, lines: Any, counters: Any, me: Any, team: Any) -> None:
    """Go through all lines as one of a team."""
    done, wide = 0, (team + 1) * APART * 8
    for i in range(lines):
        line = table + i * COLUMNS * 8
        after = load_i64(line, AFTER)
        while done < after:
            before = table + done * COLUMNS * 8
            chunks = -(-load_i64(before, UNITS) // load_i64(before, GRAIN))
            _wait(counters + done * wide, 0, chunks)
            done += 1
        _help(line, counters + i * wide, me, team)


@task
def _member(args: Any, sizes: Any, steps: Any, frame: Any) -> None:
    """Be the members of a team that the threading layer gives to this thread."""
    first = load_i64(args, 0)
    table, lines, team = load_i64(frame, 0), load_i64(frame, 1), load_i64(frame, 2)
    for me in range(first, first + load_i64(sizes, 0)):
        _take_part(table, lines, frame + FRAME * 8, me, team)


def _together(table: Any, lines: Any, team: Any, entry: Any, member: Any) -> None:
    frame = np.zeros(FRAME + lines * (team + 1) * APART, np.int64)
    place = address(frame)
    frame[0], frame[1], frame[2] = table, lines, team
    # One "array" of bytes at address 0: the address a member gets is the number of its first.
    frame[3], frame[4], frame[5] = 0, team, 1
    _start(entry, member, place + 24, place + 32, place + 40, place, team)
    keep(frame)


def _in_order(table: Any, lines: Any) -> None:
    for i in range(lines):
        line = table + i * COLUMNS * 8
        call_task(load_i64(line, TASK), 0, load_i64(line, UNITS), load_i64(line, ROW))


# Called from Python, and the first by kernels that have built their line themselves.
TOGETHER, _IN_ORDER = task(_together), task(_in_order)


@cache
def _enter() -> Callable[..., None]:
    """Return `TOGETHER` as Python can call it; other threads of Python run meanwhile."""
    return CFUNCTYPE(None, *[c_int64] * 5)(TOGETHER.address)


def team() -> tuple[int, int, int]:
    """Return how many threads make a region, and two addresses that start one."""
    return threads(), region_entry(), _member.address
