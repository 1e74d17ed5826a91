"""The VAE example: its two estimators, its decoders, and what its curves are drawn against."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import scg
from scg import experiment
from scg.testing import exact_expectation

PRIOR = scg.Normal(np.zeros(1), 1.0)
X = np.array([[1.0, 0.0, 1.0]])


def small(vae, decoder):
    return vae.Vae(np.full(3, 0.4), [2], 1, decoder, np.random.default_rng(0))


def test_both_estimators_of_the_bound_have_one_gradient_in_expectation(vae):
    model = small(vae, "bernoulli")

    def mean(kl):
        def once():
            bound = model.elbo(X, PRIOR, kl, None).value.sum()
            found = scg.grad(bound, model.parameters())
            return np.concatenate([np.ravel(scg.peek(part)) for part in (bound, *found)])

        return exact_expectation(once)

    a, b = mean("sampled"), mean("analytic")
    assert np.abs(b).max() > 0.05
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_gaussian_decoder_has_means_of_pixels_and_a_deviation_that_stays_positive(vae):
    model = small(vae, "gaussian")
    z = np.array([[-50.0], [0.0], [50.0]])
    p = model.likelihood(z)
    loc, scale = scg.peek(p.mean), np.sqrt(scg.peek(p.variance))
    assert np.all((loc > 0) & (loc < 1)) and np.all(scale >= 0.01)
    found = scg.peek(p.log_prob(X))
    np.testing.assert_allclose(found, stats.norm.logpdf(X, loc, scale), rtol=1e-5)


def test_a_new_model_draws_the_mean_image(vae):
    for decoder in ("bernoulli", "gaussian"):
        drawn = scg.peek(small(vae, decoder).likelihood(np.zeros((1, 1))).mean)
        np.testing.assert_allclose(drawn, 0.4, rtol=1e-5)


def test_the_estimate_of_the_evidence_averages_the_joint_over_the_posterior(vae):
    model = small(vae, "bernoulli")
    task = SimpleNamespace(model=model, prior=PRIOR, options=SimpleNamespace(samples=4000))
    estimate = scg.peek(vae.VaeTask.log_evidence(task, X, np.random.default_rng(0)))[0]
    z, step = np.linspace(-8, 8, 4001, retstep=True)
    chances = scg.peek(model.likelihood(z[:, None]).log_prob(X).sum(-1))
    evidence = np.log(np.sum(np.exp(chances) * stats.norm.pdf(z)) * step)
    # The importance weights vary by well under their mean: one in a billion for six deviations.
    assert estimate == pytest.approx(evidence, abs=6 / np.sqrt(4000))


def test_a_run_draws_its_bounds_beside_those_of_the_other_estimator(vae, tmp_path):
    for kl, more in (("sampled", []), ("analytic", ["--compare", str(tmp_path / "sampled")])):
        with pytest.raises(SystemExit) as end:
            folder = str(tmp_path / kl)
            experiment.run(vae.VaeTask, ["--smoke", "--kl", kl, "--out", folder, *more])
        assert end.value.code == 0
        assert (tmp_path / kl / "curves.png").stat().st_size > 10_000
    seen = [row["images_seen"] for row in experiment.history(tmp_path / "analytic")]
    assert seen == [1500, 3000]


def test_a_run_to_compare_with_is_missed_before_the_training(vae, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        more = ["--compare", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
        experiment.run(vae.VaeTask, ["--smoke", *more])
    assert end.value.code not in (0, None)
    assert "cannot be read as the metrics of a run" in capsys.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()
