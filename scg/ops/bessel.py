"""Scaled modified Bessel functions."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import KINK
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["i0e", "i1e"]


@elementwise(
    y="i0e(x)", dx="i1e(x) - sign(x) * y", ufunc=sp.i0e, smooth=KINK, sign=POSITIVE | NONNEGATIVE,
    samples=_samples.elementwise((0.5, 4)),
)  # fmt: skip
def i0e(x: Any, /) -> Tensor:
    """Compute `exp(-abs(x))` times the modified Bessel function of order 0, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `i1e(x) - sign(x) * i0e(x)`. It can be differentiated twice.

    Examples
    --------
    >>> import scg
    >>> scg.i0e([0.0, 1000.0])
    Tensor([1.        , 0.01261724])
    """
    ...


@elementwise(
    # y / x tends to 1 / 2 at 0. The slope is continuous there and no further one can be asked for.
    y="i1e(x)", dx="i0e(x) - sign(x) * y - where(x == 0, 0.5, y / where(x == 0, 1, x))",
    ufunc=sp.i1e, sign=lambda same, x: x, max_order=1,
    # At large x three terms cancel in the slope.
    samples=_samples.elementwise((0.5, 4), slope_ulps=8),
)  # fmt: skip
def i1e(x: Any, /) -> Tensor:
    """Compute `exp(-abs(x))` times the modified Bessel function of order 1, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        With the sign of `x`.

    Notes
    -----
    Gradient: `i0e(x) - i1e(x) * (sign(x) + 1 / x)`. It can be differentiated once.

    Examples
    --------
    >>> import scg
    >>> scg.i1e([0.0, 1.0])
    Tensor([0.        , 0.20791042])
    """
    ...
