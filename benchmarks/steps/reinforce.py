"""An update of REINFORCE: 500 states with actions and returns, policy 4-128-2, relu, Adam."""

from __future__ import annotations

from functools import partial

from benchmarks._worker import Program
from benchmarks.steps._data import episode

SIZES = (4, 128, 2)


def _scg(*, batch: int, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg
    from scg import nn, optim

    policy = nn.MLP(SIZES, activation="relu", rng=np.random.default_rng(0))
    adam = optim.Adam(policy, lr=1e-3)

    def step(states, actions, returns):
        log_prob = scg.Categorical(logits=policy(states)).log_prob(actions)
        loss = -(returns * log_prob).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    return _in_scg.program(step, [episode(batch)], policy.parameters(), compiled=compiled)


def in_jax(*, batch: int) -> Program:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from benchmarks.steps import _in_jax

    params = _in_jax.mlp(np.random.default_rng(0), *SIZES)

    def loss(params, key, states, actions, returns):
        log_probs = jax.nn.log_softmax(_in_jax.apply(params, states))
        return -(returns * jnp.take_along_axis(log_probs, actions[:, None], 1)[:, 0]).mean()

    step, state = _in_jax.with_adam(loss, params)
    return _in_jax.program(step, state, [episode(batch)], _in_jax.size(params))


def _torch(*, batch: int, compiled: bool) -> Program:
    import torch

    from benchmarks.steps import _in_torch

    class Policy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = _in_torch.mlp(*SIZES)

        def forward(self, states, actions, returns):
            log_probs = torch.log_softmax(self.net(states), -1)
            return -(returns * log_probs.gather(1, actions[:, None])[:, 0]).mean()

    policy = Policy()
    adam = _in_torch.adam(policy.parameters())
    return _in_torch.program(policy, adam, [episode(batch)], compiled=compiled)


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
in_torch, in_torch_compiled = partial(_torch, compiled=False), partial(_torch, compiled=True)
