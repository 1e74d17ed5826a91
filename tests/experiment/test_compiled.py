"""Tasks whose step the runner compiles: resumed bitwise, with batches of two sizes."""

import os
import signal

import numpy as np
import pytest
from running import metrics, run_task

import scg
from scg import data, experiment, nn, optim


class Learner(experiment.Task):
    """Fits a line in float32, whose rounding may show what was compiled."""

    name = "learner"
    compiled = True
    traced = 0
    interrupt_at = None

    def __init__(self, options):
        self.rng = np.random.default_rng(options.seed)
        self.model = nn.MLP([64, 32, 1], activation="tanh", rng=self.rng)
        self.optimizer = optim.Adam(self.model, lr=0.1)
        examples = self.rng.standard_normal((50, 64)).astype(np.float32)
        self.batches = data.minibatches(examples, options.batch_size, rng=self.rng)

    def prepare(self, batch):
        if (self.batches.epoch, self.batches.position) == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return batch + self.rng.standard_normal(batch.shape, np.float32)

    def loss(self, x):
        noise = scg.Normal(np.zeros(x.shape, np.float32), np.float32(1)).sample(rng=self.rng)
        return ((self.model(x + noise) - x.sum(axis=-1, keepdims=True)) ** 2).mean()

    def step(self, x):
        self.traced += 1
        self.optimizer.zero_grad()
        loss = self.loss(x)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss}

    def evaluate(self):
        return {"traced": self.traced, "norm": np.sum(scg.peek(self.model[0].weight) ** 2)}


OPTIONS = ("--epochs", 4, "--batch-size", 20)


def history(out):
    return metrics(out)["history"]


def test_each_size_of_a_batch_is_traced_before_the_first_epoch(tmp_path):
    run_task(Learner, "--out", tmp_path, *OPTIONS)
    assert [row["traced"] for row in history(tmp_path)] == [4, 4, 4, 4]


@pytest.mark.parametrize("place", [(0, 1), (1, 2), (3, 1)])
def test_an_interrupted_compiled_run_goes_on_bitwise(tmp_path, place):
    run_task(Learner, "--out", tmp_path / "whole", *OPTIONS)

    class Interrupted(Learner):
        def load_state(self, arrays, state):  # the runner's, when all is compiled
            self.interrupt_at = place
            super().load_state(arrays, state)

    out = tmp_path / "parts"
    assert run_task(Interrupted, "--out", out, *OPTIONS) == 130
    assert run_task(Learner, "--out", out, "--resume") == 0
    assert history(out) == history(tmp_path / "whole")


def test_what_was_compiled_trains_as_what_was_not(tmp_path):
    class Plain(Learner):
        compiled = False

    for task in (Learner, Plain):
        run_task(task, "--out", tmp_path / task.__name__, *OPTIONS)
    norms = [[row["norm"] for row in history(tmp_path / t)] for t in ("Learner", "Plain")]
    np.testing.assert_allclose(*norms, rtol=1e-4)


def test_a_compiled_loss_can_be_drawn(tmp_path):
    assert run_task(Learner, "--graph", tmp_path / "g.dot", "--out", tmp_path) == 0
    assert "Normal" in (tmp_path / "g.dot").read_text()
