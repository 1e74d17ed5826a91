"""Time of a VAE training step and epoch, beside the same model in PyTorch if it is installed.

    python benchmarks/vae.py
    python benchmarks/vae.py --smoke     # a few steps, to see that it runs

The model of examples/vae.py: 784-200-200-50-200-200-784, tanh, Bernoulli, Adam, batch 100, on
random binary float32 images, since only the time counts here. The two take turns.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median

import numpy as np

import scg
from scg import nn, optim
from scg.kernels._jit import threads, versions

DIM, HIDDEN, LATENT, BATCH, TRAIN = 784, [200, 200], 50, 100, 60_000


def images(steps: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield (rng.random((BATCH, DIM), dtype=np.float32) < 0.13).astype(np.float32)


def ours() -> Callable[[np.ndarray], None]:
    rng = np.random.default_rng(0)
    encoder = nn.MLP([DIM, *HIDDEN, 2 * LATENT], activation="tanh", rng=rng)
    decoder = nn.MLP([LATENT, *HIDDEN[::-1], DIM], activation="tanh", rng=rng)
    adam = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    prior = scg.Normal(np.zeros(LATENT, np.float32), np.float32(1))

    def step(x: np.ndarray) -> None:
        loc, log_var = scg.split(encoder(x), 2, axis=-1)
        q = scg.Normal(loc, scg.exp(0.5 * log_var))
        z = q.sample(rng=rng)
        bound = scg.elbo(scg.Bernoulli(logits=decoder(z)).log_prob(x), q, prior, z)
        adam.zero_grad()
        (-bound.value.mean()).backward()
        adam.step()

    return step


def pytorch() -> Callable[[np.ndarray], None] | None:
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.manual_seed(0)

    def mlp(*sizes: int) -> torch.nn.Module:
        layers: list[torch.nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
        return torch.nn.Sequential(*layers[:-1])

    encoder, decoder = mlp(DIM, *HIDDEN, 2 * LATENT), mlp(LATENT, *HIDDEN[::-1], DIM)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, fused=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def step(array: np.ndarray) -> None:
        x = torch.from_numpy(array)
        loc, log_var = encoder(x).chunk(2, dim=-1)
        z = loc + torch.exp(0.5 * log_var) * torch.randn_like(loc)
        reconstruction = -bce(decoder(z), x, reduction="none").sum(-1)
        kl = 0.5 * (log_var.exp() + loc * loc - 1 - log_var).sum(-1)
        adam.zero_grad()
        (-(reconstruction - kl).mean()).backward()
        adam.step()

    return step


def milliseconds(step: Callable[[np.ndarray], None], steps: int) -> float:
    times = []
    for x in images(steps):
        start = time.perf_counter()
        step(x)
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    rounds, steps = (1, 3) if parser.parse_args().smoke else (7, 100)
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"{versions()}, {threads()} threads")  # fmt: skip
    sides = {"scg": ours(), "PyTorch": pytorch()}
    present = {name: step for name, step in sides.items() if step is not None}
    for step in present.values():
        milliseconds(step, 3)
    found = {name: [] for name in present}
    for _ in range(rounds):
        for name, step in present.items():
            found[name].append(milliseconds(step, steps))
    for name, values in found.items():
        epoch = median(values) * TRAIN / BATCH / 1e3
        print(f"{name:8} {median(values):6.2f} ms a step ({min(values):.2f} to {max(values):.2f}), "
              f"{epoch:5.1f} s an epoch of {TRAIN} images")  # fmt: skip
    if "PyTorch" in found:
        ratios = [a / b for a, b in zip(found["scg"], found["PyTorch"], strict=True)]
        print(f"ratio    {median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
