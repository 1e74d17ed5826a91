"""Reductions: sums, means and their kin over some or all axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from scg import _axes
from scg._op import JUMP, KINK, RAW, SMOOTH, Linear, op
from scg._typing import Array, Axis, DType
from scg.kernels import reduce as kernels
from scg.kernels.scan import products_of_others
from scg.ops import _samples
from scg.ops._reduced import CASES, count, restore, rule
from scg.ops.scan import backwards
from scg.tape import NONNEGATIVE

__all__ = ["all", "any", "mean", "prod", "std", "sum", "var"]


@op(
    shape=rule("sum"), axes=_axes.reduced,
    linear=Linear.MOVES, smooth=SMOOTH, reference=np.sum, numpy=(np.sum,),
    sign=lambda same, x: x,
    samples=_samples.arrays(*CASES, (((0, 3),), {"axis": 0}), complex_step=True),
)  # fmt: skip
def sum(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sum over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the summed axes with size 1.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: 1 for every element. Floating-point sums are pairwise.

    Examples
    --------
    >>> import scg
    >>> scg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([4., 6.])
    """
    return kernels.sum(np.asarray(x), axis, keepdims)


@sum.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return F.broadcast_to(restore(g, _x, axis, keepdims), shape=_x.shape)


@op(
    shape=rule("mean"), axes=_axes.reduced,
    linear=Linear.ALL, smooth=SMOOTH, reference=np.mean, numpy=(np.mean,),
    sign=lambda same, x: x, samples=_samples.arrays(*CASES, complex_step=True),
)  # fmt: skip
def mean(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Average over axes.

    Parameters
    ----------
    x : Tensor or array_like
        Integers are averaged in float64.
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the averaged axes with size 1.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `1 / n` for every element, n being how many are averaged.

    Examples
    --------
    >>> import scg
    >>> scg.mean([[1.0, 2.0], [3.0, 4.0]], axis=0)
    Tensor([2., 3.])
    """
    return kernels.mean(np.asarray(x), axis, keepdims)


@mean.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, axis: Axis, keepdims: bool) -> Any:
    scaled = restore(g, _x, axis, keepdims) / count(_x.shape, axis)
    return F.broadcast_to(scaled, shape=_x.shape)


_SPREAD_CASES: list[Any] = [(((2,),), {}), *CASES, (((3, 4),), {"axis": 1, "ddof": 1})]


@op(
    shape=rule("var"), axes=_axes.reduced, smooth=SMOOTH, sign=NONNEGATIVE, reference=np.var,
    numpy=(np.var,), samples=_samples.arrays(*_SPREAD_CASES),
)  # fmt: skip
def var(x: Any, /, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Compute the variance over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    ddof : float
        The sum of squares is divided by `n - ddof`: 1 makes it unbiased for independent samples.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor
        Not negative.

    Notes
    -----
    Gradient: `2 * (x - mean(x)) / (n - ddof)`.

    Examples
    --------
    >>> import scg
    >>> scg.var([1.0, 2.0, 3.0], ddof=1)
    Tensor(1.)
    """
    return np.var(x, axis=kernels.numpy_axis(axis), ddof=ddof, keepdims=keepdims)


@var.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, axis: Axis, ddof: float, keepdims: bool) -> Any:
    centred = x - F.mean(x, axis=axis, keepdims=True)
    return 2 * restore(g, x, axis, keepdims) * centred / (count(x.shape, axis) - ddof)


@op(
    shape=rule("std"), axes=_axes.reduced, smooth=KINK, sign=NONNEGATIVE, reference=np.std,
    numpy=(np.std,), samples=_samples.arrays(*_SPREAD_CASES),
)  # fmt: skip
def std(x: Any, /, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Compute the standard deviation over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    ddof : float
        The sum of squares is divided by `n - ddof`.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor
        Not negative.

    Notes
    -----
    Gradient: `(x - mean(x)) / ((n - ddof) * std(x))`, and 0 where all elements are equal, like that
    of a norm at 0.

    Examples
    --------
    >>> import scg
    >>> scg.std([1.0, 2.0, 3.0], ddof=1)
    Tensor(1.)
    """
    return np.std(x, axis=kernels.numpy_axis(axis), ddof=ddof, keepdims=keepdims)


@std.vjp
def _(F: Any, g: Any, y: Any, x: Any, *, axis: Axis, ddof: float, keepdims: bool) -> Any:
    centred = x - F.mean(x, axis=axis, keepdims=True)
    slope = F.divide_or_zero(centred, restore(y, x, axis, keepdims))
    return restore(g, x, axis, keepdims) * slope / (count(x.shape, axis) - ddof)


def _with_zeros(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    """Draw products with no, one and two zero factors."""
    yield from _samples.arrays(*CASES, (((0, 3),), {"axis": 0})).cases(rng, dtype)
    for zeros in ([1], [0, 3]):
        x = rng.uniform(-2, 2, (2, 4)).astype(dtype)
        x[0, zeros] = 0
        yield (x,), {"axis": 1}


@op(
    shape=rule("prod"), axes=_axes.reduced, smooth=SMOOTH, reference=np.prod, numpy=(np.prod,),
    sign=lambda same, x: x, samples=_samples.Samples(_with_zeros, complex_step=True),
)  # fmt: skip
def prod(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Multiply over axes.

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

    Notes
    -----
    Gradient: the product of all other elements, formed without a division, hence right at zeros
    and to any order.

    Examples
    --------
    >>> import scg
    >>> scg.prod([2.0, 3.0, 4.0])
    Tensor(24.)
    """
    return np.prod(x, axis=kernels.numpy_axis(axis), keepdims=keepdims)


@prod.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    gone = _axes.normalize_axes(axis, x.ndim)
    fast = F is RAW and gone and max(gone) - min(gone) < len(gone)  # neighbours fold into one axis
    others = _folded_others(x, gone) if fast else _others(F, x, gone)
    return restore(g, x, axis, keepdims) * others


def _folded_others(x: Array, gone: tuple[int, ...]) -> Array:
    first, end = min(gone), max(gone) + 1
    sizes = (x.shape[:first], x.shape[first:end], x.shape[end:])
    return products_of_others(x.reshape([math.prod(s) for s in sizes])).reshape(x.shape)


def _others(F: Any, x: Any, gone: tuple[int, ...]) -> Any:
    """Multiply all other elements: those before by those after."""
    order = [*(i for i in range(x.ndim) if i not in gone), *gone]
    moved = x.transpose(order)
    rows = moved.reshape((*moved.shape[: x.ndim - len(gone)], count(x.shape, gone)))
    before = F.shift(F.cumprod(rows, axis=-1), fill=1.0)
    after = F.shift(F.cumprod(backwards(rows, -1), axis=-1), fill=1.0)
    others = (before * backwards(after, -1)).reshape(moved.shape)
    return others.transpose([order.index(i) for i in range(x.ndim)])


def _truths(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    for (shape,), statics in [*CASES, (((0, 3),), {"axis": 0})]:
        yield (rng.integers(0, 2, shape).astype(dtype),), statics
        yield (np.asarray(rng.integers(0, 2, shape), bool),), statics


@op(
    shape=rule("any"), axes=_axes.reduced, smooth=JUMP, reference=np.any, numpy=(np.any,),
    samples=_samples.Samples(_truths),
)  # fmt: skip
def any(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Tell whether some element is not zero, over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor of bool

    Notes
    -----
    A jump: it passes no gradient.

    Examples
    --------
    >>> import scg
    >>> scg.any([[True, False], [False, False]], axis=0)
    Tensor([ True, False], dtype=bool)
    """
    return np.any(x, axis=kernels.numpy_axis(axis), keepdims=keepdims)


@op(
    shape=rule("all"), axes=_axes.reduced, smooth=JUMP, reference=np.all, numpy=(np.all,),
    samples=_samples.Samples(_truths),
)  # fmt: skip
def all(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Any:
    """Tell whether no element is zero, over axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        None means all.
    keepdims : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor of bool

    Notes
    -----
    A jump: it passes no gradient.

    Examples
    --------
    >>> import scg
    >>> scg.all([[True, False], [True, True]], axis=0)
    Tensor([ True, False], dtype=bool)
    """
    return np.all(x, axis=kernels.numpy_axis(axis), keepdims=keepdims)
