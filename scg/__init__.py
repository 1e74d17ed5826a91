"""Stochastic computation graphs with unbiased gradients, on NumPy and Numba."""

from scg import ops as _ops
from scg.errors import *  # noqa: F403
from scg.ops import *  # noqa: F403
from scg.tape import no_grad
from scg.tensor import Tensor, as_tensor, parameter, peek, tensor

__version__ = "0.1.0"
__all__ = ["Tensor", "as_tensor", "no_grad", "parameter", "peek", "tensor", *_ops.__all__]
