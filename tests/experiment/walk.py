"""A random walk that stands for training, and how it is run."""

import os
import signal

import numpy as np
from running import run_task

import scg
from scg import data, experiment


class Walk(experiment.Task):
    """A random walk that stands for training."""

    name = "walk"
    smoke = {"epochs": 1, "size": 4}
    interrupt_at = None
    explode = False

    @staticmethod
    def add_options(parser):
        parser.add_argument("--size", type=experiment.positive, default=8)

    def __init__(self, options):
        self.options = options
        self.rng = np.random.default_rng(options.seed)
        self.w = np.zeros(options.size)
        self.count = 0
        examples = np.arange(50.0)
        self.batches = data.minibatches(examples, options.batch_size, rng=self.rng)

    def step(self, batch):
        self.count += 1
        self.w += self.rng.standard_normal(self.w.size) * batch.mean()
        if self.count == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": float("nan") if self.explode else float(self.w.sum())}

    def evaluate(self):
        return {"test_loss": float(np.abs(self.w).sum())}

    def loss(self, batch):
        w = scg.parameter(self.w, name="weights")
        return scg.Normal(w, 1.0).sample(name="place").sum() * batch.mean()

    def state(self):
        return {"w": self.w}, {"count": self.count, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays, state):
        self.w, self.count = arrays["w"], state["count"]
        self.rng.bit_generator.state = state["rng"]

    def pictures(self, out, history):
        return [experiment.curves(out / "curves.png", history, {"loss": ["loss", "test_loss"]})]


def run(*arguments, task=Walk):
    return run_task(task, *arguments)
