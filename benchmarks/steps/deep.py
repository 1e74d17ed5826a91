"""A training step of a residual net of width 64, with squared error and momentum.

A layer is x + tanh(linear(x)) / depth: the division keeps values and gradients of one size at any
depth, so that no side gets numbers too small for fast arithmetic.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks._worker import Program

WIDTH, RATE = 64, 0.01


def pairs(batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return inputs with targets."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, batch, WIDTH), dtype=np.float32)
    return [(x, y)]


def _scg(*, depth: int, batch: int = 32, compiled: bool) -> Program:
    import scg
    from benchmarks.steps import _in_scg
    from scg import nn, optim

    rng = np.random.default_rng(0)
    net = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, rng=rng) for _ in range(depth)))
    momentum = optim.Momentum(net, lr=RATE, beta=0.9)

    def step(x, y):
        for layer in net:
            x = x + scg.tanh(layer(x)) * (1 / depth)
        loss = ((x - y) ** 2).mean()
        momentum.zero_grad()
        loss.backward()
        momentum.step()
        return loss

    return _in_scg.program(step, pairs(batch), net.parameters(), compiled=compiled)


def in_jax(*, depth: int, batch: int = 32) -> Program:
    import jax.numpy as jnp

    from benchmarks.steps import _in_jax

    params = _in_jax.mlp(np.random.default_rng(0), *[WIDTH] * (depth + 1))

    def loss(params, key, x, y):
        for w, b in params:
            x = x + jnp.tanh(x @ w + b) / depth
        return ((x - y) ** 2).mean()

    step, state = _in_jax.with_momentum(loss, params, lr=RATE)
    return _in_jax.program(step, state, pairs(batch), _in_jax.size(params))


def in_torch(*, depth: int, batch: int = 32) -> Program:
    import torch

    from benchmarks.steps import _in_torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH) for _ in range(depth))

        def forward(self, x, y):
            for layer in self.layers:
                x = x + torch.tanh(layer(x)) / depth
            return ((x - y) ** 2).mean()

    net = Net()
    momentum = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, fused=True)
    return _in_torch.program(net, momentum, pairs(batch), compiled=False)


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
