"""Derivatives of functions and of recorded values: `grad`, `vjp`, `jacobian`, `hessian`, `hvp`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg import _axes
from scg._bare import bare, stored
from scg._observed import is_past
from scg._op import OPS, SMOOTH, Linear, op
from scg._plan import Plan, answers, planner, swept, weight_of
from scg._reads import DRAWN_INSIDE
from scg._recording import recorder
from scg._run import order
from scg._signs import facts_of
from scg._sweep import sources
from scg._tensor import Tensor, as_tensor
from scg.errors import DTypeError, GradientError, ShapeError
from scg.ops import _samples
from scg.tape import (
    BOXED,
    MIXED,
    REQUIRES,
    ROUTED,
    TAGGED,
    Leaf,
    Node,
    NoisyNode,
    grad_enabled,
    recording,
)  # fmt: skip

__all__ = ["grad", "hessian", "hvp", "jacobian", "vjp"]


@op(linear=Linear.MOVES, smooth=SMOOTH, shape=lambda x: x, axes=_axes.elementwise,
    sign=lambda same, x: x, alias=True, reference=np.asarray,
    samples=_samples.elementwise((-3, 3)))  # fmt: skip
def identity(x: Any, /) -> Any:
    """Return the same values as a new node, at which a derivative can be stopped."""
    return x


@identity.vjp
def _(F: Any, g: Any, _y: Any, _x: Any) -> Any:
    return g


def backward(
    loss: Tensor, gradient: Any = None, *, of: str = "expectation", retain: bool = False
) -> None:
    """Accumulate the gradient of `loss` in the parameters; see `Tensor.backward`."""
    with answers():
        plan = _checked_plan(loss, weight_of(loss, gradient), of=of, traced=False, targets=None)
        found = swept(plan, None, traced=False, retain=retain, own=recorder() is None)
    for leaf, g in found.items():
        assert isinstance(leaf, Leaf)
        leaf.grad_tags |= plan.tags
        leaf.grad = stored(leaf, g)


Tensor._backward = staticmethod(backward)


def _checked_plan(
    loss: Tensor, weight: Any, *, of: str, traced: bool, targets: set[Node] | None
) -> Plan:
    if loss.dtype.kind != "f":
        raise GradientError(
            f"a loss of dtype {loss.dtype} has no gradient; it must be floating point"
        )
    plan = planner[0](loss, weight, of=of, traced=traced, targets=targets)
    if not plan.goes_anywhere:
        hint = ""
        if loss._node is not None and loss._node.name in ("compiled", DRAWN_INSIDE):
            hint = "; it came out of a compiled function: take its gradient inside of that"
        raise GradientError(
            "nothing trainable is upstream of this loss: no scg.parameter reaches it through "
            f"differentiable operations{hint}"
        )
    return plan


def grad(
    loss: Tensor, params: Any, *, create_graph: bool = False, of: str = "expectation",
    retain: bool | None = None,
) -> Any:  # fmt: skip
    """Return the gradient of the expected value of `loss`, without touching any `.grad`.

    Parameters
    ----------
    loss : Tensor
        An array means its sum.
    params : Tensor, or list, tuple or dict of them
        With respect to what: parameters or any tensors computed from them.
    create_graph : bool
        Record the backward pass itself, so that the result can be differentiated again.
    of : {"expectation", "value"}
        As in `Tensor.backward`.
    retain : bool, optional
        Keep the residuals for another backward; by default if `create_graph`.

    Returns
    -------
    Tensor, or list, tuple or dict of them
        In the structure of `params`; zeros where `loss` does not depend on a tensor.

    Raises
    ------
    BiasedGradientError
        If no unbiased gradient can be formed.
    GradientError
        If a tensor of `params` is not tracked.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter(2.0)
    >>> dx = scg.grad(x ** 3, x, create_graph=True)
    >>> dx, scg.grad(dx, x)
    (Tensor(12.), Tensor(12.))
    """
    if not isinstance(loss, Tensor):
        raise DTypeError(
            f"scg.grad takes a loss that was computed already, not {type(loss).__name__}: "
            "scg.grad(f(x), x); of functions there are scg.vjp, scg.jacobian and scg.hessian"
        )
    flat = _flatten(params)
    for index, p in enumerate(flat):
        if not isinstance(p, Tensor) or not p.requires_grad:
            raise GradientError(f"scg.grad: entry {index} of params is not a tracked tensor: {p!r}")
    weight: Any = weight_of(loss, None)
    targets = {p._node for p in flat}
    retain = create_graph if retain is None else retain
    with answers():
        plan = _checked_plan(loss, as_tensor(weight) if create_graph else weight, of=of,
                             traced=create_graph, targets=targets)  # fmt: skip
        found = _pull(plan, flat, create_graph, retain)
    return _unflatten(params, iter(found))


def _pull(plan: Plan, tensors: Sequence[Tensor], traced: bool, retain: bool) -> list[Tensor]:
    nodes = [t._node for t in tensors]
    targets = {n for n in nodes if n is not None}
    with recording(traced):
        found = swept(plan, targets, traced=traced, retain=retain)
    result = []
    for t, node in zip(tensors, nodes, strict=True):
        g = None if node is None else found.get(node)
        if g is None:
            g = np.zeros(t.shape, t.dtype)
        result.append(g if isinstance(g, Tensor) else Tensor(np.asarray(g)))
    boxed = traced and any(n.flags & BOXED for roots, _ in plan.passes for n, _ in roots)
    if boxed or plan.tags:
        return [_marked(g, boxed, plan.tags) for g in result]
    return result


def _marked(g: Tensor, boxed: bool, tags: frozenset[Any]) -> Tensor:
    """Note on a gradient what is known of it.

    If it came from the surrogate it contains the scores already, and differentiating it again must
    not add them a second time.
    """
    inner = g._node
    facts_of(None, inner)  # its sign is settled: the new node has not what that takes
    flags = 0 if inner is None else inner.flags
    if boxed and inner is not None:
        flags = flags & ~(ROUTED | MIXED) | BOXED
    if tags:
        flags |= TAGGED
    if not flags:
        return g
    parents, saved = ((inner,), (None, None)) if inner is not None else ((), ())
    node = NoisyNode(OPS["identity"], parents, saved, {}, flags, 0, g.shape, g.dtype,
                     sys._getframe(1))  # fmt: skip
    if inner is not None:
        node.draw, node.runs = inner.draw, inner.runs
    if tags:
        node.notes().tags = tags
    return Tensor(g._data, node)


def _flatten(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _flatten(value)]
    if isinstance(tree, list | tuple):
        return [leaf for value in tree for leaf in _flatten(value)]
    return [tree]


def _unflatten(tree: Any, leaves: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _unflatten(value, leaves) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_unflatten(value, leaves) for value in tree)
    return next(leaves)


def _input(value: Any) -> Tensor:
    """Return a tensor to differentiate at that still is part of any outer graph."""
    t = as_tensor(value)
    if t.requires_grad:
        return OPS["identity"].public(t)  # type: ignore[no-any-return]
    data = t._data if t.dtype.kind == "f" else t.detach().astype(np.float64)._data
    leaf = Leaf(data.shape, data.dtype, None)
    noisy = t._node is not None and not is_past(t._node)
    return Tensor(data, _noisy_input(leaf, t._node) if noisy else leaf)  # type: ignore[arg-type]


def _noisy_input(leaf: Leaf, origin: Node) -> Node:
    """Return a node to differentiate at that has not forgotten which noise it came from."""
    facts_of(None, origin)
    flags = REQUIRES | origin.flags
    node = NoisyNode(OPS["identity"], (leaf,), (None, None), {}, flags, 0, leaf.shape, leaf.dtype,
                     sys._getframe(1))  # fmt: skip
    node.draw, node.runs, node.more = origin.draw, origin.runs, origin.more
    return node


def vjp(
    fn: Callable[..., Tensor], *primals: Any
) -> tuple[Tensor, Callable[..., tuple[Tensor, ...]]]:
    """Evaluate a function and return how to pull cotangents back through it.

    Parameters
    ----------
    fn : callable
        Takes and returns tensors.
    *primals : Tensor or array_like
        Where to evaluate it.

    Returns
    -------
    out : Tensor
        `fn(*primals)`.
    pull : callable
        `pull(cotangent=None, *, create_graph=False)` returns one cotangent per primal; it may be
        called several times.

    Examples
    --------
    >>> import scg
    >>> out, pull = scg.vjp(scg.exp, 0.0)
    >>> pull(3.0)
    (Tensor(3.),)
    """
    inputs = [_input(p) for p in primals]
    with recording(True):
        out = as_tensor(fn(*inputs))

    def pull(cotangent: Any = None, *, create_graph: bool = False) -> tuple[Tensor, ...]:
        if isinstance(cotangent, Tensor) and create_graph:
            weight: Any = cotangent
        else:
            raw = cotangent._data if isinstance(cotangent, Tensor) else cotangent
            weight = weight_of(out, bare(raw))
            weight = as_tensor(weight) if create_graph else weight
        targets = {t._node for t in inputs if t._node is not None}
        with answers():
            plan = planner[0](out, weight, of="expectation", traced=create_graph, targets=targets)
            return tuple(_pull(plan, inputs, create_graph, retain=True))

    return out, pull


def jacobian(fn: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function that computes the derivative of every output element.

    Parameters
    ----------
    fn : callable
        Takes and returns tensors.
    argnums : int
        With respect to which argument.

    Returns
    -------
    callable
        Of the same arguments; its result has shape `out.shape + argument.shape`.

    Notes
    -----
    One backward pass per output element.

    Examples
    --------
    >>> import scg
    >>> scg.jacobian(lambda x: x * x)([1.0, 2.0])
    Tensor([[2., 0.],
            [0., 4.]])
    """

    def jacobian_of(*args: Any) -> Tensor:
        before = next(order)
        out, pull = vjp(fn, *args)
        # Recorded only when something outside may differentiate the result again.
        create = grad_enabled() and _reaches_older_leaf(out, before)
        units = np.eye(out.size, dtype=out.dtype).reshape(out.size, *out.shape)
        rows = [pull(unit, create_graph=create)[argnums] for unit in units]
        shape = out.shape + as_tensor(args[argnums]).shape
        if not rows:
            return as_tensor(np.zeros(shape, out.dtype))
        return OPS["stack"].public(*rows, axis=0).reshape(shape)  # type: ignore[no-any-return]

    return jacobian_of


def _reaches_older_leaf(out: Tensor, before: int) -> bool:
    """Tell whether a leaf made earlier is upstream of `out`, or of a draw that is.

    What Python decided by a draw need not count here: whatever is made of the result later depends
    on that draw too.
    """
    upstream = [] if out._node is None else [out._node]
    seen = set(upstream)
    for node in upstream:  # grows while it is read
        if isinstance(node, Leaf) and node.order < before:
            return True
        for source in sources(node):
            if source not in seen:
                seen.add(source)
                upstream.append(source)
    return False


def hessian(fn: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function that computes the second derivatives of a scalar function.

    Parameters
    ----------
    fn : callable
        Returns one number.
    argnums : int
        With respect to which argument.

    Returns
    -------
    callable
        Its result has shape `argument.shape + argument.shape`.

    Examples
    --------
    >>> import scg
    >>> scg.hessian(lambda x: (x ** 3).sum())([1.0, 2.0])
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*args: Any) -> Tensor:
        out, pull = vjp(fn, *args)
        if out.size != 1:
            raise ShapeError(
                f"scg.hessian: the function returned shape {out.shape}, not one number"
            )
        return pull(create_graph=True)[argnums]

    return jacobian(gradient, argnums)


def hvp(
    fn: Callable[..., Tensor], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Tensor, ...]:
    """Multiply the Hessian of a scalar function with a vector, without forming it.

    Parameters
    ----------
    fn : callable
        Returns one number.
    primals, tangents : sequence of array_like
        Where, and the vector: one array per argument, of the same shape.

    Returns
    -------
    tuple of Tensor
        One per argument.

    Examples
    --------
    >>> import scg
    >>> scg.hvp(lambda x: (x ** 3).sum(), ([1.0, 2.0],), ([1.0, 1.0],))
    (Tensor([ 6., 12.]),)
    """

    def slope(*args: Any) -> Tensor:
        out, pull = vjp(fn, *args)
        if out.size != 1:
            raise ShapeError(f"scg.hvp: the function returned shape {out.shape}, not one number")
        gradients = pull(create_graph=True)
        terms = [(g * as_tensor(t)).sum() for g, t in zip(gradients, tangents, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    return vjp(slope, *primals)[1]()
