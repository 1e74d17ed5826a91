"""What `scg.jit` takes and returns: trees of arrays, whatever their form and layout."""

from collections import namedtuple
from dataclasses import InitVar, dataclass, field

import numpy as np
import pytest

import scg
from scg.errors import (
    OptionError,
    TraceError,
)
from tests.compile.calls import debug, thrice

Pair = namedtuple("Pair", "first second")


@dataclass
class Batch:
    images: object
    labels: object


def test_trees_go_in_and_out():
    @debug
    def f(batch, pair, named, rest):
        total = batch.images.sum() + pair.first * pair.second
        return {
            "batch": Batch(total * named["a"], None), "pair": Pair(rest[0] + 1, (rest[1], "x")),
            "list": [named["a"], 2.5, True],
        }  # fmt: skip

    args = (
        Batch(np.ones((2, 2)), 3), Pair(np.float32(2.0), np.arange(2)), {"a": np.array(0.5)},
        [np.int64(4), scg.tensor([1.0])],
    )  # fmt: skip
    for out in thrice(f, *args):
        np.testing.assert_array_equal(out["batch"].images._data, (4 + 2 * np.arange(2)) * 0.5)
        assert out["batch"].labels is None
        assert type(out["pair"]) is Pair
        assert int(out["pair"].first._data) == 5
        assert out["pair"].second[1] == "x"
        assert out["list"][1:] == [2.5, True]


@dataclass(frozen=True)
class Shifted:
    values: object
    shift: InitVar[float]
    twice: object = field(init=False, default=None)

    def __post_init__(self, shift):
        object.__setattr__(self, "values", self.values + shift)
        object.__setattr__(self, "twice", 2.0 * self.values)


@dataclass(slots=True)
class Slotted:
    values: object
    unset: object = field(init=False)


def test_dataclasses_are_taken_as_they_are_and_not_made_again():
    f = debug(lambda a, b: (a, b, a.values + a.twice + b.values))
    for number in range(4):
        x = np.full(2, float(number))
        a, b, total = f(Shifted(x, 1.0), Slotted(x))
        np.testing.assert_array_equal(total._data, 3.0 * (x + 1.0) + x)
        np.testing.assert_array_equal(a.values._data, x + 1.0)
        np.testing.assert_array_equal(a.twice._data, 2.0 * (x + 1.0))
        np.testing.assert_array_equal(b.values._data, x)
        assert not hasattr(b, "unset")


def test_attributes_beside_the_fields_of_a_dataclass_are_arguments_too():
    f = debug(lambda batch: batch.images * batch.weight)
    for number in range(4):
        batch = Batch(np.ones(2), None)
        batch.weight = np.float64(number)
        np.testing.assert_array_equal(f(batch)._data, np.full(2, float(number)))


def test_results_have_memory_of_their_own():
    x = np.ones(3)
    f = debug(lambda x: (x, x.reshape(3, 1), x + 0.0))
    for results in thrice(f, x):
        assert not any(np.shares_memory(r._data, x) for r in results)
    first = f(x)
    f(2 * x)
    np.testing.assert_array_equal(first[2]._data, np.ones(3))


def test_a_parameter_is_returned_as_itself():
    w = scg.parameter([1.0])
    f = debug(lambda x: (w, w * x))
    assert all(out[0] is w for out in thrice(f, np.ones(1)))


def test_what_no_call_could_make_anew_is_not_returned():
    f = debug(lambda x: scg.Normal(x, 1.0))
    with pytest.raises(TraceError, match="returns a Normal"):
        f(np.zeros(2))


def test_arguments_of_the_wrong_kind_are_refused():
    f = debug(lambda x: x)
    with pytest.raises(OptionError, match=r"argument x\['a'\] is an array of dtype <U1"):
        f({"a": np.array(["b"])})
    with pytest.raises(OptionError, match="argument x is a set, which is neither"):
        f({1, 2})


def test_any_layout_is_taken():
    f = debug(lambda x: scg.cumsum(x, axis=0))
    x = np.arange(12.0).reshape(3, 4)
    for version in (x, np.asfortranarray(x), x[:, ::1], x[::-1][::-1], x.astype(">f8")):
        np.testing.assert_array_equal(f(version)._data, np.cumsum(x, axis=0))


def test_arguments_keep_their_places_however_they_are_passed():
    f = debug(lambda a, *rest, k, **more: a + 10 * rest[0] + 100 * rest[1] + 1000 * k + more["m"])
    x = np.ones(1)
    results = thrice(lambda: f(x, 2 * x, 3 * x, k=4 * x, m=5000 * x))
    assert [float(r._data[0]) for r in results] == [9321.0] * 3


def test_a_captured_array_does_not_follow_an_argument_that_shows_its_memory():
    whole = np.arange(12.0).reshape(4, 3)
    upper, lower = whole[:2], whole[2:]
    for captured in (upper, scg.tensor(upper, copy=False)):
        f = debug(lambda x: ((x - captured) ** 2).sum())  # noqa: B023
        assert [float(f(x)._data) for x in (captured, upper, lower)] == [0.0, 0.0, 216.0]


def test_a_captured_part_of_an_array_is_used_beside_another_part():
    whole = np.arange(12.0).reshape(4, 3)
    f = debug(lambda x: x @ whole[1:].T)
    for part in (whole[:2], whole[:2], whole[2:]):
        np.testing.assert_array_equal(f(part)._data, part @ whole[1:].T)
