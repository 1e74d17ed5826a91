"""What an audit tells of a loss."""

import json

import numpy as np
import pytest

import scg
from scg._run import current_run

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def kinds(audit):
    return {assumption.kind for assumption in audit.assumptions}


def test_each_draw_has_its_route_into_each_cost():
    a = scg.parameter(np.zeros(3))
    z = scg.Normal(a, 1.0).sample(name="z")
    b = scg.Bernoulli(logits=z).sample(name="b")
    u = scg.Normal(0.0, 1.0).sample(name="u")
    found = scg.audit((b * z).sum() + (z > 0.3).sum() * 2.0 + u * a.sum())
    assert found.routes() == {
        "z": {"pathwise", "score"}, "b": {"score"}, "u": {"fixed"},
    }  # fmt: skip
    by_name = {draw.name: draw for draw in found.draws}
    costs = {cost.number: cost for cost in found.costs}
    (jump,) = (number for number, cost in costs.items() if cost.name == "greater")
    (product,) = by_name["b"].routes["score"]
    assert costs[product].name == "multiply"
    assert by_name["z"].routes["score"] == (jump,)
    assert by_name["z"].routes["pathwise"] == (product,)
    assert by_name["z"].weighting == 1
    assert "'greater'" in by_name["z"].cause and "test_listing.py" in by_name["z"].cause
    assert costs[jump].coefficient == "2"
    assert found.refusals == ()


def test_costs_have_the_numbers_that_the_formula_gives_them():
    a = scg.parameter(0.2)
    b = scg.Bernoulli(logits=a).sample(name="b")
    c = scg.Bernoulli(logits=a).sample(name="c")
    loss = 0.0 + 0.5 * scg.sin(b + 1.0) + scg.cos(b * c) + 3.0 * scg.exp(c)
    found = scg.audit(loss)
    assert [(cost.number, cost.name) for cost in found.costs] == [
        (1, "sin"), (2, "cos"), (3, "exp"), (0, "number")
    ]  # fmt: skip
    assert {draw.name: draw.routes["score"] for draw in found.draws} == {"b": (1, 2), "c": (2, 3)}
    sums = scg.formula(loss).text
    assert all(f"c{n}" in sums for n in (1, 2, 3))
    for name, numbers in {"b": (1, 2), "c": (2, 3)}.items():
        terms = [t for t in sums.partition("\n  c1 =")[0].split("+") if f"box({name})" in t]
        assert [f"c{n} " in t for n, t in zip(numbers, terms, strict=True)] == [True, True]


def test_a_draw_that_no_cost_can_feel_is_not_reached():
    a = scg.parameter(0.5)
    b = scg.Bernoulli(a).sample(name="b")
    found = scg.audit(scg.detach(scg.tensor(1.0)) * a + 0.0 * a)
    assert "b" not in found.routes()
    x = scg.Normal(a, 1.0).sample(name="x")
    assert scg.audit(x * b).routes() == {"x": {"pathwise"}, "b": {"score"}}


def test_axes_are_told_in_words():
    a = scg.parameter(np.zeros((4, 3)))
    b = scg.Bernoulli(logits=a).sample(name="b")
    assert scg.audit((b * 2.0).sum(axis=1).mean()).draws[0].axes == ("axis 0 kept, axis 1 kept",)
    norms = scg.sqrt((b * b).sum(axis=0) + 1.0)
    assert scg.audit(norms.sum()).draws[0].axes == ("axis 0 mixed, axis 1 kept as axis 0",)
    shifted = (b[1:] * 2.0 + 1.0) ** 2
    (axes,) = scg.audit(shifted.sum()).draws[0].axes
    assert axes == "axis 0 kept from index 1 in steps of 1, axis 1 kept"
    assert scg.audit((b - scg.roll(b, 1, axis=0)).sum() ** 2).draws[0].axes == ("mixed",)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (scg.estimators.Score(), "none"),
        (scg.estimators.Score(baseline=0.25), "0.25"),
        (scg.estimators.Score(baseline=scg.estimators.RunningMean()), "RunningMean"),
        (scg.estimators.Score(baseline=scg.tensor([1.0, 2.0])), "tensor of shape (2,)"),
        (scg.estimators.LeaveOneOut(3), "LeaveOneOut"),
    ],
)
def test_the_baseline_is_named(estimator, words):
    b = scg.Bernoulli(logits=scg.parameter([0.0, 0.0])).sample(estimator=estimator)
    assert scg.audit((b * b).mean()).draws[0].baseline == words


def test_enumeration_is_a_route():
    b = scg.Bernoulli(scg.parameter(0.3)).sample(estimator=scg.estimators.Enumerate(), name="b")
    assert scg.audit((b * b).mean()).routes() == {"b": {"enumerate"}}


def test_raw_reads_are_listed_with_what_they_widen():
    a = scg.parameter(0.3)
    b = scg.Bernoulli(a).sample(name="b")
    c = scg.Bernoulli(a).sample(name="c")
    loss = c * 2.0 if float(b) else c * 3.0
    found = scg.audit(loss)
    (escape,) = found.escapes
    assert (escape.kind, escape.draw, escape.costs) == ("float", "b", 1)
    assert {draw.name: draw.widened for draw in found.draws} == {"b": 1, "c": 0}


def test_marks_are_shown_and_left_for_backward():
    a = scg.parameter(0.3)
    with scg.episode():
        b = scg.Bernoulli(a).sample()
        loss = scg.cost(1.0 if b else 0.5) + scg.cost(b * 2.0)
        before = dict(current_run().marks)
        assert [cost.marked for cost in scg.audit(loss).costs] == [True, True]
        assert len(before) == 2 and current_run().marks == before
        loss.backward()


def test_an_audit_changes_no_gradient():
    def gradient(look):
        a = scg.parameter([0.3, 0.6])
        z = scg.Normal(a, 1.0).sample(rng=1)
        mean = scg.estimators.RunningMean()
        b = scg.Bernoulli(logits=z).sample(rng=2, estimator=scg.estimators.Score(baseline=mean))
        loss = (b * z).sum() + scg.where(z > 0, z, 1.0).sum()
        if look:
            scg.audit(loss)
        loss.backward()
        return a.grad

    np.testing.assert_array_equal(gradient(True), gradient(False))


def refused(program):
    """Return the refusals of an audit, and check that backward raises one of them."""
    loss = program()
    found = scg.audit(loss).refusals
    with pytest.raises(scg.ScgError) as error:
        loss.backward()
    assert str(error.value) in found
    return found


def test_a_jump_in_a_parameter_is_listed_not_raised():
    theta = scg.parameter(0.2, name="theta")
    (text,) = refused(lambda: (scg.Uniform(0.0, 1.0).sample() < theta) * 1.0 + 0.0 * theta)
    assert "theta" in text


def test_two_refusals_are_both_listed():
    a, b = scg.parameter(0.2, name="a"), scg.parameter(0.3, name="b")

    def program():
        u = scg.Normal(0.0, 1.0).sample(2)
        return (u[0] < a) * 1.0 + (u[1] < b) * 1.0

    assert len(refused(program)) == 2


def test_a_pathwise_draw_before_a_jump():
    mu = scg.parameter(0.1)
    (text,) = refused(lambda: (scg.Normal(mu, 1.0).sample(estimator="pathwise") > 0) * mu)
    assert "pathwise" in text


def test_a_baseline_that_saw_its_draw():
    a = scg.parameter(0.1)

    def program():
        noise = scg.Bernoulli(a).sample()
        score = scg.estimators.Score(baseline=noise * 2.0)
        z = scg.Bernoulli(logits=noise).sample(estimator=score)
        later = scg.estimators.Score(baseline=z * 1.0)
        y = scg.Bernoulli(logits=z).sample(estimator=later)
        later.baseline = y * 1.0
        return y * 3.0

    (text,) = refused(program)
    assert "baseline" in text


def test_equal_seeds():
    a = scg.parameter(0.1)

    def program():
        x = scg.Normal(a, 1.0).sample(rng=3, estimator="score")
        return x * scg.Normal(a, 1.0).sample(rng=3)

    (text,) = refused(program)
    assert "same state" in text


def test_stale_draws():
    a = scg.parameter(0.1)
    b = scg.Bernoulli(a).sample()
    a.assign(0.2)
    assert any("stale" in text for text in scg.audit(b * 2.0 + a).refusals)


def test_asked_for_bias_is_tagged():
    a = scg.parameter(0.0)
    relaxed = scg.estimators.GumbelSoftmax(temperature=0.5)
    b = scg.Bernoulli(logits=a).sample(estimator=relaxed)
    assert [tag.kind for tag in scg.audit(b * b).tags] == ["BIASED"]


def test_the_table_fits_and_json_holds_everything():
    a = scg.parameter(np.zeros(20))
    draws = [scg.Bernoulli(logits=a[i:]).sample(name=f"draw number {i}") for i in range(20)]
    x = scg.Normal(a.sum(), 1.0).sample(name="x")
    loss = sum((scg.cost((b * i).sum()) for i, b in enumerate(draws)), scg.detach(x))
    found = scg.audit(loss)
    text = str(found)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "draw number 3" in text and "and 9 more" in text and "detach" in text
    read = json.loads(found.to_json())
    assert len(read["draws"]) == 21 and read["draws"][4]["name"] == "draw number 4"
    assert set(read) == {
        "draws", "costs", "escapes", "tags", "assumptions", "refusals", "checks",
    }  # fmt: skip


def test_a_loss_that_is_a_gradient_already_gets_no_more_scores():
    a = scg.parameter(0.3)
    b = scg.Bernoulli(a).sample(name="b")
    slope = scg.grad((b - a) ** 2, a, create_graph=True)
    assert scg.audit(slope * slope.numpy().item()).routes() in ({}, {"b": {"not reached"}})


def test_bad_calls():
    with pytest.raises(scg.OptionError, match="not int"):
        scg.audit(3)
    with pytest.raises(scg.OptionError, match="no parameters"):
        scg.audit(scg.parameter(1.0) * 2.0, 3.0)


@pytest.mark.parametrize("retain", [False, True])
def test_an_audit_is_the_same_after_the_backward(retain):
    a = scg.parameter(np.array([0.1, 0.2]), name="a")
    z = scg.OneHotCategorical(logits=a).sample(estimator=scg.estimators.GumbelSoftmax(0.5))
    loss = (z * a).sum() * 0.5 + (z * z).mean()
    before = scg.audit(loss).to_dict()
    assert len(before["costs"]) == 2
    loss.backward(retain=retain)
    assert scg.audit(loss).to_dict() == before
    assert (loss._node.saved is None) == (not retain)  # what was lent to the audit is gone again
