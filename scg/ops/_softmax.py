"""Normalising logarithms: logsumexp, softmax, log_softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg import _axes
from scg._op import RAW, SMOOTH, op
from scg._typing import Axis, Shape
from scg.kernels import softmax as kernels
from scg.ops import _samples
from scg.ops._reduced import CASES, check_axes, restore, rule
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["log_softmax", "logsumexp", "softmax"]

_ALONG: list[Any] = [
    (((5,),), {"axis": -1}), (((3, 4),), {"axis": 0}), (((2, 3, 4),), {"axis": (0, 2)}),
    (((2, 3),), {"axis": None}), (((),), {"axis": None}), (((0, 3),), {"axis": -1}),
]  # fmt: skip


def _softmax_shape(x: Shape, *, axis: Axis = -1) -> Shape:
    check_axes(x, axis, "softmax")
    return x


def _log_softmax_shape(x: Shape, *, axis: Axis = -1) -> Shape:
    check_axes(x, axis, "log_softmax")
    return x


@op(
    shape=rule("logsumexp"), axes=_axes.reduced, smooth=SMOOTH, reference=sp.logsumexp,
    samples=_samples.arrays(*CASES, complex_step=True),
)  # fmt: skip
def logsumexp(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Compute log(sum(exp(x))) over axes, without overflow.

    Parameters
    ----------
    x : Tensor or array_like
        Logarithms; -inf stands for 0.
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the summed axes with size 1.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `softmax(x)`, and 0 where every term is -inf.

    Examples
    --------
    >>> import scg
    >>> scg.logsumexp([1000.0, 1000.0])
    Tensor(1000.69314718)
    """
    return kernels.logsumexp(np.asarray(x), axis, keepdims)


@logsumexp.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    g, y = restore(g, x, axis, keepdims), restore(y, x, axis, keepdims)
    if F is RAW:
        return kernels.logsumexp_vjp(g, x, y, axis)
    return g * F.exp(x - F.finite_part(y))


@op(
    shape=_softmax_shape, axes=_axes.along_axis, smooth=SMOOTH, reference=sp.softmax,
    sign=POSITIVE | NONNEGATIVE, samples=_samples.arrays(*_ALONG, complex_step=True),
)  # fmt: skip
def softmax(x: Any, /, axis: Axis = -1) -> Any:
    """Compute exp(x) / sum(exp(x)) along axes, without overflow.

    Parameters
    ----------
    x : Tensor or array_like
        Logits.
    axis : int or tuple of int, optional
        Over which the result sums to 1; None means all.

    Returns
    -------
    Tensor
        Positive.

    Notes
    -----
    Gradient: `y * (g - sum(g * y))` for a cotangent g.

    Examples
    --------
    >>> import scg
    >>> scg.softmax([0.0, 0.0])
    Tensor([0.5, 0.5])
    """
    return kernels.softmax(np.asarray(x), axis)


@softmax.vjp
def _(F: Any, g: Any, y: Any, _x: Any, *, axis: Axis) -> Any:
    if F is RAW:
        return kernels.softmax_vjp(g, y, axis)
    return y * (g - F.sum(g * y, axis=axis, keepdims=True))


@op(
    shape=_log_softmax_shape, axes=_axes.along_axis, smooth=SMOOTH, reference=sp.log_softmax,
    samples=_samples.arrays(*_ALONG, complex_step=True),
)  # fmt: skip
def log_softmax(x: Any, /, axis: Axis = -1) -> Any:
    """Compute log(softmax(x)) along axes, exact where softmax would underflow.

    Parameters
    ----------
    x : Tensor or array_like
        Logits.
    axis : int or tuple of int, optional
        Over which the exponentials of the result sum to 1; None means all.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `g - exp(y) * sum(g)` for a cotangent g.

    Examples
    --------
    >>> import scg
    >>> scg.log_softmax([0.0, 1000.0])
    Tensor([-1000.,     0.])
    """
    return kernels.log_softmax(np.asarray(x), axis)


@log_softmax.vjp
def _(F: Any, g: Any, y: Any, _x: Any, *, axis: Axis) -> Any:
    if F is RAW:
        return kernels.log_softmax_vjp(g, y, axis)
    return g - F.exp(y) * F.sum(g, axis=axis, keepdims=True)
