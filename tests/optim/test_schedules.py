"""Schedules: exact values, the step they see, what they refuse."""

from __future__ import annotations

import math

import pytest

import scg
from scg import optim
from scg.errors import OptionError


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (optim.constant(0.3), {0: 0.3, 10**9: 0.3}),
        (optim.step_decay(1.0, every=3, factor=0.5), {0: 1.0, 2: 1.0, 3: 0.5, 6: 0.25}),
        (optim.exponential_decay(1.0, factor=0.25, every=4), {0: 1.0, 2: 0.5, 4: 0.25}),
        (optim.cosine(2.0, 8), {0: 2.0, 8: 0.0, 100: 0.0}),
        (optim.linear_warmup(1.0, 4), {0: 0.0, 1: 0.25, 4: 1.0, 9: 1.0}),
        (optim.linear_warmup(1.0, 4, start=0.5), {0: 0.5, 2: 0.75, 4: 1.0}),
        (
            optim.linear_warmup(optim.step_decay(1.0, every=2, factor=0.5), 2),
            {1: 0.5, 2: 1.0, 4: 0.5},
        ),
        (optim.piecewise(1.0, {20: 0.01, 10: 0.1}), {0: 1.0, 9: 1.0, 10: 0.1, 19: 0.1, 20: 0.01}),
    ],
)
def test_schedules_have_exact_values(schedule, values):
    assert {step: schedule(step) for step in values} == values


def test_cosine_is_symmetric_about_its_middle():
    schedule = optim.cosine(1.0, 10, final=0.5)
    assert schedule(5) == pytest.approx(0.75)
    for step in range(10):
        assert schedule(step) + schedule(10 - step) == pytest.approx(1.5)


def test_a_schedule_counts_the_steps_done():
    p = scg.parameter([0.0])
    optimizer = optim.SGD([p], lr=optim.piecewise(1.0, {1: 0.5, 2: 0.25}))
    seen = []
    for _ in range(3):
        before = scg.peek(p)[0]
        p.grad = [1.0]
        optimizer.step()
        seen.append(before - scg.peek(p)[0])
    assert seen == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("value", [-1.0, math.nan, None])
def test_a_schedule_that_leaves_the_range_is_refused_before_anything_changes(value):
    p = scg.parameter([1.0])
    p.grad = [1.0]
    optimizer = optim.SGD([p], lr=lambda step: value)
    with pytest.raises(OptionError, match="from its schedule, at step 0"):
        optimizer.step()
    assert scg.peek(p)[0] == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.constant(-1.0), "constant: lr"),
        (lambda: optim.step_decay(1.0, every=0), "every=0 must be a whole number from 1"),
        (lambda: optim.step_decay(1.0, every=1, factor=0), "factor=0.0 must be positive"),
        (lambda: optim.exponential_decay(1.0, factor=-1), "factor=-1.0 must not be negative"),
        (lambda: optim.cosine(1.0, 2.5), "steps=2.5 must be a whole number"),
        (lambda: optim.cosine(1.0, 5, final=-1), "final=-1.0 must not be negative"),
        (lambda: optim.linear_warmup(1.0, 5, start=1.0), r"start=1.0 must lie in \[0, 1\)"),
        (lambda: optim.piecewise(1.0, {0.5: 1.0}), "step=0.5 must be a whole number"),
        (lambda: optim.piecewise(1.0, {5: -1.0}), r"changes\[5\]=-1.0"),
        (lambda: optim.piecewise(1.0, [5]), "must map steps"),
    ],
)
def test_wrong_schedules_get_one_sentence(make, message):
    with pytest.raises(OptionError, match=message):
        make()
