"""Slow and obvious references for the functions of `scg/kernels/simd.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import scipy.special

# Digits enough for float64 with cancellation; the gamma functions of large negative numbers lose
# as many as the number has before the point.
PRECISION = 120


def _softplus(x: Any) -> Any:
    return max(x, 0) + mpmath.log1p(mpmath.exp(-abs(x)))


def _erfc(x: Any) -> Any:
    """Stop where every dtype has 0: mpmath chokes on the largest numbers."""
    return mpmath.erfc(min(x, 1000))


def _gammaln(x: Any) -> Any:
    return mpmath.log(abs(mpmath.gamma(x))) if -10 < x < 10 else mpmath.re(mpmath.loggamma(x))


EXACT: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": _softplus,
    "log_sigmoid": lambda x: -_softplus(-x),
    "erf": mpmath.erf,
    "erfc": _erfc,
    "gammaln": _gammaln,
    "digamma": mpmath.digamma,
}

# In float64, for float32 results.
DOUBLE: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "log_sigmoid": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "gammaln": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
}
REFLECTED = ("gammaln", "digamma")


def exact(name: str, x: np.ndarray) -> list[Any]:
    """Evaluate in many digits, elementwise; all x must be inside the domain and finite."""
    with mpmath.workprec(PRECISION):
        return [EXACT[name](mpmath.mpf(float(v))) for v in x]


def nearest(values: list[Any], dtype: type) -> np.ndarray:
    """Round to the dtype, past its range to infinity."""
    with np.errstate(over="ignore", under="ignore"):
        return np.array([float(v) for v in values]).astype(dtype)


def least(name: str, x: np.ndarray) -> np.ndarray | None:
    """Return what errors are measured by where the value is smaller; None if only by the value.

    On the negative axis gammaln and digamma are a difference of two terms, the value at 1 - x and
    one that is large near the poles. The roundings of these two remain where they cancel.
    """
    if name not in REFLECTED:
        return None
    x = x.astype(np.float64)
    return np.maximum(1, np.abs(np.where(x < 0, DOUBLE[name](1 - x), 0)))


def unit(rounded: np.ndarray, least: np.ndarray | None) -> np.ndarray:
    """Size of a unit in the last place of each number, or eps times that or `least`."""
    info = np.finfo(rounded.dtype)
    finite = np.minimum(np.abs(rounded), info.max).astype(np.float64)
    if least is not None:
        return np.maximum(finite, least) * info.eps
    exponent = np.maximum(np.frexp(finite)[1] - 1, info.minexp)
    return np.ldexp(1.0, exponent - info.nmant)


def error(y: np.ndarray, values: Any, rounded: np.ndarray, least: np.ndarray | None) -> np.ndarray:
    """Return |y - values| in units of `unit`; infinite where only one of the two is finite."""
    size = unit(rounded, least)
    if isinstance(values, list):
        with mpmath.workprec(PRECISION):
            off = [
                0.0 if a == b else float(abs(mpmath.mpf(float(a)) - v) / mpmath.mpf(float(s)))
                for a, b, v, s in zip(y, rounded, values, size, strict=True)
            ]
        result = np.array(off)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            result = np.abs(y - values) / size
            result[(y == rounded) & ~np.isfinite(rounded)] = 0
    result[np.isnan(y) & np.isnan(rounded)] = 0
    result[np.isnan(y) != np.isnan(rounded)] = np.inf
    return result
