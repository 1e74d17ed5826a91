"""Padding: a constant, or copies of what is inside, around an array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import SMOOTH, op, serves
from scg._tensor import Tensor, as_tensor
from scg._typing import DType, Shape
from scg.errors import OptionError, ShapeError
from scg.ops._gather import along
from scg.ops._samples import Case, Samples
from scg.ops.indexing import getitem

__all__ = ["pad"]


def _padded_shape(x: Shape, *, widths: tuple[tuple[int, int], ...], value: float = 0.0) -> Shape:
    return tuple(n + before + after for n, (before, after) in zip(x, widths, strict=True))


def _padded_axes(
    shapes: Sequence[Shape], out: Shape, *, widths: tuple[tuple[int, int], ...], value: float = 0.0
) -> list[AxisMap]:
    return [tuple(Along(axis, -before) for axis, (before, _) in enumerate(widths))]


def _pad_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, widths in (
        ((), ()), ((3,), ((1, 2),)), ((2, 3), ((0, 0), (2, 0))), ((0, 2), ((1, 0), (0, 1))),
    ):  # fmt: skip
        yield (np.asarray(rng.uniform(1, 2, shape), dtype),), {"widths": widths, "value": 1.5}


@op(
    name="pad", shape=_padded_shape, axes=_padded_axes, smooth=SMOOTH,
    reference=lambda x, widths, value: np.pad(x, widths, constant_values=value) if widths else x,
    samples=Samples(_pad_cases, ulps=0),
)  # fmt: skip
def _pad(x: Any, /, widths: tuple[tuple[int, int], ...], value: float = 0.0) -> Any:
    """Surround with a constant."""
    out = np.full(_padded_shape(x.shape, widths=widths), value, x.dtype)
    out[_inside(x.shape, widths)] = x
    return out


def _inside(shape: Shape, widths: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    return tuple(slice(b, b + n) for n, (b, _) in zip(shape, widths, strict=True))


@_pad.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, widths: Any, value: float) -> Any:
    return g[_inside(_x.shape, widths)]


_COPYING = ("edge", "reflect", "symmetric", "wrap")


@serves(np.pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Tensor:
    """Surround with a constant, or with copies of what is inside.

    Parameters
    ----------
    x : Tensor or array_like
    pad_width : int, pair, or sequence of pairs
        Elements to add before and after: for all axes alike, or for each.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        As in NumPy: a constant; the outermost element; mirrored without it; mirrored with it;
        periodic.
    constant_values : float
        For `mode="constant"`.

    Returns
    -------
    Tensor

    Raises
    ------
    OptionError
        If the mode is another.
    ShapeError
        If the widths do not fit the axes, or are negative.

    Notes
    -----
    Gradient: that of the inside, and in the copying modes also that of the copies.

    Examples
    --------
    >>> import scg
    >>> scg.pad([1.0, 2.0], 1)
    Tensor([0., 1., 2., 0.])
    >>> scg.pad([1.0, 2.0, 3.0], (2, 0), mode="reflect")
    Tensor([3., 2., 1., 2., 3.])
    """
    tensor = as_tensor(x)
    widths = _pad_widths(pad_width, tensor.ndim)
    if mode == "constant":
        # Reading the number off a tensor would lose its gradient.
        if not isinstance(constant_values, int | float | np.number):
            raise OptionError(
                f"scg.pad: constant_values is a {type(constant_values).__name__}, but must be one "
                "number; join with scg.concatenate to surround with tensors"
            )
        return _pad(tensor, widths, float(constant_values))
    if mode not in _COPYING:
        raise OptionError(
            f"scg.pad: mode {mode!r} has no gradient here; use 'constant', "
            + ", ".join(map(repr, _COPYING))
        )
    for axis, width in enumerate(widths):
        if width != (0, 0):
            source = np.pad(np.arange(tensor.shape[axis]), width, mode=mode)  # type: ignore[call-overload]
            tensor = getitem(tensor, along(axis, tensor.ndim, source))
    return tensor


def _pad_widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    given = np.asarray(pad_width)
    try:
        widths = np.broadcast_to(given, (ndim, 2))
    except ValueError:
        widths = None
    if widths is None or given.dtype.kind not in "iu" or np.any(given < 0):
        raise ShapeError(
            f"scg.pad: pad_width {pad_width} for {ndim} axes; give an integer of at least 0, a "
            "pair, or a pair for each axis"
        )
    return tuple((int(before), int(after)) for before, after in widths)
