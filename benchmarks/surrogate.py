"""Cost of draws: what the surrogate loss adds to a plain backward, and how it grows.

    python benchmarks/surrogate.py
    python benchmarks/surrogate.py --smoke    # once each and small, to see that it runs

VAE: the backward of one step (784-400-20, batch 100) beside `of="value"` on the same loss; with
Bernoulli latents beside `of="value"` on the surrogate written by hand, which is given its
log-probability. Tiny ops: a chain of multiply, add, tanh on four elements that starts from a draw,
forward and backward, beside the same in NumPy. Three coins: the smallest score-function gradient,
beside PyTorch if it is installed. Growth: chains of draws with a cost each, in microseconds a draw;
a million nodes below a score draw, in a process of its own because memory is measured; 2**n paths.
The two sides of a comparison take turns; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import scg
from scg import nn
from scg.kernels._jit import threads, versions

DIM, HIDDEN, LATENT, BATCH = 784, [400], 20, 100
LENGTH = 50


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def beside(a: Callable[[], float], b: Callable[[], float], rounds: int) -> tuple[float, ...]:
    """Let both take turns; return their median times and the median ratio of neighbours."""
    a(), b()
    pairs = [(a(), b()) for _ in range(rounds)]
    return (
        median(p[0] for p in pairs),
        median(p[1] for p in pairs),
        median(p[0] / p[1] for p in pairs),
    )


def repeated(run: Callable[[], object], times: int) -> Callable[[], float]:
    return lambda: seconds(lambda: [run() for _ in range(times)]) / times


def show(what: str, other: str, found: tuple[float, ...], unit: float, name: str) -> None:
    ours, theirs, ratio = found
    print(f"{what:34} scg {ours * unit:8.2f} {name}   {other} {theirs * unit:8.2f} {name}   "
          f"ratio {ratio:.3f}")  # fmt: skip


# --- the VAE ---------------------------------------------------------------------------------


class Vae:
    """The smallest model of examples/vae.py, with normal or with Bernoulli latents."""

    def __init__(self, *, discrete: bool) -> None:
        self.rng = np.random.default_rng(0)
        self.x = (self.rng.random((BATCH, DIM), dtype=np.float32) < 0.13).astype(np.float32)
        self.discrete = discrete
        outputs = LATENT if discrete else 2 * LATENT
        self.encoder = nn.MLP([DIM, *HIDDEN, outputs], activation="tanh", rng=self.rng)
        self.decoder = nn.MLP([LATENT, *HIDDEN[::-1], DIM], activation="tanh", rng=self.rng)
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
        show(f"VAE, {'Bernoulli' if discrete else 'normal'} latents, backward", "plain", found,
             1e3, "ms")  # fmt: skip


# --- tiny ops --------------------------------------------------------------------------------


def by_hand(y: np.ndarray) -> np.ndarray:
    values = []
    for _ in range(LENGTH):
        y = np.tanh(y * 1.01 + 0.1)
        values.append(y)
    g = np.ones_like(y)
    for y in reversed(values):
        g = g * (1 - y * y) * 1.01
    return g


def pathwise_by_hand(loc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return by_hand(loc + 0.5 * rng.standard_normal(4))


def score_by_hand(loc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    p = 1 / (1 + np.exp(-loc))
    b = (rng.random(4) < p).astype(float)
    y = loc + b
    return by_hand(y) + (b - p) * y


def chain(y: scg.Tensor) -> None:
    for _ in range(LENGTH):
        y = scg.tanh(y * 1.01 + 0.1)
    y.sum().backward()


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
        ops = (found[0] / 3 / LENGTH, found[1] / 3 / LENGTH, found[2])
        show(f"op after a {name} draw", "by hand", ops, 1e6, "us")


# --- the smallest score-function gradient ----------------------------------------------------


def coins() -> Callable[[], None]:
    logits, rng = scg.parameter(np.zeros(3)), np.random.default_rng(0)

    def run() -> None:
        b = scg.Bernoulli(logits=logits).sample(rng=rng)
        ((b - 0.45) ** 2).sum().backward()

    return run


def coins_in_pytorch() -> dict[str, Callable[[], None]]:
    """Return the same with torch.distributions, and with the fewest calls that do it."""
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    torch.set_num_threads(1)  # three numbers: waking other threads would only slow it down
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def distributions() -> None:
        q = torch.distributions.Bernoulli(logits=logits)
        b = q.sample()
        (((b - 0.45) ** 2) * q.log_prob(b)).sum().backward()

    def bare() -> None:
        b = torch.bernoulli(torch.sigmoid(logits.detach()))
        (((b - 0.45) ** 2) * -bce(logits, b, reduction="none")).sum().backward()

    return {"torch.distributions": distributions, "bare PyTorch": bare}


def smallest(rounds: int) -> None:
    ours = repeated(coins(), 20)
    ours()
    print(f"{'three coins':34} scg {median(ours() for _ in range(rounds)) * 1e6:8.2f} us")
    for name, run in coins_in_pytorch().items():
        show("three coins", name, beside(ours, repeated(run, 20), rounds), 1e6, "us")


# --- growth ----------------------------------------------------------------------------------


def walk(draws: int) -> scg.Tensor:
    """Return the loss of a chain of coins, each of which moves the odds of the next."""
    theta, rng = scg.parameter(0.1), np.random.default_rng(0)
    state, total = theta, 0.0
    for _ in range(draws):
        b = scg.Bernoulli(logits=0.5 * state).sample(rng=rng)
        state = theta - b
        total = total + scg.cost((b - 0.45) ** 2)
    return total


def tower(levels: int) -> scg.Tensor:
    """Return a loss with 2**levels paths to a draw."""
    x = scg.Bernoulli(logits=scg.parameter(0.1)).sample(rng=0)
    x = x * 1e-300
    for _ in range(levels):
        x = x + x
    return x


def line(nodes: int) -> scg.Tensor:
    """Return a loss a million operations below a score draw."""
    theta = scg.parameter(np.full(4, 0.1))
    x = scg.Bernoulli(logits=theta).sample(rng=0) + theta
    for _ in range(nodes // 2):
        x = scg.tanh(x * 1.01)
    return x.sum()


def grown(build: Callable[[int], scg.Tensor], size: int) -> tuple[float, float]:
    """Return the times of forward and backward, in seconds."""
    start = time.perf_counter()
    loss = build(size)
    return time.perf_counter() - start, seconds(loss.backward)


def growth(build: Callable[[int], scg.Tensor], what: str, sizes: list[int], rounds: int) -> None:
    for size in sizes:
        pairs = [grown(build, size) for _ in range(rounds)]
        forward, back = (median(times) / size * 1e6 for times in zip(*pairs, strict=True))
        print(f"{size:9,} {what:24} forward {forward:8.2f} us   backward {back:8.2f} us each")


def alone(nodes: int) -> None:
    """Build and sweep one long graph, and print what it took at the peak."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth(line, "nodes below a score draw", [nodes], 1)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'':9} at the peak {after / 2**20:.2f} GiB, of which {before / 2**20:.2f} before")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="one round of each, and small")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
        return
    smoke = options.smoke
    rounds = 1 if smoke else 9
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"{versions()}, {threads()} threads")  # fmt: skip
    # First, because a process is said to have peaked where the one that started it had.
    for nodes in [1000] if smoke else [10_000, 100_000, 1_000_000]:
        subprocess.run([sys.executable, __file__, "--alone", str(nodes)], check=True)
    vae(1 if smoke else 100)
    tiny(rounds)
    smallest(rounds)
    growth(
        walk, "draws, each with a cost", [100] if smoke else [2500, 5000, 10_000], min(rounds, 3)
    )
    growth(tower, "doublings", [100] if smoke else [250, 1000], min(rounds, 3))


if __name__ == "__main__":
    main()
