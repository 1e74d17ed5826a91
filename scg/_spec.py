"""What is kept of an array for backward: the array, or its shape alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._tensor import Tensor
from scg._typing import DType, Shape
from scg.tape import Node

__all__ = ["Spec", "retrack", "spec_of"]

_FLOAT = np.dtype(np.float64)


class Spec:
    """The shape and dtype of an input whose values the vjp does not need."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Shape, dtype: DType) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return math.prod(self.shape)


def spec_of(value: Any) -> Spec | None:
    """Return what is kept of an operand whose values no vjp needs; of a Python number too."""
    if value.__class__ is np.ndarray:
        return Spec(value.shape, value.dtype)
    return None if value is None else Spec(np.shape(value), getattr(value, "dtype", _FLOAT))


def retrack(value: Any, node: Node | None) -> Any:
    """Turn a residual array back into the tensor it came from."""
    if value is None or isinstance(value, Spec):
        return value
    return Tensor(np.asarray(value), node)
