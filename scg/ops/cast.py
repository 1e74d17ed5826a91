"""Changing the dtype, and cutting the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from scg import _axes
from scg._op import JUMP, OPAQUE, SMOOTH, Linear, Smoothness, op
from scg._typing import DType, Shape
from scg.ops import _samples
from scg.tape import NONNEGATIVE

__all__ = ["astype", "detach"]


def _same(x: Shape, **_: Any) -> Shape:
    return x


def _cast_smoothness(count: int, dtype: Any) -> tuple[Smoothness, ...]:
    return (SMOOTH if np.dtype(dtype).kind == "f" else JUMP,)


def _cast_samples() -> _samples.Samples:
    """Keep the dtype, or leave the floating-point numbers."""

    def cases(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
        for target in (dtype, np.dtype(np.int64), np.dtype(np.bool_)):
            for shape in ((), (3, 4), (0, 3)):
                yield (np.asarray(rng.uniform(-3, 3, shape), dtype),), {"dtype": target}

    return _samples.Samples(cases, ulps=0)


@op(
    shape=_same, axes=_axes.elementwise, linear=Linear.MOVES, smooth=_cast_smoothness,
    sign=lambda same, x: x & NONNEGATIVE,  # 0.5 becomes the integer 0
    alias=True, reference=lambda x, dtype: x.astype(dtype), numpy=(np.astype,),
    samples=_cast_samples(),
)  # fmt: skip
def astype(x: Any, /, dtype: Any) -> Any:
    """Convert to another dtype.

    Parameters
    ----------
    x : Tensor or array_like
    dtype : dtype

    Returns
    -------
    Tensor
        Sharing the memory of `x` if it has that dtype already.

    Notes
    -----
    Gradient: between floating-point dtypes, 1. A cast to integers or booleans is a jump.

    Examples
    --------
    >>> import scg
    >>> scg.astype([1.0, 2.5], "int64")
    Tensor([1, 2], dtype=int64)
    """
    return np.asarray(x).astype(dtype, copy=False)


@astype.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, dtype: Any) -> Any:
    return g  # the engine undoes the promotion


@op(
    shape=_same, axes=_axes.elementwise,
    linear=Linear.MOVES, smooth=OPAQUE, sign=lambda same, x: x, alias=True,
    reference=lambda x: x, samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def detach(x: Any, /) -> Any:
    """Return the same value, through which no gradient flows back.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Sharing the memory of `x`.

    Notes
    -----
    No gradient. A draw behind it is scored instead of differentiated; a parameter that is cut off
    is the user's word, and the gradient is tagged `BIASED(detach)` if draws are involved.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(2.0)
    >>> y = x * scg.detach(x)
    >>> y.backward()
    >>> float(x.grad)
    2.0
    """
    return np.asarray(x)
