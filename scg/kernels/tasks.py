"""Lines for tasks that are written by hand: products and transposed copies.

Addresses and strides are in bytes; the arrays behind them are the caller's to keep. Lines of
updates are made by `scg.kernels.optim.Updates`.
"""

from __future__ import annotations

from typing import NamedTuple

from scg._typing import DType
from scg.kernels._jit import threads
from scg.kernels._product import BLOCK_SIZE, BLOCKS, FIELDS, MULTIPLY, addresses, partition
from scg.kernels._transpose import BLOCK, TRANSPOSE
from scg.kernels.execute import PIECES, Line

__all__ = ["Matrix", "multiply", "transpose"]

# Multiply-adds from which a line is divided, some 5 us: it starts no threads, they are there.
DIVIDED_SIZE = 300_000
# Numbers from which a copy is divided, as many us.
DIVIDED_COPY = 20_000


class Matrix(NamedTuple):
    """Where a matrix lies, or the first of a batch.

    Parameters
    ----------
    place : int
        Address of its first number.
    row, col : int
        Bytes from a row to the next, and from a column to the next.
    step : int
        Bytes from a matrix of the batch to the next; 0 repeats one.
    """

    place: int
    row: int
    col: int
    step: int = 0


def multiply(
    dtype: DType, m: int, k: int, n: int, a: Matrix, b: Matrix, c: Matrix, *, batch: int = 1,
    bias: int = 0, relu: bool = False, accumulate: bool = False, after: int | None = None,
) -> Line:  # fmt: skip
    """Return the line that computes `c = relu(a @ b + bias)`, with the bits of `matmul`.

    Parameters
    ----------
    dtype : dtype
        `FLOAT32` or `FLOAT64` of `scg.kernels._dtypes`, of all arrays.
    m, k, n : int
        Sizes: `a` is m x k, `b` is k x n.
    a, b : Matrix
        Any strides.
    c : Matrix
        Rows contiguous, apart from `a`, `b` and `bias`.
    batch : int
        How many products.
    bias : int
        Address of n contiguous numbers that are added to every row; 0 means none.
    relu : bool
        Whether negative results become zero.
    accumulate : bool
        Whether the product is added to what `c` holds.
    after : int or None
        As in `Line`.

    Examples
    --------
    >>> import numpy as np
    >>> from scg.kernels._dtypes import FLOAT64
    >>> from scg.kernels.execute import Schedule
    >>> x, y = np.arange(6.0).reshape(2, 3), np.empty((2, 2))
    >>> place = x.ctypes.data
    >>> line = multiply(FLOAT64, 2, 3, 2, Matrix(place, 24, 8), Matrix(place, 8, 24),
    ...                 Matrix(y.ctypes.data, 16, 8))
    >>> Schedule([line]).run()
    >>> y
    array([[ 5., 14.],
           [14., 50.]])
    """
    size = batch * m * k * n
    pieces = min(BLOCKS * threads(), size // BLOCK_SIZE) if size >= DIVIDED_SIZE else 1
    down, across = partition(m, n, dtype.itemsize, -(-pieces // batch), a.row == dtype.itemsize)
    row = (
        a.place, a.row, a.col, a.step, b.place, b.row, b.col, b.step, c.place, c.row, c.step,
        bias, int(relu), int(accumulate), m, k, n, down, across,
        *addresses(dtype),
    )  # fmt: skip
    assert len(row) == len(FIELDS)
    units = batch * down * across
    grain = units if pieces == 1 else -(-units // pieces)
    return Line(MULTIPLY[dtype], row, units, max(grain, 1), after)


def transpose(
    dtype: DType, rows: int, columns: int, source: Matrix, target: Matrix, *,
    after: int | None = None,
) -> Line:  # fmt: skip
    """Return the line that copies the columns of a matrix to the rows of another.

    Parameters
    ----------
    dtype : dtype
        `FLOAT32` or `FLOAT64` of `scg.kernels._dtypes`, of both.
    rows, columns : int
        Of the source.
    source, target : Matrix
        Rows contiguous, apart from each other.
    after : int or None
        As in `Line`.

    Examples
    --------
    >>> import numpy as np
    >>> from scg.kernels._dtypes import FLOAT64
    >>> from scg.kernels.execute import Schedule
    >>> x, y = np.arange(6.0).reshape(2, 3), np.empty((3, 2))
    >>> places = (Matrix(a.ctypes.data, *a.strides) for a in (x, y))
    >>> Schedule([transpose(FLOAT64, 2, 3, *places)]).run()
    >>> y
    array([[0., 3.],
           [1., 4.],
           [2., 5.]])
    """
    units = -(-rows // BLOCK) * -(-columns // BLOCK)
    divided = rows * columns >= DIVIDED_COPY
    grain = -(-units // (PIECES * threads())) if divided else units
    row = source.place, source.row, target.place, target.row, rows, columns
    return Line(TRANSPOSE[dtype], row, units, max(grain, 1), after)
