"""The largest and the smallest element over axes, and where it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg import _axes
from scg._op import JUMP, KINK, op
from scg._typing import Axis
from scg.kernels.reduce import numpy_axis
from scg.ops import _samples
from scg.ops._reduced import CASES, check_axes, restore, rule, shared

__all__ = ["argmax", "argmin", "max", "min"]

# So close together that the tests of the axis rule, which change one element by 1 %, change ranks.
_NEAR_TIES = _samples.arrays(
    *(case for case in CASES if not isinstance(case[1].get("axis"), tuple)),
    low=1.0, high=1.005,
)  # fmt: skip


@op(
    shape=rule("max"), axes=_axes.reduced, smooth=KINK, reference=np.max, numpy=(np.max, np.amax),
    sign=lambda same, x: x, samples=_samples.arrays(*CASES, ulps=0),
)  # fmt: skip
def max(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Find the largest element over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor
        NaN where there is a NaN.

    Raises
    ------
    ShapeError
        If there is nothing to compare.

    Notes
    -----
    Gradient: 1 for the largest element; equal ones share it.

    Examples
    --------
    >>> import scg
    >>> scg.max([[1.0, 5.0], [3.0, 4.0]], axis=1)
    Tensor([5., 4.])
    """
    return np.max(x, axis=numpy_axis(axis), keepdims=keepdims)


@max.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    weights = shared(x, restore(y, x, axis, keepdims), axis)
    return restore(g, x, axis, keepdims) * weights


@op(
    shape=rule("min"), axes=_axes.reduced, smooth=KINK, reference=np.min, numpy=(np.min, np.amin),
    sign=lambda same, x: x, samples=_samples.arrays(*CASES, ulps=0),
)  # fmt: skip
def min(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Find the smallest element over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor
        NaN where there is a NaN.

    Raises
    ------
    ShapeError
        If there is nothing to compare.

    Notes
    -----
    Gradient: 1 for the smallest element; equal ones share it.

    Examples
    --------
    >>> import scg
    >>> scg.min([[1.0, 5.0], [3.0, 4.0]], axis=1)
    Tensor([1., 3.])
    """
    return np.min(x, axis=numpy_axis(axis), keepdims=keepdims)


@min.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    weights = shared(x, restore(y, x, axis, keepdims), axis)
    return restore(g, x, axis, keepdims) * weights


@op(
    shape=rule("argmax"), axes=_axes.reduced, smooth=JUMP, reference=np.argmax,
    numpy=(np.argmax,), samples=_NEAR_TIES,
)  # fmt: skip
def argmax(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Any:
    """Find the index of the largest element along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means an index into all elements in row-major order.
    keepdims : bool
        Keep the reduced axis with size 1.

    Returns
    -------
    Tensor of int
        Of equal elements the first.

    Notes
    -----
    A jump: it passes no gradient.

    Examples
    --------
    >>> import scg
    >>> scg.argmax([[1.0, 5.0], [4.0, 4.0]], axis=1)
    Tensor([1, 0], dtype=int64)
    """
    check_axes(x.shape, axis, "argmax")  # NumPy finds axis 0 in a number
    return np.argmax(x, axis=axis, keepdims=keepdims)


@op(
    shape=rule("argmin"), axes=_axes.reduced, smooth=JUMP, reference=np.argmin,
    numpy=(np.argmin,), samples=_NEAR_TIES,
)  # fmt: skip
def argmin(x: Any, /, axis: int | None = None, keepdims: bool = False) -> Any:
    """Find the index of the smallest element along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int, optional
        None means an index into all elements in row-major order.
    keepdims : bool
        Keep the reduced axis with size 1.

    Returns
    -------
    Tensor of int
        Of equal elements the first.

    Notes
    -----
    A jump: it passes no gradient.

    Examples
    --------
    >>> import scg
    >>> scg.argmin([[1.0, 5.0], [4.0, 4.0]], axis=1)
    Tensor([0, 0], dtype=int64)
    """
    check_axes(x.shape, axis, "argmin")
    return np.argmin(x, axis=axis, keepdims=keepdims)
