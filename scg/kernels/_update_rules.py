"""The rules of optimisers, for one number of a parameter: `s` are the scalars of the update.

They also work on whole arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import OptionError
from scg.kernels._jit import device

__all__ = [
    "Scalars", "adagrad", "adagrad_scalars", "adam", "adam_scalars", "momentum",
    "momentum_scalars", "rmsprop", "rmsprop_scalars", "sgd", "sgd_scalars",
]  # fmt: skip

Scalars = tuple[float, ...]


@device
def _slope(x: Any, g: Any, decay: Any) -> Any:
    """Return the gradient with the penalty's added."""
    # No `g + 0 * x`: without decay an infinite parameter must not turn into NaN.
    return g + decay * x if decay != 0 else g


@device
def sgd(x: Any, g: Any, s: Any) -> Any:
    return x - s[0] * _slope(x, g, s[1])


@device
def momentum(x: Any, g: Any, v: Any, s: Any) -> Any:
    rate, beta, look, own, decay = s[:5]
    d = _slope(x, g, decay)
    velocity = beta * v + d
    return x - rate * (look * velocity + own * d), velocity


@device
def rmsprop(x: Any, g: Any, v: Any, s: Any) -> Any:
    rate, keep, take, eps, decay = s[:5]
    d = _slope(x, g, decay)
    square = keep * v + take * d * d
    return x - rate * d / (np.sqrt(square) + eps), square


@device
def adagrad(x: Any, g: Any, v: Any, s: Any) -> Any:
    rate, eps, decay = s[:3]
    d = _slope(x, g, decay)
    total = v + d * d
    return x - rate * d / (np.sqrt(total) + eps), total


@device
def adam(x: Any, g: Any, m: Any, v: Any, s: Any) -> Any:
    rate, keep1, take1, keep2, take2, unbias, eps, decay, shrink = s
    d = _slope(x, g, decay)
    mean = keep1 * m + take1 * d
    square = keep2 * v + take2 * d * d
    return shrink * x - rate * mean / (np.sqrt(square) * unbias + eps), mean, square


def sgd_scalars(lr: float, weight_decay: float = 0.0) -> Scalars:
    return lr, weight_decay


def momentum_scalars(
    lr: float, beta: float = 0.9, *, nesterov: bool = False, weight_decay: float = 0.0
) -> Scalars:
    look, own = (beta, 1.0) if nesterov else (1.0, 0.0)
    return lr, beta, look, own, weight_decay


def rmsprop_scalars(
    lr: float, alpha: float = 0.99, eps: float = 1e-8, *, weight_decay: float = 0.0
) -> Scalars:
    return lr, alpha, 1.0 - alpha, eps, weight_decay


def adagrad_scalars(lr: float, eps: float = 1e-10, *, weight_decay: float = 0.0) -> Scalars:
    return lr, eps, weight_decay


def adam_scalars(
    lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, *, step: int,
    weight_decay: float = 0.0, decoupled: bool = False,
) -> Scalars:  # fmt: skip
    """Count steps from 1, for the bias corrections; `decoupled` decay is AdamW's."""
    if step < 1:
        raise OptionError(f"adam: step is {step}; count steps from 1, for the bias corrections")
    rate = lr / (1.0 - beta1**step)
    unbias = 1.0 / math.sqrt(1.0 - beta2**step)
    decay, shrink = (0.0, 1.0 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    return rate, beta1, 1.0 - beta1, beta2, 1.0 - beta2, unbias, eps, decay, shrink
