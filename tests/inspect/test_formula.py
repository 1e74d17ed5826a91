"""The surrogate written out."""

import sys
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.errors import OptionError

sys.path.insert(0, str(Path(__file__).parent))
from pictures import chain, episode, readme, rerouted

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def first_lines(loss):
    lines = str(scg.formula(loss)).splitlines()
    return [line.removeprefix("surrogate =").removeprefix("          +").strip()
            for line in lines if line.startswith(("surrogate", "          +"))]  # fmt: skip


def test_a_score_is_a_box_and_a_pathwise_draw_is_none():
    text = str(scg.formula(readme()))
    assert text.splitlines() == [
        "surrogate = c1 box(b)",
        "          + c2",
        "  c1 = (b - 0.45) ** 2",
        "  c2 = 0.1 * (z * z).sum()",
        "  z: differentiated through",
        "  box(x) = exp(log p(x) - stop(log p(x))), which is 1",
    ]


def test_elements_meet_by_their_indices():
    assert first_lines(rerouted()) == [
        "sum_{i, j} 0.04167 c1[i, j] box(coin[i, j])",
        "sum_{i, j} c2[i, j] box(z[i, j])",
    ]


@pytest.mark.parametrize(
    ("cost", "inside"),
    [
        (lambda b: (b[1:] * 2.0 + 1.0) ** 2, "b[i+1, j]"),
        (lambda b: (b[::2] * 2.0 + 1.0) ** 2, "b[2i, j]"),
        (lambda b: (b[::-1] * 2.0 + 1.0) ** 2, "b[3-i, j]"),
        (lambda b: scg.sqrt((b * b).sum(axis=0) + 1.0), "b[:, i]"),
        (lambda b: scg.cumsum(b, axis=0) ** 2, "b[:, j]"),
        (lambda b: (b.T * 2.0 + 1.0) ** 2, "b[j, i]"),
    ],
    ids=["shifted", "strided", "reversed", "reduced", "mixed", "transposed"],
)
def test_the_map_of_axes_is_written_as_indices(cost, inside):
    a = scg.parameter(np.zeros((4, 3)))
    b = scg.Bernoulli(logits=a).sample(rng=0)
    (line,) = first_lines(cost(b).sum())
    assert f"box({inside})" in line


def test_an_episode_is_a_sum_over_its_turns():
    assert first_lines(episode(100)) == ["sum_{t=1..100} c[t] box(action[s] for s <= t)"]


def test_a_short_episode_is_written_turn_by_turn():
    assert first_lines(episode(2)) == ["c1 box(action_1)", "c2 box(action_1) box(action_2)"]


def test_a_chain_that_is_differentiated_has_no_box():
    assert first_lines(chain(100)) == ["sum_{t=1..100} c[t]"]


def test_baselines_have_terms_of_their_own():
    a = scg.parameter([0.0, 0.0])
    b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=0.25), rng=0)
    found = scg.formula((b * b).mean())
    assert "+ sum (1 - box(b)) baseline" in found.text
    assert "  baseline of b: 0.25" in found.text.splitlines()
    assert r"\bigl(1 - \boxdot(b)\bigr)\, B_{b}" in found.latex


def test_a_surrogate_has_the_formula_of_its_loss():
    loss = rerouted()
    assert scg.formula(scg.surrogate(loss)) == scg.formula(loss)
    loss.backward()
    assert scg.formula(loss) == scg.formula(scg.surrogate(rerouted()))


def test_latex_is_what_jupyter_shows():
    found = scg.formula(readme())
    assert found._repr_latex_() == f"$\\displaystyle {found.latex}$"
    assert r"S &= c_{1}\, \boxdot(b) \\ &\quad + c_{2}" in found.latex
    assert r"\exp(\log p(x) - \operatorname{stop}(\log p(x)))" in found.latex


def test_latex_of_an_episode_multiplies_earlier_boxes():
    latex = scg.formula(episode(100)).latex
    assert r"\sum_{t=1}^{100} c_{t}\, \prod_{s \le t} \boxdot(\mathtt{action}_{s})" in latex


def test_hostile_names_give_no_command():
    name = r"\input{x}$ & % # ^ ~ _ <b>"
    b = scg.Bernoulli(scg.parameter(0.3)).sample(name=name, rng=0)
    latex = scg.formula(b * b).latex
    assert r"\input" not in latex
    assert "<" not in latex
    depth = 0
    for before, here in zip(" " + latex, latex, strict=False):
        depth += (here == "{") - (here == "}") if before != "\\" else 0
        assert depth >= 0
        assert here != "$" or before == "\\"
    assert depth == 0


def test_an_outcome_of_an_enumerated_draw_has_a_weight_and_no_box():
    p = scg.parameter(0.3, name="p")
    b = scg.Bernoulli(p).sample(name="b", estimator=scg.estimators.Enumerate())
    found = scg.formula(((b - 0.45) ** 2).mean(axis=0))
    assert found.text.splitlines()[0] == "surrogate = sum_i 0.5 c1[i] weight(b[i])"
    assert "weight(x) = p(x) times the number of outcomes" in found.text
    assert "box" not in found.text + found.latex


def test_a_number_has_no_formula():
    with pytest.raises(OptionError, match=r"scg\.formula takes a loss, not float"):
        scg.formula(3.0)
