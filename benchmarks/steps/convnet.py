"""A training step of a net for images of 28 x 28: two convolutions, two pools, a linear layer.

Filters of 5 x 5, 16 and then 32 of them, relu, pools of 2 x 2; momentum 0.9.
"""

from __future__ import annotations

from functools import partial

from benchmarks._worker import Program
from benchmarks.steps._data import labelled

CLASSES, RATE, SIDE, FILTERS, SIZE = 10, 0.01, 28, (16, 32), 5


def _batches(batch: int):
    return [(x.reshape(-1, 1, SIDE, SIDE), label) for x, label in labelled(batch, CLASSES)]


def _scg(*, batch: int, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg
    from scg import nn, optim

    rng = np.random.default_rng(0)
    first = nn.Conv2d(1, FILTERS[0], SIZE, padding=SIZE // 2, init="he", rng=rng)
    second = nn.Conv2d(*FILTERS, SIZE, padding=SIZE // 2, init="he", rng=rng)
    last = nn.Linear(FILTERS[1] * (SIDE // 4) ** 2, CLASSES, rng=rng)
    parameters = [p for layer in (first, second, last) for p in layer.parameters()]
    momentum = optim.Momentum(parameters, lr=RATE, beta=0.9)

    def step(x, label):
        h = scg.max_pool2d(scg.relu(first(x)), 2)
        h = scg.max_pool2d(scg.relu(second(h)), 2)
        logits = last(h.reshape(len(x), -1))
        loss = -scg.Categorical(logits=logits).log_prob(label).mean()
        momentum.zero_grad()
        loss.backward()
        momentum.step()
        return loss

    return _in_scg.program(step, _batches(batch), parameters, compiled=compiled)


def in_jax(*, batch: int) -> Program:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.steps import _in_jax

    rng = np.random.default_rng(0)
    params = [
        (jnp.asarray(rng.standard_normal((o, c, SIZE, SIZE), np.float32) * spread), jnp.zeros(o))
        for c, o in ((1, FILTERS[0]), FILTERS)
        for spread in [(2 / (c * SIZE**2)) ** 0.5]
    ]
    params += _in_jax.mlp(rng, FILTERS[1] * (SIDE // 4) ** 2, CLASSES)

    def loss(params, key, x, label):
        *layers, (w, b) = params
        for filters, bias in layers:
            x = jax.lax.conv_general_dilated(x, filters, (1, 1), "SAME") + bias[:, None, None]
            sizes = (1, 1, 2, 2)
            x = jax.lax.reduce_window(jax.nn.relu(x), -jnp.inf, jax.lax.max, sizes, sizes, "VALID")
        logits = x.reshape(len(x), -1) @ w + b
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), label[:, None], 1).mean()

    step, state = _in_jax.with_momentum(loss, params, lr=RATE)
    return _in_jax.program(step, state, _batches(batch), _in_jax.size(params))


def _torch(*, batch: int, compiled: bool) -> Program:
    import torch
    from torch import nn

    from benchmarks.steps import _in_torch

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(1, FILTERS[0], SIZE, padding="same"), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(*FILTERS, SIZE, padding="same"), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(FILTERS[1] * (SIDE // 4) ** 2, CLASSES),
            )  # fmt: skip

        def forward(self, x, label):
            return nn.functional.cross_entropy(self.layers(x), label)

    net = Net()
    momentum = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, fused=True)
    return _in_torch.program(net, momentum, _batches(batch), compiled=compiled)


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
in_torch, in_torch_compiled = partial(_torch, compiled=False), partial(_torch, compiled=True)
