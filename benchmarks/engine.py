"""Cost of the engine: one op forward and backward, and the rows of a tensor.

    python -m benchmarks.engine
    python -m benchmarks.engine --smoke    # once each, to see that it runs

Overhead: a chain of multiply, add, tanh on four tracked elements, forward and backward, beside the
same written by hand in NumPy. MLP: a training step of 64-64-64-1, tanh, float32, batch 64, squared
error and plain gradient descent, beside the same by hand with matrix products by BLAS. Slices:
backward through the rows of a tensor read one by one, per
row, for 4000 rows and for 1000; a ratio of 1 means linear growth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import scg
from benchmarks._measure import beside, describe, parsed, parser, repeated, show
from scg import nn, optim

LENGTH = 50  # of the chain
OPS = 3 * LENGTH
WIDTH, ROWS, RATE = 64, 64, np.float32(0.01)  # of the MLP


def chain(y: scg.Tensor) -> None:
    """Go forward and backward through the chain, from a tensor of four elements."""
    for _ in range(LENGTH):
        y = scg.tanh(y * 1.01 + 0.1)
    y.sum().backward()


def by_hand(y: np.ndarray) -> np.ndarray:
    """Return the gradient that the chain has, by NumPy alone."""
    values = []
    for _ in range(LENGTH):
        y = np.tanh(y * 1.01 + 0.1)
        values.append(y)
    g = np.ones_like(y)
    for y in reversed(values):
        g = g * (1 - y * y) * 1.01
    return g


def overhead(rounds: int) -> None:
    x = scg.parameter(np.full(4, 0.5))
    raw = scg.peek(x)
    found = beside(repeated(lambda: chain(x), 20), repeated(lambda: by_hand(raw), 20), rounds)
    show("op, forward and backward", "by hand", found.per(OPS), 1e-6)


class Mlp:
    """A training step, by the library and by hand, from the same weights on the same numbers."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.net = nn.MLP([WIDTH, WIDTH, WIDTH, 1], activation="tanh", rng=rng)
        self.x = rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
        self.y = rng.standard_normal((ROWS, 1), dtype=np.float32)
        self.descent = optim.SGD(self.net, lr=RATE)
        self.raw = [np.array(scg.peek(p)) for p in self.net.parameters()]

    def ours(self) -> None:
        self.descent.zero_grad()
        ((self.net(self.x) - self.y) ** 2).mean().backward()
        self.descent.step()

    def by_hand(self) -> None:
        layers = list(zip(self.raw[::2], self.raw[1::2], strict=True))
        values = [self.x]
        for weight, bias in layers[:-1]:
            values.append(np.tanh(values[-1] @ weight + bias))
        weight, bias = layers[-1]
        g = (values[-1] @ weight + bias - self.y) * np.float32(2 / ROWS)
        for number in reversed(range(len(layers))):
            weight, bias = layers[number]
            h = values[number]
            down = g @ weight.T if number else None
            weight -= RATE * (h.T @ g)
            bias -= RATE * g.sum(axis=0)
            if number:
                g = down * (1 - h * h)


def training(rounds: int) -> None:
    mlp = Mlp()
    found = beside(repeated(mlp.ours, 20), repeated(mlp.by_hand, 20), rounds)
    for p, raw in zip(mlp.net.parameters(), mlp.raw, strict=True):
        np.testing.assert_allclose(scg.peek(p), raw, rtol=1e-3, atol=1e-4)
    show("MLP 64-64-64-1, a step", "by hand", found, 1e-6)


def rows_back(count: int) -> Callable[[], object]:
    x = scg.parameter(np.ones((count, 64)))
    total = scg.stack([row[0] for row in x]).sum()
    return lambda: total.backward(retain=True)


def slices(rounds: int) -> None:
    many, few = repeated(rows_back(4000), 1), repeated(rows_back(1000), 1)
    found = beside(lambda: many() / 4000, lambda: few() / 1000, rounds)
    show("a row of 4000 read by itself, back", "of 1000", found, 1e-6)


def main() -> None:
    options = parsed(parser(__doc__, rounds=9, smoke="one round of each"))
    print(describe())
    overhead(options.rounds)
    training(options.rounds)
    slices(options.rounds)


if __name__ == "__main__":
    main()
