"""Convolutions, as cross-correlations, by gathering windows and multiplying matrices.

Images are (n, c, h, w), filters (o, c, kh, kw), as in PyTorch. For each position (i, j) in the
filter one strided slice of the padded image is what all output pixels see there: copying the
slices gives a matrix of windows, adding into them is its transpose, so that one loop over the
filter's positions serves the convolution and both vjps. Images are taken in chunks whose windows
fit in memory that the caches still help with. That is for other dtypes and processors, and for
filters of one pixel; float32 and float64 go to `_conv_tasks.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from scg._typing import Array, DType, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels._conv_tasks import correlate, filters_vjp, images_vjp
from scg.kernels._once import once
from scg.kernels._product import HAS_KERNEL, MULTIPLY
from scg.kernels._window import Pair, Window, window
from scg.kernels.matmul import matmul

__all__ = [
    "conv1d", "conv1d_input_vjp", "conv1d_weight_vjp", "conv2d", "conv2d_input_vjp",
    "conv2d_weight_vjp",
]  # fmt: skip

CHUNK = 1 << 21  # elements in a matrix of windows


# --- two dimensions --------------------------------------------------------------------------


def conv2d(x: Array, w: Array, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Array:
    """Correlate images with filters.

    Parameters
    ----------
    x : ndarray, shape (n, c, h, w)
        Images.
    w : ndarray, shape (o, c, kh, kw)
        Filters; not flipped.
    stride, padding, dilation : int or (int, int)
        Step of the window, zeros on each side, and distance of the filter's taps, for height and
        width.

    Returns
    -------
    ndarray, shape (n, o, oh, ow)
        With `oh = (h + 2 * padding - dilation * (kh - 1) - 1) // stride + 1`, and `ow` likewise.

    Raises
    ------
    ShapeError
        If ranks or channels differ, or the filter is larger than the padded image.
    OptionError
        If stride, padding or dilation is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    _check("conv2d", x.shape, w.shape, 4)
    win = window("conv2d", x.shape[2:], w.shape[2:], stride, padding, dilation)
    out = np.empty((x.shape[0], w.shape[0], *win.out), np.result_type(x, w))
    if _in_bands(win, out.dtype, (*x.shape, w.shape[0])):
        x, w = _contiguous(out.dtype, x, w)
        correlate(x, w, out, win)
        return out
    filters = w.reshape(w.shape[0], math.prod(w.shape[1:]))
    for images, target in _chunks(win, win.pad(x), out, filters.shape[1]):
        y = matmul(filters, _gather(win, images))
        target[...] = _by_image(y, target.shape)
    return out


def conv2d_input_vjp(
    g: Array, w: Array, shape: Shape, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Array:
    """Pull a cotangent of `conv2d` back to its images; also the transposed convolution.

    Parameters
    ----------
    g : ndarray, shape (n, o, oh, ow)
        Cotangent of the result.
    w : ndarray, shape (o, c, kh, kw)
        Filters.
    shape : tuple of int
        The images' shape (n, c, h, w).
    stride, padding, dilation : int or (int, int)
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (n, c, h, w)
        Cotangent of the images.

    Raises
    ------
    ShapeError, OptionError
        As `conv2d`, and if `g` is not of its result's shape.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d_input_vjp(np.ones((1, 1, 1, 2)), np.array([[[[1.0, 2.0]]]]), (1, 1, 1, 3))
    array([[[[1., 3., 2.]]]])
    """
    _check("conv2d_input_vjp", shape, w.shape, 4)
    win = window("conv2d_input_vjp", shape[2:], w.shape[2:], stride, padding, dilation)
    _check_cotangent("conv2d_input_vjp", g, (shape[0], w.shape[0], *win.out))
    dtype = np.result_type(g, w)
    if _in_bands(win, dtype, (*shape, w.shape[0])):
        out = np.empty(shape, dtype)
        g, w = _contiguous(dtype, g, w)
        images_vjp(g, w, out, win)
        return out
    padded = win.blank(shape[:2], dtype)
    filters = w.reshape(w.shape[0], math.prod(w.shape[1:]))
    for images, cotangent in _chunks(win, padded, g, filters.shape[1]):
        _scatter(win, matmul(filters.T, _by_pixel(cotangent)), images)
    return np.ascontiguousarray(win.inside(padded))


def conv2d_weight_vjp(
    g: Array, x: Array, shape: Shape, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Array:
    """Pull a cotangent of `conv2d` back to its filters.

    Parameters
    ----------
    g : ndarray, shape (n, o, oh, ow)
        Cotangent of the result.
    x : ndarray, shape (n, c, h, w)
        Images.
    shape : tuple of int
        The filters' shape (o, c, kh, kw).
    stride, padding, dilation : int or (int, int)
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (o, c, kh, kw)
        Cotangent of the filters.

    Raises
    ------
    ShapeError, OptionError
        As `conv2d`, and if `g` is not of its result's shape.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(3.0).reshape(1, 1, 1, 3)
    >>> conv2d_weight_vjp(np.ones((1, 1, 1, 2)), x, (1, 1, 1, 2))
    array([[[[1., 3.]]]])
    """
    _check("conv2d_weight_vjp", x.shape, shape, 4)
    win = window("conv2d_weight_vjp", x.shape[2:], shape[2:], stride, padding, dilation)
    _check_cotangent("conv2d_weight_vjp", g, (x.shape[0], shape[0], *win.out))
    dtype = np.result_type(g, x)
    if _in_bands(win, dtype, (*x.shape, shape[0])):
        g, x = _contiguous(dtype, g, x)
        return np.ascontiguousarray(filters_vjp(g, x, win).reshape(shape))
    total = np.zeros((shape[0], shape[1] * shape[2] * shape[3]), dtype)
    for images, cotangent in _chunks(win, win.pad(x), g, total.shape[1]):
        total += matmul(_by_pixel(cotangent), _gather(win, images).T)
    return total.reshape(shape)


# --- one dimension ---------------------------------------------------------------------------


def conv1d(x: Array, w: Array, stride: int = 1, padding: int = 0, dilation: int = 1) -> Array:
    """Correlate sequences with filters.

    Parameters
    ----------
    x : ndarray, shape (n, c, t)
        Sequences.
    w : ndarray, shape (o, c, k)
        Filters; not flipped.
    stride, padding, dilation : int
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (n, o, (t + 2 * padding - dilation * (k - 1) - 1) // stride + 1)
        The correlations.

    Raises
    ------
    ShapeError, OptionError
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> conv1d(np.arange(4.0).reshape(1, 1, 4), np.array([[[-1.0, 1.0]]]))
    array([[[1., 1., 1.]]])
    """
    _check("conv1d", x.shape, w.shape, 3)
    options = _flat("conv1d", stride, padding, dilation)
    return conv2d(x[:, :, None], w[:, :, None], *options)[:, :, 0]


def conv1d_input_vjp(
    g: Array, w: Array, shape: Shape, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Pull a cotangent of `conv1d` back to its sequences.

    Parameters
    ----------
    g, w, shape, stride, padding, dilation
        As in `conv2d_input_vjp`, without the height.

    Returns
    -------
    ndarray, shape (n, c, t)
        Cotangent of the sequences.

    Raises
    ------
    ShapeError, OptionError
        As in `conv2d_input_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> conv1d_input_vjp(np.ones((1, 1, 2)), np.array([[[1.0, 2.0]]]), (1, 1, 3))
    array([[[1., 3., 2.]]])
    """
    _check("conv1d_input_vjp", shape, w.shape, 3)
    _check_rank("conv1d_input_vjp", g.shape, 3)
    options = _flat("conv1d_input_vjp", stride, padding, dilation)
    tall = (*shape[:2], 1, shape[2])
    return conv2d_input_vjp(g[:, :, None], w[:, :, None], tall, *options)[:, :, 0]


def conv1d_weight_vjp(
    g: Array, x: Array, shape: Shape, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Pull a cotangent of `conv1d` back to its filters.

    Parameters
    ----------
    g, x, shape, stride, padding, dilation
        As in `conv2d_weight_vjp`, without the height.

    Returns
    -------
    ndarray, shape (o, c, k)
        Cotangent of the filters.

    Raises
    ------
    ShapeError, OptionError
        As in `conv2d_weight_vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> conv1d_weight_vjp(np.ones((1, 1, 2)), np.arange(3.0).reshape(1, 1, 3), (1, 1, 2))
    array([[[1., 3.]]])
    """
    _check("conv1d_weight_vjp", x.shape, shape, 3)
    _check_rank("conv1d_weight_vjp", g.shape, 3)
    options = _flat("conv1d_weight_vjp", stride, padding, dilation)
    tall = (*shape[:2], 1, shape[2])
    return conv2d_weight_vjp(g[:, :, None], x[:, :, None], tall, *options)[:, :, 0]


def _flat(name: str, stride: int, padding: int, dilation: int) -> tuple[Pair, Pair, Pair]:
    """Return the options of a one-dimensional convolution for an image of height 1."""
    for option, value in (("stride", stride), ("padding", padding), ("dilation", dilation)):
        if not isinstance(value, int):
            raise OptionError(f"{name}: {option} is {value!r}; give one whole number")
    return (1, stride), (0, padding), (1, dilation)


def _in_bands(win: Window, dtype: DType, sizes: Shape) -> bool:
    """Tell whether `_conv_tasks.py` is for it: a filter of one pixel needs no windows copied."""
    return HAS_KERNEL and dtype in MULTIPLY and win.size != (1, 1) and 0 not in sizes and not once()


def _contiguous(dtype: DType, a: Array, b: Array) -> tuple[Array, Array]:
    return np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)


# --- windows ---------------------------------------------------------------------------------


def _chunks(win: Window, padded: Array, y: Array, depth: int) -> Iterator[tuple[Array, Array]]:
    """Cut images and results alike, into chunks decided by the sizes alone."""
    count = max(1, CHUNK // max(1, depth * win.out[0] * win.out[1]))
    for first in range(0, len(padded), count):
        yield padded[first : first + count], y[first : first + count]


def _gather(win: Window, images: Array) -> Array:
    """Return the windows, one per column: shape (c * kh * kw, n * oh * ow)."""
    n, c = images.shape[:2]
    windows = np.empty((c, *win.size, n, *win.out), images.dtype)
    for i, j, rows, columns in win.taps():
        windows[:, i, j] = images[:, :, rows, columns].swapaxes(0, 1)
    return windows.reshape(math.prod(windows.shape[:3]), math.prod(windows.shape[3:]))


def _scatter(win: Window, columns: Array, images: Array) -> None:
    """Add the columns to the windows of the images they came from: the transpose of `_gather`."""
    n, c = images.shape[:2]
    windows = columns.reshape(c, *win.size, n, *win.out)
    for i, j, rows, across in win.taps():
        images[:, :, rows, across] += windows[:, i, j].swapaxes(0, 1)


def _by_pixel(y: Array) -> Array:
    """Return (n, o, oh, ow) as (o, n * oh * ow)."""
    n, o, oh, ow = y.shape
    return y.swapaxes(0, 1).reshape(o, n * oh * ow)


def _by_image(columns: Array, shape: Shape) -> Array:
    """Return (o, n * oh * ow) as (n, o, oh, ow)."""
    n, o, oh, ow = shape
    return columns.reshape(o, n, oh, ow).swapaxes(0, 1)


# --- checks ----------------------------------------------------------------------------------


def _check(name: str, x: Shape, w: Shape, rank: int) -> None:
    _check_rank(name, x, rank)
    _check_rank(name, w, rank)
    if x[1] != w[1]:
        raise ShapeError(
            f"{name}: images of shape {x} have {x[1]} channels, filters of shape {w} have {w[1]};"
            " make them equal"
        )


def _check_rank(name: str, shape: Shape, rank: int) -> None:
    if len(shape) != rank:
        raise ShapeError(
            f"{name}: shape {shape} has {len(shape)} axes; it takes {rank}, the first two being"
            " images and channels (filters: outputs and channels)"
        )


def _check_cotangent(name: str, g: Array, shape: Shape) -> None:
    if g.shape != shape:
        raise ShapeError(
            f"{name}: the cotangent has shape {g.shape}; the convolution's result has {shape}"
        )
