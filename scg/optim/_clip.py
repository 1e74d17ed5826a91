"""Bounds on gradients, between `backward` and `step`."""

from __future__ import annotations

import math
from functools import partial
from typing import NoReturn

import numpy as np

from scg import ops
from scg._bare import owned
from scg._recording import recorder
from scg._tensor import Tensor, as_tensor
from scg._typing import Array
from scg.errors import NonFiniteError
from scg.optim._options import Parameters, named, positive
from scg.tape import Leaf

__all__ = ["clip_grad_norm", "clip_grad_value"]


def clip_grad_norm(params: Parameters, max_norm: float, *, check_finite: bool = True) -> float:
    """Scale all gradients together so that their joint Euclidean norm is at most `max_norm`.

    Parameters
    ----------
    params : Module, dict or iterable of Tensor
        Those without a gradient are skipped.
    max_norm : float
        Positive.
    check_finite : bool
        Whether to refuse NaN and infinities. Without it such gradients stay as they are, so that
        the caller can look at the norm and skip the step.

    Returns
    -------
    float
        The norm before clipping, summed in double without overflow.

    Raises
    ------
    NonFiniteError
        If a gradient holds a NaN or an infinity; nothing was changed.
    OptionError, GradientError
        If `max_norm` is not positive or `params` holds something else than parameters.

    Notes
    -----
    Clipping makes the gradient of a stochastic program biased, more so the noisier it is.

    Source: Pascanu, Mikolov and Bengio (2013), arXiv 1211.5063.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter([0.0, 0.0])
    >>> x.grad = [3.0, 4.0]
    >>> scg.optim.clip_grad_norm([x], 2.5), x.grad
    (5.0, array([1.5, 2. ]))
    """
    (bound,) = positive("clip_grad_norm", max_norm=max_norm)
    leaves = _with_grad("clip_grad_norm", params)
    if recorder() is not None:
        return _recorded_norm(leaves, bound, check_finite)  # type: ignore[return-value]
    norms = {name: _norm(leaf.grad) for name, leaf in leaves.items()}
    total = math.hypot(*norms.values())
    if not math.isfinite(total):
        if check_finite:
            _refuse(leaves, norms)
    elif total > bound:
        for leaf in leaves.values():
            # In double: the norm, or its ratio to the bound, may be out of the range of float32.
            leaf.grad = (leaf.grad.astype(np.float64) / total * bound).astype(leaf.dtype)
    return total


def _norm(g: Array) -> float:
    """Return the Euclidean norm, of quotients by the largest so that no square overflows."""
    largest = float(np.max(np.abs(g), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(np.sum(np.square(g.astype(np.float64) / largest)))


def _recorded_norm(leaves: dict[str, Leaf], bound: float, check_finite: bool) -> Tensor:
    """Do the same by ops, of which a compiled step can be made; the norm is a tensor there."""
    if not leaves:
        return as_tensor(0.0)
    wide = {name: Tensor(leaf.grad).astype(np.float64) for name, leaf in leaves.items()}
    norms = {name: _norm_by_ops(g) for name, g in wide.items()}
    total = _norm_by_ops(ops.stack(list(norms.values())))
    here = recorder()
    assert here is not None
    if check_finite:
        _check(leaves, *(norm._data for norm in norms.values()))
        here.host(
            "clip_grad_norm", partial(_check, leaves), [norm._data for norm in norms.values()], ()
        )
    clips = (total > bound) & (total < np.inf)
    for name, leaf in leaves.items():
        clipped = (wide[name] / total * bound).astype(leaf.dtype)
        leaf.grad = owned(leaf, ops.where(clips, clipped, Tensor(leaf.grad)))
    return total


def _norm_by_ops(g: Tensor) -> Tensor:
    """Return what `_norm` does."""
    if g.size == 0:
        return as_tensor(0.0)
    largest = ops.max(ops.abs(g))
    inside = (largest > 0.0) & (largest < np.inf)
    quotients = g / ops.where(inside, largest, 1.0)
    return ops.where(inside, largest * ops.sqrt(ops.sum(ops.square(quotients))), largest)


def _check(leaves: dict[str, Leaf], *norms: Array) -> tuple[Array, ...]:
    """Refuse norms that are not finite."""
    values = dict(zip(leaves, map(float, norms), strict=True))
    if not math.isfinite(math.hypot(*values.values())):
        _refuse(leaves, values)
    return ()


def _refuse(leaves: dict[str, Leaf], norms: dict[str, float]) -> NoReturn:
    bad = [name for name, norm in norms.items() if not math.isfinite(norm)] or list(norms)
    names = ", ".join(f"'{leaves[name].label or name}'" for name in bad)
    raise NonFiniteError(
        f"clip_grad_norm: the norm of the gradient of {names} is NaN or infinite; nothing was "
        "clipped; find where that comes from, or skip such steps (check_finite=False)"
    )


def clip_grad_value(params: Parameters, limit: float) -> None:
    """Bound every element of every gradient to `[-limit, limit]`; NaN stays NaN.

    Parameters
    ----------
    params : Module, dict or iterable of Tensor
        Those without a gradient are skipped.
    limit : float
        Positive.

    Raises
    ------
    OptionError, GradientError
        As in `clip_grad_norm`.

    Notes
    -----
    This changes the direction of the gradient, and biases it.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter([0.0, 0.0])
    >>> x.grad = [3.0, -0.25]
    >>> scg.optim.clip_grad_value([x], 1.0)
    >>> x.grad
    array([ 1.  , -0.25])
    """
    (bound,) = positive("clip_grad_value", limit=limit)
    for leaf in _with_grad("clip_grad_value", params).values():
        if recorder() is not None:
            leaf.grad = owned(leaf, ops.clip(Tensor(leaf.grad), -bound, bound))
        else:
            leaf.grad = np.asarray(np.clip(leaf.grad, -bound, bound))


def _with_grad(who: str, params: Parameters) -> dict[str, Leaf]:
    leaves = {name: p._leaf("clip the gradient of") for name, p in named(who, params).items()}
    here = recorder()
    for leaf in leaves.values():
        if here is not None:
            here.sees_gradient(leaf)
    return {name: leaf for name, leaf in leaves.items() if leaf.grad is not None}
