"""How smooth an op is in an input, from which the routing rules follow."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum

__all__ = [
    "JUMP", "KINK", "NOT_LINEAR", "OPAQUE", "POLE", "SMOOTH", "Linear", "Passage", "SafeRule",
    "SignRule", "SmoothRule", "Smoothness",
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


class Linear(Enum):
    """In which inputs an op is linear: a loss is taken apart through such ops into its costs."""

    NOT = "none"
    MOVES = "all together, each element with coefficient 1 or -1"
    ALL = "all together"
    EACH = "each, the others held"
    FIRST = "the first, the others held"


# By a name of its own a member is found at once; in its class it takes ten times as long (Python
# 3.11), which every op would pay.
NOT_LINEAR = Linear.NOT


class Passage(IntEnum):
    """How a path from a value to a cost passes derivatives on, once noise and signs are known.

    The worst step of a path counts, and the worst path; an assertion silences what lies behind it.
    """

    ASSERTED = -1  # behind `continuous=True`: no jump there shows
    SMOOTH = 0
    KINK = 1
    FLAT = 2  # a jump that no continuous noise crosses: the derivative is 0 almost everywhere
    DETACHED = 3  # scg.detach: the user's word
    READ = 4  # Python read the value and may have decided by it
    JUMP = 5
    POLE = 6
    SUPPORT = 7  # a parameter that moves the support of a draw whose score is used
    OPAQUE = 8
