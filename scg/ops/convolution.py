"""Convolutions, as cross-correlations of images (n, c, h, w) with filters (o, c, kh, kw).

Three bilinear ops are each other's vjps: the convolution, its transpose, and the product of images
and cotangents that belongs to the filters. So any order of derivative stays among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import SMOOTH, op, stands_for
from scg._tensor import Tensor, as_tensor
from scg._typing import DType, Shape
from scg.errors import OptionError, ShapeError
from scg.kernels import conv as kernels
from scg.kernels._window import pair, window
from scg.ops._samples import Case, Samples
from scg.ops.padding import pad
from scg.ops.shape import expand_dims, squeeze
from scg.tape import NONNEGATIVE

__all__ = ["conv1d", "conv2d", "conv_transpose2d"]

Pair: TypeAlias = int | tuple[int, int]


def check_rank(name: str, rank: int, **shapes: Shape) -> None:
    """Refuse inputs with another number of axes."""
    for argument, shape in shapes.items():
        if len(shape) != rank:
            raise ShapeError(
                f"scg.{name}: {argument} has shape {shape}, but needs {rank} axes: images and "
                "channels first (filters: outputs and channels)"
            )


def resolve_padding(
    name: str, x: Tensor, size: Shape, stride: Pair, padding: Pair | str, dilation: Pair = 1,
    value: float = 0.0,
) -> tuple[Tensor, Pair]:  # fmt: skip
    """Turn "same" and "valid" into numbers; what "same" needs on one side only is padded here."""
    if not isinstance(padding, str):
        return x, padding
    if padding == "valid":
        return x, 0
    if padding != "same":
        raise OptionError(
            f"scg.{name}: padding is {padding!r}; give a number, a pair, 'same' or 'valid'"
        )
    steps = pair(name, "stride", stride, 1)
    spread = pair(name, "dilation", dilation, 1)
    totals = [
        max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        for n, k, s, d in zip(x.shape[2:], size, steps, spread, strict=True)
    ]
    if value == 0 and not any(total % 2 for total in totals):
        return x, (totals[0] // 2, totals[1] // 2)
    widths = [(0, 0), (0, 0), *((total // 2, total - total // 2) for total in totals)]
    return pad(x, widths, constant_values=value), 0


# --- convolution -----------------------------------------------------------------------------


def _conv_shape(
    x: Shape, w: Shape, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1
) -> Shape:
    check_rank("conv2d", 4, x=x, w=w)
    return x[0], w[0], *window("scg.conv2d", x[2:], w[2:], stride, padding, dilation).out


def _conv_axes(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    return [(Along(0), None, None, None), (Along(1), None, None, None)]


def _conv_reference(x: Any, w: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return np.einsum("nchwij,ocij->nohw", _windows(x, w.shape[2:], stride, padding, dilation), w)


def _windows(x: Any, size: Shape, stride: Any, padding: Any, dilation: Any) -> Any:
    (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(v, 2) for v in (stride, padding, dilation))
    reach = dh * (size[0] - 1) + 1, dw * (size[1] - 1) + 1
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, (2, 3))
    return seen[:, :, ::sh, ::sw, ::dh, ::dw]


_OPTIONS: tuple[tuple[Shape, Shape, dict[str, Any]], ...] = (
    ((2, 3, 5, 4), (2, 3, 3, 2), {"stride": 1, "padding": 0, "dilation": 1}),
    ((2, 2, 6, 5), (3, 2, 3, 3), {"stride": 2, "padding": 1, "dilation": 1}),
    ((1, 1, 7, 6), (2, 1, 2, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (3, 2)}),
    ((1, 2, 1, 1), (1, 2, 1, 1), {"stride": 3, "padding": 0, "dilation": 1}),
    ((0, 2, 3, 3), (1, 2, 2, 2), {"stride": 1, "padding": 0, "dilation": 1}),
)


def _conv_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for x, w, options in _OPTIONS:
        yield tuple(np.asarray(rng.uniform(0.5, 2, s), dtype) for s in (x, w)), options


@op(
    name="conv2d", shape=_conv_shape, axes=_conv_axes, smooth=SMOOTH,
    sign=lambda same, x, w: x & w & NONNEGATIVE, reference=_conv_reference,
    samples=Samples(_conv_cases, complex_step=True),
)  # fmt: skip
def _conv2d(x: Any, w: Any, /, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1) -> Any:
    """Correlate images with filters."""
    return kernels.conv2d(x, w, stride, padding, dilation)


@_conv2d.vjp
def _(
    F: Any, g: Any, needs: Sequence[bool], _y: Any, x: Any, w: Any, *, stride: Pair, padding: Pair,
    dilation: Pair,
) -> Any:  # fmt: skip
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    extra = _left_over(x.shape, w.shape, **options)
    return (
        F.conv_transpose2d(g, w, output_padding=extra, **options) if needs[0] else None,
        F.conv2d_filters(g, x, size=w.shape[2:], **options) if needs[1] else None,
    )


def _left_over(x: Shape, w: Shape, **options: Any) -> tuple[int, int]:
    """Return the rows and columns at the far end that no window reaches."""
    win = window("scg.conv2d", x[2:], w[2:], **options)
    rows, columns = (
        n + 2 * p - d * (k - 1) - 1 - s * (out - 1)
        for n, p, d, k, s, out in zip(
            win.image, win.padding, win.dilation, win.size, win.stride, win.out, strict=True
        )
    )
    return rows, columns


@stands_for(_conv2d)
def conv2d(x: Any, w: Any, stride: Pair = 1, padding: Pair | str = 0, dilation: Pair = 1) -> Tensor:
    """Correlate images with filters: what deep learning calls a convolution.

    Parameters
    ----------
    x : Tensor or array_like, shape (n, c, h, w)
        Images.
    w : Tensor or array_like, shape (o, c, kh, kw)
        Filters; not flipped.
    stride, dilation : int or (int, int)
        Step of the window, and distance of the filter's taps, for height and width.
    padding : int, (int, int), "valid" or "same"
        Zeros on each side; "valid" is none; "same" gives `ceil(h / stride)` rows, with the odd
        zero at the end.

    Returns
    -------
    Tensor, shape (n, o, oh, ow)
        With `oh = (h + 2 * padding - dilation * (kh - 1) - 1) // stride + 1`.

    Raises
    ------
    ShapeError
        If ranks or channels differ, or the filter is larger than the padded image.
    OptionError
        If an option is out of range.

    Notes
    -----
    Gradient: `conv_transpose2d` for the images, and the correlation of images and cotangents for
    the filters. The axis of images stays aligned, the others are mixed.

    Examples
    --------
    >>> import numpy as np
    >>> import scg
    >>> scg.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    Tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    if isinstance(padding, str):
        x, w = as_tensor(x), as_tensor(w)
        check_rank("conv2d", 4, x=x.shape, w=w.shape)
        x, padding = resolve_padding("conv2d", x, w.shape[2:], stride, padding, dilation)
    return _apply_conv2d(x, w, stride=stride, padding=padding, dilation=dilation)


_apply_conv2d = _conv2d


def conv1d(x: Any, w: Any, stride: int = 1, padding: int | str = 0, dilation: int = 1) -> Tensor:
    """Correlate sequences with filters.

    Parameters
    ----------
    x : Tensor or array_like, shape (n, c, t)
        Sequences.
    w : Tensor or array_like, shape (o, c, k)
        Filters; not flipped.
    stride, dilation : int
        Step of the window, and distance of the filter's taps.
    padding : int, "valid" or "same"
        As in `conv2d`.

    Returns
    -------
    Tensor, shape (n, o, (t + 2 * padding - dilation * (k - 1) - 1) // stride + 1)

    Raises
    ------
    ShapeError, OptionError
        As in `conv2d`.

    Notes
    -----
    Gradient: as of `conv2d`, on images of height 1.

    Examples
    --------
    >>> import scg
    >>> scg.conv1d([[[1.0, 2.0, 4.0, 7.0]]], [[[-1.0, 1.0]]])
    Tensor([[[1., 2., 3.]]])
    """
    x, w = as_tensor(x), as_tensor(w)
    check_rank("conv1d", 3, x=x.shape, w=w.shape)
    for option, value in (("stride", stride), ("dilation", dilation), ("padding", padding)):
        if not isinstance(value, int | np.integer | str):
            raise OptionError(f"scg.conv1d: {option} is {value!r}; give one whole number")
    flat = padding if isinstance(padding, str) else (0, padding)
    y = conv2d(expand_dims(x, 2), expand_dims(w, 2), (1, stride), flat, (1, dilation))
    return squeeze(y, 2)


# --- its transpose ---------------------------------------------------------------------------


def _image_shape(
    x: Shape, w: Shape, *, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1,
    output_padding: Pair = 0,
) -> Shape:  # fmt: skip
    check_rank("conv_transpose2d", 4, x=x, w=w)
    if x[1] != w[0]:
        raise ShapeError(
            f"scg.conv_transpose2d: x of shape {x} has {x[1]} channels, filters of shape {w} take "
            f"{w[0]}; make them equal"
        )
    s, p, d, extra = (
        pair("scg.conv_transpose2d", option, value, least)
        for option, value, least in (
            ("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1),
            ("output_padding", output_padding, 0),
        )
    )  # fmt: skip
    if any(e >= step for e, step in zip(extra, s, strict=True)):
        raise OptionError(
            f"scg.conv_transpose2d: output_padding is {output_padding}, but must be less than the "
            f"stride {stride}"
        )
    height, width = (
        (x[2 + a] - 1) * s[a] - 2 * p[a] + d[a] * (w[2 + a] - 1) + 1 + extra[a] for a in (0, 1)
    )
    return x[0], w[1], height, width


def _transpose_axes(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    return [(Along(0), None, None, None), (None, Along(1), None, None)]


def _transpose_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for x, w, options in _OPTIONS:
        y = _conv_shape(x, w, **options)
        inputs = tuple(np.asarray(rng.uniform(0.5, 2, s), dtype) for s in (y, w))
        yield inputs, {**options, "output_padding": _left_over(x, w, **options)}


def _transpose_reference(
    x: Any, w: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any
) -> Any:
    """Add a scaled filter for every pixel."""
    (sh, sw), (ph, pw), (dh, dw) = (np.broadcast_to(v, 2) for v in (stride, padding, dilation))
    extra_rows, extra_columns = np.broadcast_to(output_padding, 2)
    rows, columns = dh * (w.shape[2] - 1) + 1, dw * (w.shape[3] - 1) + 1
    height = (x.shape[2] - 1) * sh + rows + extra_rows
    width = (x.shape[3] - 1) * sw + columns + extra_columns
    z = np.zeros((x.shape[0], w.shape[1], height, width))
    for i, j in np.ndindex(x.shape[2:]):
        target = z[:, :, i * sh : i * sh + rows : dh, j * sw : j * sw + columns : dw]
        target += np.einsum("ni,iokl->nokl", x[:, :, i, j], w)
    return z[:, :, ph : height - ph, pw : width - pw]


@op(
    shape=_image_shape, axes=_transpose_axes, smooth=SMOOTH,
    sign=lambda same, x, w: x & w & NONNEGATIVE, reference=_transpose_reference,
    samples=Samples(_transpose_cases),
)  # fmt: skip
def conv_transpose2d(
    x: Any, w: Any, /, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1,
    output_padding: Pair = 0,
) -> Any:  # fmt: skip
    """Apply the transpose of `conv2d`: each pixel adds a scaled filter to the result.

    Parameters
    ----------
    x : Tensor or array_like, shape (n, o, h, w)
        What a `conv2d` with these filters would return.
    w : Tensor or array_like, shape (o, c, kh, kw)
        Its filters.
    stride, padding, dilation : int or (int, int)
        As in that `conv2d`.
    output_padding : int or (int, int)
        Rows and columns to add at the far end, fewer than the stride: a convolution with a stride
        gives the same shape for several image sizes, and this chooses among them.

    Returns
    -------
    Tensor, shape (n, c, oh, ow)
        With `oh = (h - 1) * stride - 2 * padding + dilation * (kh - 1) + 1 + output_padding`.

    Raises
    ------
    ShapeError
        If ranks or channels do not fit.
    OptionError
        If an option is out of range.

    Notes
    -----
    Gradient: `conv2d` for `x`, and the correlation of cotangents and `x` for the filters.

    Examples
    --------
    >>> import numpy as np
    >>> import scg
    >>> scg.conv_transpose2d(np.ones((1, 1, 1, 2)), np.array([[[[1.0, 2.0]]]]))
    Tensor([[[[1., 3., 2.]]]])
    """
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    shape = _image_shape(x.shape, w.shape, output_padding=output_padding, **options)
    return kernels.conv2d_input_vjp(x, w, shape, **options)


@conv_transpose2d.vjp
def _(
    F: Any, g: Any, needs: Sequence[bool], _y: Any, x: Any, w: Any, *, stride: Pair, padding: Pair,
    dilation: Pair, output_padding: Pair,
) -> Any:  # fmt: skip
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return (
        F.conv2d(g, w, **options) if needs[0] else None,
        F.conv2d_filters(x, g, size=w.shape[2:], **options) if needs[1] else None,
    )


# --- the filters' cotangent ------------------------------------------------------------------


def _filters_shape(g: Shape, x: Shape, *, size: tuple[int, int], **_: Any) -> Shape:
    check_rank("conv2d_filters", 4, g=g, x=x)
    return (g[1], x[1], *size)


def _filters_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for x, w, options in _OPTIONS:
        shapes = _conv_shape(x, w, **options), x
        inputs = tuple(np.asarray(rng.uniform(0.5, 2, s), dtype) for s in shapes)
        yield inputs, {**options, "size": w[2:]}


def _filters_reference(g: Any, x: Any, stride: Any, padding: Any, dilation: Any, size: Any) -> Any:
    return np.einsum("nohw,nchwij->ocij", g, _windows(x, size, stride, padding, dilation))


@op(
    shape=_filters_shape, smooth=SMOOTH,
    axes=lambda shapes, out, **_: [(None, Along(0), None, None), (None, Along(1), None, None)],
    sign=lambda same, g, x: g & x & NONNEGATIVE, reference=_filters_reference,
    samples=Samples(_filters_cases, complex_step=True),
)  # fmt: skip
def conv2d_filters(
    g: Any, x: Any, /, size: tuple[int, int], stride: Pair = 1, padding: Pair = 0,
    dilation: Pair = 1,
) -> Any:  # fmt: skip
    """Sum the windows of images, each weighted by a cotangent: what `conv2d`'s filters receive."""
    shape = (g.shape[1], x.shape[1], *size)
    return kernels.conv2d_weight_vjp(g, x, shape, stride, padding, dilation)


@conv2d_filters.vjp
def _(
    F: Any, g: Any, needs: Sequence[bool], _y: Any, h: Any, x: Any, *, size: Any, stride: Pair,
    padding: Pair, dilation: Pair,
) -> Any:  # fmt: skip
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    extra = _left_over(x.shape, g.shape, **options)
    return (
        F.conv2d(x, g, **options) if needs[0] else None,
        F.conv_transpose2d(h, g, output_padding=extra, **options) if needs[1] else None,
    )
