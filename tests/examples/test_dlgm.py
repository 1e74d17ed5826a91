"""The DLGM example: two forms of one gradient, importance weights, and imputation."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import scg
from scg import estimators, experiment
from scg.noise import GeneratorSource
from scg.testing import exact_expectation

V = np.array([[1.0, 0.0, 1.0]], np.float64)


def small(dlgm, **changes):
    options = dict(latent=[1], hidden=[2], activation="tanh", covariance="diagonal", samples=5)
    options = SimpleNamespace(**{**options, **changes})
    return dlgm.Dlgm(np.full(3, 0.4), options, np.random.default_rng(0))


def free_energy(dlgm, model, estimator):
    task = SimpleNamespace(model=model, estimator=estimator)
    return dlgm.DlgmTask.free_energy(task, V, None).sum()


def test_both_gradients_agree_in_expectation(dlgm):
    model = small(dlgm)
    parameters = model.parameters()

    def mean(make):
        def once():
            found = scg.grad(free_energy(dlgm, model, make()), parameters)
            return np.concatenate([scg.peek(g).ravel() for g in found])

        return exact_expectation(once)

    path, hessian = mean(lambda: "pathwise"), mean(estimators.GaussianHessian)
    assert np.abs(path).max() > 0.05
    np.testing.assert_allclose(hessian, path, rtol=1e-5, atol=1e-6)


class Nodes(GeneratorSource):
    """Noise on a grid in the plane, a point to each row.

    The trapezoidal rule: where an integrand is analytic, its error falls exponentially.
    """

    def __init__(self):
        line, step = np.linspace(-7, 7, 41, retstep=True)
        weights = step * stats.norm.pdf(line)
        self.left = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        self.weights = np.outer(weights, weights).ravel()

    def normal(self, shape, dtype):
        noise, self.left = self.left[:, : shape[-1]], self.left[:, shape[-1] :]
        return np.array(noise, dtype).reshape(shape)


@pytest.mark.parametrize(
    "changes", [{"latent": [1, 1]}, {"latent": [2], "covariance": "full"}], ids=str
)
def test_both_gradients_agree_with_two_random_numbers(dlgm, changes):
    model = small(dlgm, **changes)

    def mean(estimator):
        task, nodes = SimpleNamespace(model=model, estimator=estimator), Nodes()
        v = np.repeat(V, len(nodes.weights), axis=0)
        loss = (nodes.weights * dlgm.DlgmTask.free_energy(task, v, nodes)).sum()
        return [scg.peek(g) for g in scg.grad(loss, model.parameters())]

    for path, hessian in zip(mean("pathwise"), mean(estimators.GaussianHessian()), strict=True):
        np.testing.assert_allclose(hessian, path, rtol=1e-5, atol=1e-6)


def test_half_the_hessian_trains_two_layers(dlgm, tmp_path):
    hessian = ("--gradient", "hessian", "--activation", "softplus", "--latent", "3,2")
    with pytest.raises(SystemExit) as end:
        experiment.run(
            dlgm.DlgmTask, ["--smoke", "--out", str(tmp_path), "--epochs", "4", *hessian]
        )
    assert end.value.code == 0
    history = json.loads((tmp_path / "metrics.json").read_text())["history"]
    assert (
        history[-1]["test_elbo"] > history[0]["test_elbo"] + 0.5
    )  # that of means moves too little


def test_a_kink_has_no_hessian(dlgm):
    model = small(dlgm, activation="relu")
    with pytest.raises(scg.errors.BiasedGradientError, match="kink of 'relu'"):
        free_energy(dlgm, model, estimators.GaussianHessian()).backward()


@pytest.mark.parametrize("covariance", ["diagonal", "rank1", "full"])
@pytest.mark.parametrize("latent", [[2], [3, 2]])
def test_weights_of_every_kind_have_one_number_for_each_draw_and_image(dlgm, covariance, latent):
    model = small(dlgm, covariance=covariance, latent=latent)
    task = SimpleNamespace(model=model, options=SimpleNamespace(samples=5))
    found = dlgm.DlgmTask.log_weights(task, np.repeat(V, 4, axis=0), np.random.default_rng(0))
    assert found.shape == (5, 4)
    assert np.isfinite(scg.peek(found)).all()


def test_the_weights_average_to_the_evidence(dlgm):
    """With one latent number, log p(v) is an integral over a line."""
    model = small(dlgm)
    task = SimpleNamespace(model=model, options=SimpleNamespace(samples=4000))
    rng = np.random.default_rng(0)
    estimate = scg.peek(scg.iwae(dlgm.DlgmTask.log_weights(task, V, rng)))[0]
    z, step = np.linspace(-8, 8, 4001, retstep=True)
    chances = model.generate([scg.tensor(z[:, None])]).log_prob(V).sum(-1)
    evidence = np.log(np.sum(np.exp(scg.peek(chances)) * stats.norm.pdf(z)) * step)
    # The importance weights vary by well under their mean: one in a billion for six deviations.
    assert estimate == pytest.approx(evidence, abs=6 / np.sqrt(4000))


def test_known_pixels_stay(dlgm):
    task = SimpleNamespace(model=small(dlgm))
    known = np.array([[True, False, True]])
    filled = dlgm.DlgmTask.impute(task, V, known, np.random.default_rng(0))
    np.testing.assert_array_equal(filled[known], V[known])
    assert 0 < filled[0, 1] < 1


def test_what_is_filled_in_is_a_mean_over_the_second_half_of_the_rounds(dlgm, monkeypatch):
    monkeypatch.setattr(dlgm, "ROUNDS", 4)
    rounds = iter([0.0, 1.0, 0.3, 0.5])

    def generate(xi):
        return SimpleNamespace(mean=scg.tensor(np.full((1, 3), next(rounds))))

    model = SimpleNamespace(recognise=lambda v: [], generate=generate)
    known = np.array([[True, False, False]])
    filled = dlgm.DlgmTask.impute(SimpleNamespace(model=model), V, known, np.random.default_rng(0))
    np.testing.assert_allclose(filled, [[V[0, 0], 0.4, 0.4]], rtol=1e-6)
