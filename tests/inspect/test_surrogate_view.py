"""Which cost meets which log-probability."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scg

sys.path.insert(0, str(Path(__file__).parent))
from pictures import drawn, episode, readme, rerouted

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def test_each_score_points_at_the_costs_that_weight_it():
    found = drawn(rerouted(), only="surrogate")
    first, second = "b * z", "scg.tanh(z) * (z > 0.3)"
    assert set(found.titles("log_prob")) == {"log p(z)", "log p(coin)"}
    assert found.label("log p(coin)", first) == "weight 0.04167 times c1\nelement by element"
    assert found.label("log p(z)", second) == "weight c2\nelement by element"
    assert ("log p(z)", first) not in found.arrows()
    assert ("log p(coin)", second) not in found.arrows()


def test_pathwise_ways_lead_into_costs_and_log_probabilities():
    found = drawn(rerouted(), only="surrogate")
    assert found.label("z", "b * z") == found.label("z", "log p(coin)") == "pathwise"
    assert ("z", "scg.tanh(z) * (z > 0.3)") not in found.arrows()


def test_all_costs_are_summed():
    found = drawn(readme(), only="surrogate")
    assert {tail for tail, head in found.arrows() if head == "surrogate"} == set(
        found.titles("cost")
    )


def test_the_surrogate_tensor_is_drawn_as_its_loss():
    loss = rerouted()
    assert scg.to_graphviz(scg.surrogate(loss)).source == (
        scg.to_graphviz(loss, only="surrogate").source
    )


def test_a_surrogate_without_scores_is_the_loss():
    a = scg.parameter(0.5, name="a")
    z = scg.Normal(a, 1.0).sample(rng=0)
    found = drawn(scg.surrogate(z * z + scg.detach(scg.tensor(1.0)) * a))
    assert found.titles("log_prob") == []


def test_mixed_axes_and_later_turns_are_said():
    a = scg.parameter(np.zeros((4, 3)))
    b = scg.Bernoulli(logits=a).sample(rng=0)
    found = drawn(scg.sqrt((b * b).sum(axis=0) + 1.0).sum(), only="surrogate")
    (cost,) = found.titles("cost")
    assert "axis 0 mixed, axis 1 kept as axis 0" in found.label("log p(b)", cost)
    with scg.episode():
        found = drawn(episode(90), only="surrogate")
    (cost,) = found.titles("cost")
    assert found.label("log p(action)", cost).endswith("costs made later")


def test_enumeration_and_baselines_are_said():
    a = scg.parameter([0.1, 0.2])
    each = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Enumerate(), rng=0)
    based = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=0.5), rng=1)
    found = drawn((each * each).sum() + (based * based).sum(), only="surrogate")
    assert "by the probability of each outcome" in found.label("log p(each)", "each * each")
    assert found.said("log p(based)") == ["baseline 0.5"]


def test_turns_of_their_own_and_odd_pairs_are_said():
    a = scg.parameter(0.1, name="a")
    total, before = 0.0, 0.0
    for _ in range(60):
        own = scg.Bernoulli(logits=a).sample()
        total = total + scg.cost(own * own)
    found = drawn(total, only="surrogate")
    (cost,) = found.titles("cost")
    assert found.label("log p(own)", cost) == "weight c1 … c60\neach its own"
    with scg.episode():
        total = 0.0
        for _ in range(60):
            pair = scg.Bernoulli(logits=a).sample()
            total = total + scg.cost((pair + before) ** 2)
            before = pair
        found = drawn(total, only="surrogate")
    (cost,) = found.titles("cost")
    assert found.label("log p(pair)", cost).endswith("119 of 3600 pairs")


def test_the_formula_says_each_its_own():
    a = scg.parameter(0.1, name="a")
    total = 0.0
    for _ in range(60):
        own = scg.Bernoulli(logits=a).sample()
        total = total + scg.cost(own * own)
    assert "sum_{t=1..60} c[t] box(own[t])" in str(scg.formula(total))
