"""Log-probabilities with their gradients, value and derivatives in one pass.

The arguments have one shape: whoever broadcasts knows which axes to sum the gradients over again.
Parameters outside their support give NaN, as arithmetic would; who calls has checked them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._typing import Array
from scg.errors import DTypeError, ShapeError, SupportError
from scg.kernels import softmax_rows
from scg.kernels._dtypes import FLOAT32, FLOAT64, Build, kernels
from scg.kernels._jit import parallel_call, prange
from scg.kernels.simd import exp_f64, log1p_f64, log_f64
from scg.kernels.simd_bits import select

__all__ = ["bernoulli_logits", "categorical_logits", "normal"]

PARALLEL = 1 << 16  # elements that are worth waking a second thread
HALF_LOG_TWO_PI_F64 = np.float64(0.5 * math.log(2 * math.pi))
HALF_LOG_TWO_PI_F32 = np.float32(HALF_LOG_TWO_PI_F64)
HALF_F64, HALF_F32 = np.float64(0.5), np.float32(0.5)
ONE_F64, ONE_F32 = np.float64(1), np.float32(1)
ZERO_F64, ZERO_F32 = np.float64(0), np.float32(0)


def _normal_f64(x: Any, loc: Any, scale: Any, value: Any, dx: Any, dloc: Any, dscale: Any) -> None:
    for i in prange(x.size):
        inverse = ONE_F64 / scale[i]
        z = (x[i] - loc[i]) * inverse
        value[i] = -HALF_F64 * z * z - log_f64(scale[i]) - HALF_LOG_TWO_PI_F64
        slope = z * inverse
        dx[i] = -slope
        dloc[i] = slope
        dscale[i] = slope * z - inverse


def _bernoulli_f64(x: Any, logits: Any, value: Any, dlogits: Any) -> None:
    for i in prange(x.size):
        b, a = x[i], logits[i]
        e = exp_f64(-abs(a))
        large = ONE_F64 / (ONE_F64 + e)
        small = e * large
        # As written, both lines keep their relative precision where the outcome is nearly certain;
        # an outcome of exactly 0 or 1 must not meet an infinite logit in a product.
        one = select(b == ZERO_F64, ZERO_F64, b * select(a < ZERO_F64, a, ZERO_F64))
        c = ONE_F64 - b
        zero = select(c == ZERO_F64, ZERO_F64, c * select(a > ZERO_F64, a, ZERO_F64))
        value[i] = one - zero - log1p_f64(e)
        dlogits[i] = b * select(a > ZERO_F64, small, large) - c * select(a > ZERO_F64, large, small)


def _categorical_f64(
    index: Any, logits: Any, top: Any, total: Any, value: Any, dlogits: Any
) -> None:
    """Finish what the softmax in `dlogits` began."""
    for i in prange(index.size):
        k, row = index[i], dlogits[i]
        value[i] = (logits[i, k] - top[i]) - log_f64(total[i])
        for j in range(row.size):
            row[j] = -row[j]
        row[k] += ONE_F64


_NORMAL = kernels(_normal_f64), kernels(_normal_f64, parallel=True)
_BERNOULLI = kernels(_bernoulli_f64), kernels(_bernoulli_f64, parallel=True)
_CATEGORICAL = kernels(_categorical_f64), kernels(_categorical_f64, parallel=True)


def normal(x: Array, loc: Array, scale: Array) -> tuple[Array, Array, Array, Array]:
    """Compute log N(x; loc, scale^2) and its derivatives.

    Parameters
    ----------
    x, loc : ndarray
        Value and mean.
    scale : ndarray
        Standard deviation, positive. All three have one shape.

    Returns
    -------
    value, d_x, d_loc, d_scale : ndarray
        Log density in nats, and its derivatives, elementwise; float32 if all arguments are, else
        float64.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> value, d_x, d_loc, d_scale = normal(np.array([3.0]), np.array([1.0]), np.array([2.0]))
    >>> value.round(4), d_x, d_loc, d_scale
    (array([-2.1121]), array([-0.5]), array([0.5]), array([0.]))
    """
    arrays, shape = _flat("normal", {"x": x, "loc": loc, "scale": scale})
    outputs = [np.empty_like(arrays[0]) for _ in range(4)]
    _run(_NORMAL, *arrays, *outputs)
    value, d_x, d_loc, d_scale = (out.reshape(shape) for out in outputs)
    return value, d_x, d_loc, d_scale


def bernoulli_logits(x: Array, logits: Array) -> tuple[Array, Array]:
    """Compute the log-probability of a coin's outcome from its log-odds, and its derivative.

    Parameters
    ----------
    x : ndarray
        Outcome, 0 or 1; values between give the cross-entropy with that probability.
    logits : ndarray
        Log-odds of a 1, of the same shape; infinities are certainties.

    Returns
    -------
    value, d_logits : ndarray
        `x log p + (1 - x) log(1 - p)` with `p = 1 / (1 + exp(-logits))`, and `x - p`, both to full
        relative precision where `x` is 0 or 1.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> value, d_logits = bernoulli_logits(np.array([1.0, 0.0]), np.array([0.0, np.log(3.0)]))
    >>> np.exp(value), d_logits
    (array([0.5 , 0.25]), array([ 0.5 , -0.75]))
    """
    if x.dtype.kind in "biu":
        x = x.astype(logits.dtype)
    arrays, shape = _flat("bernoulli_logits", {"x": x, "logits": logits})
    value, d_logits = np.empty_like(arrays[0]), np.empty_like(arrays[0])
    _run(_BERNOULLI, *arrays, value, d_logits)
    return value.reshape(shape), d_logits.reshape(shape)


def categorical_logits(index: Array, logits: Array) -> tuple[Array, Array]:
    """Compute the log-probability of a category from unnormalised logits, and its derivative.

    Parameters
    ----------
    index : ndarray of int, shape (...)
        Which category, from 0 to k - 1.
    logits : ndarray, shape (..., k)
        Log-probabilities up to a constant per row; -inf excludes a category.

    Returns
    -------
    value : ndarray, shape (...)
        `log_softmax(logits)` at `index`.
    d_logits : ndarray, shape (..., k)
        One at `index`, minus the softmax.

    Raises
    ------
    ShapeError
        If `index` does not have the shape of `logits` without its last axis.
    DTypeError
        If `index` does not hold integers.
    SupportError
        If an index is outside 0 to k - 1.

    Examples
    --------
    >>> import numpy as np
    >>> value, d_logits = categorical_logits(np.array([1]), np.log(np.array([[1.0, 3.0]])))
    >>> np.exp(value), d_logits.round(12)
    (array([0.75]), array([[-0.25,  0.25]]))
    """
    _check_index(index, logits)
    k = logits.shape[-1]
    rows = np.ascontiguousarray(logits, _work_dtype([logits])).reshape(index.size, k)
    d_logits = np.empty_like(rows)
    top, total, value = np.empty((3, index.size), rows.dtype)
    if index.size:
        flat = np.ascontiguousarray(index, np.intp).reshape(-1)
        softmax_rows.run(softmax_rows.SOFTMAX, rows, d_logits, top, total)
        _run(_CATEGORICAL, flat, rows, top, total, value, d_logits, dtype=rows.dtype)
    return value.reshape(index.shape), d_logits.reshape(logits.shape)


def _check_index(index: Array, logits: Array) -> None:
    if index.dtype.kind not in "iu":
        raise DTypeError(
            f"categorical_logits: the index has dtype {index.dtype}; pass integers, as drawn"
        )
    if logits.ndim == 0 or index.shape != logits.shape[:-1]:
        raise ShapeError(
            f"categorical_logits: index of shape {index.shape} and logits of shape {logits.shape}"
            " do not fit; the index has one axis less, the last"
        )
    outside = (index < 0) | (index >= logits.shape[-1])
    if outside.any():
        raise SupportError(
            f"categorical_logits: index {index[outside][0]} is outside the {logits.shape[-1]}"
            f" categories of logits of shape {logits.shape}; pass 0 to {logits.shape[-1] - 1}"
        )


def _work_dtype(arrays: list[Array]) -> np.dtype[Any]:
    return FLOAT32 if all(a.dtype == FLOAT32 for a in arrays) else FLOAT64


def _flat(name: str, arguments: dict[str, Array]) -> tuple[list[Array], tuple[int, ...]]:
    """Return the arguments as contiguous vectors of one dtype, and their shape."""
    shape = next(iter(arguments.values())).shape
    if any(a.shape != shape for a in arguments.values()):
        given = ", ".join(f"{key} {a.shape}" for key, a in arguments.items())
        raise ShapeError(f"{name}: the shapes differ ({given}); broadcast them to one shape first")
    arrays = list(arguments.values())
    dtype = _work_dtype(arrays)
    return [np.ascontiguousarray(a, dtype).reshape(-1) for a in arrays], shape


def _run(builds: tuple[Build, Build], x: Array, *args: Array, dtype: Any = None) -> None:
    serial, threaded = (build[dtype or x.dtype] for build in builds)
    if args[-1].size < PARALLEL:
        serial(x, *args)
    else:
        parallel_call(serial, threaded, x, *args)
