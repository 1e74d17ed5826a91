"""Optimisers with fused updates, schedules of their step sizes, and gradient clipping."""

from scg.optim._optimizer import Optimizer
from scg.optim._rules import SGD, AdaGrad, Adam, AdamW, Momentum, RMSProp

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Optimizer", "RMSProp"]
