"""First-order linear recurrences along one axis: what products, sums and means run backward as."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels._jit import kernel

__all__ = ["linear_recurrence"]

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
