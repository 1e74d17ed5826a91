"""Every kind of jump and kink is seen: it is integrated exactly, and in few runs."""

from itertools import pairwise

import numpy as np
import pytest
from close import close
from scipy import integrate, stats

import scg
from scg.testing._replay import Replay

MU = 0.2
# What is computed, in scg and in plain Python, and where it bends or jumps.
BENDS = {
    "relu": (scg.relu, lambda x: max(x, 0.0), [0]),
    "leaky_relu": (scg.leaky_relu, lambda x: x if x > 0 else 0.01 * x, [0]),
    "elu": (scg.elu, lambda x: x if x > 0 else np.expm1(x), [0]),
    "clip": (lambda x: scg.clip(x, -0.5, 0.7), lambda x: min(max(x, -0.5), 0.7), [-0.5, 0.7]),
    "minimum": (lambda x: scg.minimum(x, 0.1 * x + 0.3), lambda x: min(x, 0.1 * x + 0.3), [1 / 3]),
    "norm": (lambda x: scg.norm(x.reshape(1)), abs, [0]),
    "max": (lambda x: scg.max(scg.stack([x, -2 * x, x * x])), lambda x: max(x, -2 * x, x * x),
            [-2, 0, 1]),
    "sign": (lambda x: scg.sign(x) * x**3, lambda x: abs(x) ** 3, [0]),
    "argmax": (lambda x: scg.argmax(scg.stack([x, x * x])) * x, lambda x: 0.0 if 0 <= x <= 1 else x,
               [0, 1]),
    "index": (lambda x: scg.tensor([1.0, 5.0])[(x > 0.3).astype(int)], lambda x: 5.0 if x > 0.3
              else 1.0, [0.3]),
    "mask": (lambda x: scg.stack([x, x + 1])[scg.stack([x, x + 1]) > 0.5].sum(),
             lambda x: (x if x > 0.5 else 0) + (x + 1 if x + 1 > 0.5 else 0), [-0.5, 0.5]),
    "quotient": (lambda x: x / abs(x), np.sign, [0]),
    "arctan of a pole": (lambda x: scg.arctan(1 / x), lambda x: np.arctan(1 / x), [0]),
    "cut of arctan2": (lambda x: scg.arctan2(x, -1.0), lambda x: np.arctan2(x, -1.0), [0]),
    "poles of tan": (lambda x: scg.arctan(scg.tan(x)), lambda x: np.arctan(np.tan(x)),
                     np.pi * (np.arange(-4, 4) + 0.5)),
    "equal sides": (lambda x: scg.where((x > -0.2) & (x < 0.1), 1.0, 0.0),
                    lambda x: 1.0 if -0.2 < x < 0.1 else 0.0, [-0.2, 0.1]),
}  # fmt: skip


@pytest.mark.parametrize("name", BENDS)
def test_a_bend_is_seen(name):
    ours, plain, points = BENDS[name]
    replay = Replay()
    value = replay.expectation(lambda: scg.peek(ours(scg.Normal(MU, 1.0).sample())))

    ends = [-12.0, *points, 12.0]
    truth = sum(
        integrate.quad(lambda x: plain(x) * stats.norm.pdf(x, MU), a, b, epsabs=0, epsrel=1e-13)[0]
        for a, b in pairwise(ends)
    )
    close(value, truth, 1e-11)
    assert replay.runs < 100 + 150 * len(points)


def test_a_remainder_has_a_jump_in_every_period():
    replay = Replay()
    value = replay.expectation(lambda: scg.peek(scg.Normal(MU, 1.0).sample() % 2.0))
    edges = np.arange(-12, 13, 2.0)
    truth = sum(
        integrate.quad(
            lambda x, a=a: (x - a) * stats.norm.pdf(x, MU), a, a + 2, epsabs=0, epsrel=1e-13
        )[0]
        for a in edges
    )
    close(value, truth, 1e-11)
    assert replay.runs < 1500
