"""Activations of neural networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import KINK, POLE, stands_for
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import BELOW_ONE, NONNEGATIVE, POSITIVE

__all__ = [
    "elu", "gelu", "leaky_relu", "log_sigmoid", "logit", "relu", "selu", "sigmoid",
    "silu", "softplus",
]  # fmt: skip

_BOTH = POSITIVE | NONNEGATIVE


@elementwise(
    y="sigmoid(x)", dx="y * (1 - y)", sign=_BOTH | BELOW_ONE, library=sp.expit,
    # Where y comes close to 1, 1 - y has the rounding error of y.
    samples=_samples.elementwise((-6, 6), slope_ulps=16),
)  # fmt: skip
def sigmoid(x: Any, /) -> Tensor:
    """Compute `1 / (1 + exp(-x))`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Between 0 and 1.

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
    library=sp.logit,
    samples=_samples.elementwise((0.1, 0.9)),
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
    y="-softplus(-x)", dx="sigmoid(-x)", library=sp.log_expit,
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
    y="softplus(x)", dx="sigmoid(x)", sign=_BOTH, library=lambda x: np.logaddexp(x, 0),
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
    sign=lambda same, x: x | NONNEGATIVE, library=lambda x: np.maximum(x, 0),
    samples=_samples.elementwise((0.5, 3), ulps=0),
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
    samples=_samples.elementwise((-4, 4)),
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


def _leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    return np.where(x > 0, x, negative_slope * x)


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x: Any) -> Any:
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _gelu_exact(x: Any) -> Any:
    return x * sp.ndtr(x)


def _gelu_by_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


@elementwise(
    y="where(x > 0, x, negative_slope * x)", dx="where(x > 0, g, negative_slope * g)",
    smooth=KINK, reference=_leaky_relu,
    samples=_samples.elementwise((0.5, 3), statics=[{}, {"negative_slope": 0.2}]),
)  # fmt: skip
def leaky_relu(x: Any, /, negative_slope: float = 0.01) -> Tensor:
    """Return `x` where positive and `negative_slope * x` elsewhere.

    Parameters
    ----------
    x : Tensor or array_like
    negative_slope : float

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 or `negative_slope`, the latter at 0.

    Examples
    --------
    >>> import scg
    >>> scg.leaky_relu([-1.0, 2.0])
    Tensor([-0.01,  2.  ])
    """
    ...


@elementwise(
    # exp is kept away from large x: its infinity times the zero of `where` would be NaN.
    y="where(x > 0, x, alpha * expm1(where(x > 0, 0, x)))",
    dx="where(x > 0, g, g * alpha * exp(where(x > 0, 0, x)))", smooth=KINK, reference=_elu,
    samples=_samples.elementwise((-3, -0.5), statics=[{}, {"alpha": 0.7}], complex_step=True),
)  # fmt: skip
def elu(x: Any, /, alpha: float = 1.0) -> Tensor:
    """Return `x` where positive and `alpha * (exp(x) - 1)` elsewhere.

    Parameters
    ----------
    x : Tensor or array_like
    alpha : float

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 or `alpha * exp(x)`, the latter at 0.
    Clevert, Unterthiner, Hochreiter (2015), arXiv 1511.07289.

    Examples
    --------
    >>> import scg
    >>> scg.elu([-1.0, 2.0])
    Tensor([-0.63212056,  2.        ])
    """
    ...


@elementwise(
    y="1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(where(x > 0, 0, x)))",
    dx="where(x > 0, 1.0507009873554805 * g, 1.7580993408473766 * g * exp(where(x > 0, 0, x)))",
    smooth=KINK, reference=_selu, samples=_samples.elementwise((-3, -0.5), complex_step=True),
)  # fmt: skip
def selu(x: Any, /) -> Tensor:
    """Compute the self-normalising variant of `elu`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1.0507 for positive `x`, else `1.7581 * exp(x)`.
    Klambauer, Unterthiner, Mayr, Hochreiter (2017), arXiv 1706.02515.

    Examples
    --------
    >>> import scg
    >>> scg.selu([-1.0, 2.0])
    Tensor([-1.11133074,  2.10140197])
    """
    ...


@elementwise(
    name="gelu", y="0.5 * x * erfc(-0.7071067811865476 * x)",
    dx="0.5 * erfc(-0.7071067811865476 * x) + 0.3989422804014327 * x * exp(-0.5 * x * x)",
    # Rounding the argument of erfc costs x**2 units in the last place, in any implementation.
    reference=_gelu_exact,
    samples=_samples.elementwise((-4, 4), conditioned=True, complex_step=True),
)  # fmt: skip
def _gelu(x: Any, /) -> Tensor:
    """Weight `x` by the normal distribution function at `x`."""
    ...


@elementwise(
    # 0.5 * (1 + tanh(u)) is sigmoid(2 * u), which does not cancel for negative u.
    y="x * sigmoid(1.5957691216057308 * x * (1 + 0.044715 * x * x))",
    dx="sigmoid(1.5957691216057308 * x * (1 + 0.044715 * x * x))"
       " * (1 + (x - y) * (1.5957691216057308 * (1 + 0.134145 * x * x)))",
    reference=_gelu_by_tanh,
    samples=_samples.elementwise((-2, 2), conditioned=True, complex_step=True),
)  # fmt: skip
def gelu_by_tanh(x: Any, /) -> Tensor:
    """Approximate `gelu` by a hyperbolic tangent."""
    ...


@stands_for(_gelu)
def gelu(x: Any, /, *, approximate: bool = False) -> Tensor:
    """Weight `x` by the normal distribution function at `x`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
    approximate : bool
        Use `0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))`, which is within 5e-4.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `Phi(x) + x * phi(x)`. Hendrycks, Gimpel (2016), arXiv 1606.08415.

    Examples
    --------
    >>> import scg
    >>> scg.gelu([-1.0, 0.0, 2.0])
    Tensor([-0.15865525,  0.        ,  1.95449974])
    """
    return gelu_by_tanh(x) if approximate else _gelu(x)
