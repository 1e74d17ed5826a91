"""A graph with some draws cut: nodes cloned with new parents, arrays shared, nothing recomputed."""

from __future__ import annotations

import copy

from scg._run import order as next_order
from scg._tensor import Tensor
from scg.tape import REQUIRES, Node

__all__ = ["Rewiring"]


class Rewiring:
    """Clones of nodes in which the given draws are constants.

    Parameters
    ----------
    cut : frozenset of Node
        The draws.
    """

    def __init__(self, cut: frozenset[Node]) -> None:
        self._cut = cut
        self._clones: dict[Node, Node | None] = dict.fromkeys(cut)

    def tensor(self, x: Tensor) -> Tensor:
        """Return a tensor in the rewired graph."""
        return x if x._node is None else Tensor(x._data, self.of(x._node))

    def of(self, node: Node) -> Node | None:
        """Return a node in the rewired graph; itself if no cut draw is upstream."""
        if not self._cut:
            return node
        for older in self._upstream(node):
            if older not in self._clones:
                self._clones[older] = self._clone(older)
        return self._clones[node]

    def _upstream(self, node: Node) -> list[Node]:
        """Return the node and everything it is computed from, oldest first."""
        seen, stack = {node}, [node]
        for current in stack:  # grows while it is read
            for parent in current.parents:
                if parent is not None and parent not in seen and parent not in self._clones:
                    seen.add(parent)
                    stack.append(parent)
        return sorted(seen, key=lambda n: n.order)

    def _clone(self, node: Node) -> Node | None:
        parents = tuple(None if p is None else self._clones.get(p, p) for p in node.parents)
        if all(a is b for a, b in zip(parents, node.parents, strict=True)):
            return node
        clone = copy.copy(node)
        clone.parents, clone.order = parents, next(next_order)
        if not any(p is not None and p.flags & REQUIRES for p in parents):
            clone.flags &= ~REQUIRES
        return clone
