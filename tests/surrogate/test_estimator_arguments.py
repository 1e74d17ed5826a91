"""What is given as an estimator, a baseline or a world is checked when it is given."""

import numpy as np
import pytest

import scg
from scg import estimators as E


@pytest.mark.parametrize("wrong", [None, 3, E.Enumerate, E.RunningMean()])
def test_what_is_no_estimator_is_refused(wrong):
    with pytest.raises(scg.OptionError, match="nor an instance of an estimator"):
        scg.Bernoulli(0.5).sample(estimator=wrong)


def test_a_class_is_no_baseline():
    with pytest.raises(scg.OptionError, match=r"pass an instance, such as RunningMean\(\)"):
        E.Score(baseline=E.RunningMean)


def test_an_array_baseline_counts_as_it_was_at_the_draw():
    """Else this run's return, written into it before backward, would bias the gradient."""

    def program(s):
        baseline = np.zeros(())
        b = scg.Bernoulli(logits=s).sample(estimator=E.Score(baseline=baseline))
        baseline[...] = 5.0 * scg.peek(b)
        return (b - 0.45) ** 2

    scg.testing.check_unbiased(program, 0.4)


def test_coupled_noise_is_named_when_leave_one_out_refuses_it():
    mean = scg.parameter(np.zeros(4))
    score = E.Score(baseline=E.BatchMean())
    z = scg.Normal(mean, 1.0).sample(8, rng=scg.noise.AntitheticSource(0), estimator=score)
    with pytest.raises(scg.BiasedGradientError, match="its elements have coupled noise"):
        np.sign(z).sum(axis=1).mean().backward()


@pytest.mark.parametrize("family", [scg.Bernoulli, scg.OneHotCategorical])
def test_a_relaxed_draw_is_tagged_and_strictly_refused(family):
    logits = scg.parameter(np.zeros(3))

    def loss():
        z = family(logits=logits).sample(rng=0, estimator=E.GumbelSoftmax(0.5))
        return ((z - 0.3) ** 2).sum()

    loss().backward()
    assert [tag.reason for tag in logits.tags] == ["GumbelSoftmax"]
    with scg.strict(), pytest.raises(scg.BiasedGradientError, match="GumbelSoftmax"):
        loss().backward()


@pytest.mark.parametrize("world", [{}, [], 3])
def test_a_world_that_cannot_be_remembered_is_refused_before_the_call(world):
    called = []
    with pytest.raises(scg.OptionError, match="cannot be remembered"):
        scg.external(lambda: called.append(1), world=world)
    assert not called


def test_the_zero_that_a_sum_begins_with_is_no_unmarked_cost():
    """It would warn (an error here) although every cost is marked."""
    logit = scg.parameter(0.3)
    costs = [scg.cost(float(scg.Bernoulli(logits=logit).sample())) for _ in range(3)]
    sum(costs).backward()
