"""Variational auto-encoder: learns to draw digits.

Kingma and Welling (2014), "Auto-Encoding Variational Bayes", arXiv 1312.6114. The evidence lower
bound (their eq. 3) is maximised with estimator B (eq. 10: KL term in closed form) or A (eq. 6). The
posterior q(z | x) is a diagonal Gaussian whose draw is reparameterised; the decoder p(x | z) is a
Bernoulli (appendix C.1) or, for grey images, a Gaussian (C.2).

Expect a test ELBO of about -104 nats after 10 epochs on MNIST with a fresh binarisation at each
visit, in half a minute on two cores. The bounds on all data sets are in docs/results.md. Writes
metrics.json, reconstructions.png, samples.png, with --latent 2 manifold.png, a checkpoint, and
curves.png: bounds in training and test against the number of images seen, as in figure 2 of the
paper. With --compare it has those of other runs too, say of --kl sampled.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import NormalDist

import scg
from scg import data, experiment, nn, optim

import numpy as np


class Vae(nn.Module):
    """Encoder x -> q(z | x) and decoder z -> p(x | z), both multilayer perceptrons.

    The encoder sees images with the mean image subtracted, and the decoder starts by drawing the
    mean image (Burda et al. 2016, arXiv 1509.00519, section 5): the first epochs need not learn it.
    """

    def __init__(self, mean, hidden, latent, decoder, rng):
        dim = len(mean)
        outputs = dim if decoder == "bernoulli" else 2 * dim
        self.mean = mean
        self.encoder = nn.MLP([dim, *hidden, 2 * latent], activation="tanh", rng=rng)
        self.decoder = nn.MLP([latent, *hidden[::-1], outputs], activation="tanh", rng=rng)
        self.kind = decoder
        bias = np.zeros(outputs)
        bias[:dim] = scg.peek(scg.logit(np.clip(mean, 0.001, 0.999)))
        self.decoder[-1].bias.assign(bias)

    def posterior(self, x):
        """Return q(z | x)."""
        loc, log_var = scg.split(self.encoder(x - self.mean), 2, axis=-1)
        return scg.Normal(loc, scg.exp(0.5 * log_var))

    def likelihood(self, z):
        """Return p(x | z)."""
        out = self.decoder(z)
        if self.kind == "bernoulli":
            return scg.Bernoulli(logits=out)
        loc, raw = scg.split(out, 2, axis=-1)
        return scg.Normal(scg.sigmoid(loc), scg.softplus(raw) + 0.01)

    def elbo(self, x, prior, kl, rng):
        """Return the evidence lower bound of each row of x."""
        q = self.posterior(x)
        z = q.sample(rng=rng, name="z")
        return scg.elbo(self.likelihood(z).log_prob(x), q, prior, z, kl=kl)


class VaeTask(experiment.Task):
    __doc__ = __doc__
    name = "vae"
    compiled, free = True, ("compare",)
    smoke = {"epochs": 2, "data": "digits", "hidden": [32], "latent": 2, "samples": 10}

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        sets = ["mnist", "static", "digits", "frey", "frey_random", "omniglot"]
        add("--data", default="mnist", choices=sets, help="if not at hand, scikit-learn's digits")
        add("--latent", type=experiment.positive, default=50, help="dimensions of z")
        add("--hidden", type=experiment.sizes, default=[200, 200], help="widths of hidden layers")
        add("--lr", type=experiment.positive_float, default=1e-3, help="step size of Adam")
        kinds = ["auto", "bernoulli", "gaussian"]
        add("--decoder", default="auto", choices=kinds, help="p(x | z); grey faces are gaussian")
        kinds = ["analytic", "sampled"]
        add("--kl", default="analytic", choices=kinds, help="estimator B or A of the paper")
        add("--samples", type=experiment.positive, default=1000, help="of the estimate of log p(x)")
        add("--compare", type=Path, nargs="+", default=[], help="other runs, for curves.png")

    def __init__(self, options: experiment.Options) -> None:
        self.options = options
        self.others = experiment.histories(options.compare)
        self.set = data.load_or_digits(
            "binarized_mnist" if options.data == "static" else options.data
        )
        grey = options.decoder == "gaussian" or (
            options.decoder == "auto" and self.set.name.startswith("frey")
        )
        self.binarize = not grey and not self.set.binary
        self.rng = np.random.default_rng(options.seed)
        self.model = Vae(
            self.set.train.mean(axis=0),
            options.hidden,
            options.latent,
            "gaussian" if grey else "bernoulli",
            self.rng,
        )
        self.optimizer = optim.Adam(self.model, lr=options.lr)
        self.prior = scg.Normal(np.zeros(options.latent, np.float32), np.float32(1.0))
        rows, size = self.set.train, options.batch_size
        self.batches = data.minibatches(rows, size, rng=self.rng, drop_last=True)

    def visible(self, images, rng):
        """Return what the model sees: the images, or a fresh binary draw with them as means."""
        return data.binarize(images, rng) if self.binarize else images

    def prepare(self, batch):
        return self.visible(batch, self.rng)

    def bound(self, x):
        """Return the evidence lower bound of each image of a batch."""
        return self.model.elbo(x, self.prior, self.options.kl, self.rng)

    def loss(self, x):
        """Return what is minimised, for --graph."""
        return -self.bound(x).value.mean()

    def step(self, x):
        bound = self.bound(x)
        elbo = bound.value.mean()
        self.optimizer.zero_grad()
        (-elbo).backward()
        self.optimizer.step()
        return {
            "elbo": elbo,
            "reconstruction": bound.reconstruction.mean(),
            "kl": bound.kl.mean(),
        }

    def evaluate(self):
        rng = np.random.default_rng([self.options.seed, self.batches.epoch])

        def parts(images):
            x = self.visible(images, rng)
            bound = self.model.elbo(x, self.prior, self.options.kl, rng)
            return bound.value, bound.reconstruction, bound.kl

        means = experiment.average(self.set.test, 1000, parts)
        names = ("test_elbo", "test_reconstruction", "test_kl")
        seen = self.batches.epoch * len(self.batches) * self.options.batch_size
        return {**dict(zip(names, means, strict=True)), "images_seen": seen}

    def log_evidence(self, x, rng):
        """Return an estimate of log p(x) of each image by importance sampling."""
        q = self.model.posterior(x)
        z = q.sample(self.options.samples, rng=rng)
        log_prior, log_q = self.prior.log_prob(z).sum(-1), q.log_prob(z).sum(-1)
        return scg.iwae(self.model.likelihood(z).log_prob(x).sum(-1) + log_prior - log_q)

    def decode(self, z):
        """Return the mean image of each row of z."""
        with scg.no_grad():
            return scg.peek(self.model.likelihood(z.astype(np.float32)).mean)

    def summary(self):
        rng = np.random.default_rng(self.options.seed)
        images = self.visible(self.set.some(1000, rng)[0], rng)
        nll = experiment.average(images, 10, lambda x: -self.log_evidence(x, rng), compiled=True)
        return {"test_nll": nll, "nll_images": len(images)}

    def pictures(self, out, history):
        rng, draw = np.random.default_rng(self.options.seed), experiment.image_grid
        shape, latent = self.set.image_shape, self.options.latent
        originals = self.visible(self.set.some(50, rng)[0], rng)
        with scg.no_grad():
            codes = scg.peek(self.model.posterior(originals).mean)
        pairs = [originals.reshape(5, 10, -1), self.decode(codes).reshape(5, 10, -1)]
        pairs = np.stack(pairs, axis=1).reshape(100, -1)
        drawn = self.decode(rng.standard_normal((100, latent)))
        panels = {"nats per image": ["elbo", "test_elbo"], "KL in nats": ["kl", "test_kl"]}
        title = "test images (odd rows) and their reconstructions"
        files = [
            experiment.curves(
                out / "curves.png", history, panels, against="images_seen", beside=self.others
            ),
            draw(out / "reconstructions.png", pairs, shape, title=title),
            draw(out / "samples.png", drawn, shape, title="drawn by the model"),
        ]
        if latent == 2:
            grid = [NormalDist().inv_cdf(p) for p in np.linspace(0.02, 0.98, 15)]
            plane = self.decode(np.array([(a, -b) for b in grid for a in grid]))
            title = "the latent plane"
            files.append(draw(out / "manifold.png", plane, shape, columns=15, title=title))
        return files


if __name__ == "__main__":
    experiment.run(VaeTask)
