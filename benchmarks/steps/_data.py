"""The data of the steps, the same for every library; only their time counts, so it is random."""

from __future__ import annotations

import numpy as np

BATCHES = 8  # that take turns, so that none stays in the nearest cache
DIM = 784


def images(batch: int) -> list[np.ndarray]:
    """Return binary images with as many ones as MNIST has."""
    rng = np.random.default_rng(0)
    ones = [rng.random((batch, DIM), dtype=np.float32) < 0.13 for _ in range(BATCHES)]
    return [x.astype(np.float32) for x in ones]


def labelled(batch: int, classes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images with labels."""
    rng = np.random.default_rng(1)
    return [(x, rng.integers(classes, size=batch)) for x in images(batch)]


def episode(steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states, actions and standardised returns of an episode of CartPole's sizes."""
    rng = np.random.default_rng(2)
    states = rng.standard_normal((steps, 4), dtype=np.float32)
    returns = np.linspace(1.7, -1.7, steps, dtype=np.float32)
    return states, rng.integers(2, size=steps), returns
