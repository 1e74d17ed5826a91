"""Copies of parts of A and B that lie as the tiles of `_product.py` read them.

The file is named `simd_*` so that a change in it invalidates compiled kernels.
"""

from __future__ import annotations

from typing import Any

from scg.kernels._jit import device
from scg.kernels.simd_tile import (
    COLUMNS,
    ROWS,
    VECTOR_BYTES,
    call_transpose,
    copy_column,
    copy_row,
    load,
    store,
)

__all__ = ["write_panels", "write_tiles"]


@device
def _pack_panel(
    like: Any, transpose: Any, source: Any, row: Any, column: Any, depth: Any, width: Any,
    panel: Any, wide: Any,
) -> None:  # fmt: skip
    """Copy B[depth, width] to a panel whose rows are contiguous, `wide` bytes apart."""
    size = like.itemsize
    if row == size:
        lanes = VECTOR_BYTES // size
        for p in range(0, depth, lanes):
            for j in range(0, width, lanes):
                corner, goal = source + p * size + j * column, panel + p * wide + j * size
                call_transpose(transpose, corner, column, width - j, depth - p, goal, wide)
    else:
        for p in range(depth):
            for j in range(width):
                x = load(like, source + p * row + j * column)
                store(like, panel + p * wide + j * size, x)


@device
def write_panels(
    like: Any, transpose: Any, source: Any, row: Any, column: Any, depth: Any, width: Any,
    panels: Any, apart: Any,
) -> None:  # fmt: skip
    """Copy B[depth, width] to panels that begin `apart` bytes from each other.

    Row after row of the whole block where rows are contiguous: panel after panel would come back
    to the page of each row for 64 bytes.
    """
    size, lanes = like.itemsize, VECTOR_BYTES // like.itemsize
    narrow = COLUMNS * lanes
    whole = width // narrow if column == size else 0
    for p in range(depth if whole else 0):
        for q in range(whole):
            here = source + p * row + q * narrow * size
            copy_row(like, here, narrow, panels + q * apart + p * narrow * size)
    for q in range(whole, -(-width // narrow)):
        part, panel = min(narrow, width - q * narrow), panels + q * apart
        wide, here = -(-part // lanes) * VECTOR_BYTES, source + q * narrow * column
        if column == size:
            for p in range(depth):
                copy_row(like, here + p * row, part, panel + p * wide)
        else:
            _pack_panel(like, transpose, here, row, column, depth, part, panel, wide)


@device
def write_tiles(
    like: Any, a: Any, a_col: Any, rows: Any, depth: Any, target: Any, apart: Any
) -> None:
    """Copy A[rows, depth], contiguous from row to row, to tiles `apart` bytes from each other."""
    size = like.itemsize
    tiles = -(-rows // ROWS)
    low, high = rows // tiles, rows % tiles
    for p in range(depth):
        here, goal, left = a + p * a_col, target + p * ROWS * size, rows
        for t in range(tiles):
            copy_column(like, here, left, goal)
            height = low + (t < high)
            here += height * size
            goal += apart
            left -= height
