"""Ops that join along axes, and cut up again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import SMOOTH, Linear, op, serves
from scg._tensor import Tensor, as_tensor
from scg._typing import Shape
from scg.errors import ShapeError
from scg.ops._gather import along, checked_axis
from scg.ops._samples import arrays
from scg.ops.shape import flatten

__all__ = ["concatenate", "split", "stack"]


def _all_signs(same: bool, *facts: int) -> int:
    return int(np.bitwise_and.reduce(facts))


def _joined_shape(*shapes: Shape, axis: int) -> Shape:
    if not shapes or any(not shape for shape in shapes):
        raise ShapeError(f"scg.concatenate: nothing with axes to join, got shapes {list(shapes)}")
    place = checked_axis("concatenate", axis, len(shapes[0]))
    rest = {(*s[:place], *s[place + 1 :]) for s in shapes} | {len(s) for s in shapes}
    if len(rest) > 2:
        raise ShapeError(
            f"scg.concatenate: shapes {', '.join(map(str, shapes))} must be equal but for axis "
            f"{axis}"
        )
    first = shapes[0]
    return (*first[:place], sum(s[place] for s in shapes), *first[place + 1 :])


def _joined_axes(shapes: Sequence[Shape], out: Shape, *, axis: int) -> list[AxisMap]:
    """Element `p` of the joined axis reaches only output `p + offset`."""
    place = axis % len(out)
    maps: list[AxisMap] = []
    offset = 0
    for shape in shapes:
        maps.append(tuple(Along(i, -offset if i == place else 0) for i in range(len(out))))
        offset += shape[place]
    return maps


@op(
    name="concatenate", shape=_joined_shape, axes=_joined_axes,
    linear=Linear.MOVES, smooth=SMOOTH, sign=_all_signs,
    reference=lambda *xs, axis: np.concatenate(xs, axis),
    samples=arrays(
        (((3,),), {"axis": 0}), (((3,), (1,), (2,)), {"axis": 0}),
        (((2, 3), (2, 1)), {"axis": -1}), (((2, 3), (0, 3), (1, 3)), {"axis": 0}),
        (((2, 2, 1), (2, 3, 1)), {"axis": 1}), ulps=0,
    ),
)  # fmt: skip
def _concatenate(*xs: Any, axis: int) -> Any:
    """Join along an axis that all have."""
    return np.concatenate(xs, axis)


@_concatenate.vjp
def _(F: Any, g: Any, needs: Sequence[bool], _y: Any, *_xs: Any, axis: int) -> Any:
    ends = np.cumsum([x.shape[axis] for x in _xs]).tolist()
    place = axis % g.ndim
    return tuple(
        g[along(place, g.ndim, slice(end - x.shape[place], end))] if needed else None
        for x, end, needed in zip(_xs, ends, needs, strict=True)
    )


@serves(np.concatenate)
def concatenate(xs: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Join along an axis that all have.

    Parameters
    ----------
    xs : sequence of Tensor or array_like
        Of equal shapes but for `axis`.
    axis : int, optional
        None joins the flattened inputs.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If the other axes differ, or there is nothing to join.

    Notes
    -----
    Gradient: cut up again.

    Examples
    --------
    >>> import scg
    >>> scg.concatenate([[1.0, 2.0], [3.0]])
    Tensor([1., 2., 3.])
    """
    if axis is None:
        return _concatenate(*[flatten(x) for x in xs], axis=0)
    return _concatenate(*xs, axis=axis)


def _stacked_shape(*shapes: Shape, axis: int) -> Shape:
    if not shapes or any(shape != shapes[0] for shape in shapes):
        raise ShapeError(
            f"scg.stack: one or more inputs of equal shapes wanted, got {list(shapes)}; "
            "scg.concatenate joins along an axis that the inputs already have"
        )
    place = checked_axis("stack", axis, len(shapes[0]) + 1)
    return (*shapes[0][:place], len(shapes), *shapes[0][place:])


def _stacked_axes(shapes: Sequence[Shape], out: Shape, *, axis: int) -> list[AxisMap]:
    place = axis % len(out)
    kept = tuple(Along(i) for i in range(len(out)) if i != place)
    return [kept] * len(shapes)


@op(
    name="stack", shape=_stacked_shape, axes=_stacked_axes,
    linear=Linear.MOVES, smooth=SMOOTH, sign=_all_signs,
    reference=lambda *xs, axis: np.stack(xs, axis),
    samples=arrays(
        (((),), {"axis": 0}), (((), ()), {"axis": -1}), (((3,), (3,)), {"axis": 0}),
        (((2, 3), (2, 3), (2, 3)), {"axis": 1}), (((2, 3), (2, 3)), {"axis": -1}),
        (((0, 2), (0, 2)), {"axis": 0}), ulps=0,
    ),
)  # fmt: skip
def _stack(*xs: Any, axis: int) -> Any:
    """Join along a new axis."""
    return np.stack(xs, axis)


@_stack.vjp
def _(F: Any, g: Any, _y: Any, *_xs: Any, axis: int) -> Any:
    return tuple(g[along(axis, g.ndim, number)] for number in range(len(_xs)))


@serves(np.stack)
def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """Join along a new axis.

    Parameters
    ----------
    xs : sequence of Tensor or array_like
        Of equal shapes.
    axis : int
        Place of the new axis in the result.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If the shapes differ, or there is nothing to join.

    Notes
    -----
    Gradient: taken apart again.

    Examples
    --------
    >>> import scg
    >>> scg.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return _stack(*xs, axis=axis)


@serves(np.split)
def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut into pieces along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    sections : int or sequence of int
        The number of equal pieces, or the places to cut at.
    axis : int

    Returns
    -------
    list of Tensor
        Views.

    Raises
    ------
    ShapeError
        If the axis is not there or has no equal pieces of that number.

    Notes
    -----
    Gradient: joined again.

    Examples
    --------
    >>> import scg
    >>> scg.split([1.0, 2.0, 3.0, 4.0], 2)
    [Tensor([1., 2.]), Tensor([3., 4.])]
    """
    tensor = as_tensor(x)
    place = checked_axis("split", axis, tensor.ndim)
    size = tensor.shape[place]
    if isinstance(sections, int | np.integer):
        if sections < 1 or size % sections:
            raise ShapeError(
                f"scg.split: axis {axis} of shape {tensor.shape} has no {sections} equal pieces"
            )
        cuts = [size // int(sections) * k for k in range(1, int(sections))]
    else:
        cuts = [int(cut) for cut in sections]
    bounds = zip([0, *cuts], [*cuts, size], strict=True)
    return [tensor[along(place, tensor.ndim, slice(*pair))] for pair in bounds]
