"""What the table of the benchmarks says of given times."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks._measure import Spread, compared
from benchmarks._table import Measured, cells, duration, markdown, require_alike
from benchmarks.steps import QUIET, ROWS, Goal, Row

GOAL = Goal(0.5, ("JAX", "PyTorch"))
TIMES = {"scg": [1.0, 2.0, 3.0], "JAX": [2.0, 2.0, 10.0], "PyTorch": [4.0, 1.0, 4.0]}


def measured(goal: Goal, **times: dict[str, list[float]]) -> Measured:
    return Measured(Row("a row", "vae", goals=(goal,)), **times)


def test_a_goal_is_judged_by_the_fastest_other_of_each_round() -> None:
    assert measured(GOAL, times=TIMES).ratio(GOAL) == Spread(0.75, 0.5, 2.0)


def test_a_goal_over_an_absent_library_is_judged_by_the_one_that_is_there() -> None:
    times = {name: TIMES[name] for name in ("scg", "JAX")}
    assert measured(GOAL, times=times).ratio(GOAL) == Spread(0.5, 0.3, 1.0)


@pytest.mark.parametrize("present", [["scg"], ["JAX", "PyTorch"], []])
def test_a_goal_without_both_sides_is_not_judged(present: list[str]) -> None:
    assert measured(GOAL, times={name: TIMES[name] for name in present}).ratio(GOAL) is None


def test_a_contended_row_is_judged_by_its_own_quiet_turns() -> None:
    goal = Goal(2.0, (QUIET,))
    found = measured(goal, times=TIMES, quiet={"scg": [1.0, 1.0, 1.0], "JAX": [0.1, 0.1, 0.1]})
    assert found.ratio(goal) == Spread(2.0, 1.0, 3.0)


def test_the_cells_say_what_is_missing_and_why() -> None:
    found = measured(GOAL, times={"scg": [2e-3]}, about={"JAX": {"missing": "not installed"}})
    assert cells(found) == [
        "a row", "2.00 ms", "-", "not installed", "-", "-", "scg <= 0.5 x JAX or PyTorch: -",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.0, "2.00 s"), (1.234e-3, "1.23 ms"), (41.04e-6, "41.0 us"), (123.4e-6, "123 us"),
     (1e-7, "0.100 us")],
)  # fmt: skip
def test_a_duration_has_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ratios_are_those_of_neighbouring_rounds() -> None:
    found = compared([(1.0, 2.0), (6.0, 3.0), (3.0, 3.0)])
    assert (found.ours, found.theirs, found.ratio) == (3.0, 3.0, Spread(1.0, 0.5, 2.0))


def test_columns_are_aligned() -> None:
    assert markdown([["a", "long"], ["wide", "b"]]) == (
        "| a    | long |\n| ---- | ---- |\n| wide | b    |"
    )


def test_models_of_different_sizes_are_not_compared() -> None:
    require_alike({"scg": {"parameters": 3}, "JAX": {"missing": "not installed"}})
    with pytest.raises(SystemExit, match="'JAX': 4"):
        require_alike({"scg": {"parameters": 3}, "JAX": {"parameters": 4}})


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_is_written_in_every_library(row: Row) -> None:
    module = import_module(f"benchmarks.steps.{row.module}")
    for builder in ("in_scg", "in_scg_eager", "in_jax", "in_torch"):
        assert callable(getattr(module, builder))
