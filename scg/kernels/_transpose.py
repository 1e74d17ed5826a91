"""A matrix copied so that its columns become rows.

Square blocks are small enough for the first cache on both sides; inside them squares of one vector
a side are transposed in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.kernels._dtypes import FLOAT32, FLOAT64, float32_twin
from scg.kernels._jit import device
from scg.kernels.machine import task
from scg.kernels.simd_memory import load_i64
from scg.kernels.simd_tile import VECTOR_BYTES, load, store
from scg.kernels.simd_tile_code import transpose_tile

__all__ = ["BLOCK", "TRANSPOSE"]

# A row: addresses and bytes from row to row of both sides, then rows and columns of the source.
SOURCE, SOURCE_ROW, TARGET, TARGET_ROW, ROWS, COLUMNS = range(6)
# Rows and columns of a block.
BLOCK = 64
REAL_F64, REAL_F32 = np.float64, np.float32


@device
def _edge(
    like: Any, source: Any, source_row: Any, target: Any, target_row: Any, rows: Any, columns: Any
) -> None:
    """Copy what is less than a square."""
    size = like.itemsize
    for j in range(columns):
        for i in range(rows):
            x = load(like, source + i * source_row + j * size)
            store(like, target + j * target_row + i * size, x)


@device
def _blocks(like: Any, begin: Any, end: Any, row: Any) -> None:
    size, lanes = like.itemsize, VECTOR_BYTES // like.itemsize
    source_row, target_row = load_i64(row, SOURCE_ROW), load_i64(row, TARGET_ROW)
    rows, columns = load_i64(row, ROWS), load_i64(row, COLUMNS)
    across = -(-columns // BLOCK)
    for unit in range(begin, end):
        top, left = unit // across * BLOCK, unit % across * BLOCK
        for i in range(top, min(top + BLOCK, rows), lanes):
            for j in range(left, min(left + BLOCK, columns), lanes):
                source = load_i64(row, SOURCE) + i * source_row + j * size
                target = load_i64(row, TARGET) + j * target_row + i * size
                high, wide = min(rows - i, lanes), min(columns - j, lanes)
                if high == lanes and wide == lanes:
                    transpose_tile(like, source, source_row, lanes, lanes, target, target_row)
                else:
                    _edge(like, source, source_row, target, target_row, high, wide)


def _transpose_f64(begin: int, end: int, row: int) -> None:
    _blocks(np.empty(0, REAL_F64), begin, end, row)


TRANSPOSE = {FLOAT32: task(float32_twin(_transpose_f64)), FLOAT64: task(_transpose_f64)}
