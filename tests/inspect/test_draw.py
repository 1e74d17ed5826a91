"""What a picture shows of a loss."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.inspect._draw import drawing_of

sys.path.insert(0, str(Path(__file__).parent))
from pictures import chain, drawn, episode, readme, rerouted

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def test_the_graph_of_the_readme():
    found = drawn(readme())
    assert found.titles("parameter") == ["mu", "R"]
    assert found.titles("draw") == ["z", "b"]
    assert found.titles("op") == ["z[0] - z[1]"]
    assert set(found.titles("cost")) == {"(b - 0.45) ** 2", "0.1 * (z * z).sum()"}
    assert found.arrows() == {
        ("mu", "z"), ("R", "z"), ("z", "z[0] - z[1]"), ("z[0] - z[1]", "b"),
        ("b", "(b - 0.45) ** 2"), ("z", "0.1 * (z * z).sum()"),
    }  # fmt: skip
    assert found.said("z") == ["2", "pathwise into all costs", "smooth all the way"]
    assert found.said("b") == ["score into c1", "its values are discrete"]
    assert found.item("b").family == "Bernoulli"


def test_a_rerouted_draw_says_why_and_the_step_is_red():
    found = drawn(rerouted())
    z = found.said("z")
    assert z[1:3] == ["pathwise into c1", "smooth all the way"]
    assert z[3] == "score into c2"
    assert z[4].startswith("z > 0.3 (pictures.py:") and z[4].endswith(") jumps")
    (edge,) = found.forced()
    assert edge == ("z", "scg.tanh(z) * (z > 0.3)")
    assert found.forced()[edge].startswith("z > 0.3\npictures.py:")


def test_the_red_edge_is_the_way_into_the_step_and_no_other():
    a = scg.parameter([0.5, 0.1], name="a")
    z = scg.Normal(a, 1.0).sample(rng=0)
    b = scg.Bernoulli(logits=z).sample(rng=1)
    y = scg.exp(z)
    shared = y * 2.0 + b * y
    found = drawn((b * (y > 1.0)).sum() + shared.sum())
    assert list(found.forced()) == [("y = scg.exp(z)", "b * (y > 1.0)")]


def test_a_raw_read_is_a_dashed_red_edge():
    a = scg.parameter(0.5, name="a")
    z = scg.Normal(a, 1.0).sample(rng=0)
    size = float(z)
    cost = z * size
    found = drawn(cost)
    assert found.arrows("control") == {("z", "cost = z * size")}
    assert ("z", "cost = z * size") in found.forced()
    assert any("float() (test_draw.py:" in line for line in found.said("z"))


def test_python_that_decides_makes_control_edges():
    a = scg.parameter(0.5, name="a")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    early = scg.cost(a * 2.0)
    total = early + (scg.cost(a * 3.0) if b else scg.cost(a * 4.0))
    found = drawn(total)
    chosen = "scg.cost(a * 3.0)" if scg.peek(b) else "scg.cost(a * 4.0)"
    assert found.arrows("control") == {("b", chosen)}
    assert found.label("b", chosen).startswith("bool()\ntest_draw.py:")


def test_the_estimator_is_named_with_its_baseline_and_bias():
    a = scg.parameter([0.5, 0.1], name="a")
    kinds = {
        "loo": scg.estimators.LeaveOneOut(3), "base": scg.estimators.Score(baseline=0.5),
        "all": scg.estimators.Enumerate(), "soft": scg.estimators.GumbelSoftmax(0.5),
        "plain": "score",
    }  # fmt: skip
    draws = [
        scg.Bernoulli(logits=a).sample(estimator=kind, name=name, rng=seed)
        for seed, (name, kind) in enumerate(kinds.items())
    ]
    found = drawn(sum((d * 2.0).mean() for d in draws))
    said = {name: found.said(name, "draw") for name in kinds}
    assert "asked for: LeaveOneOut" in said["loo"] and "baseline LeaveOneOut" in said["loo"]
    assert "baseline 0.5" in said["base"]
    assert "every outcome, by its probability" in said["all"]
    assert "BIASED(GumbelSoftmax)" in said["soft"] and "asked for" in said["soft"]
    assert "asked for" in said["plain"]
    assert any(note.startswith("BIASED(GumbelSoftmax) at test_draw.py:") for note in found.notes)


def test_a_draw_that_no_parameter_moves_is_fixed():
    a = scg.parameter(0.5, name="a")
    u = scg.Normal(0.0, 1.0).sample(name="u")
    eps = scg.Normal(0.0, 1.0).sample(name="eps")
    scaled = eps * 2.0
    found = drawn(u * a + (a + scaled) ** 2)
    assert found.said("u") == ["fixed: no parameter moves it"]
    assert ("eps", "(a + scaled) ** 2") in found.arrows() or (
        "eps", "scaled = eps * 2.0") in found.arrows()  # fmt: skip


def test_what_backward_would_refuse_is_written_below():
    p = scg.parameter(0.3, name="p")
    found = drawn((scg.Uniform(0.0, 1.0).sample(name="u") < p) * 1.0 + p)
    (note,) = found.notes
    assert note.startswith("backward raises: the gradient of this loss would be biased: 'less' at")
    assert str(Path(__file__).parent) not in note


def test_a_cost_may_be_a_parameter_a_draw_or_a_number():
    p = scg.parameter(0.3, name="p")
    b = scg.Bernoulli(p).sample(name="b", rng=0)
    read = int(b)
    found = drawn(p + b + read * 1.5 + 1.0)
    assert {"p", "b"} <= set(found.titles("cost"))
    assert found.titles("draw") == ["b"]


def test_a_number_that_nothing_decided_is_not_drawn():
    p = scg.parameter(0.3, name="p")
    b = scg.Bernoulli(p).sample(name="b", rng=0)
    assert drawn(b - 0.45).titles("cost") == ["b"]


def test_a_tensor_that_scales_a_cost_points_at_it():
    a = scg.parameter([0.5, 0.1], name="a")
    weight = scg.parameter(2.0, name="weight")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    found = drawn((b * b).sum() * weight)
    assert ("weight", "b * b") in found.arrows()
    assert "c1, times 2" in found.said("b * b")


def test_constants_with_a_name_are_symbols():
    w = scg.parameter([0.5, 0.1], name="w")
    data = np.ones(2)
    z = scg.Normal(w * data, 1.0).sample(rng=0)
    found = drawn(((z - data) ** 2 * 0.5).sum())
    assert found.titles("input") == ["data", "data"]


def test_a_network_is_one_square_and_one_symbol():
    found = drawn(episode(2))
    assert found.titles("module") == ["policy", "policy"]
    module = next(item for item in found.items if item.kind == "module")
    assert [line.text for line in module.lines] == ["2 linear, tanh", "1"]
    assert found.titles("parameter") == ["policy"]
    (symbol,) = [item for item in found.items if item.kind == "parameter"]
    assert [line.text for line in symbol.lines] == ["4 parameters, 13 numbers"]


def test_depth_opens_modules():
    loss = episode(1)
    closed, opened = drawn(loss), drawn(loss, depth=2)
    assert closed.titles("module") == ["policy"]
    assert opened.titles("module") == ["policy.0", "policy.2"]
    assert ("module", "policy") in opened.boxes("tanh")


def test_depth_none_draws_every_operation():
    found = drawn(readme(), depth=None)
    assert found.titles("op").count("getitem") == 2
    assert "subtract" in found.titles("op")
    with pytest.raises(scg.OptionError, match=r"depth=None.*drawn once"):
        drawn(chain(300), depth=None)


def test_depth_zero_leaves_draws_costs_and_parameters():
    found = drawn(readme(), depth=0)
    assert {item.kind for item in found.items} == {"parameter", "draw", "cost"}
    assert ("z", "b") in found.arrows()


def test_a_way_with_a_read_on_it_stays_dashed_when_it_is_shortened():
    a = scg.parameter(0.5, name="a")
    b = scg.Bernoulli(logits=a).sample(rng=0)
    twice = b * 2.0
    cost = scg.cost(a * (1.0 if int(twice) else 3.0))
    found = drawn(cost, depth=0)
    (title,) = found.titles("cost")
    assert found.arrows("control") == {("b", title)}
    assert ("a", title) in found.arrows("data")


def test_a_short_episode_is_unrolled_and_numbered():
    found = drawn(episode(3))
    assert found.titles("draw") == ["action_1", "action_2", "action_3"]
    assert found.said("action_2") == ["score into c2, c3", "its values are discrete"]
    assert len(found.titles("cost")) == 3


def test_a_long_episode_is_drawn_once():
    found = drawn(episode(120))
    assert found.titles("draw") == ["action"]
    (cost,) = found.titles("cost")
    assert found.label("action", cost).endswith("costs made later")
    assert "c1 … c120" in found.said(cost)
    assert ("loop", "120 times") in found.boxes("action")
    assert len(found.items) < 10


def test_what_is_handed_on_to_the_next_turn_is_told_apart():
    found = drawn(chain(60))
    assert found.arrows("next") == {("x", "theta * x + theta")}
    assert ("theta * x + theta", "x") in found.arrows("data")
    assert ("theta", "theta * x + theta") in found.arrows("data")


def test_turns_that_went_another_way_are_drawn_by_themselves():
    a = scg.parameter(0.3, name="a")
    rng, total = np.random.default_rng(0), 0.0
    for turn in range(50):
        z = scg.Normal(a, 1.0).sample(rng=rng)
        total = total + (z * z if turn % 2 else scg.sign(z))
    found = drawn(total)
    assert found.titles("draw") == ["z_1", "z_2"]
    routes = {said for name in found.titles("draw") for said in found.said(name)}
    assert {"pathwise", "score"} <= routes


def test_only_draws_and_only_costs():
    draws, costs = drawn(rerouted(), only="draws"), drawn(rerouted(), only="costs")
    assert {item.kind for item in draws.items} == {"parameter", "draw"}
    assert draws.arrows() == {("theta", "z"), ("z", "coin")}
    assert {item.kind for item in costs.items} == {"draw", "cost"}
    assert costs.label("coin", "b * z") == "score"
    assert costs.label("z", "scg.tanh(z) * (z > 0.3)") == "score"
    assert costs.label("z", "b * z") == "pathwise"


def test_the_outside_world_has_a_memory():
    a = scg.parameter(np.zeros(4), name="a")
    world = type("World", (), {"step": lambda self, x: x * 2.0})()
    total = 0.0
    for _ in range(2):
        move = scg.Bernoulli(logits=a).sample()
        reward = scg.external(world.step, move, aligned=0, world=world)
        total = total + scg.cost(reward).sum()
    found = drawn(total)
    assert found.titles("world") == ["world.step", "world.step"]
    worlds = [item for item in found.items if item.kind == "world"]
    assert any(e.tail is worlds[0] and e.head is worlds[1] for e in found.edges)


def test_a_tensor_of_constants_has_no_picture():
    with pytest.raises(scg.OptionError, match="no graph to draw"):
        drawn(scg.tensor(1.0) * 2.0)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("make", [readme, rerouted, lambda: episode(5), lambda: chain(60)])
def test_looking_changes_nothing_and_backward_neither(make, backward):
    scg.seed(3)
    loss = make()
    first = scg.to_graphviz(loss).source
    if backward:
        loss.backward()
    assert scg.to_graphviz(loss).source == first
    if not backward:
        loss.backward()  # marked costs still wait for it, residuals are there


def zeros(*shape):
    return scg.parameter(np.zeros(shape), name="a")


def gradient_of_a_surrogate():
    a = zeros(3)
    b = scg.Bernoulli(logits=a).sample()
    return scg.grad((b * b).sum(), [a], create_graph=True)[0].sum()


def made_without_recording():
    a = zeros(3)
    with scg.no_grad():
        b = scg.Bernoulli(logits=a).sample() * 2.0
    return (b * a).sum()


@pytest.mark.parametrize("only", [None, "draws", "costs", "surrogate"])
@pytest.mark.parametrize("depth", [0, 1, 2, None])
@pytest.mark.parametrize(
    "make",
    [
        lambda: zeros(3),
        lambda: zeros(3) * 2.0,
        lambda: scg.Normal(zeros(2, 3), 1.0).sample(),
        lambda: scg.Normal(0.0, 1.0).sample(),
        lambda: scg.Normal(zeros(0, 3), 1.0).sample() * 2.0,
        lambda: scg.Gamma(zeros(2) + 1.0, 1.0).sample().sum(),
        lambda: scg.Mixture(scg.Normal(zeros(2), 1.0), [0.5, 0.5]).sample() ** 2,
        lambda: scg.concatenate([scg.Bernoulli(logits=zeros(3)).sample(), zeros(2)]).mean(),
        lambda: scg.surrogate((scg.Bernoulli(logits=zeros(3)).sample() ** 2).sum()) * 2.0,
        lambda: scg.external(np.sum, scg.Bernoulli(logits=zeros(3)).sample()) * 2.0,
        lambda: (scg.Normal(zeros(4), 1.0).sample(4, rng=scg.noise.AntitheticSource(0))).sum(),
        gradient_of_a_surrogate, made_without_recording,
    ],
    ids=range(13),
)  # fmt: skip
def test_every_tensor_with_a_graph_has_a_picture(make, depth, only):
    loss = make()
    items = drawing_of(loss, depth, only).items
    assert only == "draws" or items
    assert str(scg.formula(loss)).startswith("surrogate")
