"""Linear operations: which operands carry costs, and how a cotangent passes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._bare import pulled, shape_of
from scg._partial import Partial
from scg._smoothness import NOT_LINEAR, Linear, Passage
from scg._sweep import unbroadcast
from scg._tensor import Tensor
from scg.tape import REQUIRES, ROUTED, Node

__all__ = ["by_tensor", "cotangents", "fitted", "operands", "scales", "sign"]


def scales(node: Node) -> bool:
    """Tell whether an operation may change by how much a cost counts."""
    return node.op is not None and node.op.linear is not Linear.MOVES


def by_tensor(node: Node, carrying: Sequence[bool]) -> bool:
    """Tell whether a factor of the costs has a gradient of its own."""
    return any(
        p is not None and p.flags & REQUIRES and not carries
        for p, carries in zip(node.parents, carrying, strict=True)
    )


def sign(node: Node, number: int) -> int:
    """Return the sign with which an operand counts."""
    name = node.name
    return -1 if name == "negative" or (name == "subtract" and number == 1) else 1


def cotangents(node: Node, carrying: Sequence[bool], g: Any) -> Sequence[Any]:
    """Pull a cotangent back to what carries costs and to what has a gradient."""
    needs = list(carrying)
    for number, parent in enumerate(node.parents):
        if parent is not None and parent.flags & REQUIRES:
            needs[number] = True
    assert node.op is not None
    return pulled(node.op, node, g, needs)


def fitted(g: Any, value: Any) -> Any:
    """Return a cotangent as an array of the operand's shape."""
    if isinstance(g, Partial):
        g = g.added_to(None, in_place=False)
    shape = value.shape if value.__class__ is np.ndarray else shape_of(value)
    return g if g.shape == shape else unbroadcast(g, shape, isinstance(g, Tensor))


_JOINTLY = (Linear.MOVES, Linear.ALL)


def operands(node: Node) -> tuple[bool, ...] | None:
    """Tell which operands carry costs; None if the node is elementary.

    Without the operands' values, or with randomness in more than one factor, it is.
    """
    op = node.op
    if op is None or node.inputs is None or op.linear is NOT_LINEAR or node.saved is None:
        return None
    classes = node.more.classes
    if classes is not None and any(c is not Passage.SMOOTH for c in classes):
        return None
    if op.linear in _JOINTLY:
        return (True,) * len(node.parents)
    random = [p is not None and bool(p.flags & ROUTED or p.runs) for p in node.parents]
    if op.linear is Linear.FIRST:
        return None if any(random[1:]) else (True, *(False,) * (len(random) - 1))
    return tuple(random) if sum(random) == 1 else None
