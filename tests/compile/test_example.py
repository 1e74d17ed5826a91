"""The step of the variational auto-encoder as the example has it, compiled."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from alike import check

import scg
from scg._compile._interpreter import interpreter
from scg._compile._native import native

EXAMPLE = Path(__file__).parents[2] / "examples" / "vae.py"


def example():
    spec = importlib.util.spec_from_file_location("vae_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(decoder, kl):
    """Return the step of `VaeTask.step`, with its metrics, and the parameters."""
    rng = np.random.default_rng(3)
    mean = rng.uniform(0.1, 0.9, 20).astype(np.float32)
    model = example().Vae(mean, [16, 12], 4, decoder, rng)
    optimizer = scg.optim.Adam(model, lr=1e-3)
    prior = scg.Normal(np.zeros(4, np.float32), np.float32(1.0))

    def step(x):
        bound = model.elbo(x, prior, kl, rng)
        loss = -bound.value.mean()
        optimizer.zero_grad()
        loss.backward()
        metrics = {
            "elbo": -scg.peek(loss),
            "reconstruction": scg.peek(bound.reconstruction).mean(),
            "kl": scg.peek(bound.kl).mean(),
        }
        optimizer.step()
        return {k: scg.as_tensor(v).astype(np.float32) for k, v in metrics.items()}

    return step, model.parameters()


@pytest.mark.parametrize("executor", [interpreter, native])
@pytest.mark.parametrize("decoder", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("kl", ["analytic", "sampled"])
def test_the_step_of_the_example_does_the_same_compiled(decoder, kl, executor):
    rng = np.random.default_rng(0)
    batches = [(rng.random((6, 20)).round().astype(np.float32),) for _ in range(5)]
    check(lambda: build(decoder, kl), batches, executor=executor)
