"""Where in one block of memory each array of a plan lies: together only if not alive together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scg._arrays import LINE, aligned
from scg._compile._buffers import Buffer
from scg._typing import Array

__all__ = ["allocate"]

# Columns of what is known of a buffer: where it lies, and between which steps it is alive.
START, STOP, FIRST, LAST = range(4)


def allocate(buffers: Iterable[Buffer]) -> int:
    """Give each buffer its array; return how many bytes they need together.

    Parameters
    ----------
    buffers : iterable of Buffer
        A pinned one gets memory that no other shares.
    """
    ordered = sorted(buffers, key=lambda b: (b.pinned, -b.nbytes))
    placed, total = np.zeros((len(ordered), 4), np.int64), 0
    for number, buffer in enumerate(ordered):
        size, start, (first, last) = _rounded(buffer.nbytes), total, _life(buffer)
        if not buffer.pinned:  # they come last: there is nothing to search
            before = placed[:number]
            start = _gap(size, before[(before[:, FIRST] <= last) & (first <= before[:, LAST])])
        placed[number] = start, start + size, first, last
        total = max(total, start + size)
    memory = aligned(total)
    for buffer, start in zip(ordered, placed[:, START].tolist(), strict=True):
        flat = memory[start : start + buffer.nbytes].view(buffer.dtype)
        buffer.array = flat.reshape(buffer.shape)
    return total


def _rounded(nbytes: int) -> int:
    return -(-max(nbytes, 1) // LINE) * LINE


def _life(buffer: Buffer) -> tuple[int, int]:
    steps = buffer.writers + buffer.readers
    return min(steps), max(steps)


def _gap(size: int, taken: Array) -> int:
    """Return the first place where `size` bytes are free."""
    taken = taken[np.argsort(taken[:, START])]
    free_from = np.maximum.accumulate([0, *taken[:, STOP]])
    wide = np.flatnonzero(taken[:, START] - free_from[:-1] >= size)
    return int(free_from[wide[0] if wide.size else -1])
