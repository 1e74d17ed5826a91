"""The IWAE example: its weights against densities of SciPy, and which units it calls active."""

import numpy as np
import pytest
from scipy import special, stats

import scg


@pytest.fixture(params=[1, 2])
def model(request, iwae):
    return iwae.Iwae(np.full(6, 0.3, np.float32), request.param, np.random.default_rng(0))


def density(q, x):
    loc, scale = scg.peek(q.mean), np.sqrt(scg.peek(q.variance))
    return stats.norm.logpdf(x, loc, scale).sum(-1)


def test_the_weights_are_joint_over_posterior(iwae, model):
    x = (np.arange(12).reshape(2, 6) % 3 == 0).astype(np.float32)
    found = scg.peek(model.log_weights(x, 3, np.random.default_rng(1)))
    layers = list(model.posteriors(x, 3, np.random.default_rng(1)))
    values = [scg.peek(h) for _, h in layers]
    logits = scg.peek(model.down[0](values[0]))
    expected = (x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits)).sum(-1)
    if len(layers) == 2:
        expected = expected + density(iwae.normal(model.down[1](values[1])), values[0])
    expected = expected + stats.norm.logpdf(values[-1]).sum(-1)
    expected = expected - sum(density(q, h) for (q, _), h in zip(layers, values, strict=True))
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_every_draw_is_differentiated_through(model):
    x = np.ones((2, 6), np.float32)
    found = scg.audit(scg.iwae(model.log_weights(x, 3, np.random.default_rng(1))).mean())
    assert set().union(*found.routes().values()) == {"pathwise"}


def test_a_unit_whose_mean_never_changes_is_not_active(iwae, model):
    task = object.__new__(iwae.IwaeTask)
    task.model, task.set = model, iwae.data.load("digits")
    model.mean = np.zeros(64, np.float32)
    model.up[0] = scg.nn.MLP([64, 4, model.up[0][-1].weight.shape[1]], rng=np.random.default_rng(2))
    weight, bias = model.up[0][-1].weight, model.up[0][-1].bias
    held = np.zeros(weight.shape)
    held[:, 0] = 10
    weight.assign(held)
    bias.assign(np.zeros(bias.shape))
    task.visible = lambda images, rng: images
    assert task.active(np.random.default_rng(0))[0] == 1


def test_pictures_are_chances(model):
    drawn = model.sample(5, np.random.default_rng(0))
    assert drawn.shape == (5, 6)
    assert np.all((drawn > 0) & (drawn < 1))
