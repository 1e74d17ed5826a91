"""Dropout: every unit of a network is kept or left out at random, and how often can be learnt.

Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), "Dropout: A Simple Way to
Prevent Neural Networks from Overfitting", and Gal and Ghahramani (2016), "Dropout as a Bayesian
Approximation", arXiv 1506.02142. A mask is a Bernoulli draw. Four ways:

none      no mask, to compare with;
fixed     masks with given chances: noise that no parameter moves, and that costs no gradient;
score     the chance that units of a layer are kept is a parameter, and its gradient is the score of
          the masks, with the other of two samples as the baseline (leave-one-out): unbiased;
relaxed   the same with masks between 0 and 1, differentiated through: less noise, and a gradient
          of another objective, which scg marks as BIASED (see `bias` in metrics.json).

Where chances are learnt, the loss is the bound of Gal, Hron and Kendall (2017), "Concrete Dropout",
arXiv 1705.07832, eq. 1 to 4: likelihood, size of the weights that are kept, entropy of the masks;
without the last two a network would simply keep everything.

Expect a test error of about 1.1 % with fixed masks, in seven minutes on two cores; Srivastava et
al. (table 2) have 1.25 % with the same three layers and, without masks, 1.60 % with others. Writes
metrics.json, curves.png (with --compare beside those of other runs), a checkpoint, and
calibration.png: how often the average of 50 masks is right when it says that it is sure.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import scg
from scg import data, estimators, experiment, nn, optim

import numpy as np

MASKS = 50  # of the average in the test
BATCH = 500  # of a test


class Classifier(nn.Module):
    """Layers of rectified units with a mask before each."""

    def __init__(self, sizes, keep, method, rng):
        self.layers = [nn.Linear(a, b, rng=rng) for a, b in pairwise(sizes)]
        odds = np.log(np.array(keep, np.float32) / (1 - np.array(keep, np.float32)))
        learnt = method in ("score", "relaxed")
        self.log_odds = [scg.parameter(o) if learnt else scg.tensor(o) for o in odds]
        self.method = method

    def chances(self):
        """Return the chance that a unit is kept, for each layer."""
        return [scg.sigmoid(odds) for odds in self.log_odds]

    def __call__(self, x, masked, rng=None):
        """Return the distribution over classes; every mask anew, or all units at their mean."""
        for number, (layer, keep) in enumerate(zip(self.layers, self.chances(), strict=True)):
            x = np.maximum(x, 0.0) if number else x
            if masked and self.method != "none":
                x = x * self.mask(number, x, rng) / keep
            x = layer(x)
        return scg.Categorical(logits=x)

    def mask(self, number, x, rng):
        """Return a mask for what goes into a layer; the first brings the axis of samples along."""
        score = estimators.Score(baseline=estimators.BatchMean(axis=0))
        estimator = {
            "fixed": "auto",
            "score": score if number else estimators.LeaveOneOut(2),
            "relaxed": estimators.GumbelSoftmax(0.1),
        }[self.method]
        units = scg.Bernoulli(logits=self.log_odds[number] + np.zeros(x.shape[-1], np.float32))
        return units.sample(x.shape[:-1], estimator=estimator, rng=rng, name=f"mask{number}")

    def complexity(self, length):
        """Return the size of the weights that are kept, less the entropy of the masks."""
        total = 0.0
        for layer, keep in zip(self.layers, self.chances(), strict=True):
            entropy = len(layer.weight) * scg.Bernoulli(probs=keep).entropy()
            total = total + length**2 / 2 * (layer.weight**2).sum() / keep - entropy
        return total


class Dropout(experiment.Task):
    __doc__ = __doc__
    name = "dropout"
    compiled, free = True, ("compare",)
    defaults = {"epochs": 60, "batch_size": 128}
    smoke = {"epochs": 2, "data": "digits", "hidden": [16]}

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        kinds, chance = ["none", "fixed", "score", "relaxed"], experiment.positive_float
        add("--method", default="fixed", choices=kinds, help="what masks there are")
        add("--data", default="mnist", choices=["mnist", "digits"], help="of which images")
        add("--hidden", type=experiment.sizes, default=[1024] * 3, help="widths of hidden layers")
        add("--keep-input", type=chance, default=0.8, help="chance of a pixel, at first")
        add("--keep", type=chance, default=0.5, help="chance of a hidden unit, at first")
        add("--length", type=chance, default=1.0, help="prior scale of weights; small is strong")
        add("--lr", type=chance, default=1e-3, help="first step size of Adam; it falls to 0")
        add("--compare", type=Path, nargs="+", default=[], help="other runs, for curves.png")

    def __init__(self, options: experiment.Options) -> None:
        self.options, self.rng = options, np.random.default_rng(options.seed)
        self.others = experiment.histories(options.compare)
        if not (options.keep < 1 and options.keep_input < 1):
            raise scg.errors.OptionError("--keep and --keep-input must be below 1: chances")
        self.set = data.load_or_digits(options.data)
        sizes = [self.set.dim, *options.hidden, 10]
        keep = [options.keep_input, *[options.keep] * len(options.hidden)]
        self.model = Classifier(sizes, keep, options.method, self.rng)
        pair = self.set.train, self.set.train_labels
        self.batches = data.minibatches(pair, options.batch_size, rng=self.rng, drop_last=True)
        lr = optim.cosine(options.lr, options.epochs * len(self.batches))
        self.optimizer = optim.Adam(self.model, lr=lr)

    def loss(self, batch):
        """Return the negative log-likelihood, or the bound where chances are learnt."""
        x, y = batch
        loss = -self.model(x, True, self.rng).log_prob(y).mean()
        if self.options.method in ("score", "relaxed"):
            loss = loss + self.model.complexity(self.options.length) / len(self.set.train)
        return loss

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = self.loss(batch)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss}

    def predictions(self, masked, rng=None, count=1):
        """Return the chance of each class for each test image, averaged over masks."""
        found = []
        with scg.no_grad():
            for start in range(0, len(self.set.test), BATCH):
                x = np.repeat(self.set.test[None, start : start + BATCH], count, axis=0)
                probs = scg.peek(self.model(x, masked, rng).probs)
                found.append(probs.reshape(-1, *probs.shape[-2:]).mean(axis=0))
        return np.concatenate(found)

    def evaluate(self):
        wrong = self.predictions(False).argmax(axis=-1) != self.set.test_labels
        learnt = self.model.chances() if self.options.method in ("score", "relaxed") else []
        kept = {f"keep{number}": scg.peek(keep) for number, keep in enumerate(learnt)}
        return {"test_error": 100 * wrong.mean(), **kept}

    def summary(self):
        probs, truth = self.predictions(True, self.rng, MASKS), self.set.test_labels
        self.sure, self.right = probs.max(axis=-1), probs.argmax(axis=-1) == truth
        tags = {t for odds in self.model.log_odds if odds.is_parameter for t in odds.tags}
        return {
            "test_error_of_the_average": 100 * (1 - self.right.mean()),
            "test_nll_of_the_average": -np.log(probs[np.arange(len(truth)), truth]).mean(),
            "bias": sorted({f"{tag.kind}: {tag.reason}" for tag in tags}),
        }

    def pictures(self, out, history):
        panels = {"test error in %": ["test_error"], "loss": ["loss"]}
        if kept := [name for name in history[0] if name.startswith("keep")]:
            panels["chance that a unit is kept"] = kept
        title = f"{MASKS} masks, {len(self.sure)} test images"
        return [
            experiment.curves(out / "curves.png", history, panels, beside=self.others),
            experiment.calibration(out / "calibration.png", self.sure, self.right, title=title),
        ]


if __name__ == "__main__":
    experiment.run(Dropout)
