"""Kullback-Leibler divergences in closed form, by pair of families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from scg._tensor import Tensor
from scg.distributions._base import Distribution
from scg.errors import OptionError

__all__ = ["PAIRS", "kl_divergence", "kl_pair"]

Fn = TypeVar("Fn", bound=Callable[..., Tensor])

PAIRS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def kl_pair(p: type, q: type) -> Callable[[Fn], Fn]:
    """Register the closed form of KL(p || q) for two families."""

    def attach(formula: Fn) -> Fn:
        PAIRS[p, q] = formula
        return formula

    return attach


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Compute KL(p || q) = E_p[log p - log q] in closed form.

    Parameters
    ----------
    p, q : Distribution

    Returns
    -------
    Tensor, shape of the broadcast batch
        In nats, at least 0.

    Raises
    ------
    OptionError
        If the pair has no closed form here.

    Examples
    --------
    >>> import scg
    >>> scg.kl_divergence(scg.Normal(1.0, 1.0), scg.Normal(0.0, 1.0))
    Tensor(0.5)
    """
    formula = PAIRS.get((type(p), type(q)))
    if formula is None:
        known = ", ".join(f"{a.__name__}-{b.__name__}" for a, b in PAIRS)
        raise OptionError(
            f"KL({p.name} || {q.name}) has no closed form in scg (known: {known}); estimate it as "
            "p.log_prob(x) - q.log_prob(x) at x = p.sample()"
        )
    return formula(p, q)
