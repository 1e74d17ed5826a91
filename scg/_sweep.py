"""The sweep that carries cotangents back: a loop over nodes from the newest to the oldest.

No recursion and no search: the creation counter of the nodes is the topological order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from scg._bare import bare, pulled
from scg._partial import Partial
from scg._recording import recorder
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import GradientError
from scg.tape import REQUIRES, DrawNode, Leaf, Node

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["reachable", "sources", "sweep", "unbroadcast"]


def reachable(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that a cotangent from `roots` can reach, newest first."""
    seen = {node for node in roots if node.flags & REQUIRES}
    found = list(seen)
    for node in found:  # grows while it is read
        for parent in node.parents:
            if parent is not None and parent not in seen and parent.flags & REQUIRES:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_order, reverse=True)  # nearly done: the newer a node, the sooner it was found
    return found


_order = attrgetter("order")


def sources(node: Node) -> list[Node]:
    """Return what a node depends on: its operands, or a draw's sampler and parameters."""
    sources = [p for p in node.parents if p is not None]
    if isinstance(node, DrawNode) and node.site is not None:
        parameters = node.site.distribution.parameters.values()
        sources.extend(p._node for p in parameters if p._node is not None)
    return sources


def needed(nodes: Sequence[Node], targets: set[Node]) -> set[Node]:
    """Return those of `nodes` (newest first) from which some target is reached."""
    useful = set(targets)
    for node in reversed(nodes):
        if node not in useful and any(parent in useful for parent in node.parents):
            useful.add(node)
    return useful


def sweep(
    roots: Sequence[tuple[Node, Any]], *, targets: set[Node] | None = None,
    traced: bool = False, retain: bool = False, cut: frozenset[Node] = frozenset(),
    own: bool = False,
) -> dict[Node, Any]:  # fmt: skip
    """Carry cotangents from `roots` back and return those of the leaves, or of `targets`.

    Whoever calls it sees to it that NumPy does not warn of infinite slopes (`answers`).

    Parameters
    ----------
    roots : sequence of (Node, cotangent)
        Where to start; cotangents have the node's shape.
    targets : set of Node, optional
        Stop at these and return their cotangents. None means every leaf.
    traced : bool
        Cotangents are Tensors and every vjp is itself recorded, for higher derivatives.
    retain : bool
        Keep the residuals for another backward.
    cut : set of Node
        Draws through which no cotangent passes, because their scores are used instead.
    own : bool
        Return arrays that are the caller's alone: copies, unless a vjp is known to have made them.
    """
    nodes = reachable(dict(roots))
    useful = None if targets is None else needed(nodes, targets)
    grads: dict[Node, Any] = {}
    owned: set[Node] = set()
    followed = traced or recorder() is not None
    for node, g in roots:
        _accumulate(grads, owned, node, bare(g) if followed else g, followed)
    found: dict[Node, Any] = {}
    for node in nodes:
        g = grads.pop(node, None)
        if g is None:
            continue
        if node.op is None or (targets is not None and node in targets):
            alone = not own or (node in owned and g.__class__ is np.ndarray)
            found[node] = g if alone else np.array(g)
        op = node.op
        if op is None or node in cut:
            continue
        if followed:
            _pull_followed(op, node, g, grads, owned, useful, traced)
        elif op.rules is None:
            _pull(op, node, g, grads, owned, useful)
        else:
            _pull_elementwise(op.rules, node, g, grads, owned, useful)
        if not retain:
            node.saved = None
    return found


SMALL = 256  # no kernel pays below this many elements (benchmarks/elementwise.py)


def _pull_elementwise(
    rules: Sequence[Any], node: Node, g: Any, grads: dict[Node, Any], owned: set[Node],
    useful: set[Node] | None,
) -> None:  # fmt: skip
    """Do what `_pull` does, input by input: the hot path of small graphs."""
    saved, statics, parents = node.saved, node.statics, node.parents
    if saved is None:
        _refuse(node)
    stamp = 0
    for number, rule in enumerate(rules):  # a strict zip takes three times as long
        parent = parents[number]
        if parent is None:
            continue
        stamp += parent.version
        if rule is None or not parent.flags & REQUIRES:
            continue
        if useful is not None and parent not in useful:
            continue
        if rule.is_identity:
            cotangent = g
        elif g.size < SMALL and not statics:
            cotangent = rule.by_ufuncs(g, *saved)
        else:
            cotangent = rule.on_arrays(g, *saved, **statics)
        if cotangent.shape != parent.shape or cotangent.dtype is not parent.dtype:
            cotangent = _fit(cotangent, parent, False)
        if parent in grads:
            _accumulate(grads, owned, parent, cotangent, False)
        else:
            grads[parent] = cotangent
            if parent.op is None and not rule.is_identity:  # of a leaf: to be kept, not copied
                owned.add(parent)
    if stamp != node.stamp:
        _refuse(node)


def _pull(
    op: Op, node: Node, g: Any, grads: dict[Node, Any], owned: set[Node], useful: set[Node] | None
) -> None:
    """Run one vjp on arrays and hand its results to the parents."""
    parent: Any
    needs = _needs(node, useful)
    pulled_back = op.raw_vjp(node, g, needs)
    for parent, needed_here, cotangent in zip(node.parents, needs, pulled_back, strict=True):
        if cotangent is None or not needed_here:
            continue
        if cotangent.shape != parent.shape or cotangent.dtype is not parent.dtype:
            cotangent = _fit(cotangent, parent, False)
        if parent in grads or cotangent.__class__ is Partial:
            _accumulate(grads, owned, parent, cotangent, False)
        else:
            grads[parent] = cotangent
            if op.fresh:
                owned.add(parent)


def _pull_followed(
    op: Op, node: Node, g: Any, grads: dict[Node, Any], owned: set[Node],
    useful: set[Node] | None, traced: bool,
) -> None:  # fmt: skip
    """Run one vjp on tensors, whose computation is recorded."""
    needs = _needs(node, useful)
    cotangents = op.traced_vjp(node, g, needs) if traced else pulled(op, node, g, needs)
    for parent, needed_here, cotangent in zip(node.parents, needs, cotangents, strict=True):
        if needed_here and cotangent is not None:
            assert parent is not None
            if cotangent.shape != parent.shape or cotangent.dtype != parent.dtype:
                cotangent = _fit(cotangent, parent, isinstance(g, Tensor))
            _accumulate(grads, owned, parent, cotangent, isinstance(g, Tensor))


def _needs(node: Node, useful: set[Node] | None) -> list[bool]:
    """Tell which parents want a cotangent, once the residuals were found to be good."""
    needs, stamp = [], 0
    for parent in node.parents:
        if parent is None:
            needs.append(False)
        else:
            wanted = useful is None or parent in useful
            needs.append(wanted and bool(parent.flags & REQUIRES))
            stamp += parent.version
    if node.saved is None or stamp != node.stamp:
        _refuse(node)
    return needs


def _accumulate(grads: dict[Node, Any], owned: set[Node], node: Node, g: Any, traced: bool) -> None:
    """Add `g` to a node's cotangent: in place only into a buffer this sweep made itself.

    A vjp may return its own argument or a view of a residual, so the first contribution is never
    written to; the second makes a new buffer, which later ones may.
    """
    before = grads.get(node)
    if type(g) is Partial:
        grads[node] = g.added_to(before, in_place=node in owned)
        owned.add(node)
    elif before is None:
        grads[node] = g
    elif traced or type(before) is not np.ndarray:
        grads[node] = before + g
    elif node in owned:
        np.add(before, g, out=before)
    else:
        grads[node] = np.add(before, g)
        owned.add(node)


def _fit(g: Any, parent: Node, traced: bool) -> Any:
    """Undo broadcasting and dtype promotion, in one place for every op."""
    if g.shape != parent.shape:
        g = unbroadcast(g, parent.shape, traced)
    if g.dtype != parent.dtype:
        g = g.astype(parent.dtype)
    return g


def unbroadcast(g: Any, shape: Shape, traced: bool) -> Any:
    """Sum a cotangent over the axes along which an input was repeated."""
    extra = g.ndim - len(shape)
    if extra < 0:
        raise GradientError(f"a vjp returned shape {g.shape} for an input of shape {shape}")
    repeated = tuple(
        axis for axis in range(g.ndim)
        if axis < extra or (shape[axis - extra] == 1 and g.shape[axis] != 1)
    )  # fmt: skip
    summed = g.sum(axis=repeated) if traced else np.sum(g, axis=repeated)
    return summed.reshape(shape)


def _refuse(node: Node) -> NoReturn:
    """Say why the residuals of a node cannot be used."""
    if node.saved is None:
        raise GradientError(
            f"backward reached '{node.name}' ({node.place}) whose residuals an earlier backward "
            "already freed; pass retain=True to the first backward if you need two"
        )
    names = " or ".join(p.name for p in node.parents if isinstance(p, Leaf))
    raise GradientError(
        f"backward through '{node.name}' ({node.place}): {names} was updated after this operation "
        "used it; run the forward pass again before backward"
    )
