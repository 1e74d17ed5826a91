"""Foreign values on their way into a tensor, and arrays on their way out."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from scg._typing import Array
from scg.errors import DTypeError

__all__ = ["as_array", "read_only"]

_KINDS = "biuf"  # bool, signed, unsigned, float: what a Tensor can hold


def as_array(value: Any, where: str = "tensor") -> Any:
    """Return a foreign value as an array or a Python number, which stays weakly typed (NEP 50)."""
    kind = value.__class__
    if kind is float or kind is int or kind is bool:
        return value
    if hasattr(value, "_node"):
        return value._data
    array = np.asarray(value) if not _holds_tensors(value) else _stack(value, where)
    if array.dtype.kind not in _KINDS:
        raise DTypeError(
            f"scg.{where}: cannot use {kind.__name__} of dtype {array.dtype}; "
            "tensors hold booleans, integers and real floating-point numbers"
        )
    return array


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(
        hasattr(item, "_node") or _holds_tensors(item) for item in value
    )


def _stack(value: Any, where: str) -> NoReturn:
    raise DTypeError(
        f"scg.{where}: got a {type(value).__name__} that holds tensors; join them with "
        "scg.stack or scg.concatenate, which keep their gradients"
    )


def read_only(array: Array) -> Array:
    """Return a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
