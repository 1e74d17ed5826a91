"""Cost of draws: what the surrogate loss adds to a plain backward.

    python -m benchmarks.surrogate
    python -m benchmarks.surrogate --smoke    # once each, to see that it runs

VAE: the backward of one step (784-400-20, batch 100) beside `of="value"` on the same loss; with
Bernoulli latents beside `of="value"` on the surrogate written by hand, which is given its
log-probability. Tiny ops: a chain of multiply, add, tanh on four elements that starts from a draw,
forward and backward, beside the same in NumPy. The two sides take turns; ratios are those of
neighbouring rounds: their median, least and greatest.
"""

from __future__ import annotations

import numpy as np

import scg
from benchmarks._measure import beside, describe, parsed, parser, repeated, seconds, show
from benchmarks.engine import OPS, by_hand, chain
from benchmarks.steps._data import DIM, images
from scg import nn

HIDDEN, LATENT, BATCH = 400, 20, 100


class Vae:
    """The smallest model of examples/vae.py, with normal or with Bernoulli latents."""

    def __init__(self, *, discrete: bool) -> None:
        self.rng = np.random.default_rng(0)
        self.x = images(BATCH)[0]
        self.discrete = discrete
        outputs = LATENT if discrete else 2 * LATENT
        self.encoder = nn.MLP([DIM, HIDDEN, outputs], activation="tanh", rng=self.rng)
        self.decoder = nn.MLP([LATENT, HIDDEN, DIM], activation="tanh", rng=self.rng)
        zero = np.zeros(LATENT, np.float32)
        self.prior = scg.Bernoulli(logits=zero) if discrete else scg.Normal(zero, np.float32(1))

    def posterior(self) -> scg.Distribution:
        if self.discrete:
            return scg.Bernoulli(logits=self.encoder(self.x))
        loc, log_var = scg.split(self.encoder(self.x), 2, axis=-1)
        return scg.Normal(loc, scg.exp(0.5 * log_var))

    def forward(self) -> tuple[scg.Tensor, scg.Tensor, scg.Distribution]:
        """Return a loss for each image, the draw, and what it was drawn from."""
        q = self.posterior()
        z = q.sample(rng=self.rng)
        likelihood = scg.Bernoulli(logits=self.decoder(z))
        return -scg.elbo(likelihood.log_prob(self.x), q, self.prior, z).value, z, q

    def clear(self) -> None:
        for p in (*self.encoder.parameters(), *self.decoder.parameters()):
            p.zero_grad()

    def expectation(self) -> float:
        self.clear()
        loss = self.forward()[0].mean()
        return seconds(loss.backward)

    def value(self) -> float:
        self.clear()
        loss, z, q = self.forward()
        if self.discrete:
            score = q.log_prob(scg.detach(z)).sum(axis=-1)
            loss = loss + scg.detach(loss) * score
        total = loss.mean()
        return seconds(lambda: total.backward(of="value"))


def vae(rounds: int) -> None:
    for discrete in (False, True):
        model = Vae(discrete=discrete)
        found = beside(model.expectation, model.value, rounds)
        kind = "Bernoulli" if discrete else "normal"
        show(f"VAE, {kind} latents, backward", "plain", found, 1e-3)


# --- tiny ops --------------------------------------------------------------------------------


def pathwise_by_hand(loc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return by_hand(loc + 0.5 * rng.standard_normal(4))


def score_by_hand(loc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    p = 1 / (1 + np.exp(-loc))
    b = (rng.random(4) < p).astype(float)
    y = loc + b
    return by_hand(y) + (b - p) * y


def tiny(rounds: int) -> None:
    loc, rng = scg.parameter(np.full(4, 0.5)), np.random.default_rng(0)
    raw = np.full(4, 0.5)

    def normal() -> None:
        chain(scg.Normal(loc, 0.5).sample(rng=rng))

    def bernoulli() -> None:
        chain(loc + scg.Bernoulli(logits=loc).sample(rng=rng))

    kinds = {"normal": (normal, pathwise_by_hand), "Bernoulli": (bernoulli, score_by_hand)}
    for name, (ours, hand) in kinds.items():

        def theirs(hand=hand) -> np.ndarray:
            return hand(raw, rng)

        found = beside(repeated(ours, 10), repeated(theirs, 10), rounds)
        show(f"op after a {name} draw", "by hand", found.per(OPS), 1e-6)


def main() -> None:
    options = parsed(parser(__doc__, rounds=9, smoke="one round of each"))
    print(describe())
    vae(options.rounds if options.smoke else 10 * options.rounds)
    tiny(options.rounds)


if __name__ == "__main__":
    main()
