"""Pools of 2 x 2 windows side by side, the usual ones, in vector code."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._typing import Array
from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import device, threads
from scg.kernels._product import HAS_KERNEL
from scg.kernels._window import Window
from scg.kernels.execute import PIECES, Line, Schedule, place
from scg.kernels.machine import task
from scg.kernels.simd_memory import load_i64
from scg.kernels.simd_pool import largest_of_four
from scg.kernels.simd_tile import VECTOR_BYTES

__all__ = ["PARALLEL", "largest", "suits"]

X, HEIGHT, WIDTH, OUT_H, OUT_W, VALUE, INDEX = range(7)
PARALLEL = 1 << 16  # output pixels that are worth waking a second thread
REAL_F64, REAL_F32 = np.float64, np.float32


@device
def _planes(like: Any, begin: Any, end: Any, row: Any) -> None:
    size, lanes = like.itemsize, VECTOR_BYTES // like.itemsize
    height, width = load_i64(row, HEIGHT), load_i64(row, WIDTH)
    out_h, out_w = load_i64(row, OUT_H), load_i64(row, OUT_W)
    x, value, index = load_i64(row, X), load_i64(row, VALUE), load_i64(row, INDEX)
    for plane in range(begin, end):
        for r in range(out_h):
            source = x + (plane * height + 2 * r) * width * size
            for c in range(0, out_w, lanes):
                done = (plane * out_h + r) * out_w + c
                largest_of_four(
                    like, source + 2 * c * size, width * size, 2 * r * width + 2 * c, width,
                    out_w - c, value + done * size, index + done * 8,
                )  # fmt: skip


def _largest_f64(begin: int, end: int, row: int) -> None:
    _planes(np.empty(0, REAL_F64), begin, end, row)


LARGEST = {FLOAT32: task(float32_twin(_largest_f64)), FLOAT64: task(_largest_f64)}


def suits(win: Window) -> bool:
    """Tell whether this is for a window."""
    return HAS_KERNEL and win.size == win.stride == (2, 2) and win.padding == (0, 0)


def largest(planes: Array, value: Array, index: Array) -> None:
    """Write the largest number of each window of contiguous planes, and where it is."""
    row = place(planes), *planes.shape[1:], *value.shape[1:], place(value), place(index)
    count = len(planes)
    grain = count if value.size < PARALLEL else -(-count // (PIECES * threads()))
    Schedule([Line(LARGEST[planes.dtype], row, count, max(grain, 1))]).run()
