"""A cotangent that is zero outside one place of its node."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._typing import Array, DType, Shape

__all__ = ["Partial"]


class Partial:
    """Values at an index of an array that is zero elsewhere, without that array.

    Each of T slices of one tensor would otherwise bring zeros of the tensor's size, and all of them
    together cost T times the tensor. The sweep adds the values in place into one buffer instead.

    Attributes
    ----------
    values : ndarray
        What stands at the index.
    index : tuple
        Of the array of shape `shape`.
    repeats : bool
        The index may name an element more than once; all its values are then added.
    """

    __slots__ = ("dtype", "index", "repeats", "shape", "values")

    def __init__(self, values: Any, index: tuple[Any, ...], shape: Shape, *, repeats: bool) -> None:
        self.values = values
        self.index = index
        self.shape = shape
        self.repeats = repeats
        self.dtype: DType = values.dtype

    def astype(self, dtype: DType) -> Partial:
        """Return the same with values of another dtype."""
        values = self.values.astype(dtype)
        return Partial(values, self.index, self.shape, repeats=self.repeats)

    def added_to(self, total: Any, *, in_place: bool) -> Array:
        """Return `total` (None for zero) with the values added; the array is the caller's own."""
        if total is None:
            buffer: Array = np.zeros(self.shape, self.dtype)
        elif in_place and type(total) is np.ndarray:
            buffer = total
        else:
            buffer = np.array(total)
        if self.repeats:
            np.add.at(buffer, self.index, self.values)
        else:
            buffer[self.index] += self.values
        return buffer
