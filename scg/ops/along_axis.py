"""Reading along one axis, by one index per element, with the other axes kept apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import JUMP, SMOOTH, op, serves
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.errors import ShapeError
from scg.ops._samples import Case, Samples
from scg.ops.shape import flatten
from scg.tape import NONNEGATIVE

__all__ = ["take_along_axis"]


def _along_shape(x: Shape, indices: Shape, *, axis: int) -> Shape:
    if len(x) != len(indices) or not -len(x) <= axis < len(x):
        raise ShapeError(
            f"scg.take_along_axis: x of shape {x} and indices of shape {indices} must have the "
            f"same number of axes, axis {axis} among them"
        )
    axis %= len(x)
    try:
        rest = np.broadcast_shapes((*x[:axis], 1, *x[axis + 1 :]), indices)
    except ValueError:
        raise ShapeError(
            f"scg.take_along_axis: x of shape {x} and indices of shape {indices} cannot be "
            f"broadcast together away from axis {axis}"
        ) from None
    return (*rest[:axis], indices[axis], *rest[axis + 1 :])


def _off_axis(shape: Shape, out: Shape, axis: int) -> AxisMap:
    axis %= len(shape)
    return tuple(Along(i) if i != axis and size == out[i] else None for i, size in enumerate(shape))


def _along_axes(shapes: Sequence[Shape], out: Shape, *, axis: int) -> list[AxisMap]:
    return [_off_axis(shapes[0], out, axis), *_axes.elementwise(shapes[1:], out)]


_ALONG: tuple[tuple[Shape, Shape, int], ...] = (
    ((4,), (6,), 0), ((3, 4), (3, 2), 1), ((3, 4), (5, 4), 0), ((3, 4), (1, 4), -2),
    ((3, 4), (1, 2), 1), ((1, 4), (3, 1), 1), ((2, 3, 4), (2, 1, 4), 1), ((0, 3), (0, 2), 1),
)  # fmt: skip


def _along_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, chosen, axis in _ALONG:
        indices = rng.integers(-shape[axis], shape[axis], chosen)
        yield (np.asarray(rng.uniform(1, 2, shape), dtype), indices), {"axis": axis}


@op(
    name="take_along_axis", shape=_along_shape, axes=_along_axes, smooth=(SMOOTH, JUMP),
    sign=lambda same, x, _: x, reference=np.take_along_axis,
    samples=Samples(_along_cases, complex_step=True, ulps=0),
)  # fmt: skip
def _take_along_axis(x: Any, indices: Any, /, axis: int) -> Any:
    """Read one element per entry of `indices` along an axis."""
    if _is_one_per_row(x, indices, axis):
        rows, chosen = x.reshape(-1, x.shape[-1]), indices.reshape(-1)
        return rows[np.arange(len(rows)), chosen].reshape(indices.shape)
    return np.take_along_axis(x, indices, axis)


def _is_one_per_row(x: Any, indices: Any, axis: int) -> bool:
    """Tell whether each row of `x` is read once, as by an outcome of a choice.

    Then rows are counted by one range, and what is added at places that differ needs no loop.
    """
    if x.__class__ is not np.ndarray or indices.__class__ is not np.ndarray:
        return False
    last = x.ndim - 1
    return bool(
        x.size and axis in (-1, last) and indices.dtype.kind in "iu"
        and indices.shape == (*x.shape[:last], 1)
    )  # fmt: skip


@_take_along_axis.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, indices: Any, *, axis: int) -> Any:
    return F.scatter_along_axis(g, indices, shape=_x.shape, axis=axis), None


@serves(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Read one element per entry of `indices` along an axis, matching the other axes.

    Parameters
    ----------
    x : Tensor or array_like
    indices : Tensor or array_like of int
        With as many axes as `x`; broadcast against it away from `axis`.
    axis : int, optional
        None reads from the flattened `x`.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If the shapes do not fit, or an element is not there.

    Notes
    -----
    Gradient: to the elements read, once for every time; none to `indices`, which are a jump. The
    other axes stay aligned, which `x[numpy.arange(n), indices]` would lose.

    Examples
    --------
    >>> import scg
    >>> scg.take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    Tensor([[2.],
            [3.]])
    """
    return _take_along_axis(*((flatten(x), indices, 0) if axis is None else (x, indices, axis)))


def _along_grid(indices: Array, shape: Shape, axis: int) -> tuple[Array, ...]:
    """Return one index array per axis: `indices` on its axis, counting on the others."""
    ndim = len(shape)
    grid = [np.arange(n).reshape(-1, *(1,) * (ndim - i - 1)) for i, n in enumerate(shape)]
    grid[axis] = indices
    return tuple(grid)


def _scatter_shape(g: Shape, indices: Shape, *, shape: Shape, axis: int) -> Shape:
    if g != _along_shape(shape, indices, axis=axis):
        raise ShapeError(
            f"scg.scatter_along_axis: indices of shape {indices} on axis {axis} of shape {shape} "
            f"do not name as many elements as g of shape {g} has"
        )
    return shape


def _scatter_axes(shapes: Sequence[Shape], out: Shape, *, shape: Shape, axis: int) -> list[AxisMap]:
    return [_off_axis(given, out, axis) for given in shapes]


def _scatter_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for (x, indices), statics in _along_cases(rng, dtype):
        taken = _along_shape(x.shape, indices.shape, **statics)
        g = np.asarray(rng.uniform(1, 2, taken), dtype)
        yield (g, indices), {"shape": x.shape, **statics}


def _scatter_reference(g: Any, indices: Any, *, shape: Shape, axis: int) -> Any:
    """Add the elements one by one."""
    z = np.zeros(shape)
    full = np.broadcast_to(indices, g.shape)
    for place in np.ndindex(g.shape):
        target = list(min(p, n - 1) for p, n in zip(place, shape, strict=True))
        target[axis] = full[place]
        z[tuple(target)] += g[place]
    return z


@op(
    name="scatter_along_axis", shape=_scatter_shape, axes=_scatter_axes, smooth=(SMOOTH, JUMP),
    sign=lambda same, g, _: g & NONNEGATIVE,
    reference=_scatter_reference, samples=Samples(_scatter_cases),
)  # fmt: skip
def _scatter_along_axis(g: Any, indices: Any, /, shape: Shape, axis: int) -> Any:
    """Add `g` to zeros at the elements that `take_along_axis` would read."""
    z = np.zeros(shape, g.dtype)
    if _is_one_per_row(z, indices, axis) and g.shape == indices.shape:
        rows, chosen = z.reshape(-1, shape[-1]), indices.reshape(-1)
        rows[np.arange(len(rows)), chosen] += g.reshape(-1)  # from zeros: no -0.0 is left of one
        return z
    np.add.at(z, _along_grid(indices, shape, axis), g)
    return z


@_scatter_along_axis.vjp
def _(F: Any, g: Any, _y: Any, _g: Any, indices: Any, *, shape: Shape, axis: int) -> Any:
    return F.take_along_axis(g, indices, axis=axis), None
