"""Neural networks: modules that hold parameters, and the usual layers."""

from scg.nn._conv import Conv2d
from scg.nn._layers import MLP, Linear, Sequential
from scg.nn._module import Module

__all__ = ["MLP", "Conv2d", "Linear", "Module", "Sequential"]
