"""An action: one state, an array as an environment gives it, through 4-128-2 to a draw, an int."""

from __future__ import annotations

from functools import partial
from itertools import cycle

from benchmarks._worker import Program
from benchmarks.steps._data import episode
from benchmarks.steps.reinforce import SIZES


def states() -> cycle:
    return cycle(list(episode(64)[0]))


def _scg(*, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg
    from scg import nn

    rng = np.random.default_rng(0)
    policy = nn.MLP(SIZES, activation="relu", rng=rng)

    def draw(state):
        with scg.no_grad():
            return scg.Categorical(logits=policy(state)).sample(rng=rng)

    act = scg.jit(draw) if compiled else draw
    data = states()

    def steps(count: int) -> None:
        for _ in range(count):
            int(act(next(data)))

    return _in_scg.made(steps, policy.parameters())


def in_jax() -> Program:
    import jax
    import numpy as np

    from benchmarks.steps import _in_jax

    params, key, data = (
        _in_jax.mlp(np.random.default_rng(0), *SIZES),
        jax.random.PRNGKey(0),
        states(),
    )

    @jax.jit
    def act(params, key, state):
        key, own = jax.random.split(key)
        return key, jax.random.categorical(own, _in_jax.apply(params, state))

    def steps(count: int) -> None:
        nonlocal key
        for _ in range(count):
            key, action = act(params, key, next(data))
            int(action)

    return _in_jax.made(steps, _in_jax.size(params))


def in_torch() -> Program:
    import torch

    from benchmarks.steps import _in_torch

    policy, data = _in_torch.mlp(*SIZES), states()

    @torch.inference_mode()
    def act(state):
        # A third of the time of torch.distributions.Categorical.
        return torch.multinomial(torch.softmax(policy(state), -1), 1)

    def steps(count: int) -> None:
        for _ in range(count):
            act(torch.from_numpy(next(data))).item()

    return _in_torch.made(steps, policy.parameters())


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
