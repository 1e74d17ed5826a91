"""Layers that slide filters over images."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from scg import ops
from scg._tensor import Tensor, as_tensor, parameter
from scg.errors import OptionError, ShapeError
from scg.nn._init import float_dtype, weights, whole
from scg.nn._module import Module
from scg.noise import as_source

__all__ = ["Conv2d"]

Pair: TypeAlias = int | tuple[int, int]


class Conv2d(Module):
    """Correlation of images with filters, and a bias for each filter.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the input, and number of filters.
    kernel_size : int or (int, int)
        Height and width of the filters.
    stride : int or (int, int)
        Step of the window, for height and width.
    padding : int, (int, int), "valid" or "same"
        Zeros on each side, as in `scg.conv2d`.
    bias : bool
        Whether to add one; it starts at zero.
    rng : int, numpy.random.Generator or Source, optional
        For the initial weights; None means the generator that `scg.seed` seeds.
    dtype : dtype
        float32 or float64.
    init : {"glorot", "he", "lecun", "normal"}
        As in `Linear`, where an output sums over `in_channels` windows.

    Attributes
    ----------
    weight : Tensor, shape (out_channels, in_channels, height, width)
    bias : Tensor, shape (out_channels,), or None

    Raises
    ------
    OptionError
        If a size is not a whole number from 1, or `init` or `rng` is unknown.
    DTypeError
        If `dtype` cannot be trained.

    Examples
    --------
    >>> import numpy as np, scg
    >>> layer = scg.nn.Conv2d(3, 8, 5, stride=2, padding=2, rng=0)
    >>> layer(np.ones((10, 3, 28, 28), np.float32)).shape
    (10, 8, 14, 14)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, *, stride: Pair = 1,
        padding: Pair | str = 0, bias: bool = True, rng: Any = None, dtype: Any = np.float32,
        init: str = "he",
    ) -> None:  # fmt: skip
        height, width = _pair(kernel_size)
        whole("Conv2d", in_channels=in_channels, out_channels=out_channels, height=height,
              width=width)  # fmt: skip
        shape = (int(out_channels), int(in_channels), int(height), int(width))
        area, dtype = shape[2] * shape[3], float_dtype("Conv2d", dtype)
        fans = shape[1] * area, shape[0] * area
        self.weight = parameter(weights("Conv2d", init, shape, *fans, as_source(rng), dtype))
        self.bias = parameter(np.zeros(shape[0], dtype)) if bias else None
        self.stride, self.padding = stride, padding

    def __call__(self, x: Any) -> Tensor:
        """Filter images of shape (n, in_channels, height, width)."""
        x = as_tensor(x)
        channels = self.weight.shape[1]
        if x.ndim != 4 or x.shape[1] != channels:
            raise ShapeError(
                f"{self._where()}: the input has shape {x.shape}; it must be (images, {channels}, "
                "height, width)"
            )
        y = ops.conv2d(x, self.weight, stride=self.stride, padding=self.padding)
        return y if self.bias is None else y + self.bias.reshape(-1, 1, 1)

    def __repr__(self) -> str:
        filters, channels, *size = self.weight.shape
        return f"Conv2d({channels}, {filters}, {tuple(size)})"


def _pair(size: Any) -> tuple[int, int]:
    """Return height and width."""
    if not isinstance(size, tuple | list):
        return size, size
    if len(size) != 2:
        raise OptionError(f"Conv2d: kernel_size={size!r} must be a number, or height and width")
    return size[0], size[1]
