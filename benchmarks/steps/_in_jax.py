"""What the steps in JAX share: programs whose state is donated, and Adam and momentum by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._worker import Program

Tree = Any
Loss = Callable[..., jax.Array]


def program(step: Callable[..., Any], state: Tree, batches: Sequence[Tree], count: int) -> Program:
    """Return the program that carries a state through steps; it waits once, after the last."""
    data = cycle([jax.tree.map(jnp.asarray, batch) for batch in batches])

    def steps(times: int) -> None:
        nonlocal state
        for _ in range(times):
            state, _ = step(state, *next(data))
        jax.block_until_ready(state)

    return made(steps, count)


def made(steps: Callable[[int], None], count: int) -> Program:
    # XLA takes as many threads as there are cores for the process.
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return Program(steps, f"jax {jax.__version__}", cores, count)


def size(params: Tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def mlp(rng: np.random.Generator, *sizes: int) -> list[tuple[jax.Array, jax.Array]]:
    """Return weights and biases, with the spread of He et al. 2015."""
    return [
        (jnp.asarray(rng.standard_normal((m, n), np.float32) * (2 / m) ** 0.5), jnp.zeros(n))
        for m, n in pairwise(sizes)
    ]


def apply(layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    *hidden, (w, b) = layers
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias)
    return x @ w + b


def with_adam(loss: Loss, params: Tree, *, lr: float = 1e-3) -> tuple[Callable[..., Any], Tree]:
    """Return a compiled step of Adam and its first state; the loss takes (params, key, *batch)."""
    b1, b2, eps = 0.9, 0.999, 1e-8

    @partial(jax.jit, donate_argnums=0)
    def step(state: Tree, *batch: Tree) -> tuple[Tree, jax.Array]:
        params, means, squares, count, key = state
        key, own = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(params, own, *batch)
        count += 1
        means = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, means, grads)
        squares = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, squares, grads)
        rate = lr * jnp.sqrt(1 - b2**count) / (1 - b1**count)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + eps), params, means, squares
        )
        return (params, means, squares, count, key), value

    zeros = partial(jax.tree.map, jnp.zeros_like)
    return step, (params, zeros(params), zeros(params), jnp.float32(0), jax.random.PRNGKey(0))


def with_momentum(loss: Loss, params: Tree, *, lr: float) -> tuple[Callable[..., Any], Tree]:
    """Return a compiled step of descent with momentum 0.9 and its first state."""

    @partial(jax.jit, donate_argnums=0)
    def step(state: Tree, *batch: Tree) -> tuple[Tree, jax.Array]:
        params, velocities, key = state
        key, own = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(params, own, *batch)
        velocities = jax.tree.map(lambda v, g: 0.9 * v + g, velocities, grads)
        params = jax.tree.map(lambda p, v: p - lr * v, params, velocities)
        return (params, velocities, key), value

    return step, (params, jax.tree.map(jnp.zeros_like, params), jax.random.PRNGKey(0))
