"""Where the elementary costs of a loss are drawn and listed, and the one number that each has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from scg._run import Draw, Escape
from scg._surrogate.costs import NEVER, Cost, Costs
from scg._surrogate.reach import bits
from scg._typing import DType, Shape
from scg.tape import Node

__all__ = ["Numbers", "Point", "StandIn", "placed"]


@dataclass(slots=True, eq=False)
class StandIn:
    """Something that is drawn like a node and is none: a cost that is itself a draw or a number.

    Attributes
    ----------
    node : Node
        Whose line of source it belongs to.
    parents : tuple of Node
        What leads to it.
    draw : Draw or None
        The draw that it stands for, if nodes remember one without an edge to it.
    """

    node: Node
    parents: tuple[Node, ...]
    shape: Shape
    dtype: DType
    order: int
    draw: Draw | None = None


Point: TypeAlias = Node | StandIn


class Numbers:
    """The numbers of the elementary costs, from 1, in the order in which they were made.

    Those of one place have one number. What has no place has none: a number in which nothing shows,
    such as the 0 that a sum begins with.

    Parameters
    ----------
    places : dict of Point to list of int
        As `placed` returns them.
    """

    def __init__(self, places: dict[Point, list[int]]) -> None:
        self._of: dict[int, int] = {}
        for number, indices in enumerate(places.values(), start=1):
            self._of.update(dict.fromkeys(indices, number))

    def of(self, indices: Iterable[int]) -> tuple[int, ...]:
        """Return the numbers of some elementary costs, each once."""
        return tuple(sorted({self._of[i] for i in indices if i in self._of}))

    def of_mask(self, costs: int) -> tuple[int, ...]:
        """Return the numbers of the costs in a mask."""
        return self.of(bits(costs))


def placed(
    parts: Costs, escapes: Sequence[tuple[Escape, int]]
) -> tuple[dict[Point, list[int]], list[StandIn]]:
    """Return the point at which each elementary cost is drawn.

    A number that no read may have chosen has no gradient, and no place.
    """
    chosen = 0
    for _, mask in escapes:
        chosen |= mask
    above = {
        operand: key[0] for key, operands in reversed(parts.linear) for operand in operands
        if isinstance(operand, Cost)
    }  # fmt: skip
    # What a later scaling made of a marked cost is drawn with the cost.
    whole = {rest.part: rest.whole for rest in parts.rests if isinstance(rest.whole, Cost)}
    places: dict[Cost, Point] = {}
    for number, cost in enumerate(parts.costs):
        counts = cost.time != NEVER or np.any(cost.value)  # the 0 that a sum begins with does not
        felt = cost.node is not None or (chosen >> number & 1 and counts)
        if felt and cost not in whole:
            places[cost] = _point(cost, above.get(cost), _chooser(number, escapes))
    found: dict[Point, list[int]] = {}
    for number, cost in enumerate(parts.costs):
        place = places.get(whole.get(cost, cost))
        if place is not None:
            found.setdefault(place, []).append(number)
    ordered = dict(sorted(found.items(), key=lambda entry: entry[0].order))
    return ordered, [point for point in ordered if isinstance(point, StandIn)]


def _chooser(number: int, escapes: Sequence[tuple[Escape, int]]) -> Node | None:
    """Return what Python read before it chose a cost: all that a loss has that is one number."""
    return next((escape.node for escape, mask in escapes if mask >> number & 1), None)


def _point(cost: Cost, above: Node | None, read: Node | None) -> Point:
    """Return the node of a cost, or what stands for it: a draw may be a cost, and a number."""
    node = cost.node
    own = node is not None and node.op is not None and node.name not in ("draw", "external")
    if own and (cost.time == NEVER or above is None):
        return node  # type: ignore[return-value]
    where = above if above is not None else node or read
    assert where is not None
    parents = () if node is None else (node,)
    value = np.asarray(cost.value)
    return StandIn(where, parents, value.shape, value.dtype, where.order)
