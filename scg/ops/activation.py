"""Activations of neural networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import KINK, POLE
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE
from scg.tensor import Tensor

__all__ = [
    "log_sigmoid", "logit", "relu", "sigmoid", "silu", "softplus",
]  # fmt: skip

_BOTH = POSITIVE | NONNEGATIVE
_FINITE = (0.0, -0.0, 1.0, -1.0, np.nan, 30.0, -30.0)


@elementwise(
    y="sigmoid(x)", dx="y * (1 - y)", sign=_BOTH, reference=sp.expit, numpy=(sp.expit,),
    samples=_samples.elementwise((-6, 6), complex_step=True),
)  # fmt: skip
def sigmoid(x: Any, /) -> Tensor:
    """Compute `1 / (1 + exp(-x))`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `y * (1 - y)`.

    Examples
    --------
    >>> import scg
    >>> scg.sigmoid(0.0)
    Tensor(0.5)
    """
    ...


@elementwise(
    y="log(x) - log1p(-x)", dx="1 / (x * (1 - x))", smooth=POLE, pole_safe=0,
    reference=sp.logit, numpy=(sp.logit,), ufunc=sp.logit,
    samples=_samples.elementwise((0.1, 0.9), edges=(0.0, 0.5, 1.0, 2.0, np.nan)),
)  # fmt: skip
def logit(x: Any, /) -> Tensor:
    """Compute `log(x / (1 - x))`, the inverse of `sigmoid`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Between 0 and 1; the ends give infinities, anything outside NaN.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / (x * (1 - x))`. Both ends are poles.

    Examples
    --------
    >>> import scg
    >>> scg.logit(0.5)
    Tensor(0.)
    """
    ...


@elementwise(
    y="-softplus(-x)", dx="sigmoid(-x)", reference=sp.log_expit, numpy=(sp.log_expit,),
    samples=_samples.elementwise((-6, 6)),
)  # fmt: skip
def log_sigmoid(x: Any, /) -> Tensor:
    """Compute `log(sigmoid(x))` without underflow, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Negative.

    Notes
    -----
    Gradient: `sigmoid(-x)`.

    Examples
    --------
    >>> import scg
    >>> scg.log_sigmoid(-1000.0)
    Tensor(-1000.)
    """
    ...


@elementwise(
    y="softplus(x)", dx="sigmoid(x)", sign=_BOTH, reference=lambda x: np.logaddexp(x, 0),
    samples=_samples.elementwise((-6, 6)),
)  # fmt: skip
def softplus(x: Any, /) -> Tensor:
    """Compute `log(1 + exp(x))` without overflow, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `sigmoid(x)`.

    Examples
    --------
    >>> import scg
    >>> scg.softplus(1000.0)
    Tensor(1000.)
    """
    ...


@elementwise(
    y="where(x <= 0, 0, x)", dx="where(y > 0, g, 0)", smooth=KINK,
    sign=lambda same, x: x | NONNEGATIVE, reference=lambda x: np.maximum(x, 0),
    samples=_samples.elementwise((0.5, 3)),
)  # fmt: skip
def relu(x: Any, /) -> Tensor:
    """Compute `max(x, 0)`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Non-negative.

    Notes
    -----
    Gradient: 1 where `x > 0`, else 0, also at 0.

    Examples
    --------
    >>> import scg
    >>> scg.relu([-1.0, 2.0])
    Tensor([0., 2.])
    """
    ...


@elementwise(
    y="x * sigmoid(x)", dx="sigmoid(x) * (1 + x - y)", reference=lambda x: x * sp.expit(x),
    samples=_samples.elementwise((-4, 4), edges=_FINITE),
)  # fmt: skip
def silu(x: Any, /) -> Tensor:
    """Compute `x * sigmoid(x)`, also known as swish, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `sigmoid(x) * (1 + x - y)`.
    Elfwing, Uchibe, Doya (2017), arXiv 1702.03118.

    Examples
    --------
    >>> import scg
    >>> scg.silu([0.0, 40.0])
    Tensor([ 0., 40.])
    """
    ...
