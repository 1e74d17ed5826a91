"""The MagicBox construction (Foerster et al. 2018, arXiv 1802.05098), for the whole loss.

With `L` the loss and `log p` the total log-probability of the score-function draws,
`L * exp(log p - stop(log p))` has the value of `L`, and its derivative of any order is an unbiased
estimate of that derivative of E[L].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._op import OPS
from scg._run import Run, current_run
from scg._surrogate.checks import (
    check_boxed,
    check_cut,
    check_escapes,
    check_forgotten,
    check_past,
)
from scg._tensor import Tensor, as_tensor
from scg.autodiff import Roots, value_roots
from scg.errors import OptionError
from scg.tape import BOXED, Node, reachable

__all__ = ["expectation_roots", "surrogate"]


def expectation_roots(loss: Tensor, weight: Any, *, of: str, traced: bool) -> Roots:
    """Return the cotangents from which backward computes the gradient of E[sum(weight * loss)]."""
    if of == "value":
        return value_roots(loss, weight, of=of, traced=traced)
    if of != "expectation":
        raise OptionError(f'of={of!r} is not "expectation" or "value"')
    log_p = _checked_log_prob(loss)
    if log_p is None or log_p._node is None:
        return value_roots(loss, weight, of=of, traced=traced)
    if traced:
        boxed = _boxed((loss * weight).sum(), log_p)
        return [(_node(boxed), as_tensor(np.ones((), boxed.dtype)))]
    # Order one needs no box: the cotangent of log p is the loss's value.
    total = np.asarray(np.sum(loss._data * weight), dtype=log_p.dtype)
    return [*value_roots(loss, weight, of=of, traced=traced), (log_p._node, total)]


def surrogate(loss: Tensor) -> Tensor:
    """Return the surrogate loss: a tensor whose ordinary gradient estimates that of E[loss].

    Parameters
    ----------
    loss : Tensor
        An array means its sum.

    Returns
    -------
    Tensor, shape ()
        The value of the loss; differentiate it with `of="value"`, to any order.

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
    log_p = _checked_log_prob(loss)
    total = loss.sum()
    return total if log_p is None else _boxed(total, log_p)


def _checked_log_prob(loss: Tensor) -> Tensor | None:
    """Return the log-probability of every score-function draw of the loss's runs."""
    check_cut(loss._node)
    runs = _runs(loss)
    check_past(runs)
    check_escapes(runs)
    sites = [site for run in runs for site in run.draws]
    if not sites or (loss._node is not None and check_boxed(loss._node, sites)):
        return None
    log_p = _total([site.log_prob() for site in sites])
    check_cut(log_p._node)
    return log_p


def _runs(loss: Tensor) -> list[Run]:
    """Return the current run, those the loss's tensors were drawn in, and that it was formed in."""
    node, run = loss._node, current_run()
    run.pending = False
    runs = [run, *(node.runs if node is not None else ())]
    if node is not None and node.draw is not None:
        runs.append(node.draw.run)
    if node is not None and run.before is not None:
        runs.extend(_formed_in(node, run, run.before))
    return list(dict.fromkeys(runs))


def _formed_in(node: Node, run: Run, before: Run) -> list[Run]:
    """Return the previous run if a part of the loss was made after a draw of it.

    No edge need lead there: Python may have chosen that part by the draw.
    """
    orders = [n.order for n in reachable([node]) if n.op is not None]
    check_forgotten(orders, run.forgotten)
    first = before.begin or 0
    return [before] if any(first <= order <= before.end for order in orders) else []


def _total(terms: Sequence[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else OPS["stack"].public(*terms, axis=0).sum()


def _boxed(total: Tensor, log_p: Tensor) -> Tensor:
    # The constant is a bare array: `detach` would count as an opaque step on a noisy value.
    result: Tensor = total * OPS["exp"].public(log_p - Tensor(log_p._data))
    _node(result).flags |= BOXED
    return result


def _node(x: Tensor) -> Node:
    assert x._node is not None
    return x._node
