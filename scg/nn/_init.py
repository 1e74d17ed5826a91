"""Initial weights, and checks of the options that layers share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._memory import require_memory
from scg._typing import Array, DType, Shape
from scg.errors import DTypeError, OptionError
from scg.noise import Source

__all__ = ["float_dtype", "weights", "whole"]

_INITS = ("glorot", "he", "lecun", "normal")


def weights(
    who: str, init: str, shape: Shape, fan_in: int, fan_out: int, source: Source, dtype: DType
) -> Array:
    """Draw initial weights.

    Parameters
    ----------
    who : str
        The layer, for errors.
    init : {"glorot", "he", "lecun", "normal"}
        Uniform with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010); normal with
        variance `2 / fan_in` (He et al. 2015, arXiv 1502.01852), `1 / fan_in` (LeCun et al.
        1998), or 0.01 squared.
    shape : tuple of int
        Of the result.
    fan_in, fan_out : int
        How many inputs an output sums over, and how many outputs an input reaches.
    source : Source
        The noise.
    dtype : dtype
        Of the result.
    """
    # Twice: the numbers as they are drawn, and the copy that the parameter keeps.
    require_memory(who, f"weights of shape {shape}", 2 * math.prod(shape) * dtype.itemsize)
    if init == "glorot":
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        return np.asarray(bound * (2.0 * source.uniform(shape, dtype) - 1.0))
    deviations = {"he": math.sqrt(2.0 / fan_in), "lecun": math.sqrt(1.0 / fan_in), "normal": 0.01}
    if init not in deviations:
        raise OptionError(f"{who}: init={init!r} is unknown; choose one of {', '.join(_INITS)}")
    return np.asarray(deviations[init] * source.normal(shape, dtype))


def float_dtype(who: str, dtype: Any) -> DType:
    """Return `dtype` if parameters can have it."""
    result: DType = np.dtype(dtype)
    if result.char not in "fd":
        raise DTypeError(f"{who}: dtype {result} cannot be trained; use float32 or float64")
    return result


def whole(who: str, **values: Any) -> None:
    """Require whole numbers from 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise OptionError(f"{who}: {name}={value!r} must be a whole number from 1")
