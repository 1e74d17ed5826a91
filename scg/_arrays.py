"""Foreign values on their way into a tensor, and arrays on their way out."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._typing import Array
from scg.errors import DTypeError, ShapeError

__all__ = ["aligned", "as_array", "at_a_line", "read_only"]

LINE = 64  # bytes of a cache line, and of the widest vector
LARGE = 1 << 14
_KINDS = "biuf"  # bool, signed, unsigned, float: what a Tensor can hold


def as_array(value: Any, where: str = "tensor") -> Any:
    """Return a foreign value as an array or a Python number, which stays weakly typed (NEP 50)."""
    kind = value.__class__
    if kind is float or kind is int or kind is bool:
        return value
    if hasattr(value, "_node"):
        return value._data
    if isinstance(value, list | tuple):
        array = _from_rows(value, where)
    else:
        array = np.asarray(value)
    if array.dtype.kind not in _KINDS:
        what = f"{kind.__name__} of dtype {array.dtype}" if array.ndim else repr(value)
        raise DTypeError(
            f"scg.{where}: cannot use {what}; "
            "tensors hold booleans, integers and real floating-point numbers"
        )
    return array


def _from_rows(rows: list[Any] | tuple[Any, ...], where: str) -> Array:
    if _holds_tensors(rows):
        raise DTypeError(
            f"scg.{where}: got a {type(rows).__name__} that holds tensors; join them with "
            "scg.stack or scg.concatenate, which keep their gradients"
        )
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise ShapeError(
            f"scg.{where}: rows of different sizes, {_unequal(rows)}; pad them to one size, or "
            "make a tensor of each"
        ) from error


def _unequal(rows: Any) -> str:
    """Name what differs at the first depth of nested lists at which something does."""
    sizes = {str(len(row)) if _is_row(row) else "a number" for row in rows}
    if len(sizes) > 1:
        return " and ".join(sorted(sizes))
    inner = [item for row in rows if _is_row(row) for item in row]
    return _unequal(inner) if inner else "one inside the other"


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(
        hasattr(item, "_node") or _holds_tensors(item) for item in value
    )


def read_only(array: Array) -> Array:
    """Return a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def aligned(nbytes: int) -> Array:
    """Return so many bytes that begin at a cache line."""
    block = np.empty(nbytes + LINE, np.uint8)
    start = -block.__array_interface__["data"][0] % LINE
    return block[start : start + nbytes]


def at_a_line(array: Array) -> Array:
    """Return a contiguous array, or of a large one a copy, that begins at a cache line.

    Where rows begin at lines, products need not pack them.
    """
    if array.nbytes < LARGE or array.__array_interface__["data"][0] % LINE == 0:
        return array
    copy = aligned(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
