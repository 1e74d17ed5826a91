"""Views: which ops lead from an array to another one that shows the same memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from scg._op import OPS, Op
from scg._typing import Array

__all__ = ["Steps", "between", "owner"]

Steps: TypeAlias = list[tuple[Op, Mapping[str, Any]]]


def owner(array: Array) -> Array:
    """Return the array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def between(known: Array, view: Array) -> Steps | None:
    """Return the ops that make `view` of `known`: none, a reshape, a repetition; None if others."""
    if known.dtype != view.dtype or known.ctypes.data != view.ctypes.data:
        return None
    if known.shape == view.shape and (known.strides == view.strides or known.size < 2):
        return []
    if known.size == view.size and known.flags.c_contiguous and view.flags.c_contiguous:
        return [(OPS["reshape"], {"shape": view.shape})]
    try:
        repeated = np.broadcast_to(known, view.shape)
    except ValueError:
        return None
    same = all(
        a == b or n == 1 for a, b, n in zip(repeated.strides, view.strides, view.shape, strict=True)
    )
    return [(OPS["broadcast_to"], {"shape": view.shape})] if same else None
