"""How a loss takes together the outcomes of an enumerated draw: their mean, or nothing right.

Each outcome counts by K times its probability, so that the mean over K outcomes is the expectation.
A sum would be K times that, and as a number it cannot be told from a cost that is K times as large;
so it is told by the operation.
"""

from __future__ import annotations

from collections.abc import Iterator

from scg._axes import elementwise
from scg._surrogate.costs import Cost, Costs, Key
from scg.tape import Node

__all__ = ["Reductions"]

Axes = frozenset[int]


class Reductions:
    """The operations on the way from the elementary costs up to a loss.

    Parameters
    ----------
    parts : Costs
        A loss, taken apart.
    """

    def __init__(self, parts: Costs) -> None:
        self._above: dict[Cost | Key, list[tuple[Key, int]]] = {}
        for key, operands in parts.linear:
            for number, operand in enumerate(operands):
                if operand is not None:
                    self._above.setdefault(operand, []).append((key, number))

    def other_than_mean(self, cost: Cost, axis: int) -> Node | str | None:
        """Return what reduces an axis of a cost, if it is not a mean.

        Returns
        -------
        Node, str or None
            The operation; a text if the loss has that axis still, so that backward takes a sum.
        """
        seen: set[tuple[Cost | Key, Axes]] = set()
        left: list[tuple[Cost | Key, Axes]] = [(cost, frozenset({axis}))]
        while left:
            place = left.pop()
            if place in seen:
                continue
            seen.add(place)
            part, axes = place
            if part not in self._above:
                return f"the loss itself, whose axis {min(axes)} is summed"
            for key, number in self._above[part]:
                kept = _kept(key[0], number, axes)
                if kept is None:
                    return key[0]
                if kept:
                    left.append((key, kept))
        return None


def _kept(node: Node, number: int, axes: Axes) -> Axes | None:
    """Return the axes on which an operation keeps outcomes; None if it mixes them otherwise.

    It has no more of them behind a mean. Behind a reshape any axis may be theirs.
    """
    onward = dict(_onward(node, number))
    gone = axes - onward.keys()
    if not gone:
        return frozenset(onward[a] for a in axes)
    if node.name == "mean" and gone == axes:
        return frozenset()
    if node.name == "reshape":
        return frozenset(range(len(node.shape)))
    return None


def _onward(node: Node, number: int) -> Iterator[tuple[int, int]]:
    """Yield the axes of an operand that an operation keeps, with the axes of the result."""
    parent, op = node.parents[number], node.op
    assert parent is not None
    assert op is not None
    if op.axes is elementwise and parent.shape == node.shape:
        yield from ((axis, axis) for axis in range(len(node.shape)))
        return
    for axis, along in enumerate(op.axes(node.shapes, node.shape, **node.statics)[number]):
        if along is not None:
            yield axis, along.axis
