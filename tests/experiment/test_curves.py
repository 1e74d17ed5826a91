"""The curves of a run and of others beside it: what is drawn, where, and on which axis."""

import numpy as np
import pytest

from scg import experiment
from scg.errors import OptionError
from scg.experiment import _pictures

RUN = [{"epoch": n, "seen": 10.0**n, "train": -n, "test": -2.0 * n} for n in (1, 2, 3)]
OTHER = [{**row, "test": -1.0} for row in RUN[:2]]
PANELS = {"nats": ["train", "test"], "error": ["test"]}


@pytest.fixture
def drawn(monkeypatch):
    """Return the axes of a figure instead of writing it."""
    monkeypatch.setattr(_pictures, "_write", lambda figure, path: figure.axes)

    def draw(**options):
        return experiment.curves(None, RUN, PANELS, **options)

    return draw


def lines(axes):
    return {line.get_label(): np.transpose(line.get_data()) for line in axes.get_lines()}


def test_each_metric_against_the_epoch(drawn):
    first, second = drawn()
    assert (first.get_ylabel(), second.get_ylabel()) == ("nats", "error")
    assert first.get_xlabel() == "epoch" and first.get_xscale() == "linear"
    assert list(lines(first)) == ["train", "test"]
    np.testing.assert_array_equal(lines(second)["test"], [[1, -2], [2, -4], [3, -6]])


def test_another_metric_along_the_axis_is_spaced_by_its_logarithm(drawn):
    first, _ = drawn(against="seen")
    assert first.get_xlabel() == "seen" and first.get_xscale() == "log"
    np.testing.assert_array_equal(lines(first)["train"], [[10, -1], [100, -2], [1000, -3]])


def test_other_runs_are_beside_in_the_same_colours(drawn):
    _, second = drawn(against="seen", beside={"runs/a": OTHER})
    np.testing.assert_array_equal(lines(second)["test, runs/a"], [[10, -1], [100, -1]])
    ours, theirs = second.get_lines()
    assert ours.get_color() == theirs.get_color()
    assert ours.get_linestyle() != theirs.get_linestyle()


def test_several_other_runs_have_lines_of_different_kinds(drawn):
    _, second = drawn(beside={"runs/a": OTHER, "runs/b": OTHER})
    assert len({line.get_linestyle() for line in second.get_lines()}) == 3


def test_a_metric_that_another_run_does_not_have_is_left_out(drawn):
    first, second = drawn(beside={"runs/a": [{"epoch": 1, "train": 0.0}]})
    assert list(lines(first)) == ["train", "train, runs/a", "test"]
    assert list(lines(second)) == ["test"]


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "other": 0.0}], [{"train": 1.0}]])
def test_a_run_that_has_nothing_to_draw_is_refused(drawn, rows):
    with pytest.raises(OptionError, match=r"runs/a has no metrics.*epoch and one of train, test"):
        drawn(beside={"runs/a": rows})
