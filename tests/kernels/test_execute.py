"""Lists of tasks: every unit once, in order, whatever the threads do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.kernels import execute
from scg.kernels.execute import Line, Schedule
from scg.kernels.machine import task
from scg.kernels.simd_memory import (
    load_b8,
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    read_b8,
    read_f32,
    read_f64,
    read_i32,
    read_i64,
    store_b8,
    store_f32,
    store_f64,
    store_i32,
    store_i64,
)


@task
def count(begin, end, row):
    """Add one to every unit's number."""
    place = load_i64(row, 0)
    for i in range(begin, end):
        store_i64(place, i, load_i64(place, i) + 1)


@task
def follow(begin, end, row):
    """Every number becomes 3 times its neighbour's of before, plus the last of the row."""
    source, target = load_i64(row, 0), load_i64(row, 1)
    size, plus = load_i64(row, 2), load_i64(row, 3)
    for i in range(begin, end):
        store_i64(target, i, 3 * load_i64(source, (i + 1) % size) + plus)


@pytest.fixture(params=["_in_order", "_in_parallel"])
def run(request):
    return lambda schedule: getattr(schedule, request.param)()


@given(
    lines=st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 60), st.booleans()), min_size=1, max_size=12
    )
)
def test_every_unit_is_done_once(lines):
    counts = [np.zeros(units, np.int64) for units, _, _ in lines]
    schedule = Schedule(
        Line(count, [x.ctypes.data], units, grain, 0 if free else None)
        for x, (units, grain, free) in zip(counts, lines, strict=True)
    )
    schedule._in_parallel()
    schedule.run()
    for x in counts:
        np.testing.assert_array_equal(x, 2)


@task
def note(begin, end, row):
    """Write the end of a piece where it begins."""
    store_i64(load_i64(row, 0), begin, end)


@pytest.mark.parametrize("grain", [1, 3])
def test_large_pieces_come_first(grain):
    """Half of what is left of a thread's share at a time, whoever takes it."""
    ends = np.zeros(20 * grain - grain // 2, np.int64)
    line = Line(note, [ends.ctypes.data], len(ends), grain)
    table = Schedule([line])
    execute._enter()(*table._arguments, 2, *execute.team()[1:])
    begins = np.flatnonzero(ends)
    assert (begins // grain).tolist() == [0, 5, 7, 8, 9, 10, 15, 17, 18, 19]
    assert ends[begins].tolist() == [*begins[1:], line.units]


def test_a_line_waits_for_those_before_it(run):
    """A hundred lines, each of which reads what other threads wrote in the line before."""
    size = 4096
    x, y = np.arange(size), np.zeros(size, np.int64)
    want = x.copy()
    lines = []
    for i in range(100):
        a, b = (x, y) if i % 2 == 0 else (y, x)
        lines.append(Line(follow, [a.ctypes.data, b.ctypes.data, size, i], size, 97 + 50 * (i % 3)))
        want = 3 * np.roll(want, -1) + i
    run(Schedule(lines))
    np.testing.assert_array_equal(x, want)


def test_lines_that_need_not_wait(run):
    """Two chains side by side, each line waiting for the one two before it."""
    size = 1024
    chains = [[np.arange(size), np.zeros(size, np.int64)] for _ in range(2)]
    want = [chain[0].copy() for chain in chains]
    lines = []
    for i in range(60):
        step, which = divmod(i, 2)
        a, b = chains[which] if step % 2 == 0 else chains[which][::-1]
        row = [a.ctypes.data, b.ctypes.data, size, i]
        lines.append(Line(follow, row, size, 100 if which else size, max(i - 1, 0)))
        want[which] = 3 * np.roll(want[which], -1) + i
    run(Schedule(lines))
    for chain, wanted in zip(chains, want, strict=True):
        np.testing.assert_array_equal(chain[0], wanted)


def test_rows_may_change_between_runs():
    first, second = np.zeros(3, np.int64), np.zeros(3, np.int64)
    schedule = Schedule([Line(count, [first.ctypes.data], 3)] * 2)
    schedule.run()
    schedule.rows[schedule.starts[1]] = second.ctypes.data
    schedule.run()
    assert (first.tolist(), second.tolist()) == ([3] * 3, [1] * 3)


def test_an_empty_schedule_does_nothing(run):
    run(Schedule([]))


@pytest.mark.parametrize(("units", "grain", "regions"), [(8, 8, 0), (8, 4, 1), (0, 1, 0)])
def test_threads_are_started_for_divided_work_only(units, grain, regions, monkeypatch):
    calls = []
    monkeypatch.setattr(execute, "threads", lambda: 2)
    monkeypatch.setattr(execute, "parallel_call", lambda *args: calls.append(args))
    x = np.zeros(8, np.int64)
    Schedule([Line(count, [x.ctypes.data], units, grain)] * 2).run()
    assert len(calls) == regions


SCALARS = {
    "f32": (np.float32, load_f32, read_f32, store_f32),
    "f64": (np.float64, load_f64, read_f64, store_f64),
    "i32": (np.int32, load_i32, read_i32, store_i32),
    "i64": (np.int64, load_i64, read_i64, store_i64),
    "b8": (np.bool_, load_b8, read_b8, store_b8),
}


@pytest.mark.parametrize("kind", SCALARS)
def test_every_kind_of_number_is_read_and_written(kind):
    dtype, load, read, store = SCALARS[kind]

    @task
    def copy(begin, end, row):
        source, loaded, promised = load_i64(row, 0), load_i64(row, 1), load_i64(row, 2)
        for i in range(begin, end):
            store(loaded, i, load(source, i))
            store(promised, i, read(source, i))

    x = (np.arange(-20, 20) % 7 * 1.5 - 3).astype(dtype)
    outs = np.zeros((2, 40), dtype)
    Schedule([Line(copy, [a.ctypes.data for a in (x, *outs)], 40)]).run()
    np.testing.assert_array_equal(outs, [x, x])
