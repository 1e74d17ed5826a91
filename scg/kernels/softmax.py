"""log sum exp, softmax and log softmax of rows, and their vjps.

float32 and float64 have kernels (`softmax_rows.py`); other dtypes are computed in float64, strided
arrays and axes that are not the last are copied into rows first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from scg._typing import Array, Axis, DType, Shape
from scg.kernels import softmax_rows
from scg.kernels._dtypes import FLOAT32, FLOAT64

__all__ = [
    "log_softmax", "log_softmax_vjp", "logsumexp", "logsumexp_vjp", "softmax", "softmax_vjp",
]  # fmt: skip


# --- faces -----------------------------------------------------------------------------------


def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Compute log(sum(exp(x))) without overflow.

    Parameters
    ----------
    x : ndarray
        Logarithms; -inf stands for zero. Dtypes other than float32 and float64 are computed in
        float64, strided arrays are copied.
    axis : int, sequence of int, or None
        Axes to sum over; None means all.
    keepdims : bool
        Leave the summed axes in place with size 1.

    Returns
    -------
    ndarray
        0-d when nothing is left. -inf where all terms are -inf or there are none; inf where one is
        inf; NaN where one is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> logsumexp(np.array([[1000.0, 1000.0], [-np.inf, 0.0]]), axis=1).round(3)
    array([1000.693,    0.   ])
    """
    rows, axes, dtype = _rows(x, axis)
    shift, rest = _logs(rows)
    shift += rest
    if keepdims:
        kept = tuple(1 if a in axes else size for a, size in enumerate(x.shape))
    else:
        kept = tuple(size for a, size in enumerate(x.shape) if a not in axes)
    return _cast(shift, dtype).reshape(kept)


def softmax(x: Array, axis: Axis = -1) -> Array:
    """Compute exp(x) / sum(exp(x)) without overflow.

    Parameters
    ----------
    x : ndarray
        Logits; dtypes and strides as in `logsumexp`.
    axis : int, sequence of int, or None
        Axes over which the result sums to one; None means all.

    Returns
    -------
    ndarray
        Of the shape of `x`; NaN along `axis` where that holds NaN, inf, or nothing but -inf.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    rows, axes, dtype = _rows(x, axis)
    out = np.empty_like(rows)
    top, total = np.empty((2, rows.shape[0]), rows.dtype)
    softmax_rows.run(softmax_rows.SOFTMAX, rows, out, top, total)
    return _restore(out, x.shape, axes, dtype)


def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """Compute x - logsumexp(x), subtracting in the order that loses least.

    Parameters
    ----------
    x, axis
        As in `softmax`.

    Returns
    -------
    ndarray
        Of the shape of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([1e6, 0.0]))
    array([       0., -1000000.])
    """
    rows, axes, dtype = _rows(x, axis)
    out = np.empty_like(rows)
    softmax_rows.subtract(rows, *_logs(rows), out)
    return _restore(out, x.shape, axes, dtype)


def logsumexp_vjp(g: Array, x: Array, y: Array, axis: Axis = None) -> Array:
    """Pull a cotangent back through `y = logsumexp(x, axis, keepdims=True)`.

    Parameters
    ----------
    g, y : ndarray
        Cotangent and result, with the reduced axes kept at size 1.
    x, axis
        As in `logsumexp`.

    Returns
    -------
    ndarray
        `g * exp(x - y)`, of the shape of `x`; zero where y is -inf, since no term weighs more than
        another there.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([0.0, np.log(3.0)])
    >>> logsumexp_vjp(np.array([8.0]), x, logsumexp(x, keepdims=True)).round(12)
    array([2., 6.])
    """
    rows, axes, dtype = _rows(x, axis)
    out = np.empty_like(rows)
    softmax_rows.run(softmax_rows.LOGSUMEXP_VJP, rows, _like(g, rows), _like(y, rows), out)
    return _restore(out, x.shape, axes, dtype)


def softmax_vjp(g: Array, y: Array, axis: Axis = -1) -> Array:
    """Pull a cotangent back through `y = softmax(x, axis)`.

    Parameters
    ----------
    g, y : ndarray
        Cotangent and result, of one shape.
    axis : int, sequence of int, or None
        As in `softmax`.

    Returns
    -------
    ndarray
        `y * (g - sum(g * y))`.

    Examples
    --------
    >>> import numpy as np
    >>> softmax_vjp(np.array([4.0, 0.0]), np.array([0.5, 0.5]))
    array([ 1., -1.])
    """
    rows, axes, dtype = _rows(y, axis)
    out = np.empty_like(rows)
    softmax_rows.run(softmax_rows.SOFTMAX_VJP, rows, _rows(g, axis, rows.dtype)[0], out)
    return _restore(out, y.shape, axes, dtype)


def log_softmax_vjp(g: Array, y: Array, axis: Axis = -1) -> Array:
    """Pull a cotangent back through `y = log_softmax(x, axis)`.

    Parameters
    ----------
    g, y : ndarray
        Cotangent and result, of one shape.
    axis : int, sequence of int, or None
        As in `softmax`.

    Returns
    -------
    ndarray
        `g - exp(y) * sum(g)`.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax_vjp(np.array([1.0, 0.0]), np.log(np.array([0.5, 0.5])))
    array([ 0.5, -0.5])
    """
    rows, axes, dtype = _rows(y, axis)
    out = np.empty_like(rows)
    softmax_rows.run(softmax_rows.LOG_SOFTMAX_VJP, rows, _rows(g, axis, rows.dtype)[0], out)
    return _restore(out, y.shape, axes, dtype)


# --- between arrays and rows -----------------------------------------------------------------


def _rows(x: Array, axis: Axis, dtype: DType | None = None) -> tuple[Array, tuple[int, ...], DType]:
    """Return x as a contiguous matrix whose rows run along `axis`, the axes, the result's dtype."""
    axes = _normal(axis, x.ndim)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = x if axes == last else np.moveaxis(x, axes, last)
    n = math.prod(moved.shape[x.ndim - len(axes) :])
    count = math.prod(moved.shape[: x.ndim - len(axes)])
    work = dtype or (x.dtype if x.dtype in (FLOAT32, FLOAT64) else FLOAT64)
    if moved.dtype != work or not moved.flags.c_contiguous:
        moved = np.ascontiguousarray(moved, work)
    return moved.reshape(count, n), axes, x.dtype if x.dtype.kind == "f" else FLOAT64


def _normal(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int) and -ndim <= axis < ndim:
        return (axis % ndim,)
    return tuple(normalize_axis_tuple(axis, ndim))


def _restore(rows: Array, shape: Shape, axes: tuple[int, ...], dtype: DType) -> Array:
    """Undo `_rows`."""
    last = tuple(range(len(shape) - len(axes), len(shape)))
    if axes != last:
        kept = tuple(size for a, size in enumerate(shape) if a not in axes)
        moved = rows.reshape(kept + tuple(shape[a] for a in axes))
        rows = np.ascontiguousarray(np.moveaxis(moved, last, axes))
    return _cast(rows, dtype).reshape(shape)


def _cast(x: Array, dtype: DType) -> Array:
    return x if x.dtype == dtype else x.astype(dtype)


def _like(y: Array, rows: Array) -> Array:
    """Return one number per row, in the dtype of the rows."""
    return np.ascontiguousarray(y, rows.dtype).reshape(-1)


def _logs(x: Array) -> tuple[Array, Array]:
    """Return per row a shift and log(sum(exp(x - shift)))."""
    shift, rest = np.empty((2, x.shape[0]), x.dtype)
    softmax_rows.run(softmax_rows.LOGS, x, shift, rest)
    return shift, rest
