"""Everything that a loss depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scg._run import Draw
from scg._sweep import sources
from scg.tape import DrawNode, Node

__all__ = ["draws_of", "sites_of", "upstream"]


def upstream(roots: Iterable[Node | None]) -> list[Node]:
    """Return nodes and all they depend on, through the parameters of draws too, newest first."""
    seen = dict.fromkeys(node for node in roots if node is not None)
    stack = list(seen)
    for node in stack:  # grows while it is read
        for parent in sources(node):
            if parent not in seen:
                seen[parent] = None
                stack.append(parent)
    return sorted(seen, key=lambda node: node.order, reverse=True)


def sites_of(nodes: Iterable[Node]) -> Iterator[DrawNode]:
    """Yield the draws among some nodes, in the order in which they were drawn."""
    draws = [n for n in nodes if isinstance(n, DrawNode) and n.site is not None]
    yield from sorted(draws, key=lambda node: node.order)


def draws_of(nodes: Iterable[Node]) -> list[Draw]:
    """Return the draws that nodes remember without an edge to them: noise without parameters."""
    known: dict[Any, None] = {}
    for node in nodes:
        if node.draw is not None:
            known.setdefault(node.draw)
    return list(known)[::-1]
