"""Exponentials and logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import POLE
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE
from scg.tensor import Tensor

__all__ = ["exp", "log"]


@elementwise(
    y="exp(x)", dx="y", ufunc=np.exp, sign=POSITIVE | NONNEGATIVE,
    samples=_samples.elementwise((-3, 3), complex_step=True),
)  # fmt: skip
def exp(x: Any, /) -> Tensor:
    """Compute e to the power `x`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `exp(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.exp(0.0)
    Tensor(1.)
    """
    ...


@elementwise(
    y="log(x)", dx="1 / x", ufunc=np.log, smooth=POLE,
    samples=_samples.elementwise((0.1, 5), complex_step=True),
)  # fmt: skip
def log(x: Any, /) -> Tensor:
    """Compute the natural logarithm, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Positive; zero gives -inf, a negative number NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / x`. Zero is a pole: where noise can reach it, the pathwise gradient is refused
    unless `x` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.log(1.0)
    Tensor(0.)
    """
    ...
