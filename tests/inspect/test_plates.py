"""Boxes: plates, loops and modules."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scg

sys.path.insert(0, str(Path(__file__).parent))
from pictures import drawn, episode, rerouted


def test_a_plate_holds_what_keeps_the_axis_of_a_draw():
    found = drawn(rerouted())
    plate = ("plate", "plate of 8")
    for name in ("z", "coin", "b * z", "scg.tanh(z) * (z > 0.3)"):
        assert found.boxes(name) == [plate]
    assert found.boxes("theta") == []


def test_a_plate_ends_where_its_axis_does():
    a = scg.parameter(np.zeros(5), name="a")
    z = scg.Normal(a, 1.0).sample(rng=0)
    b = scg.Bernoulli(logits=z).sample(rng=1)
    mixed = scg.cumsum(b)
    total = scg.log(mixed * mixed + (b * b).sum() + 1.0).sum()
    found = drawn(total)
    assert found.boxes("b") == found.boxes("a") == [("plate", "plate of 5")]
    (cost,) = found.titles("cost")
    assert found.boxes("mixed = scg.cumsum(b)") == found.boxes(cost) == []


def test_an_event_axis_is_no_plate():
    a = scg.parameter(np.zeros(5), name="a")
    x = scg.OneHotCategorical(logits=a).sample(rng=0)
    found = drawn((x * x).sum())
    assert found.boxes("x") == []


def test_a_plate_holds_the_loop_within_it():
    a = scg.parameter(np.zeros(8), name="a")
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(50):
        b = scg.Bernoulli(logits=a).sample(rng=rng)
        total = total + scg.cost(b * b)
    found = drawn(total.mean())
    assert found.boxes("b") == [("plate", "plate of 8"), ("loop", "50 times")]
    assert found.boxes("a") == [("plate", "plate of 8")]


def test_loops_one_after_the_other_have_boxes_of_their_own():
    a = scg.parameter(0.1, name="a")
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(30):
        x = scg.Normal(a, 1.0).sample(rng=rng)
        total = total + scg.cost(x * x)
    for _ in range(40):
        y = scg.Normal(a, 1.0).sample(rng=rng)
        total = total + scg.cost(y * y)
    found = drawn(total)
    assert found.boxes("x") == [("loop", "30 times")]
    assert found.boxes("y") == [("loop", "40 times")]


def test_what_happens_more_seldom_than_the_loop_turns_says_so():
    a = scg.parameter(np.zeros(3), name="a")
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(20):
        h = scg.Categorical(logits=a).sample(rng=rng)
        for _ in range(3):
            x = scg.Normal(a[0] + h, 1.0).sample(rng=rng)
            total = total + scg.cost(x * x)
    found = drawn(total)
    assert found.boxes("h") == found.boxes("x") == [("loop", "60 times")]
    assert "20 times" in found.said("h")
    assert "60 times" not in found.said("x")


def test_a_line_that_happens_again_alone_needs_no_box():
    a = scg.parameter(0.1, name="a")
    x = scg.Normal(a, 1.0).sample(rng=0)
    for _ in range(100):
        x = x * 1.01
    found = drawn(x * x)
    assert found.boxes("x = x * 1.01") == []
    assert found.said("x = x * 1.01") == ["100 times"]
    assert ("x = x * 1.01", "x = x * 1.01") in found.arrows("next")


def test_an_opened_module_is_a_box():
    found = drawn(episode(100), depth=2)
    kinds = [kind for kind, _ in found.boxes("policy.0", "module")]
    assert sorted(kinds) == ["loop", "module"]


@pytest.mark.parametrize(
    "mix",
    [lambda b: b * b[::-1], lambda b: (b - b.mean(axis=0)) ** 2, lambda b: b * scg.cumsum(b),
     lambda b: scg.exp(b.sum()) * b],
    ids=["reversed", "centred", "cumulated", "weighted"],
)  # fmt: skip
def test_members_that_meet_again_are_in_no_plate(mix):
    a = scg.parameter(np.zeros(5), name="a")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    assert drawn(mix(b).sum()).boxes("b") == []
    assert scg.audit(mix(b).sum()).draws[0].axes == ("mixed",)


def test_members_that_are_only_summed_stay_apart():
    a = scg.parameter(np.zeros(5), name="a")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    assert drawn(((b - 0.5) ** 2).sum() + scg.log(b.sum() + 1.0)).boxes("b") == [
        ("plate", "plate of 5")
    ]
