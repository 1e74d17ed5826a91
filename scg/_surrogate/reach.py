"""What a value can reach: which costs, how, and along which axes.

A `Way` is a pair: the worst step on the path (`Passage`), and for each axis of the value how its
index maps to an index of the cost. Costs are bits of one integer, so that thousands of them that
are reached in the same way travel as one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from scg._axes import Along, AxisMap
from scg._run import Escape
from scg._smoothness import Passage
from scg.tape import Node

__all__ = [
    "Cause", "Reach", "Way", "bits", "compose_axes", "identity_axes", "join_axes", "mixed_axes",
]  # fmt: skip

Way: TypeAlias = tuple[Passage, AxisMap]


@dataclass(slots=True)
class Cause:
    """Why a path does not pass derivatives on: the operation, or the raw read."""

    passage: Passage
    node: Node
    escape: Escape | None = None


class Reach(dict[Way, int]):
    """For each way, the costs reached by it; a cost stands under one way, the join of its paths.

    Attributes
    ----------
    cause : Cause or None
        The worst step, if a path has one that passes no derivative on.
    data, direct, control : int
        The costs reached along edges, those of them without a detach on the way, and those reached
        through something that was read raw.
    escape : Escape or None
        Where it was read.
    """

    __slots__ = ("cause", "control", "data", "direct", "escape")

    def __init__(self) -> None:
        self.cause: Cause | None = None
        self.data = self.direct = self.control = 0
        self.escape: Escape | None = None

    def add(self, way: Way, costs: int) -> None:
        """Add paths to some costs."""
        for known, present in list(self.items()):
            both = present & costs
            if not both or known == way:
                continue
            joined = (max(known[0], way[0]), join_axes(known[1], way[1]))
            costs ^= both
            if joined != known:
                self._take(known, both)
                self[joined] = self.get(joined, 0) | both
        if costs:
            self[way] = self.get(way, 0) | costs

    def _take(self, way: Way, costs: int) -> None:
        left = self[way] ^ costs
        if left:
            self[way] = left
        else:
            del self[way]

    def blame(self, cause: Cause | None) -> None:
        """Note a step that passes no derivative on, if it is worse than what is known."""
        if cause is not None and (self.cause is None or cause.passage > self.cause.passage):
            self.cause = cause

    def follow(self, onward: Reach, costs: int, *, detached: bool = False) -> None:
        """Take over from the next node how some costs are reached."""
        self.data |= onward.data & costs
        self.control |= onward.control & costs
        if not detached:
            self.direct |= onward.direct & costs
        if self.escape is None:
            self.escape = onward.escape

    def join(self, onward: Reach) -> None:
        """Add all the paths of the next node, to which a smooth step leads."""
        for way, costs in onward.items():
            self.add(way, costs)
        self.blame(onward.cause)
        self.follow(onward, -1)

    def copied(self) -> Reach:
        """Return another reach that will grow by itself."""
        copy = Reach()
        copy.update(self)
        copy.blame(self.cause)
        copy.follow(self, -1)
        return copy

    @property
    def worst(self) -> Passage:
        """The worst step of all ways."""
        return max([passage for passage, _ in self])

    @property
    def costs(self) -> int:
        """All costs reached."""
        total = 0
        for costs in self.values():
            total |= costs
        return total


@cache
def identity_axes(ndim: int) -> AxisMap:
    """Return the map of a value onto itself."""
    return tuple(Along(axis) for axis in range(ndim))


def mixed_axes(ndim: int) -> AxisMap:
    """Return the map of which nothing is known."""
    return (None,) * ndim


def join_axes(first: AxisMap, second: AxisMap) -> AxisMap:
    """Keep the axes that two paths map alike."""
    if first == second:
        return first
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))


def compose_axes(inner: Sequence[Along | None], outer: AxisMap) -> AxisMap:
    """Return the map from an op's input to the cost, from input to output and output to cost.

    An axis of the cost is claimed once: a diagonal maps two axes to one, and its second is mixed.
    """
    result: list[Along | None] = []
    claimed: set[int] = set()
    for step in inner:
        onward = None if step is None else outer[step.axis]
        if step is None or onward is None or onward.axis in claimed:
            result.append(None)
            continue
        claimed.add(onward.axis)
        start = step.start + step.step * onward.start
        result.append(Along(onward.axis, start, step.step * onward.step))
    return tuple(result)


def bits(costs: int) -> Iterator[int]:
    """Yield the indices of the costs in a mask."""
    while costs:
        low = costs & -costs
        yield low.bit_length() - 1
        costs ^= low
