"""Pooling: the largest or the mean number in each window of an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from scg._axes import Along, AxisMap
from scg._op import JUMP, KINK, SMOOTH, op, stands_for
from scg._tensor import Tensor, as_tensor
from scg._typing import DType, Shape
from scg.kernels import pool as kernels
from scg.kernels._window import pair, window
from scg.ops._samples import Case, Samples
from scg.ops.convolution import Pair, check_rank, resolve_padding
from scg.tape import NONNEGATIVE

__all__ = ["avg_pool2d", "max_pool2d"]


def _pooled_shape(x: Shape, *, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Shape:
    check_rank("max_pool2d or avg_pool2d", 4, x=x)
    both = pair("pooling", "size", size, 1)
    step = both if stride is None else stride
    return (*x[:2], *window("pooling", x[2:], both, step, padding).out)


def _per_image(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep images and channels apart."""
    return [(Along(0), Along(1), None, None)] * len(shapes)


_OPTIONS: tuple[tuple[Shape, dict[str, Any]], ...] = (
    ((2, 2, 4, 6), {"size": 2, "stride": None, "padding": 0}),
    ((1, 2, 5, 5), {"size": (2, 3), "stride": None, "padding": 0}),
    ((2, 1, 5, 6), {"size": 3, "stride": (1, 2), "padding": 1}),
    ((0, 1, 2, 2), {"size": 2, "stride": None, "padding": 0}),
)


def _pool_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, options in _OPTIONS:
        # Numbers at equal distances: no difference step makes another one the largest.
        count = int(np.prod(shape))
        numbers = rng.permutation(count).reshape(shape) * (4 / max(count, 1)) - 2
        yield (numbers.astype(dtype),), options


def _close_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    """Yield numbers so close that changing one by a percent makes it the largest."""
    for (x,), options in _pool_cases(rng, dtype):
        yield (1 + x / 500,), options


def _pooled_cases(rng: np.random.Generator, dtype: DType) -> Iterable[tuple[Case, Shape]]:
    for shape, options in _OPTIONS:
        g = np.asarray(rng.uniform(0.5, 2, _pooled_shape(shape, **options)), dtype)
        yield ((g,), options), shape


def _windows(x: Any, size: Any, stride: Any, padding: Any, fill: float) -> Any:
    (kh, kw), (ph, pw) = np.broadcast_to(size, 2), np.broadcast_to(padding, 2)
    sh, sw = (kh, kw) if stride is None else np.broadcast_to(stride, 2)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), (2, 3))
    return seen[:, :, ::sh, ::sw]


# --- the largest -----------------------------------------------------------------------------


@op(
    name="max_pool2d", shape=_pooled_shape, axes=_per_image, smooth=KINK, sign=lambda same, x: x,
    reference=lambda x, **options: _windows(x, fill=-np.inf, **options).max((4, 5)),
    samples=Samples(_pool_cases, ulps=0),
)  # fmt: skip
def _max_pool2d(x: Any, /, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    """Find the largest number in each window."""
    return kernels.max_pool2d(x, size, stride, padding)[0]


@_max_pool2d.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, size: Pair, stride: Pair | None, padding: Pair) -> Any:
    # Finding the places again costs one more pass, but keeps them out of memory until then.
    index = F.max_pool2d_index(x, size=size, stride=stride, padding=padding)
    return F.unpool2d(g, index, size=x.shape[2:])


@stands_for(_max_pool2d)
def max_pool2d(x: Any, size: Pair, stride: Pair | None = None, padding: Pair | str = 0) -> Tensor:
    """Find the largest number in each window.

    Parameters
    ----------
    x : Tensor or array_like, shape (n, c, h, w)
        Images.
    size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        Step of the window; its size if not given.
    padding : int, (int, int), "valid" or "same"
        How far windows hang over the edge, at most half their size; nothing there is chosen.

    Returns
    -------
    Tensor, shape (n, c, oh, ow)

    Raises
    ------
    ShapeError
        If `x` does not have four axes or the window does not fit.
    OptionError
        If an option is out of range.

    Notes
    -----
    Gradient: to the largest number of each window, the first of equal ones. A kink where they are
    equal.

    Examples
    --------
    >>> import numpy as np
    >>> import scg
    >>> scg.max_pool2d(np.array([[[[1.0, 5.0, 2.0, 3.0]]]]), (1, 2))
    Tensor([[[[5., 3.]]]])
    """
    if isinstance(padding, str):
        x, padding = _resolved("max_pool2d", x, size, stride, padding, -np.inf)
    return _apply_max(x, size=size, stride=stride, padding=padding)


_apply_max = _max_pool2d


def _resolved(
    name: str, x: Any, size: Pair, stride: Pair | None, padding: str, value: float
) -> tuple[Tensor, Pair]:
    images = as_tensor(x)
    check_rank(name, 4, x=images.shape)
    both = pair(name, "size", size, 1)
    step = both if stride is None else stride
    return resolve_padding(name, images, both, step, padding, value=value)


def _index_reference(x: Any, size: Any, stride: Any, padding: Any) -> Any:
    """Look up which of the numbered pixels in each window the largest number is."""
    numbers = np.broadcast_to(np.arange(np.prod(x.shape[2:])).reshape(x.shape[2:]), x.shape)
    options = size, stride, padding
    rows, places = (
        windows.reshape(*windows.shape[:4], windows.shape[4] * windows.shape[5])
        for windows in (_windows(x, *options, -np.inf), _windows(numbers, *options, -1))
    )
    # Where all are -inf, the surroundings must not win.
    largest = np.where(places < 0, False, (rows == rows.max(-1, keepdims=True)) | np.isnan(rows))
    return np.take_along_axis(places, largest.argmax(-1)[..., None], -1)[..., 0]


@op(
    shape=_pooled_shape, axes=_per_image, smooth=JUMP, reference=_index_reference,
    samples=Samples(_close_cases),
)  # fmt: skip
def max_pool2d_index(x: Any, /, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    """Find where in its flattened image the largest number of each window is."""
    return kernels.max_pool2d(x, size, stride, padding)[1]


def _unpooled_shape(g: Shape, index: Shape, *, size: tuple[int, int]) -> Shape:
    check_rank("unpool2d", 4, g=g, index=index)
    return (*g[:2], *size)


def _unpool_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape, places in (((2, 2, 2, 3), (4, 5)), ((1, 1, 3, 3), (2, 1)), ((0, 1, 2, 2), (3, 3))):
        g = np.asarray(rng.uniform(0.5, 2, shape), dtype)
        yield (g, rng.integers(0, places[0] * places[1], shape)), {"size": places}


def _unpool_reference(g: Any, index: Any, size: tuple[int, int]) -> Any:
    """Add the elements one by one."""
    out = np.zeros((*g.shape[:2], size[0] * size[1]))
    for place in np.ndindex(g.shape):
        out[(*place[:2], index[place])] += g[place]
    return out.reshape(*g.shape[:2], *size)


@op(
    shape=_unpooled_shape, axes=_per_image, smooth=(SMOOTH, JUMP),
    sign=lambda same, g, _: g & NONNEGATIVE, reference=_unpool_reference,
    samples=Samples(_unpool_cases),
)  # fmt: skip
def unpool2d(g: Any, index: Any, /, size: tuple[int, int]) -> Any:
    """Add each number to zeros at a place of its flattened image."""
    return kernels.max_pool2d_vjp(g, index, (*g.shape[:2], *size))


@unpool2d.vjp
def _(F: Any, g: Any, _y: Any, _g: Any, index: Any, *, size: tuple[int, int]) -> Any:
    flat, places = (v.reshape((*v.shape[:2], -1 if v.size else 0)) for v in (g, index))
    return F.take_along_axis(flat, places, axis=2).reshape(_g.shape), None


# --- the mean --------------------------------------------------------------------------------


@op(
    name="avg_pool2d", shape=_pooled_shape, axes=_per_image, smooth=SMOOTH,
    sign=lambda same, x: x & NONNEGATIVE,
    reference=lambda x, **options: _windows(x, fill=0.0, **options).mean((4, 5)),
    samples=Samples(_pool_cases, complex_step=True),
)  # fmt: skip
def _avg_pool2d(x: Any, /, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    """Average each window."""
    return kernels.avg_pool2d(x, size, stride, padding)


@_avg_pool2d.vjp
def _(F: Any, g: Any, _y: Any, _x: Any, *, size: Pair, stride: Pair | None, padding: Pair) -> Any:
    return F.avg_unpool2d(g, shape=_x.shape, size=size, stride=stride, padding=padding)


@stands_for(_avg_pool2d)
def avg_pool2d(x: Any, size: Pair, stride: Pair | None = None, padding: Pair | str = 0) -> Tensor:
    """Average each window.

    Parameters
    ----------
    x : Tensor or array_like, shape (n, c, h, w)
        Images.
    size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        Step of the window; its size if not given.
    padding : int, (int, int), "valid" or "same"
        Zeros on each side; they count as numbers of the window.

    Returns
    -------
    Tensor, shape (n, c, oh, ow)

    Raises
    ------
    ShapeError
        If `x` does not have four axes or the window does not fit.
    OptionError
        If an option is out of range.

    Notes
    -----
    Gradient: each window's is spread evenly over it.

    Examples
    --------
    >>> import numpy as np
    >>> import scg
    >>> scg.avg_pool2d(np.array([[[[1.0, 5.0, 2.0, 4.0]]]]), (1, 2))
    Tensor([[[[3., 3.]]]])
    """
    if isinstance(padding, str):
        x, padding = _resolved("avg_pool2d", x, size, stride, padding, 0.0)
    return _apply_avg(x, size=size, stride=stride, padding=padding)


_apply_avg = _avg_pool2d


def _spread_shape(g: Shape, *, shape: Shape, **_: Any) -> Shape:
    check_rank("avg_unpool2d", 4, g=g)
    return shape


def _spread_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for (inputs, options), shape in _pooled_cases(rng, dtype):
        yield inputs, {"shape": shape, **options}


def _spread_reference(g: Any, shape: Shape, size: Any, stride: Any, padding: Any) -> Any:
    """Add to the windows one by one."""
    (kh, kw), (ph, pw) = np.broadcast_to(size, 2), np.broadcast_to(padding, 2)
    sh, sw = (kh, kw) if stride is None else np.broadcast_to(stride, 2)
    out = np.zeros((*shape[:2], shape[2] + 2 * ph, shape[3] + 2 * pw))
    for i, j in np.ndindex(g.shape[2:]):
        share = g[:, :, i, j, None, None] / (kh * kw)
        out[:, :, i * sh : i * sh + kh, j * sw : j * sw + kw] += share
    return out[:, :, ph : ph + shape[2], pw : pw + shape[3]]


@op(
    shape=_spread_shape, axes=_per_image, smooth=SMOOTH,
    sign=lambda same, g: g & NONNEGATIVE, reference=_spread_reference,
    samples=Samples(_spread_cases),
)  # fmt: skip
def avg_unpool2d(
    g: Any, /, shape: Shape, size: Pair, stride: Pair | None = None, padding: Pair = 0
) -> Any:
    """Spread each number evenly over its window: the transpose of `avg_pool2d`."""
    return kernels.avg_pool2d_vjp(g, shape, size, stride, padding)


@avg_unpool2d.vjp
def _(
    F: Any,
    g: Any,
    _y: Any,
    _g: Any,
    *,
    shape: Shape,
    size: Pair,
    stride: Pair | None,
    padding: Pair,
) -> Any:
    return F.avg_pool2d(g, size=size, stride=stride, padding=padding)
