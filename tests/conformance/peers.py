"""Seventeen small programs on which released libraries return wrong gradients without an error.

What the others return was measured with their released code (20,000 to 200,000 samples); where the
measurement says only what the truth is, and not the model, ours is one with that truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from conformance import closed, split
from conformance.closed import coin, gauss, ndtr, sigmoid

import scg
from scg.testing import exact_expectation

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """A program, its truth, and what others return.

    Attributes
    ----------
    text : str
        The program in words.
    fn, expected, at
        As of `Program`.
    others : dict of str to sequence of float
        By library, the gradient that it returns; empty where it raises or was right.
    order : int
        Which derivative.
    nodes : tuple of ndarray, optional
        A quadrature of the Gaussian draws, for more than two of them.
    note : str
        What else is to be said.
    """

    text: str
    fn: Callable[..., Any]
    expected: Callable[..., Any]
    at: Sequence[Any]
    others: dict[str, Sequence[float]]
    order: int = 1
    nodes: Any = None
    note: str = ""

    def truth(self) -> np.ndarray:
        """Return the exact derivative, flat."""
        if self.order == 2:
            return np.ravel(closed.curvature(self.expected, self.at))
        return np.concatenate([np.ravel(g) for g in closed.gradient(self.expected, self.at)])

    def estimate(self) -> np.ndarray:
        """Return the exact expectation of what `scg` returns, flat."""
        leaves = [scg.parameter(np.asarray(v, float)) for v in self.at]

        def once() -> np.ndarray:
            found = scg.grad(self.fn(*leaves), leaves, create_graph=self.order == 2)
            if self.order == 2:
                found = scg.grad(found[0], leaves)
            return np.concatenate([g.numpy().reshape(-1) for g in found])

        if self.nodes is not None:
            return split.expectation(once, self.nodes)
        return exact_expectation(once, max_runs=40_000)


def normal(mu):
    return scg.Normal(mu, 1.0).sample(name="x")


def branch(mu):
    x = normal(mu)
    return x + 1.0 if x > 0 else 0.0 * mu


def by_argmax(mu):
    e = scg.Normal(0.0, 1.0).sample(name="e")
    return scg.tensor([3.5, 5.2])[scg.argmax(scg.stack([normal(mu), e]))]


TABLE = np.array([3.5, 5.2, 8.4])


def by_floor(mu):
    return scg.tensor(TABLE)[scg.clip(scg.floor(normal(mu)) + 1.0, 0.0, 2.0).astype(int)]


def elbo(mu):
    z = normal(mu)
    mean = scg.where(z > 0, 2.0, -1.0)
    prior, guide = scg.Normal(0.0, 1.0), scg.Normal(mu, 1.0)
    return guide.log_prob(z) - prior.log_prob(z) - scg.Normal(mean, 1.0).log_prob(0.7)


def square_of_uniform(low, high):
    return scg.Uniform(low, high).sample(name="u") ** 2


def inside(p):
    b = scg.Bernoulli(p).sample(name="b") if scg.Bernoulli(0.5).sample() else 0.0 * p
    return (b - 3.0) ** 2


def flips(p):
    return sum(scg.Bernoulli(p).sample(name="b") for _ in range(3)) ** 2


def normals(mu):
    return sum(normal(mu) for _ in range(3)) ** 2


def one_flip(p):
    return (scg.Bernoulli(p).sample(name="b") - 3.0) ** 2


def figure_2(theta):
    return 0.0 * theta if scg.Bernoulli(theta).sample(name="b") else -theta / 2.0


def product(s):
    zero = scg.Normal(0.0, s)
    return zero.sample(name="x") * zero.sample(name="y")


def vector(mu):
    return (scg.Normal(mu, np.eye(2)).sample(name="x") ** 2).sum()


def categorical_elbo(p):
    guide = scg.Categorical(scg.stack([p, 1.0 - p]))
    k = guide.sample(name="k")
    return guide.log_prob(k) - scg.tensor([0.6583, 0.0])[k]


def categorical_kl(a):
    q = scg.Categorical(logits=scg.stack([a, 0.0 * a]))
    k = q.sample(name="k")
    return q.log_prob(k) - scg.Categorical(logits=[-0.684, 0.0]).log_prob(k)


def toy(p):
    return (scg.Bernoulli(p).sample(name="b") - 0.45) ** 2


def soft(a, c):
    """Return the divergence between two coins by their logits."""
    q = sigmoid(a)
    return q * (a - c) - np.log(1 + np.exp(a)) + np.log(1 + np.exp(c))


WHOLE = np.arange(-12.0, 13.0)
GENJAX, OLD = "GenJAX b8a6b95", "GenJAX 0.10.3"
NUMPYRO, TFP, DISTRAX = "NumPyro 0.22.0", "TFP/JAX 0.25.0", "Distrax 0.1.9"

PEERS = {
    "P1": Peer(
        "E[x > 0], by where", lambda mu: scg.where(normal(mu) > 0, 1.0, 0.0), ndtr, [0.3],
        {GENJAX: [0.0], OLD: [0.0], TFP: [0.0]},
    ),
    "P2": Peer(
        "x + 1 if x > 0 else 0", branch,
        lambda m: gauss(lambda x: np.where(x > 0, x + 1, 0), m, 1.0, [0.0]), [0.3],
        {GENJAX: [0.6248]},
    ),
    "P3": Peer(
        "E[round(x)]", lambda mu: scg.round(normal(mu)),
        lambda m: gauss(np.rint, m, 1.0, WHOLE + 0.5), [0.3], {GENJAX: [0.0]},
    ),
    "P4": Peer(
        "table[argmax(x, e)], e ~ N(0, 1)", by_argmax,
        lambda m: 5.2 - 1.7 * ndtr(m / np.sqrt(2)), [0.3], {GENJAX: [0.0]},
    ),
    "P5": Peer(
        "table[clip(floor(x) + 1, 0, 2)]", by_floor,
        lambda m: gauss(lambda x: TABLE[np.clip(np.floor(x) + 1, 0, 2).astype(int)], m, 1.0, WHOLE),
        [0.3], {GENJAX: [0.0]},
    ),
    "P6": Peer(
        "negative ELBO, likelihood jumps at z > 0", elbo,
        lambda m: m * m / 2
        + gauss(lambda z: (0.7 - np.where(z > 0, 2.0, -1.0)) ** 2 / 2, m, 1.0, [0.0]),
        [0.3], {f"{NUMPYRO} Trace_ELBO": [0.3001], f"{NUMPYRO} TraceGraph_ELBO": [0.3001]},
    ),
    "P7": Peer(
        "E[u ** 2], u ~ Uniform(low, high)", square_of_uniform,
        lambda a, b: (a * a + a * b + b * b) / 3, [-1.0, 2.0],
        {f"{GENJAX} uniform_reinforce": [0.334, -0.334]},
        note='with estimator="score": SupportError',
    ),
    "P8": Peer(
        "a flip inside a branch, then (b - 3) ** 2", inside,
        lambda p: 9 - 2.5 * p, [0.4],
        {f"{GENJAX} enum": [-2.6], f"{GENJAX} mvd": [-2.603], f"{GENJAX} reinforce": [-1.987]},
    ),
    "P9": Peer(
        "three flips in a loop, s ** 2", flips, lambda p: 3 * p + 6 * p * p, [0.4],
        {f"{GENJAX} enum, reinforce": [0.0]},
    ),
    "P10": Peer(
        "three normals in a loop, s ** 2", normals, lambda m: 9 * m * m + 3, [0.4],
        {GENJAX: [14.96]}, nodes=split.polynomial(4),
    ),
    "P11": Peer(
        "one flip, (b - 3) ** 2, in a function that is compiled there", one_flip,
        lambda p: 9 - 5 * p, [0.4], {f"{GENJAX} flip_reinforce under jit": [0.0]},
    ),
    "P12": Peer(
        "second derivative of ADEV's figure 2", figure_2, lambda t: -(1 - t) * t / 2, [0.4],
        {GENJAX: [1.389]}, order=2,
    ),
    "P13": Peer(
        "product of two independent N(0, s)", product, lambda s: 0 * s, [1.29],
        {OLD: [2.579]},
    ),
    "P14": Peer(
        "sum(x ** 2), x ~ N(mu, I)", vector, lambda m: sum(m * m) + 2, [np.array([0.5, -0.3])],
        {OLD: [0.0, 0.0]}, nodes=split.polynomial(4),
    ),
    "P15": Peer(
        "negative ELBO, categorical guide (0.6, 0.4)", categorical_elbo,
        lambda p: p * (np.log(p) - 0.6583) + (1 - p) * np.log(1 - p), [0.6],
        {f"{NUMPYRO} Trace_ELBO": [0.006], f"{NUMPYRO} RenyiELBO": [0.124],
         f"{NUMPYRO} TraceMeanField": [-1.253]},
        note="model ours",
    ),
    "P16": Peer(
        "divergence of a categorical by samples", categorical_kl, lambda a: soft(a, -0.684), [1.0],
        {f"{DISTRAX} mc_estimate_kl_with_reparameterized": [0.0007]}, note="model ours",
    ),
    "P17": Peer(
        "E[(b - 0.45) ** 2], b ~ Bernoulli(p)", toy, lambda p: coin(p, lambda b: (b - 0.45) ** 2),
        [0.3], {f"{TFP} use_reparameterization=True": [0.0]}, note="model ours",
    ),
}  # fmt: skip
