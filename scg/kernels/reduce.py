"""Sums, pairwise in an order that is written down, so that no thread or vector width changes a bit.

A long row is cut into segments of 1024 numbers and a segment is read as a matrix of 64 columns
("lanes"): its rows are added one by one, which vectorises as it stands, then the lanes pairwise;
the sums of the segments are summed in the same way. Columns of a matrix are added in blocks of 16
rows, then the block sums pairwise. Nothing is left to LLVM to reassociate, and no number passes
through more than twice as many roundings as in NumPy's pairwise sum.

Maxima and minima are left to NumPy: its own loops were 1.6 to 2.7 times as fast at n = 1e5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scg._typing import Array, Axis, Shape
from scg.kernels._dtypes import FLOAT32, FLOAT64
from scg.kernels._jit import kernel, parallel_call, prange
from scg.kernels._once import once

__all__ = ["FLOATS", "Folded", "fold_axes", "mean", "numpy_axis", "sum", "unfold"]

LANES = 64
SEGMENT = 16 * LANES
SHORT = 128  # up to here eight running sums are as good and need no lanes
DEEP = 16
WIDE = 4096  # columns whose sums stay in the first cache

# From here on threads pay (measured: 1.3 to 1.7 times for two); a task must be worth their start.
PARALLEL = 1 << 18
TASK = 16

# Below these sizes NumPy's smaller cost per call decides: of short rows together, of one row.
SMALL = 1 << 11
LONE = 1 << 15

FLOATS = (FLOAT32, FLOAT64)


def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over some axes.

    Contiguous float32 and float64 arrays summed over all axes or over neighbouring ones go to the
    kernels of this file, the rest to `np.add.reduce`.

    Parameters
    ----------
    x : ndarray
        What to sum.
    axis : int, sequence of int, or None
        Axes to sum over; None means all.
    keepdims : bool
        Leave the summed axes in place with size 1.

    Returns
    -------
    ndarray
        The sums, 0-d when nothing is left; the same bits for any number of threads.

    Notes
    -----
    Higham (2002), *Accuracy and Stability of Numerical Algorithms*, section 4.2, on pairwise sums.

    Examples
    --------
    >>> import numpy as np
    >>> sum(np.arange(6.0).reshape(2, 3), axis=0)
    array([3., 5., 7.])
    """
    if axis == 0 and x.ndim == 2 and not keepdims and _are_columns(x):
        return _column_sums(x)
    folded = None if _is_small(x, axis) or once() else fold_axes(x, axis)
    if folded is None or (folded.inner == 1 and x.size < SMALL):
        return np.asarray(_reduce(x, numpy_axis(axis), keepdims=keepdims))
    return unfold(_sum(x, folded), x.shape, folded, keepdims)


def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Average over some axes: `sum` divided by how many numbers were added.

    Parameters
    ----------
    x, axis, keepdims
        As in `sum`. Integers and booleans are averaged in float64, by NumPy.

    Returns
    -------
    ndarray
        The means, 0-d when nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> mean(np.arange(6.0).reshape(2, 3), axis=1, keepdims=True)
    array([[1.],
           [4.]])
    """
    if x.dtype not in FLOATS or not x.size:
        return np.asarray(_numpy_mean(x, numpy_axis(axis), keepdims=keepdims))
    if axis is None and x.size < LONE and not keepdims:  # what `sum` does, without an array of one
        return np.asarray(_reduce(x, None) / x.size)
    total = sum(x, axis, keepdims)
    return np.divide(total, x.size // total.size, out=total)


def _are_columns(x: Array) -> bool:
    """Tell whether a matrix is summed over its rows as gradients of small layers are, on one core.

    What `fold_axes` finds out for any axes takes longer than such a sum.
    """
    return (
        DEEP < x.size < PARALLEL
        and x.shape[1] > 1
        and x.dtype in FLOATS
        and x.flags.c_contiguous
        and not once()
    )


def _column_sums(x: Array) -> Array:
    out = np.empty((1, x.shape[1]), x.dtype)
    _columns_serial(x.reshape(-1), x.shape[0], out)
    return out.reshape(-1)


_reduce: Any = np.add.reduce  # the stubs of both know `keepdims` only as a literal
_numpy_mean: Any = np.mean


class Folded(NamedTuple):
    """An array seen as (outer, n, inner), the middle axis being what a reduction removes."""

    first: int
    last: int
    outer: int
    n: int
    inner: int


def numpy_axis(axis: Axis) -> tuple[int, ...] | None:
    """Return `axis` as NumPy takes it; in a tuple, since some functions find axis 0 in a number."""
    if axis is None:
        return None
    return (axis,) if isinstance(axis, int | np.integer) else tuple(axis)


def fold_axes(x: Array, axis: Axis) -> Folded | None:
    """Fold the axes `first` to `last - 1` that `axis` names into one; None where kernels cannot."""
    if x.dtype not in FLOATS or not x.size or not x.flags.c_contiguous:
        return None
    if axis is None:
        return Folded(0, x.ndim, 1, x.size, 1)
    run = _neighbours(axis, x.ndim)
    if run is None:
        return None
    first, last = run
    outer = math.prod(x.shape[:first])
    inner = math.prod(x.shape[last:])
    return Folded(first, last, outer, x.size // (outer * inner), inner)


def _neighbours(axis: int | Sequence[int], ndim: int) -> tuple[int, int] | None:
    """Return the half-open run of axes that `axis` names; None if it is not one, or not valid."""
    if isinstance(axis, int | np.integer):
        axis = axis + ndim if axis < 0 else axis
        return (axis, axis + 1) if 0 <= axis < ndim else None
    axes = sorted(a + ndim if a < 0 else a for a in axis)
    if not axes or axes[0] < 0 or axes[-1] >= ndim:
        return None
    run = axes[0], axes[-1] + 1
    return run if axes == list(range(*run)) else None


def unfold(result: Array, shape: Shape, folded: Folded, keepdims: bool) -> Array:
    """Give a reduction over the middle axis the shape that the caller expects."""
    kept = (1,) * (folded.last - folded.first) if keepdims else ()
    return result.reshape(shape[: folded.first] + kept + shape[folded.last :])


def _is_small(x: Array, axis: Axis) -> bool:
    """Tell from the size alone whether NumPy's smaller cost per call decides (measured).

    Over leading axes NumPy adds one by one, so there more than DEEP rows go to the kernel.
    """
    return x.size <= DEEP or (axis is None and x.size < LONE)


def _sum(x: Array, folded: Folded) -> Array:
    flat = x if x.ndim == 1 else x.reshape(-1)
    _, _, outer, n, inner = folded
    if inner == 1:
        return _sum_rows(flat, outer, n)
    out = np.empty((outer, inner), x.dtype)
    _run(_columns_serial, _columns_threaded, flat, n, out)
    return out


def _sum_rows(x: Array, outer: int, n: int) -> Array:
    sums = np.empty((outer, -(-n // SEGMENT)), x.dtype)
    if n <= SHORT:
        _run(_short_rows_serial, _short_rows_threaded, x, n, sums)
    else:
        _run(_segments_serial, _segments_threaded, x, n, sums)
    return sums if n <= SEGMENT else _sum_rows(sums.reshape(-1), outer, sums.shape[1])


def _run(serial: Any, threaded: Any, x: Array, n: int, out: Array) -> None:
    if x.size < PARALLEL:
        serial(x, n, out)
    else:
        parallel_call(serial, threaded, x, n, out)


def _short_rows(x: Any, n: Any, out: Any) -> None:
    """Add rows of at most SHORT numbers: eight running sums, then the rest one by one."""
    whole = n // 8 * 8
    for i in prange(out.size):
        row = x[i * n : (i + 1) * n]
        total = row[0]
        first = 1
        if whole:
            a, b, c, d = row[0], row[1], row[2], row[3]
            e, f, g, h = row[4], row[5], row[6], row[7]
            for j in range(8, whole, 8):
                a += row[j]
                b += row[j + 1]
                c += row[j + 2]
                d += row[j + 3]
                e += row[j + 4]
                f += row[j + 5]
                g += row[j + 6]
                h += row[j + 7]
            total = ((a + b) + (c + d)) + ((e + f) + (g + h))
            first = whole
        for j in range(first, n):
            total += row[j]
        out[i, 0] = total


_short_rows_serial = kernel(_short_rows)
_short_rows_threaded = kernel(_short_rows, parallel=True)


def _segments(x: Any, n: Any, sums: Any) -> None:
    """Add each SEGMENT of each row of n numbers into sums[row, segment].

    All in one body: a call per row of a helper, or an `np.empty`, costs more than a short row.
    """
    per_row = sums.shape[1]
    for task in prange((sums.size + TASK - 1) // TASK):
        lanes = np.empty(LANES, x.dtype)
        for s in range(task * TASK, min((task + 1) * TASK, sums.size)):
            i = s // per_row
            start = i * n + (s - i * per_row) * SEGMENT
            row = x[start : min(start + SEGMENT, (i + 1) * n)]
            whole = row.size // LANES * LANES
            for j in range(LANES):
                lanes[j] = -0.0  # the true zero of addition: 0.0 would turn a sum of -0.0 into 0.0
            for k in range(0, whole, LANES):
                part = row[k : k + LANES]
                for j in range(LANES):
                    lanes[j] += part[j]
            rest = row[whole:]
            for j in range(rest.size):
                lanes[j] += rest[j]
            for j in range(16):
                lanes[j] = (lanes[j] + lanes[j + 32]) + (lanes[j + 16] + lanes[j + 48])
            for j in range(4):
                lanes[j] = (lanes[j] + lanes[j + 8]) + (lanes[j + 4] + lanes[j + 12])
            sums[i, s - i * per_row] = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


_segments_serial = kernel(_segments)
_segments_threaded = kernel(_segments, parallel=True)


def _columns(x: Any, n: Any, out: Any) -> None:
    """Add the columns of matrices of n rows: blocks row by row, then the block sums pairwise."""
    outer, inner = out.shape
    blocks = (n + DEEP - 1) // DEEP
    tiles = (inner + WIDE - 1) // WIDE
    sums = (
        out.reshape((outer, 1, inner)) if blocks == 1 else np.empty((outer, blocks, inner), x.dtype)
    )
    for task in prange(outer * blocks * tiles):
        block = task // tiles
        o = block // blocks
        b = block - o * blocks
        left = (task - block * tiles) * WIDE
        width = min(WIDE, inner - left)
        start = (o * n + b * DEEP) * inner + left
        total = sums[o, b, left : left + width]
        row = x[start : start + width]
        for j in range(width):
            total[j] = row[j]
        for i in range(1, min(DEEP, n - b * DEEP)):
            row = x[start + i * inner : start + i * inner + width]
            for j in range(width):
                total[j] += row[j]
    if blocks > 1:
        for o in prange(outer):
            _tree(sums[o], out[o])


@kernel
def _tree(rows: Any, out: Any) -> None:
    """Add the rows pairwise; they are overwritten."""
    count = rows.shape[0]
    while count > 2:
        half = (count + 1) // 2
        for i in range(count - half):
            left = rows[i]
            right = rows[i + half]
            for j in range(left.size):
                left[j] += right[j]
        count = half
    left = rows[0]
    right = rows[1]
    for j in range(out.size):
        out[j] = left[j] + right[j]


_columns_serial = kernel(_columns)
_columns_threaded = kernel(_columns, parallel=True)
