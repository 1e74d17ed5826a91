"""Memory of a plan, and the views of it that values are: a transpose or a slice costs nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scg._typing import Array, DType, Shape

__all__ = ["Buffer", "View", "contiguous", "reviewed", "whole"]


@dataclass(slots=True, eq=False)
class Buffer:
    """An array in memory, contiguous.

    Attributes
    ----------
    shape, dtype
    array : ndarray or None
        The memory if it exists already: of a parameter, a constant. None: the arena's.
    pinned : bool
        Whether it keeps its contents from one call to the next.
    writers, readers : list of int
        The steps of the plan that do so, by number.
    """

    shape: Shape
    dtype: DType
    array: Array | None = None
    pinned: bool = False
    writers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class View:
    """Elements of a buffer.

    Attributes
    ----------
    buffer : Buffer
    shape : tuple of int
    strides : tuple of int
        In elements; 0 along an axis of size 1.
    offset : int
        Of the first element, in elements.
    """

    buffer: Buffer
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def dtype(self) -> DType:
        return self.buffer.dtype

    @property
    def is_contiguous(self) -> bool:
        return self.strides == contiguous(self.shape)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes in the order in which they lie in memory."""
        return tuple(sorted(range(len(self.shape)), key=lambda axis: -self.strides[axis]))

    @property
    def is_permuted(self) -> bool:
        """Whether it is all of the buffer, but for the order of its axes."""
        shape = tuple([self.shape[a] for a in self.order])
        strides = tuple([self.strides[a] for a in self.order])
        return strides == contiguous(shape) and math.prod(shape) == self.buffer.size

    def over(self, shape: Shape) -> tuple[int, ...]:
        """Return the strides of this view broadcast to a shape."""
        missing = len(shape) - len(self.shape)
        return (0,) * missing + self.strides

    def array(self) -> Array:
        """Return the view of the buffer's memory, which must exist."""
        assert self.buffer.array is not None
        return self.of(self.buffer.array)

    def of(self, memory: Array) -> Array:
        """Return the view of other memory of the buffer's size."""
        size = self.dtype.itemsize
        start = memory.reshape(-1)[self.offset :] if math.prod(self.shape) else memory
        return as_strided(start, self.shape, [s * size for s in self.strides])


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Return row-major strides, 0 where the size is 1."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(0 if size == 1 else step)
        step *= size
    return tuple(reversed(strides))


def whole(buffer: Buffer) -> View:
    """Return the view of all of a buffer."""
    return View(buffer, buffer.shape, contiguous(buffer.shape))


_SOMEWHERE = np.zeros(1, np.int64)


def reviewed(view: View, function: Callable[[Array], Any]) -> View | None:
    """Return what a NumPy function that reads nothing makes of a view; None if it cannot.

    It is called on an array that has no memory to speak of.
    """
    size = view.dtype.itemsize
    if size > 8:
        return None
    somewhere = _SOMEWHERE.view(view.dtype)[:1]
    dummy = as_strided(somewhere, view.shape, [s * size for s in view.strides])
    try:
        result = function(dummy)
    except ValueError:  # a reshape that would have to copy
        return None
    if not isinstance(result, np.ndarray) or result.base is None:  # a number, not a view
        return None
    moved = _address(result) - _address(dummy)
    strides = tuple(
        0 if n == 1 else s // size for n, s in zip(result.shape, result.strides, strict=True)
    )
    return View(view.buffer, result.shape, strides, view.offset + moved // size)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])  # also of one that is read-only
