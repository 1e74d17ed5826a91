"""Compiling ahead: what most programs need first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from scg import ops
from scg._compile._jit import jit
from scg._tensor import Tensor, parameter
from scg._typing import DType
from scg.distributions import Bernoulli, Categorical, Normal

__all__ = ["warmup"]


def warmup(dtypes: Iterable[Any] = (np.float32,)) -> None:
    """Compile the usual kernels, or load them from the cache, before they are needed.

    Products, activations, reductions, log-probabilities, optimisers and a small compiled step. With
    an empty cache this takes some seconds; kernels of your own shapes are added when they are met.

    Parameters
    ----------
    dtypes : iterable of dtype
        float32 and float64, or one of them.

    Raises
    ------
    DTypeError
        For another dtype.

    Examples
    --------
    >>> import scg
    >>> scg.warmup()
    """
    from scg.nn._init import float_dtype

    for dtype in dtypes:
        _warm(float_dtype("scg.warmup", dtype))


def _warm(dtype: DType) -> None:
    from scg import optim

    rng = np.random.default_rng(0)
    weights = [parameter(0.1 * rng.standard_normal(shape), dtype) for shape in _SHAPES]
    rules: list[optim.Optimizer] = [
        optim.Adam(weights), optim.SGD(weights, lr=1e-3), optim.Momentum(weights, lr=1e-3)
    ]  # fmt: skip
    x = rng.random((128, 96)).round().astype(dtype)
    labels = rng.integers(0, 10, 128)
    for optimizer in rules:
        step = _step(weights, optimizer)
        compiled = jit(step, check=False)
        for function in (step, compiled, compiled):
            function(x, labels)


_SHAPES = ((96, 128), (128,), (128, 106), (106,))


def _step(weights: list[Tensor], optimizer: Any) -> Any:
    w, b, v, c = weights

    def step(x: Any, labels: Any) -> Tensor:
        hidden = ops.linear(x, w, b)
        hidden = ops.tanh(hidden) + ops.relu(hidden) + ops.sigmoid(hidden)
        z = Normal(hidden, ops.exp(0.1 * hidden)).sample(rng=0)
        out = ops.linear(z, v, c)
        likelihood = Bernoulli(logits=out[:, :96]).log_prob(x).sum(axis=1)
        classes = Categorical(logits=out[:, 96:]).log_prob(labels)
        loss = -(likelihood + classes).mean() + Normal(0.0, 1.0).log_prob(z).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
