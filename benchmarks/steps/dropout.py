"""A training step of a dropout net: 784-1024-1024-10, relu, momentum 0.9 (Srivastava et al. 2014).

A hidden unit is dropped with probability 0.5, a pixel with 0.2; what is left is scaled up.
"""

from __future__ import annotations

from functools import partial

from benchmarks._worker import Program
from benchmarks.steps._data import DIM, labelled

CLASSES, RATE = 10, 0.1
KEEP = (0.8, 0.5, 0.5)  # of what enters each layer


def _scg(*, batch: int, hidden: int = 1024, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg
    from scg import nn, optim

    rng = np.random.default_rng(0)
    net = nn.MLP([DIM, hidden, hidden, CLASSES], activation="relu", rng=rng)
    momentum = optim.Momentum(net, lr=RATE, beta=0.9)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    masks = [scg.Bernoulli(np.full(w, p, np.float32))
             for w, p in zip((DIM, hidden, hidden), KEEP, strict=True)]  # fmt: skip

    def dropped(x, mask, keep):
        return x * mask.sample(len(x), rng=rng) * np.float32(1 / keep)

    def step(x, label):
        for layer, mask, keep in zip(layers, masks, KEEP, strict=True):
            x = layer(dropped(x if layer is layers[0] else scg.relu(x), mask, keep))
        loss = -scg.Categorical(logits=x).log_prob(label).mean()
        momentum.zero_grad()
        loss.backward()
        momentum.step()
        return loss

    return _in_scg.program(step, labelled(batch, CLASSES), net.parameters(), compiled=compiled)


def in_jax(*, batch: int, hidden: int = 1024) -> Program:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.steps import _in_jax

    params = _in_jax.mlp(np.random.default_rng(0), DIM, hidden, hidden, CLASSES)

    def dropped(x, key, keep):
        return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)

    def loss(params, key, x, label):
        keys = jax.random.split(key, len(params))
        for i, ((w, b), own, keep) in enumerate(zip(params, keys, KEEP, strict=True)):
            x = dropped(x if i == 0 else jax.nn.relu(x), own, keep) @ w + b
        return -jnp.take_along_axis(jax.nn.log_softmax(x), label[:, None], 1).mean()

    step, state = _in_jax.with_momentum(loss, params, lr=RATE)
    return _in_jax.program(step, state, labelled(batch, CLASSES), _in_jax.size(params))


def _torch(*, batch: int, hidden: int = 1024, compiled: bool) -> Program:
    import torch
    from torch import nn

    from benchmarks.steps import _in_torch

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Dropout(1 - KEEP[0]), nn.Linear(DIM, hidden), nn.ReLU(),
                nn.Dropout(1 - KEEP[1]), nn.Linear(hidden, hidden), nn.ReLU(),
                nn.Dropout(1 - KEEP[2]), nn.Linear(hidden, CLASSES),
            )  # fmt: skip

        def forward(self, x, label):
            return nn.functional.cross_entropy(self.layers(x), label)

    net = Net()
    momentum = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, fused=True)
    return _in_torch.program(net, momentum, labelled(batch, CLASSES), compiled=compiled)


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
in_torch, in_torch_compiled = partial(_torch, compiled=False), partial(_torch, compiled=True)
