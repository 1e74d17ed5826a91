"""Neural networks: modules that hold parameters, and the usual layers."""

from scg.nn._layers import MLP, Linear, Sequential
from scg.nn._module import Module

__all__ = ["MLP", "Linear", "Module", "Sequential"]
