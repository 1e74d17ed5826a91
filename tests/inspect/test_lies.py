"""The audit finds what programs do not tell."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scg

sys.path.insert(0, str(Path(__file__).parent))
import lies


def failed(program, *params, **options):
    return {check.name: check for check in scg.audit(program, *params, **options).failed}


@pytest.mark.parametrize(
    ("program", "param", "finders"),
    [
        (lies.custom_op, 0.3, {"jumps"}),
        (lies.high_custom_op, 0.3, {"jumps", "scores"}),
        (lies.round_trip, 0.3, {"differences"}),
        (lies.decided_by_a_peek, 0.3, {"jumps"}),
        (lies.discrete_decided_by_a_peek, 0.4, {"exact"}),
        (lies.detached, 0.7, {"differences"}),
        (lies.asserted, 0.3, {"jumps", "continuous=True"}),
        (lies.scored(lies.WrongDensity, 1.0), 0.3, {"densities"}),
        (lies.scored(lies.WrongLocation, 1.0), 0.3, {"densities"}),
        (lies.scale_of(lies.Unnormalised), 1.2, {"densities"}),
        (lies.scored(lies.HeavySampler, 1.0), 0.3, {"densities"}),
        (lies.scored(lies.Frozen, 1.0), 0.3, {"densities"}),
        (lies.scored(lies.Biased), 0.4, {"densities"}),
        (lies.Shared().program, 0.5, {"independence"}),
        (lies.Shared().elements, 0.5, {"independence"}),
        (lies.OwnNoise(), 0.5, {"repeatable"}),
    ],
)
def test_every_lie_is_found(program, param, finders):
    found = failed(program, param, runs=2000)
    assert finders <= set(found), found


def test_a_lie_is_told_in_words():
    check = failed(lies.custom_op, 0.3)["jumps"]
    assert "jumps by 1 " in check.text and "no draw is scored" in check.text
    check = failed(lies.scored(lies.WrongDensity, 1.0), 0.3)["densities"]
    assert "z at lies.py" in check.text
    check = failed(lies.discrete_decided_by_a_peek, 0.4)["exact"]
    # E = p * 3 p + (1 - p) * p has slope 1 + 4 p, and the program sees 1 + 2 p of it.
    assert "averages 1.8 " in check.text and "is 2.6" in check.text


def test_the_first_round_of_a_lie_is_enough():
    found = scg.audit(lies.round_trip, 0.3, runs=2000)
    (check,) = (c for c in found.checks if c.name == "differences")
    assert "(2000 runs)" not in check.text


def test_of_an_infinite_variance_nothing_is_said():
    undecided = {check.name for check in scg.audit(lies.heavy, 0.5, runs=1000).undecided}
    assert undecided == {"tails", "differences", "scores"}


def test_a_seed_hides_a_draw():
    found = failed(lambda mu: scg.Normal(mu, 1.0).sample(rng=3), 0.2)
    assert "leave rng= out" in found["repeatable"].text


def test_refused_programs_are_not_run():
    found = scg.audit(lambda t: (scg.Uniform(0.0, 1.0).sample() < t) * 1.0 + 0.0 * t, 0.3)
    assert found.refusals and not found.passed
    assert [check.name for check in found.checks] == ["repeatable"]


def test_a_run_that_raises_is_reported():
    def program(p):
        if scg.Bernoulli(p).sample():
            return scg.detach(p) * 1.0
        return p * 1.0

    found = failed(program, 0.3)
    assert "runs" in found or "exact" in found


def test_peeks_are_among_the_assumptions():
    found = scg.audit(lies.decided_by_a_peek, 0.3, runs=100)
    assert any(a.kind == "peek" for a in found.assumptions)
    found = scg.audit(lies.custom_op, 0.3, runs=100)
    assert any("'stairs'" in a.text for a in found.assumptions)


def test_nothing_is_left_behind():
    scg.seed(1)
    state = scg.noise.default_rng().bit_generator.state
    mu = scg.parameter([0.1, 0.2], name="mu")
    before = scg.peek(mu).copy()
    z = scg.Normal(mu, 1.0).sample(rng=0)
    found = scg.audit(lambda: (scg.Normal(mu, 1.0).sample() ** 2).sum(), mu, runs=150)
    assert found.passed and mu.grad is None and mu.version == 0
    assert any("mu[0]" in check.text or "mu[1]" in check.text for check in found.checks)
    np.testing.assert_array_equal(scg.peek(mu), before)
    assert scg.noise.default_rng().bit_generator.state == state
    (z * z).sum().backward()
    np.testing.assert_allclose(mu.grad, 2 * scg.peek(z))
