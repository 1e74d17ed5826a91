"""How the windows of convolutions and pools lie on an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from scg._typing import Array, DType, Shape
from scg.errors import OptionError, ShapeError

__all__ = ["Pair", "Window", "pair", "window"]

Pair: TypeAlias = int | tuple[int, int]


class Window(NamedTuple):
    """How a window of `size` moves over an image of shape `image` and gives one of shape `out`."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    image: tuple[int, int]
    out: tuple[int, int]

    def taps(self) -> Iterator[tuple[int, int, slice, slice]]:
        """Yield each position (i, j) in the window and where in the padded image it is seen."""
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                yield i, j, self._along(0, i), self._along(1, j)

    def _along(self, axis: int, position: int) -> slice:
        start = position * self.dilation[axis]
        return slice(start, start + (self.out[axis] - 1) * self.stride[axis] + 1, self.stride[axis])

    def pad(self, x: Array) -> Array:
        """Surround images by zeros."""
        if self.padding == (0, 0):
            return x
        padded = self.blank(x.shape[:2], x.dtype)
        self.inside(padded)[...] = x
        return padded

    def blank(self, leading: Shape, dtype: DType) -> Array:
        """Return padded images of zeros."""
        (h, w), (ph, pw) = self.image, self.padding
        return np.zeros((*leading, h + 2 * ph, w + 2 * pw), dtype)

    def inside(self, padded: Array) -> Array:
        """Return the view of padded images without their padding."""
        (h, w), (ph, pw) = self.image, self.padding
        return padded[..., ph : ph + h, pw : pw + w]


def window(
    name: str, image: Shape, size: Shape, stride: Pair, padding: Pair, dilation: Pair = 1
) -> Window:
    """Check how a window fits an image.

    Parameters
    ----------
    name : str
        Operation, for errors.
    image, size : tuple of int
        Height and width of the image and of the window.
    stride, padding, dilation : int or (int, int)
        For height and width.

    Returns
    -------
    Window
        With its output shape.

    Raises
    ------
    OptionError
        If stride or dilation is less than 1, or padding less than 0.
    ShapeError
        If the window is empty or larger than the padded image.

    Examples
    --------
    >>> window("conv2d", (5, 5), (3, 3), stride=2, padding=1).out
    (3, 3)
    """
    s, p = pair(name, "stride", stride, 1), pair(name, "padding", padding, 0)
    d = pair(name, "dilation", dilation, 1)
    reach = [image[a] + 2 * p[a] - d[a] * (size[a] - 1) - 1 for a in (0, 1)]
    if min(reach) < 0 or min(size) < 1:
        raise ShapeError(
            f"{name}: a window of {size[0]}x{size[1]}, dilation {d}, does not fit into an image of"
            f" {image[0]}x{image[1]} with padding {p}; pad more or take a smaller window"
        )
    out = reach[0] // s[0] + 1, reach[1] // s[1] + 1
    return Window((size[0], size[1]), s, p, d, (image[0], image[1]), out)


def pair(name: str, option: str, value: Pair, least: int) -> tuple[int, int]:
    """Return an option as a pair for height and width; refuse what is below `least`."""
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or min(both) < least:
        raise OptionError(
            f"{name}: {option} is {value!r}; give one whole number of at least {least}, or two"
        )
    return both
