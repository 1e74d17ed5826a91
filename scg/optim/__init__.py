"""Optimisers with fused updates, schedules of their step sizes, and gradient clipping."""

from scg.optim._clip import clip_grad_norm, clip_grad_value
from scg.optim._optimizer import Optimizer
from scg.optim._options import Schedule
from scg.optim._rules import SGD, AdaGrad, Adam, AdamW, Momentum, RMSProp
from scg.optim._schedules import (
    constant,
    cosine,
    exponential_decay,
    linear_warmup,
    piecewise,
    step_decay,
)

__all__ = [
    "SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Optimizer", "RMSProp", "Schedule",
    "clip_grad_norm", "clip_grad_value", "constant", "cosine", "exponential_decay",
    "linear_warmup", "piecewise", "step_decay",
]  # fmt: skip
