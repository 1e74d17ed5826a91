"""How smooth an op is in an input, from which the routing rules follow."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

__all__ = [
    "JUMP", "KINK", "OPAQUE", "POLE", "SMOOTH", "SafeRule", "SignRule", "SmoothRule", "Smoothness",
]  # fmt: skip


class Smoothness(IntEnum):
    """How an output depends on an input; the worst over all paths counts."""

    SMOOTH = 0
    KINK = 1
    POLE = 2
    JUMP = 3
    OPAQUE = 4


SMOOTH, KINK, POLE, JUMP, OPAQUE = Smoothness

# As `Op` takes them: for all inputs, for each, or to be asked.
SmoothRule = Smoothness | tuple[Smoothness, ...] | Callable[..., tuple[Smoothness, ...]]
SignRule = int | Callable[..., int]
SafeRule = int | tuple[int, ...] | Callable[..., tuple[int, ...]]
