"""Which draws the parameters that are differentiated have anything to do with."""

from __future__ import annotations

from scg._sweep import sources
from scg.tape import TRAINABLE, Leaf, Node

__all__ = ["Concern"]


class Concern:
    """Tells whether a draw's distribution depends on what is differentiated.

    If it does not, its score has no derivative there, whatever it may have decided.

    Parameters
    ----------
    targets : set of Node or None
        The parameters that are differentiated; None means all.
    """

    def __init__(self, targets: set[Node] | None) -> None:
        self._targets = targets
        self._known: dict[Node, bool] = {}

    def __call__(self, draw: Node) -> bool:
        """Tell it of one draw; what is known of nodes upstream is kept for the next."""
        if self._targets is None:
            return True
        fresh = [draw] if draw not in self._known else []
        seen = set(fresh)
        for node in fresh:  # grows while it is read
            for source in sources(node):
                if source not in seen and source not in self._known:
                    seen.add(source)
                    fresh.append(source)
        for node in sorted(fresh, key=lambda n: n.order):
            self._known[node] = self._is_concerned(node, self._targets)
        return self._known[draw]

    def _is_concerned(self, node: Node, targets: set[Node]) -> bool:
        upstream = sources(node)
        if node in targets or any(self._known[source] for source in upstream):
            return True
        lost = not upstream and not isinstance(node, Leaf)
        return lost and bool(node.flags & TRAINABLE)  # on which parameters was not recorded
