"""Sums of products over pairs of axes: tensordot and dot, whose vjps are such sums again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op
from scg._typing import Shape
from scg.errors import ShapeError
from scg.kernels import matmul as kernels
from scg.ops import _samples

__all__ = ["dot", "tensordot"]

Axes = int | Sequence[int] | Sequence[Sequence[int]]


class _Pairs(NamedTuple):
    """The axes of two operands: those left over, and those summed in pairs."""

    free_a: tuple[int, ...]
    sum_a: tuple[int, ...]
    free_b: tuple[int, ...]
    sum_b: tuple[int, ...]


def _named(axes: Any, ndim: int) -> list[Sequence[int]]:
    """Return the axes of each operand that `axes` names; `a` has `ndim` of them."""
    if isinstance(axes, int):
        return [range(ndim - axes, ndim), range(axes)] if axes >= 0 else []
    return [[own] if isinstance(own, int) else list(own) for own in axes]


def _pairs(a: Shape, b: Shape, axes: Any, name: str = "tensordot") -> _Pairs:
    try:
        # Indexing a range turns negative axes into positive ones and refuses those out of range.
        left, right = (
            [range(len(shape))[i] for i in own]
            for shape, own in zip((a, b), _named(axes, len(a)), strict=True)
        )
        fits = [a[i] for i in left] == [b[i] for i in right]
    except (IndexError, TypeError, ValueError):
        fits = False
    if not fits or len(set(left)) < len(left) or len(set(right)) < len(right):
        raise ShapeError(f"scg.{name}: axes {axes} of shapes {a} and {b} do not pair up")
    return _Pairs(
        tuple(i for i in range(len(a)) if i not in left), tuple(left),
        tuple(i for i in range(len(b)) if i not in right), tuple(right),
    )  # fmt: skip


def _contract(a: Any, b: Any, pairs: _Pairs) -> Any:
    """Multiply as matrices of (free, summed) and (summed, free) axes."""
    free_a, sum_a, free_b, sum_b = pairs
    depth = math.prod(a.shape[i] for i in sum_a)
    rows, columns = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = a.transpose((*free_a, *sum_a)).reshape(math.prod(rows), depth)
    right = b.transpose((*sum_b, *free_b)).reshape(depth, math.prod(columns))
    return kernels.matmul(left, right).reshape((*rows, *columns))


def _contract_vjp(F: Any, g: Any, needs: Any, a: Any, b: Any, pairs: _Pairs) -> Any:
    free_a, sum_a, free_b, sum_b = pairs
    split = len(free_a)
    ga = gb = None
    if needs[0]:
        last = tuple(range(split, split + len(free_b)))
        ga = F.tensordot(g, b, axes=(last, free_b))  # free axes of a, then those of sum_b in order
        source = [*free_a, *(sum_a[i] for i in np.argsort(sum_b))]
        ga = _placed(F, ga, source)
    if needs[1]:
        gb = F.tensordot(a, g, axes=(free_a, tuple(range(split))))
        source = [*(sum_b[i] for i in np.argsort(sum_a)), *free_b]
        gb = _placed(F, gb, source)
    return ga, gb


def _placed(F: Any, x: Any, source: Sequence[int]) -> Any:
    """Transpose so that axis i of `x` becomes axis `source[i]`."""
    if list(source) == sorted(source):
        return x
    return F.transpose(x, axes=tuple(np.argsort(source).tolist()))


def _free_axes(pairs: _Pairs, ndims: Sequence[int]) -> list[AxisMap]:
    split = len(pairs.free_a)
    places = (
        {axis: Along(i) for i, axis in enumerate(pairs.free_a)},
        {axis: Along(split + i) for i, axis in enumerate(pairs.free_b)},
    )
    return [tuple(place.get(i) for i in range(n)) for place, n in zip(places, ndims, strict=True)]


def _tensordot_shape(a: Shape, b: Shape, *, axes: Axes = 2) -> Shape:
    pairs = _pairs(a, b, axes)
    return (*(a[i] for i in pairs.free_a), *(b[i] for i in pairs.free_b))


def _tensordot_axes(shapes: Sequence[Shape], out: Shape, *, axes: Axes = 2) -> list[AxisMap]:
    a, b = shapes
    return _free_axes(_pairs(a, b, axes), [len(a), len(b)])


@op(
    shape=_tensordot_shape, axes=_tensordot_axes,
    linear=Linear.EACH, smooth=SMOOTH, reference=np.tensordot,
    numpy=(np.tensordot,), sign=lambda same, a, b: a & b,
    samples=_samples.arrays(
        (((3, 4), (4, 2)), {"axes": 1}), (((3, 4, 2), (4, 2)), {}), (((3,), (4,)), {"axes": 0}),
        (((2, 3, 4), (4, 5, 2)), {"axes": ((2, 0), (0, 2))}), (((2, 3), (5, 2)), {"axes": (0, 1)}),
        (((), (3,)), {"axes": 0}), (((3,), ()), {"axes": 0}), (((0, 3), (3, 2)), {"axes": 1}),
        (((2, 0), (0, 3)), {"axes": 1}),
        (((3, 2, 4), (2, 4, 3)), {"axes": ((0, 1, 2), (2, 0, 1))}),
        complex_step=True,
    ),
)  # fmt: skip
def tensordot(a: Any, b: Any, /, axes: Axes = 2) -> Any:
    """Sum products over pairs of axes.

    Parameters
    ----------
    a, b : Tensor or array_like
    axes : int or (axes of a, axes of b)
        A number n pairs the last n axes of `a` with the first n of `b`.

    Returns
    -------
    Tensor
        With the axes of `a` that are left, then those of `b`.

    Raises
    ------
    ShapeError
        If paired axes differ in size.

    Notes
    -----
    Gradient: the cotangent contracted with the other operand over its left axes.

    Examples
    --------
    >>> import scg
    >>> scg.tensordot([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0], axes=1)
    Tensor([-1., -1.])
    """
    a, b = np.asarray(a), np.asarray(b)
    return _contract(a, b, _pairs(a.shape, b.shape, axes))


@tensordot.vjp
def _(F: Any, g: Any, needs: Sequence[Any], _y: Any, a: Any, b: Any, *, axes: Axes) -> Any:
    return _contract_vjp(F, g, needs, a, b, _pairs(a.shape, b.shape, axes))


def _dot_pairs(a: Shape, b: Shape) -> _Pairs:
    if not a or not b:
        return _pairs(a, b, 0, "dot")
    return _pairs(a, b, (len(a) - 1, max(len(b) - 2, 0)), "dot")


def _dot_shape(a: Shape, b: Shape) -> Shape:
    pairs = _dot_pairs(a, b)
    return (*(a[i] for i in pairs.free_a), *(b[i] for i in pairs.free_b))


@op(
    shape=_dot_shape, linear=Linear.EACH, smooth=SMOOTH, reference=np.dot, numpy=(np.dot,),
    axes=lambda shapes, out: _free_axes(_dot_pairs(*shapes), [len(s) for s in shapes]),
    sign=lambda same, a, b: a & b,
    samples=_samples.arrays(
        (((4,), (4,)), {}), (((3, 4), (4, 2)), {}), (((3, 4), (4,)), {}), (((), (3,)), {}),
        (((2, 3), ()), {}), (((2, 3, 4), (5, 4, 2)), {}), (((), ()), {}), (((0,), (0,)), {}),
        complex_step=True,
    ),
)  # fmt: skip
def dot(a: Any, b: Any, /) -> Any:
    """Sum products over the last axis of `a` and the last but one of `b`.

    Parameters
    ----------
    a, b : Tensor or array_like
        Two vectors give their inner product, two matrices their matrix product, a scalar scales.

    Returns
    -------
    Tensor
        With the axes of `a` that are left, then those of `b`: unlike `matmul`, nothing is a batch.

    Raises
    ------
    ShapeError
        If the two axes differ in size.

    Notes
    -----
    Gradient: the cotangent contracted with the other operand.

    Examples
    --------
    >>> import scg
    >>> scg.dot([1.0, 2.0], [3.0, 4.0])
    Tensor(11.)
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim in (1, 2) and b.ndim in (1, 2) and a.shape[-1] == b.shape[0]:
        return kernels.matmul(a, b)
    return _contract(a, b, _dot_pairs(a.shape, b.shape))


@dot.vjp
def _(F: Any, g: Any, needs: Sequence[Any], _y: Any, a: Any, b: Any) -> Any:
    return _contract_vjp(F, g, needs, a, b, _dot_pairs(a.shape, b.shape))
