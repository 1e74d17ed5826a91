"""Functions of a mean over samples: their expectation is not the function of the expectation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scg._axes import AxisMap, normalize_axes
from scg._smoothness import Linear
from scg._surrogate.reach import compose_axes, identity_axes, join_axes, mixed_axes
from scg.site import Site
from scg.tape import BOXED, NOISE, ROUTED, SCORE, DrawNode, Node

__all__ = ["BentMean", "bent_means"]

_RANDOM = NOISE | ROUTED | BOXED | SCORE


class BentMean(NamedTuple):
    """A mean over a sample axis, and the first operation above it that is not linear."""

    mean: Node
    bend: Node
    site: Site


def bent_means(loss: Node, nodes: Iterable[Node]) -> Iterator[BentMean]:
    """Yield the means over sample axes of draws that a loss is not a linear function of.

    A logsumexp over a sample axis is the logarithm of such a mean itself.

    Parameters
    ----------
    loss : Node
        Where to start.
    nodes : iterable of Node
        All that it depends on, newest first.
    """
    bends: dict[Node, Node | None] = {loss: None}
    for node in nodes:
        if node not in bends:
            continue
        bend = bends[node]
        if node.name == "logsumexp" or (node.name == "mean" and bend is not None):
            site = _averaged(node)
            if site is not None:
                yield BentMean(node, bend or node, site)
        for number, parent in enumerate(node.parents):
            if parent is not None:
                above = bend or (None if _is_linear(node, number) else node)
                bends[parent] = bends.get(parent) or above


def _is_linear(node: Node, number: int) -> bool:
    """Tell whether a node is linear in an operand, the other operands not being random."""
    if isinstance(node, DrawNode):
        return False
    linear = Linear.NOT if node.op is None else node.op.linear
    if linear in (Linear.MOVES, Linear.ALL):
        return True
    others = [p for n, p in enumerate(node.parents) if n != number and p is not None]
    allowed = linear is Linear.EACH or (linear is Linear.FIRST and number == 0)
    return allowed and not any(p.flags & _RANDOM for p in others)


def _averaged(mean: Node) -> Site | None:
    """Return a draw over whose sample axis a reduction averages."""
    inner = mean.parents[0]
    if inner is None:
        return None
    gone = normalize_axes(mean.statics.get("axis"), len(inner.shape))
    maps: dict[Node, AxisMap] = {inner: identity_axes(len(inner.shape))}
    pending = [inner]
    while pending:
        pending.sort(key=lambda node: node.order)
        node = pending.pop()
        axes = maps[node]
        if isinstance(node, DrawNode) and node.site is not None:
            if any(a is not None and a.axis in gone for a in axes[: _sample_axes(node.site)]):
                return node.site  # type: ignore[no-any-return]
            continue
        for number, parent in enumerate(node.parents):
            if parent is None:
                continue
            found = _through(node, number, parent, axes)
            if parent in maps:
                found = join_axes(maps[parent], found)
            else:
                pending.append(parent)
            maps[parent] = found
    return None


def _through(node: Node, number: int, parent: Node, outer: AxisMap) -> AxisMap:
    shapes = node.shapes
    if node.op is None or len(shapes) != len(node.parents):
        return mixed_axes(len(parent.shape))
    inner = node.op.axes(shapes, node.shape, **node.statics)[number]
    return compose_axes(inner, outer)


def _sample_axes(site: Site) -> int:
    """Return how many leading axes a draw has beyond those of its distribution."""
    d = site.distribution
    own = len(getattr(d, "batch_shape", ())) + len(getattr(d, "event_shape", ()))
    return max(0, len(site.value.shape) - own)
