"""The score-function gradient of three Bernoullis, each with a cost of its own: (b - 0.45)**2."""

from __future__ import annotations

from functools import partial

from benchmarks._worker import Program

COINS, TARGET = 3, 0.45


def _scg(*, compiled: bool) -> Program:
    import numpy as np

    import scg
    from benchmarks.steps import _in_scg

    rng = np.random.default_rng(0)
    logits = scg.parameter(np.zeros(COINS, np.float32))

    def step():
        logits.zero_grad()
        b = scg.Bernoulli(logits=logits).sample(rng=rng)
        loss = ((b - TARGET) ** 2).sum()
        loss.backward()
        return loss

    return _in_scg.program(step, [()], [logits], compiled=compiled)


def in_jax() -> Program:
    import jax
    import jax.numpy as jnp

    from benchmarks.steps import _in_jax

    logits, key = jnp.zeros(COINS), jax.random.PRNGKey(0)

    def surrogate(logits, key):
        b = jax.random.bernoulli(key, jax.nn.sigmoid(logits)).astype(logits.dtype)
        cost = (b - TARGET) ** 2
        return (jax.lax.stop_gradient(cost) * (b * logits - jax.nn.softplus(logits))).sum()

    @jax.jit
    def step(logits, key):
        key, own = jax.random.split(key)
        return key, jax.grad(surrogate)(logits, own)

    def steps(count: int) -> None:
        nonlocal key
        for _ in range(count):
            key, gradient = step(logits, key)
        jax.block_until_ready(gradient)

    return _in_jax.made(steps, COINS)


def in_torch() -> Program:
    import torch

    from benchmarks.steps import _in_torch

    logits = torch.zeros(COINS, requires_grad=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def steps(count: int) -> None:
        for _ in range(count):
            logits.grad = None
            b = torch.bernoulli(torch.sigmoid(logits.detach()))
            (((b - TARGET) ** 2) * -bce(logits, b, reduction="none")).sum().backward()

    return _in_torch.made(steps, [logits])


in_scg, in_scg_eager = partial(_scg, compiled=True), partial(_scg, compiled=False)
