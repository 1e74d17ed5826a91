"""One text, two dtypes: loops that call simd functions are written for float64 and copied."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from scg._typing import DType
from scg.kernels import simd, simd_memory
from scg.kernels._jit import kernel

__all__ = ["FLOAT32", "FLOAT64", "Build", "float32_twin", "kernels"]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Build = dict[DType, Any]


def float32_twin(body: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a loop with every global name in `_f64` or `_F64` meaning the same in `32`.

    A function that returns the loop closed over the right `exp` would be shorter, but Numba's
    cache never hits for a closure over a compiled function; globals and the name are what it reads.
    """
    assert isinstance(body, FunctionType)
    names = dict(body.__globals__)
    for name in body.__code__.co_names:
        if name.endswith(("_f64", "_F64")):
            single = name.removesuffix("64") + "32"
            names[name] = names[single] if single in names else _device(single)
    twin = FunctionType(body.__code__, names, body.__name__.removesuffix("_f64") + "_f32")
    twin.__qualname__ = twin.__name__
    twin.__module__ = body.__module__
    return twin


def _device(name: str) -> Any:
    return getattr(simd, name, None) or getattr(simd_memory, name)


def kernels(body: Callable[..., Any], *, parallel: bool = False) -> Build:
    """Compile a loop for both dtypes."""
    return {
        FLOAT32: kernel(float32_twin(body), parallel=parallel),
        FLOAT64: kernel(body, parallel=parallel),
    }
