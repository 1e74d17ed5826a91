"""Convolutions in bands of output rows whose windows stay in the second cache.

What each tap of a filter sees of a band is copied to a row of a matrix (`_conv_windows.py`). The
product of filters and that is the band of the result; both vjps are products with it too. Bands
and groups of images follow from the sizes alone, so threads change no bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg._typing import Array, DType
from scg.kernels._conv_windows import (
    BAND,
    CHANNELS,
    FIELDS,
    HEIGHT,
    IMAGES,
    OUT_H,
    OUT_W,
    OUTPUTS,
    PAD_H,
    PIECES,
    PRODUCT,
    SIZE_H,
    SIZE_W,
    SLACK,
    STEP_H,
    TAP_H,
    TILE,
    W,
    X,
    Y,
    copy_image,
    depth_of,
    gather,
    image_bytes,
    is_copied,
    layout,
    pitch_of,
    room,
    scatter,
    write_image,
)
from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import device, threads
from scg.kernels._product import FIELDS as OF_PRODUCT
from scg.kernels._product import MULTIPLY, addresses
from scg.kernels._window import Window
from scg.kernels.execute import Line, Schedule, place
from scg.kernels.machine import task
from scg.kernels.simd_memory import call_task, load_i64
from scg.kernels.simd_tile import COLUMNS, VECTOR_BYTES, address, copy_row
from scg.kernels.tasks import DIVIDED_SIZE

__all__ = ["correlate", "filters_vjp", "images_vjp"]

_P = {name: number for number, name in enumerate(OF_PRODUCT)}
A, A_ROW, A_COL, B, B_ROW, B_COL, C, C_ROW, ACCUMULATE, M, K, N, DOWN, ACROSS = (
    _P[name] for name in (
        "a", "a_row", "a_col", "b", "b_row", "b_col", "c", "c_row", "accumulate", "m", "k", "n",
        "down", "across",
    )
)  # fmt: skip
TOOLS, ALL = _P["tile"], len(OF_PRODUCT)

# Bytes of the windows of a band: they, what is packed of them and a part of the result share the
# second cache. Pixels of a band below which its product would be mostly edges.
BAND_BYTES, ENOUGH = 3 << 16, 48
# Groups of images whose parts of a filter's cotangent are added up by themselves, and pieces of a
# single image that several threads take.
GROUPS, SHARES = 8, 4
REAL_F64, REAL_F32 = np.float64, np.float32


@device
def _multiply(
    product: Any, row: Any, a: Any, a_row: Any, a_col: Any, b: Any, b_row: Any, b_col: Any, c: Any,
    c_row: Any, m: Any, k: Any, n: Any, accumulate: Any,
) -> None:  # fmt: skip
    product[A], product[A_ROW], product[A_COL] = a, a_row, a_col
    product[B], product[B_ROW], product[B_COL] = b, b_row, b_col
    product[C], product[C_ROW], product[ACCUMULATE] = c, c_row, accumulate
    product[M], product[K], product[N], product[DOWN], product[ACROSS] = m, k, n, 1, 1
    for i in range(3):
        product[TOOLS + i] = load_i64(row, TILE + i)
    call_task(load_i64(row, PRODUCT), 0, 1, address(product))


def _correlate_f64(begin: int, end: int, row: int) -> None:
    """Do pieces of images: some bands of output rows."""
    like = np.empty(0, REAL_F64)
    size = like.itemsize
    copied, depth, pitch = is_copied(row), depth_of(row), pitch_of(row, size)
    channel, line, phase = layout(row, size)
    outputs, out_h, out_w = load_i64(row, OUTPUTS), load_i64(row, OUT_H), load_i64(row, OUT_W)
    high, pieces = load_i64(row, BAND), load_i64(row, PIECES)
    bands = -(-out_h // high)
    own = np.zeros(room(row, size) if copied else 0, like.dtype)
    windows = np.empty(depth * pitch // size + SLACK, like.dtype)
    product = np.zeros(ALL, np.int64)
    for unit in range(begin, end):
        item, piece = unit // pieces, unit % pieces
        image = load_i64(row, X) + item * image_bytes(row, size)
        first, end_row = piece * bands // pieces * high, (piece + 1) * bands // pieces * high
        if copied:
            reach = (load_i64(row, SIZE_H) - 1) * load_i64(row, TAP_H) + 1
            top, step = first * load_i64(row, STEP_H), load_i64(row, STEP_H)
            copy_image(
                like, row, image, top, (min(end_row, out_h) - 1) * step + reach, address(own)
            )
            image = address(own)
        while first < min(end_row, out_h):
            last = min(first + high, out_h)
            gather(like, row, image, channel, line, phase, first, last, address(windows), pitch)
            _multiply(
                product, row, load_i64(row, W), depth * size, size, address(windows), pitch, size,
                load_i64(row, Y) + (item * outputs * out_h + first) * out_w * size,
                out_h * out_w * size, outputs, depth, (last - first) * out_w, 0,
            )  # fmt: skip
            first = last


def _filters_f64(begin: int, end: int, row: int) -> None:
    """Do groups of images, each of which gives a part of the filters' cotangent, turned."""
    like = np.empty(0, REAL_F64)
    size = like.itemsize
    copied, depth, pitch = is_copied(row), depth_of(row), pitch_of(row, size)
    channel, line, phase = layout(row, size)
    outputs, out_h, out_w = load_i64(row, OUTPUTS), load_i64(row, OUT_H), load_i64(row, OUT_W)
    high, groups, images = load_i64(row, BAND), load_i64(row, PIECES), load_i64(row, IMAGES)
    own = np.zeros(room(row, size) if copied else 0, like.dtype)
    windows = np.empty(depth * pitch // size + SLACK, like.dtype)
    product = np.zeros(ALL, np.int64)
    for group in range(begin, end):
        started = group * images // groups
        for item in range(started, (group + 1) * images // groups):
            image = load_i64(row, X) + item * image_bytes(row, size)
            if copied:
                rows = load_i64(row, HEIGHT) + 2 * load_i64(row, PAD_H)
                copy_image(like, row, image, 0, rows, address(own))
                image = address(own)
            for first in range(0, out_h, high):
                last = min(first + high, out_h)
                gather(like, row, image, channel, line, phase, first, last, address(windows), pitch)
                _multiply(
                    product, row, address(windows), pitch, size,
                    load_i64(row, W) + (item * outputs * out_h + first) * out_w * size, size,
                    out_h * out_w * size, load_i64(row, Y) + group * depth * outputs * size,
                    outputs * size, depth, (last - first) * out_w, outputs,
                    item > started or first > 0,
                )  # fmt: skip


def _images_f64(begin: int, end: int, row: int) -> None:
    """Do some channels of images each."""
    like = np.empty(0, REAL_F64)
    size, narrow = like.itemsize, COLUMNS * VECTOR_BYTES
    depth, pitch = depth_of(row), pitch_of(row, size)
    taps = load_i64(row, SIZE_H) * load_i64(row, SIZE_W)
    outputs, out_h, out_w = load_i64(row, OUTPUTS), load_i64(row, OUT_H), load_i64(row, OUT_W)
    high, pieces, channels = load_i64(row, BAND), load_i64(row, PIECES), load_i64(row, CHANNELS)
    own = np.empty(room(row, size), like.dtype)
    windows = np.empty(depth * pitch // size + SLACK, like.dtype)
    product = np.zeros(ALL, np.int64)
    channel, _, _ = layout(row, size)
    for unit in range(begin, end):
        item, piece = unit // pieces, unit % pieces
        low, top = piece * channels // pieces, (piece + 1) * channels // pieces
        for zeros in range(0, (top - low) * channel, narrow):
            copy_row(like, address(own), 0, address(own) + zeros)
        for first in range(0, out_h, high):
            last = min(first + high, out_h)
            _multiply(
                product, row, load_i64(row, W) + low * taps * size, size, depth * size,
                load_i64(row, Y) + (item * outputs * out_h + first) * out_w * size,
                out_h * out_w * size, size, address(windows), pitch, (top - low) * taps, outputs,
                (last - first) * out_w, 0,
            )  # fmt: skip
            scatter(like, row, address(windows), pitch, first, last, top - low, address(own))
        image = load_i64(row, X) + item * image_bytes(row, size)
        write_image(like, row, address(own), low, top, image)


def _both(body: Any) -> dict[DType, Any]:
    return {FLOAT32: task(float32_twin(body)), FLOAT64: task(body)}


CORRELATE, FILTERS, IMAGES_VJP = _both(_correlate_f64), _both(_filters_f64), _both(_images_f64)


# --- arrays ----------------------------------------------------------------------------------


def correlate(x: Array, w: Array, out: Array, win: Window) -> None:
    """Write the correlations of images with filters; all contiguous and of one native dtype."""
    pieces = _shares(len(x), -(-win.out[0] // _band(x, win)))
    _run(CORRELATE, x, w, out, w.shape[0], win, pieces, len(x) * pieces)


def images_vjp(g: Array, w: Array, out: Array, win: Window) -> None:
    """Write the cotangent of the images."""
    pieces = _shares(len(out), out.shape[1])
    _run(IMAGES_VJP, out, w, g, w.shape[0], win, pieces, len(out) * pieces)


def filters_vjp(g: Array, x: Array, win: Window) -> Array:
    """Return the cotangent of the filters as a matrix (outputs, what one filter holds)."""
    groups = min(GROUPS, len(x))
    parts = np.empty((groups, x.shape[1] * win.size[0] * win.size[1], g.shape[1]), x.dtype)
    _run(FILTERS, x, g, parts, g.shape[1], win, groups, groups)
    total: Array = parts.sum(0)
    return total.T


def _shares(images: int, most: int) -> int:
    return min(most, -(-SHARES * threads() // images))


def _band(x: Array, win: Window) -> int:
    """Return how many output rows are a band."""
    pixel = x.shape[1] * win.size[0] * win.size[1] * x.itemsize
    high, wide = win.out
    rows: int = min(max(BAND_BYTES // (pixel * wide), -(-ENOUGH // wide)), high)
    return -(-high // -(-high // rows))


def _run(
    tasks: dict[DType, Any], x: Array, w: Array, y: Array, outputs: int, win: Window, pieces: int,
    units: int,
) -> None:  # fmt: skip
    row = (
        place(x), place(w), place(y), x.shape[1], *win.image, outputs, *win.size, *win.out,
        *win.stride, *win.padding, *win.dilation, _band(x, win), pieces, len(x),
        MULTIPLY[x.dtype].address, *addresses(x.dtype),
    )  # fmt: skip
    assert len(row) == len(FIELDS)
    size = len(x) * x.shape[1] * outputs * math.prod(win.size) * math.prod(win.out)
    Schedule([Line(tasks[x.dtype], row, units, 1 if size >= DIVIDED_SIZE else units)]).run()
