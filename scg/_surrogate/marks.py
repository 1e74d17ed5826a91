"""Costs marked at the moment they are made."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from scg import _axes
from scg._op import SMOOTH, Linear, Op
from scg._run import current_run, merge
from scg._surrogate.control import decided
from scg._tensor import Tensor, as_tensor
from scg.errors import GradientError
from scg.tape import ROUTED, NoisyNode, grad_enabled, place_of_caller

__all__ = ["cost"]


def _rule(F: Any, g: Any, _y: Any, _x: Any) -> Any:
    return g


_COST = Op("cost", lambda x, /: x, smooth=SMOOTH, axes=_axes.elementwise, linear=Linear.MOVES,
           alias=True)  # fmt: skip
_COST.set_vjp(_rule)


def cost(x: Any) -> Tensor:
    """Mark a cost at the moment it is made: it depends on nothing that Python reads later.

    An unmarked cost is weighted into every draw whose value was read before backward, because it
    may have been chosen by it. A marked one counts for what was read up to the mark: this is what
    gives reward-to-go. What a later scaling or mean changes of it counts for what was read up to
    there, since it may have been decided by that: scale first, then mark.

    Parameters
    ----------
    x : Tensor or float
        A cost, or a reward that the outside world returned.

    Returns
    -------
    Tensor
        Of the same value.

    Raises
    ------
    GradientError
        If `x` is a number and nothing random was read that it could depend on; or, when the run
        ends, if no backward reached the marked cost.

    Examples
    --------
    >>> import numpy as np, scg
    >>> logits, rng = scg.parameter(0.0), np.random.default_rng(0)
    >>> total = 0.0
    >>> for _ in range(3):
    ...     action = scg.Bernoulli(logits=logits).sample(rng=rng)
    ...     total = total + scg.cost(1.0 if action else 0.5)
    >>> total.backward()
    """
    t = as_tensor(x)
    if not grad_enabled():
        return t
    if t.dtype.kind != "f":
        t = t.astype(np.float64)
    run = current_run()
    if t._node is None and not decided(None):
        if isinstance(x, Tensor) or any(r.drawn for r in run.chain):
            return t  # of constants or fixed draws alone: no gradient depends on it
        raise GradientError(
            "scg.cost was given a plain number, and nothing random was drawn in this run that it "
            "could depend on; read the draw (int(action), action.numpy()), pass the tensor itself, "
            "or make the call inside scg.episode() if the draw was"
        )
    result = _COST.record(t._data, (t._data,), (t._node,), {})
    node = result._node
    if not isinstance(node, NoisyNode) or not node.parents:  # a number, or a fixed draw
        node = _random(result)
    node.flags, node.runs = node.flags | ROUTED, merge((run, *node.runs))
    node.inputs = (t._data,)
    run.marks[node], run.marked = place_of_caller(), True
    run.add_draw()
    return Tensor(t._data, node)


def _random(result: Tensor) -> NoisyNode:
    """Return a node for a cost that depends on draws by what was read alone."""
    old = result._node
    flags = (old.flags if old is not None else 0) | ROUTED
    parents = (old.parents if old is not None else ()) or (None,)
    node = NoisyNode(_COST, parents, (None, None), {}, flags,
                     old.stamp if old is not None else 0, result.shape, result.dtype,
                     sys._getframe(2))  # fmt: skip
    return node
