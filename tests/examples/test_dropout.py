"""The dropout example: what each kind of mask does to the gradient."""

import numpy as np
import pytest

import scg
from scg import experiment


def task_of(dropout, **changes):
    options = dict(method="fixed", data="digits", hidden=[6], keep=0.5, keep_input=0.8, seed=0,
                   length=1.0, lr=1e-3, epochs=1, batch_size=20, compare=[])  # fmt: skip
    return dropout.Dropout(experiment.Options(**{**options, **changes}))


def gradients(task):
    x, y = task.set.train[:8], task.set.train_labels[:8]
    parameters = task.model.parameters()
    return dict(
        zip(task.model.named_parameters(), scg.grad(task.loss((x, y)), parameters), strict=True)
    )


def test_fixed_masks_are_noise_that_nothing_is_scored_for(dropout):
    task = task_of(dropout)
    found = scg.audit(task.loss((task.set.train[:8], task.set.train_labels[:8])))
    assert found.routes() == {"mask1": {"fixed"}}  # that of the pixels meets no parameter at all


@pytest.mark.parametrize(("method", "biased"), [("score", []), ("relaxed", ["BIASED"])])
def test_learnt_chances_have_a_gradient_which_says_whether_it_is_biased(dropout, method, biased):
    found = gradients(task_of(dropout, method=method))
    slopes = [g for name, g in found.items() if name.startswith("log_odds")]
    assert len(slopes) == 2
    for g in slopes:
        assert scg.peek(g) != 0
        assert [tag.kind for tag in g.tags] == biased


def test_the_masks_of_both_learnt_methods_pull_in_one_direction(dropout):
    """The relaxed gradient is another one, and close; the seeds are fixed, so no run can differ."""

    def mean(method):
        task = task_of(dropout, method=method, hidden=[4], length=0.3)
        runs = [gradients(task) for _ in range(60)]
        return np.array([scg.peek(sum(run[f"log_odds.{n}"] for run in runs)) for n in range(2)])

    score, relaxed = mean("score"), mean("relaxed")
    np.testing.assert_array_equal(np.sign(score), np.sign(relaxed))


def test_without_masks_all_units_count_whole(dropout):
    task = task_of(dropout, method="none")
    x = task.set.train[:4]
    masked, plain = (scg.peek(task.model(x, m, task.rng).probs) for m in (True, False))
    np.testing.assert_array_equal(masked, plain)


def test_the_average_over_masks_is_a_distribution(dropout):
    probs = task_of(dropout).predictions(True, np.random.default_rng(0), 3)
    np.testing.assert_allclose(probs.sum(axis=-1), 1.0, rtol=1e-5)


def test_a_chance_of_one_is_refused(dropout):
    with pytest.raises(scg.errors.OptionError, match="must be below 1"):
        task_of(dropout, keep=1.0)
