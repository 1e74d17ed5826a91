"""What the ops on whole matrices share: shape and axis rules, dtypes, errors of LAPACK."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._typing import Array, Shape
from scg.errors import ShapeError, SupportError

__all__ = ["floats", "keep_batch", "lapack", "square", "symmetric_part", "transposed"]


def square(name: str) -> Callable[..., Shape]:
    """Return the shape rule of an op from square matrices to matrices of the same shape."""

    def shape(a: Shape, *_: Any, **__: Any) -> Shape:
        if len(a) < 2 or a[-1] != a[-2]:
            raise ShapeError(f"scg.{name}: shape {a} has no square matrices in its last two axes")
        return a

    return shape


def keep_batch(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep all axes but the two of the matrix."""
    return [(*(Along(i) for i in range(len(s) - 2)), None, None) for s in shapes]


def floats(a: Any, name: str) -> Array:
    """Return square or other matrices as floating point, which LAPACK needs."""
    array = np.asarray(a)
    if array.ndim < 2:
        raise ShapeError(f"scg.{name}: shape {array.shape} has no matrices; two axes are needed")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def transposed(a: Any) -> Any:
    """Swap the two axes of the matrices."""
    return a.swapaxes(-1, -2)


def symmetric_part(a: Any) -> Any:
    """Return the symmetric part: what LAPACK reads is one triangle, whose gradient is lopsided."""
    return (a + transposed(a)) / 2


@contextmanager
def lapack(name: str, a: Any, reason: str) -> Iterator[None]:
    """Turn LAPACK's refusal into an error that names op, shape and reason."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        shape = np.shape(a)
        square_needed = name != "svdvals" and shape[-1] != shape[-2]
        kind = ShapeError if square_needed else SupportError
        detail = "has no square matrices in its last two axes" if square_needed else reason
        raise kind(f"scg.{name}: shape {shape}: {detail}") from error
