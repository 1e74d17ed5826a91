"""Pooling: the largest or the mean number in each window of an image, and the vjps."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._typing import Array, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels._dtypes import FLOAT32, FLOAT64
from scg.kernels._jit import kernel, parallel_call, prange
from scg.kernels._pool_tasks import PARALLEL, largest, suits
from scg.kernels._window import Pair, Window, pair, window
from scg.kernels.simd_bits import select

__all__ = ["avg_pool2d", "avg_pool2d_vjp", "max_pool2d", "max_pool2d_vjp"]


def max_pool2d(
    x: Array, size: Pair, stride: Pair | None = None, padding: Pair = 0
) -> tuple[Array, Array]:
    """Find the largest number in each window, and where it is.

    Parameters
    ----------
    x : ndarray, shape (n, c, h, w)
        Images. Dtypes other than float32 and float64 are compared in float64.
    size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        Step of the window; its size if not given.
    padding : int or (int, int)
        How far windows may hang over the edge, at most half their size; nothing there is chosen.

    Returns
    -------
    value : ndarray, shape (n, c, oh, ow)
        The largest number, NaN where the window holds one.
    index : ndarray of int, shape (n, c, oh, ow)
        Its position in the flattened image, `row * w + column`; the first of equal ones.

    Raises
    ------
    ShapeError
        If `x` does not have four axes or the window does not fit.
    OptionError
        If stride or padding is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> value, index = max_pool2d(np.array([[[[1.0, 5.0, 2.0, 2.0]]]]), (1, 2))
    >>> value.ravel(), index.ravel()
    (array([5., 2.]), array([1, 2]))
    """
    win = _window("max_pool2d", x.shape, size, stride, padding)
    if 2 * win.padding[0] > win.size[0] or 2 * win.padding[1] > win.size[1]:
        raise OptionError(
            f"max_pool2d: padding {win.padding} is more than half the window {win.size};"
            " a window could lie outside the image altogether"
        )
    work = x.dtype if x.dtype in (FLOAT32, FLOAT64) else FLOAT64
    planes = np.ascontiguousarray(x, work).reshape(x.shape[0] * x.shape[1], *win.image)
    value = np.empty((len(planes), *win.out), work)
    index = np.empty(value.shape, np.intp)
    args = planes, *win.size, *win.stride, *win.padding, value, index
    if suits(win):
        largest(planes, value, index)
    elif value.size < PARALLEL:
        _max_serial(*args)
    else:
        parallel_call(_max_serial, _max_threaded, *args)
    shape = (*x.shape[:2], *win.out)
    return value.astype(x.dtype, copy=False).reshape(shape), index.reshape(shape)


def max_pool2d_vjp(g: Array, index: Array, shape: Shape) -> Array:
    """Pull a cotangent of `max_pool2d` back: each window's goes to the number it chose.

    Parameters
    ----------
    g, index : ndarray, shape (n, c, oh, ow)
        Cotangent of the values, and the positions that `max_pool2d` returned.
    shape : tuple of int
        The images' shape (n, c, h, w).

    Returns
    -------
    ndarray, shape (n, c, h, w)
        Cotangent of the images.

    Raises
    ------
    ShapeError
        If `g` and `index` differ in shape, or do not fit `shape`.

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d_vjp(np.array([[[[7.0]]]]), np.array([[[[2]]]]), (1, 1, 1, 4))
    array([[[[0., 0., 7., 0.]]]])
    """
    if g.shape != index.shape or g.shape[:2] != shape[:2]:
        raise ShapeError(
            f"max_pool2d_vjp: cotangent {g.shape}, positions {index.shape} and images {shape} do"
            " not belong together"
        )
    work = g.dtype if g.dtype in (FLOAT32, FLOAT64) else FLOAT64
    planes = shape[0] * shape[1]
    out = np.zeros((planes, shape[2] * shape[3]), work)
    if g.size:
        _check_positions(index, out.shape[1])
        cotangent = np.ascontiguousarray(g, work).reshape(planes, -1)
        _give(cotangent, np.ascontiguousarray(index).reshape(planes, -1), out)
    return out.astype(g.dtype, copy=False).reshape(shape)


def avg_pool2d(x: Array, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Array:
    """Average each window.

    Parameters
    ----------
    x : ndarray, shape (n, c, h, w)
        Images, of a floating dtype.
    size, stride
        As in `max_pool2d`.
    padding : int or (int, int)
        Zeros on each side; they count as numbers of the window.

    Returns
    -------
    ndarray, shape (n, c, oh, ow)
        The means.

    Raises
    ------
    ShapeError, OptionError
        As in `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.array([[[[1.0, 5.0, 2.0, 4.0]]]]), (1, 2))
    array([[[[3., 3.]]]])
    """
    win = _window("avg_pool2d", x.shape, size, stride, padding)
    padded = win.pad(x)
    total = np.zeros((*x.shape[:2], *win.out), np.result_type(x, np.float16))
    for _, _, rows, columns in win.taps():
        total += padded[:, :, rows, columns]
    return np.divide(total, win.size[0] * win.size[1], out=total)


def avg_pool2d_vjp(
    g: Array, shape: Shape, size: Pair, stride: Pair | None = None, padding: Pair = 0
) -> Array:
    """Pull a cotangent of `avg_pool2d` back: each window spreads its own evenly.

    Parameters
    ----------
    g : ndarray, shape (n, c, oh, ow)
        Cotangent of the means.
    shape : tuple of int
        The images' shape (n, c, h, w).
    size, stride, padding
        As in `avg_pool2d`.

    Returns
    -------
    ndarray, shape (n, c, h, w)
        Cotangent of the images.

    Raises
    ------
    ShapeError, OptionError
        As in `avg_pool2d`, and if `g` is not of its result's shape.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d_vjp(np.array([[[[2.0, 4.0]]]]), (1, 1, 1, 4), (1, 2))
    array([[[[1., 1., 2., 2.]]]])
    """
    win = _window("avg_pool2d_vjp", shape, size, stride, padding)
    if g.shape != (*shape[:2], *win.out):
        raise ShapeError(
            f"avg_pool2d_vjp: the cotangent has shape {g.shape}; the pool's result has"
            f" {(*shape[:2], *win.out)}"
        )
    share = g / (win.size[0] * win.size[1])
    padded = win.blank(shape[:2], share.dtype)
    for _, _, rows, columns in win.taps():
        padded[:, :, rows, columns] += share
    return np.ascontiguousarray(win.inside(padded))


def _window(name: str, shape: Shape, size: Pair, stride: Pair | None, padding: Pair) -> Window:
    if len(shape) != 4:
        raise ShapeError(f"{name}: images of shape {shape}; they need four axes (n, c, h, w)")
    both = pair(name, "size", size, 1)
    return window(name, shape[2:], both, both if stride is None else stride, padding)


def _check_positions(index: Array, count: int) -> None:
    """Refuse positions outside the image: the loop would write outside its memory."""
    if index.min() < 0 or index.max() >= count:
        raise ShapeError(
            f"max_pool2d_vjp: positions run from {index.min()} to {index.max()}, the image has"
            f" {count} pixels; pass what max_pool2d returned for images of this shape"
        )


def _max(
    x: Any, kh: Any, kw: Any, sh: Any, sw: Any, ph: Any, pw: Any, value: Any, index: Any
) -> None:
    _, h, w = x.shape
    for plane in prange(x.shape[0]):
        image = x[plane]
        for r in range(value.shape[1]):
            for c in range(value.shape[2]):
                top, left = max(r * sh - ph, 0), max(c * sw - pw, 0)
                best, where = image[top, left], top * w + left
                for i in range(top, min(r * sh - ph + kh, h)):
                    for j in range(left, min(c * sw - pw + kw, w)):
                        v = image[i, j]
                        # NaN beats every number, the first NaN every later one.
                        # Selected, not branched to: on real images a branch is mispredicted.
                        take = (v > best) | ((v != v) & (best == best))
                        best = select(take, v, best)
                        where = select(take, i * w + j, where)
                value[plane, r, c] = best
                index[plane, r, c] = where


_max_serial = kernel(_max)
_max_threaded = kernel(_max, parallel=True)


@kernel
def _give(g: Any, index: Any, out: Any) -> None:
    for plane in range(g.shape[0]):
        for i in range(g.shape[1]):
            out[plane, index[plane, i]] += g[plane, i]
