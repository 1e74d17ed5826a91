"""Where in one block of memory each array of a plan lies: together only if not alive together."""

from __future__ import annotations

from collections.abc import Iterable

from scg._arrays import LINE, aligned
from scg._compile._buffers import Buffer

__all__ = ["allocate"]


def allocate(buffers: Iterable[Buffer], end: int) -> int:
    """Give each buffer its array; return how many bytes they need together.

    Parameters
    ----------
    buffers : iterable of Buffer
        A pinned one gets memory that no other shares.
    end : int
        The number of steps: what is read there is a result.
    """
    placed: list[tuple[int, int, tuple[int, int], Buffer]] = []
    total = 0
    for buffer in sorted(buffers, key=lambda b: -b.nbytes):
        life = (-1, end + 1) if buffer.pinned else _life(buffer)
        size = -(-max(buffer.nbytes, 1) // LINE) * LINE
        start = _gap(size, [(a, b) for a, b, other, _ in placed if _overlap(life, other)])
        placed.append((start, start + size, life, buffer))
        total = max(total, start + size)
    memory = aligned(total)
    for start, _, _, buffer in placed:
        flat = memory[start : start + buffer.nbytes].view(buffer.dtype)
        buffer.array = flat.reshape(buffer.shape)
    return total


def _life(buffer: Buffer) -> tuple[int, int]:
    steps = buffer.writers + buffer.readers
    return min(steps), max(steps)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _gap(size: int, taken: list[tuple[int, int]]) -> int:
    """Return the first place where `size` bytes are free."""
    start = 0
    for begin, end in sorted(taken):
        if begin - start >= size:
            return start
        start = max(start, end)
    return start
