"""The MagicBox construction (Foerster et al. 2018, arXiv 1802.05098), cost by cost.

With `c` an elementary cost and `log p` the log-probability of the draws that it depends on,
`c * exp(log p - stop(log p))` has the value of `c`, and its derivative of any order is an unbiased
estimate of that derivative of E[c].
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scg._axes import AxisMap
from scg._bare import array_of, raw
from scg._op import OPS
from scg._plan import Plan, answers, value_plan
from scg._run import current_run, order
from scg._surrogate import control
from scg._surrogate.analysis import Route
from scg._surrogate.baselines import Baselined
from scg._surrogate.boxed import (
    carried_tags,
    check_boxed,
    check_order,
    order_tags,
    refuse_scaled_mark,
    stopped_tags,
    with_tags,
)
from scg._surrogate.costs import Cost, Key
from scg._surrogate.curvature import curvature_tags, curvature_terms
from scg._surrogate.plan import Surrogate, analyse, first_order
from scg._surrogate.reach import bits
from scg._surrogate.rewire import Rewiring
from scg._surrogate.tags import derived
from scg._surrogate.weights import aligned_index
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import OptionError
from scg.tape import BOXED, INHERITED, PLAIN, Node, NoisyNode, recording

__all__ = ["boxed_plan", "expectation_plan", "surrogate"]


def expectation_plan(
    loss: Tensor, weight: Any, *, of: str, traced: bool, targets: set[Node] | None
) -> Plan:
    """Return the sweeps that estimate the gradient of E[sum(weight * loss)]."""
    node = loss._node
    plain = node is not None and node.flags == PLAIN
    if plain and not traced and of == "expectation" and not control.matters(node, random=False):
        # No draw is upstream, nothing was cut off, it is no gradient, and nothing was read that it
        # may depend on: the questions below would find nothing, at the price of two small ops.
        current_run().settle()
        return value_plan(loss, weight)
    plan = _plan(loss, weight, of=of, traced=traced, targets=targets)
    tags = plan.tags | carried_tags(loss)
    return plan._replace(tags=derived(tags)) if tags else plan


def _plan(loss: Tensor, weight: Any, *, of: str, traced: bool, targets: set[Node] | None) -> Plan:
    current_run().settle()
    check_order(loss, of)
    if of == "value":
        return value_plan(loss, weight)
    if of != "expectation":
        raise OptionError(f'of={of!r} is not "expectation" or "value"')
    if loss._node is not None and check_boxed(loss._node):
        return value_plan(loss, weight)
    decided = analyse(loss, _array(weight), targets, traced=traced)
    tags = stopped_tags(loss) if decided is None else decided.tags | stopped_tags(loss)
    if decided is None or decided.plain:
        keep = () if decided is None else decided.read
        if not traced:
            return Plan(value_plan(loss, weight).passes, tags, keep)
        kept = _without_scores(loss) if decided is not None and decided.reads else loss
        return Plan(value_plan(kept, weight).passes, tags | order_tags(loss), keep)
    if not traced and not (decided.enumerated or decided.curved):
        first = first_order(decided)
        return first if tags == first.tags else first._replace(tags=tags)
    plan = boxed_plan(loss, weight, decided, traced=traced)
    orders = order_tags(loss, decided.routes) | curvature_tags(decided.routes)
    return plan._replace(tags=tags | orders)


def boxed_plan(loss: Tensor, weight: Any, decided: Surrogate, *, traced: bool = False) -> Plan:
    """Return the sweep of the surrogate tensor."""
    with recording(True):
        boxed, terms = _boxed(loss, decided, weight)
    ones = [np.ones((), term.dtype) for term in terms]
    roots = [(_node(boxed), weight)]
    roots.extend(
        (_node(term), Tensor(one) if traced else one) for term, one in zip(terms, ones, strict=True)
    )
    return Plan([(roots, frozenset())])


def _without_scores(loss: Tensor) -> Tensor:
    """Return a loss that needs no score, as its own surrogate.

    In other outcomes it may have needed some, so its gradient must not be scored again either.
    """
    if loss._node is None:
        return loss
    with recording(True):
        kept: Tensor = OPS["identity"].public(loss)
    _node(kept).flags |= BOXED
    return kept


def _array(weight: Any) -> Any:
    return raw(weight)


def surrogate(loss: Tensor) -> Tensor:
    """Return the surrogate loss: a tensor whose ordinary gradient estimates that of E[loss].

    Parameters
    ----------
    loss : Tensor
        An array means its sum.

    Returns
    -------
    Tensor, shape ()
        The value of the loss; differentiate it with `of="value"`, to any order, or as often as
        its tag `max_order` says where noise meets a kink.

    Raises
    ------
    BiasedGradientError
        If no unbiased gradient can be formed.

    Notes
    -----
    Unbiased. Source: Foerster, Farquhar, Al-Shedivat, Rocktaeschel, Xing, Whiteson (2018),
    "DiCE: The Infinitely Differentiable Monte Carlo Estimator", arXiv 1802.05098.

    Examples
    --------
    >>> import scg
    >>> logits = scg.parameter(0.0)
    >>> b = scg.Bernoulli(logits=logits).sample(rng=1)
    >>> s = scg.surrogate((b - 0.45) ** 2)
    >>> s.backward(of="value")
    >>> bool(abs(logits.grad - scg.peek(s * (b - 0.5))) < 1e-12)
    True
    """
    weight = np.ones(loss.shape, loss.dtype)
    with answers():
        decided = analyse(loss, weight, None, traced=True)
    tags = stopped_tags(loss) | order_tags(loss, () if decided is None else decided.routes)
    if decided is not None:
        tags |= decided.tags | curvature_tags(decided.routes)
    tags = frozenset(replace(tag, surrogate=tag.kind == "max_order") for tag in tags)
    with answers(), recording(True):
        if decided is None or decided.plain:
            return _remembering(with_tags(loss.sum(), tags), decided)
        boxed, terms = _boxed(loss, decided, weight)
        total = boxed.sum()
        for term in terms:
            total = total + term
    _node(total).flags |= BOXED
    return _remembering(with_tags(total, tags), decided)


def _remembering(total: Tensor, decided: Surrogate | None) -> Tensor:
    """Note on a surrogate how it came about."""
    if decided is not None and isinstance(total._node, NoisyNode):
        total._node.notes().surrogate = decided
    return total


def _boxed(loss: Tensor, decided: Surrogate, weight: Any) -> tuple[Tensor, list[Tensor]]:
    """Return the loss with every elementary cost in its box, and the terms of value 0 beside it."""
    builder = _Builder(decided)
    boxed = builder.loss(loss)
    if boxed._node is loss._node:  # nothing is scored; what is marked below is not the user's own
        boxed = OPS["identity"].public(boxed)
    terms = builder.baselines() + builder.rests()
    if decided.curved:
        ones = [(_node(term), Tensor(np.ones((), term.dtype))) for term in terms]
        roots = [(_node(boxed), Tensor(_array(weight))), *ones]
        terms += curvature_terms(loss, decided, roots)
    for x in (boxed, *terms):
        _node(x).flags |= BOXED
    return boxed, terms


class _Builder:
    """Builds the surrogate tensor of an analysed loss."""

    def __init__(self, decided: Surrogate) -> None:
        self._decided = decided
        self._rewired = [Rewiring(group.cut) for group in decided.groups]
        self._boxes: dict[Cost, Tensor] = {}
        self._clones: dict[Key, Node] = {}
        self._results: dict[Key, Tensor] = {}

    def loss(self, loss: Tensor) -> Tensor:
        """Put the boxed costs together as the loss was, so that coefficients keep their slopes."""
        parts = self._decided.parts
        for group, rewiring in zip(self._decided.groups, self._rewired, strict=True):
            for index in bits(group.costs):
                self._boxes[parts.costs[index]] = self._cost(index, rewiring)
        if not parts.linear:
            return self._boxes[parts.costs[0]]
        if self._decided.enumerated:
            return self._recomputed()
        clones = self._clones
        for key, operands in reversed(parts.linear):
            clones[key] = self._joined(key[0], operands, clones)
        return Tensor(loss._data, clones[parts.linear[0][0]])

    def _joined(self, node: Node, operands: Sequence[Any], clones: Mapping[Key, Node]) -> Node:
        """Return a linear operation on boxed costs, whose values are those it had."""
        parents = [
            self._boxes[found]._node if isinstance(found, Cost)
            else clones[found] if found is not None
            else parent
            for parent, found in zip(node.parents, operands, strict=True)
        ]  # fmt: skip
        clone = copy.copy(node)
        clone.parents, clone.order = tuple(parents), next(order)
        clone.stamp = sum(p.version for p in parents if p is not None)
        for parent in parents:
            clone.flags |= 0 if parent is None else parent.flags & INHERITED
        return clone

    def _recomputed(self) -> Tensor:
        """Put the costs together again with the values that enumeration gave them."""
        linear = self._decided.parts.linear
        results = self._results
        for key, operands in reversed(linear):
            node = key[0]
            assert node.op is not None
            assert node.inputs is not None
            tensors = tuple(
                self._boxes[found] if isinstance(found, Cost)
                else results[found] if found is not None
                else Tensor(np.asarray(value), parent)
                for parent, value, found in zip(
                    node.parents, node.inputs, operands, strict=True
                )
            )  # fmt: skip
            again = node.op.name != "cost"  # a mark has done its work
            results[key] = node.op.apply(tensors, node.statics) if again else tensors[0]
        return results[linear[0][0]]

    def rests(self) -> list[Tensor]:
        """Return terms of value 0 that let what a scaling changed depend on what was read later.

        With K the coefficient of a marked cost c and 1 what it was at the mark, the loss has
        K box(c), and K - 1 of it needs the later box.
        """
        terms = []
        for rest in self._decided.parts.rests:
            if rest.by_tensor:
                refuse_scaled_mark()
            part, whole = self._built(rest.part, rest.value), self._built(rest.whole, rest.value)
            weight = Tensor(array_of(rest.coefficient, part.dtype))
            terms.append(((part - whole) * weight).sum())
        return terms

    def _built(self, part: Any, value: Any) -> Tensor:
        """Return an elementary cost, or what was put together again, with its boxes."""
        if isinstance(part, Cost):
            return self._boxes[part]
        if part in self._results:
            return self._results[part]
        return Tensor(array_of(value), self._clones[part])

    def _cost(self, index: int, rewiring: Rewiring) -> Tensor:
        cost = self._decided.parts.costs[index]
        value = Tensor(array_of(cost.value), None if cost.node is None else rewiring.of(cost.node))
        log_prob: Tensor | None = None
        for route, axes in self._scored(index):
            density = route.density
            assert density is not None
            term = _along_cost(rewiring.tensor(density), axes, value.shape)
            if route.importance is not None:
                value = value * term
            else:
                log_prob = term if log_prob is None else log_prob + term
        if log_prob is None:
            return value
        box: Tensor = OPS["exp"].public(log_prob - Tensor(log_prob._data))
        return value * box

    def _scored(self, index: int) -> Iterator[tuple[Route, AxisMap]]:
        """Yield the draws that a cost weights, and how their axes map to its own."""
        for route in self._decided.routes:
            for axes, costs in route.scored.items():
                if costs >> index & 1:
                    yield route, axes

    def baselines(self) -> list[Tensor]:
        """Return terms of value 0 whose derivative subtracts the baselines."""
        baselined = Baselined(self._decided.routes, self._decided.weights())
        terms = []
        for route in self._decided.routes:
            value = baselined.of(route)
            if isinstance(value, Tensor) or (value is not None and np.any(value)):
                assert route.log_prob is not None
                log_prob = self._rewired[0].tensor(route.log_prob)
                box = OPS["exp"].public(log_prob - Tensor(log_prob._data))
                terms.append(((1.0 - box) * Tensor(array_of(value))).sum())
        return terms


def _along_cost(log_prob: Tensor, axes: Any, shape: Shape) -> Tensor:
    """Return a log-probability with the axes of a cost, summed over those it does not share."""
    index = aligned_index(axes, shape)
    if any((a is not None and (a.start, a.step) != (0, 1)) or (a is not None
           and log_prob.shape[n] != shape[a.axis]) for n, a in enumerate(axes)):  # fmt: skip
        log_prob = log_prob[index]
    gone = tuple(n for n, a in enumerate(axes) if a is None)
    summed = log_prob.sum(axis=gone) if gone else log_prob
    shared = [a.axis for a in axes if a is not None]
    if shared != sorted(shared):
        summed = OPS["transpose"].public(summed, axes=[int(n) for n in np.argsort(shared)])
    return summed.reshape(tuple(n if axis in shared else 1 for axis, n in enumerate(shape)))


def _node(x: Tensor) -> Node:
    assert x._node is not None
    return x._node
