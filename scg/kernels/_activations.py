"""Activations that follow a product, in place, in one pass and without temporaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels._dtypes import kernels
from scg.kernels._jit import parallel_call, prange
from scg.kernels.simd import sigmoid_f64, softplus_f64, tanh_f64

__all__ = ["NAMES", "activate"]

# From about here threads save more than they cost.
PARALLEL = 1 << 16


def _tanh_f64(x: Any) -> None:
    for i in prange(x.size):
        x[i] = tanh_f64(x[i])


def _sigmoid_f64(x: Any) -> None:
    for i in prange(x.size):
        x[i] = sigmoid_f64(x[i])


def _softplus_f64(x: Any) -> None:
    for i in prange(x.size):
        x[i] = softplus_f64(x[i])


_LOOPS = {"tanh": _tanh_f64, "sigmoid": _sigmoid_f64, "softplus": _softplus_f64}
_SERIAL = {name: kernels(loop) for name, loop in _LOOPS.items()}
_THREADED = {name: kernels(loop, parallel=True) for name, loop in _LOOPS.items()}
_COMPILED = all(hasattr(d, "compile") for build in _SERIAL.values() for d in build.values())


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


# For the dtypes that have no loop, and where nothing is compiled.
_PLAIN: dict[str, Callable[[Array], Array]] = {
    "relu": _relu, "tanh": np.tanh, "sigmoid": _sigmoid, "softplus": _softplus,
}  # fmt: skip
NAMES = tuple(_PLAIN)


def activate(x: Array, name: str) -> None:
    """Replace a C-contiguous array by its activation, one of `NAMES`."""
    serial = _SERIAL.get(name, {}).get(x.dtype)
    if serial is None or not _COMPILED:
        x[...] = _PLAIN[name](x)
    elif x.size < PARALLEL:
        serial(x.reshape(-1))
    else:
        parallel_call(serial, _THREADED[name][x.dtype], x.reshape(-1))
