"""What is kept of an array of which only the shape matters."""

from __future__ import annotations

import numpy as np

from scg._typing import DType, Shape

__all__ = ["Spec"]


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
        return int(np.prod(self.shape))
