"""What is computed once is computed without kernels, and is the same to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from scg._op import OPS
from scg.kernels import _product, generate, matmul, optim, reduce, softmax
from scg.kernels._once import computed_once, once

X = np.random.default_rng(0).standard_normal((40, 300)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((40, 300)).astype(np.float32)
ODD = np.array([[1.0, -np.inf, 3.0], [-np.inf, -np.inf, -np.inf], [np.inf, 0.0, 1.0]])

CASES = {
    "sum": lambda: reduce.sum(X, axis=0),
    "sum of all": lambda: reduce.sum(np.tile(X, (40, 1))),
    "mean": lambda: reduce.mean(X, axis=1),
    "product": lambda: matmul.matmul(X, Y.T, bias=X[0, :40], activation="relu"),
    "softmax": lambda: softmax.softmax(X),
    "log_softmax": lambda: softmax.log_softmax(X, axis=0),
    "logsumexp": lambda: softmax.logsumexp(X, axis=1),
    "log of nothing": lambda: softmax.logsumexp(ODD, axis=1),
    "softmax backward": lambda: softmax.softmax_vjp(X, softmax.softmax(Y)),
    "log_softmax backward": lambda: softmax.log_softmax_vjp(X, softmax.log_softmax(Y)),
    "logsumexp backward": lambda: softmax.logsumexp_vjp(X[:, :1], Y, X[:, 1:2], axis=1),
    "expression": lambda: OPS["softplus"].forward(X),
    "score": lambda: OPS["bernoulli_log_prob"].forward((X > 0).astype(np.float32), Y),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_numpy_computes_what_kernels_compute(name, monkeypatch):
    theirs = CASES[name]()
    for module, function in ((_product, "_build"), (generate, "_module")):
        monkeypatch.setattr(module, function, _refuse)
    with computed_once():
        ours = CASES[name]()
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def _refuse(*args):
    raise AssertionError("something was compiled")


@pytest.mark.parametrize("name", ["SGD", "MOMENTUM", "RMSPROP", "ADAGRAD", "ADAM"])
def test_updates_are_the_same(name):
    rule = getattr(optim, name)
    scalars = rule.scalars(0.1, step=1) if name == "ADAM" else rule.scalars(0.1)
    states = {"SGD": 0, "ADAM": 2}.get(name, 1)
    results = []
    for apart in (False, True):
        arrays = [X.copy(), Y, *(np.full_like(X, 0.5) for _ in range(states))]
        updates = optim.Updates(rule, [arrays])
        updates.set([scalars])
        if apart:
            with computed_once():
                updates.run([Y])
        else:
            updates.run([Y])
        results.append(arrays)
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_it_ends_with_the_block():
    with computed_once():
        assert once()
    assert not once()
