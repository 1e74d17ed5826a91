"""Linear recurrences and products of all others along one axis: what scans run backward as."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels._jit import kernel

__all__ = ["linear_recurrence", "products_of_others"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def linear_recurrence(a: Array, b: Array, axis: int = -1) -> Array:
    """Compute ``y[i] = a[i] * y[i - 1] + b[i]`` along an axis, with ``y[0] = b[0]``.

    Parameters
    ----------
    a, b : ndarray
        Of one shape, with at least one axis. Other dtypes than float32 and float64 are computed in
        float64.
    axis : int
        Along which the index i runs.

    Returns
    -------
    ndarray
        Of the shape of `b`.

    Examples
    --------
    >>> import numpy as np
    >>> linear_recurrence(np.full(3, 0.5), np.ones(3))
    array([1.  , 1.5 , 1.75])
    """
    shape, dtype = b.shape, np.result_type(a, b)
    if dtype not in FLOATS:
        dtype = FLOATS[1]
    axis = axis % len(shape)
    folded = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    # A copy to write to. A read-only factor would be another Numba type, hence another
    # compilation, so that is copied too.
    y = np.array(b, dtype, order="C", copy=True)
    factor = np.require(a, dtype, ["C", "W"])
    if y.size:
        _recurrence(factor.reshape(folded), y.reshape(folded))
    return y


@kernel
def _recurrence(a: Any, y: Any) -> None:
    """Run down the middle axis; the last one fills the vector registers."""
    for outer in range(y.shape[0]):
        for i in range(1, y.shape[1]):
            for inner in range(y.shape[2]):
                y[outer, i, inner] += a[outer, i, inner] * y[outer, i - 1, inner]


def products_of_others(x: Array) -> Array:
    """Multiply all elements but one, for each one, along the middle of three axes.

    No division: a product that underflows on the way, or a zero, would spoil it.

    Parameters
    ----------
    x : ndarray, shape (outer, n, inner)
        float32 or float64.

    Returns
    -------
    ndarray
        Of the shape of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> products_of_others(np.array([2.0, 3.0, 0.0]).reshape(1, 3, 1)).ravel()
    array([0., 0., 6.])
    """
    x = np.require(x, None, ["C", "W"])
    y = np.empty(x.shape, x.dtype)
    if x.shape[2] == 1:
        _others_in_rows(x[..., 0], y[..., 0])
    else:
        _others_in_columns(x, y, np.empty(x.shape[2], x.dtype))
    return y


@kernel
def _others_in_rows(x: Any, y: Any) -> None:
    """Walk from both ends at once: two chains of products wait for each other's latency."""
    n = x.shape[1]
    half = n // 2
    for row in range(x.shape[0]):
        before = after = y.dtype.type(1)
        for i in range(half):
            y[row, i], y[row, n - 1 - i] = before, after
            before *= x[row, i]
            after *= x[row, n - 1 - i]
        if n % 2:
            y[row, half] = before * after
            before *= x[row, half]
            after *= x[row, half]
        for i in range(n - half, n):
            y[row, i] *= before
            y[row, n - 1 - i] *= after
            before *= x[row, i]
            after *= x[row, n - 1 - i]


@kernel
def _others_in_columns(x: Any, y: Any, after: Any) -> None:
    """Run down the middle axis and up again; the last one fills the vector registers."""
    n = x.shape[1]
    for outer in range(x.shape[0] if n else 0):
        y[outer, 0] = 1
        for i in range(1, n):
            for inner in range(x.shape[2]):
                y[outer, i, inner] = y[outer, i - 1, inner] * x[outer, i - 1, inner]
        after[:] = 1
        for i in range(n - 1, -1, -1):
            for inner in range(x.shape[2]):
                y[outer, i, inner] *= after[inner]
                after[inner] *= x[outer, i, inner]
