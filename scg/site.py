"""The record of a draw, and how its value enters the graph.

A *pathwise* draw is a differentiable function of its parameters and of noise. A *score* draw is a
constant; the surrogate multiplies the loss's value with its log-probability instead.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scg import _axes
from scg._op import SMOOTH, Op
from scg._run import Draw, current_run
from scg._tensor import Tensor
from scg.errors import GradientError, OptionError
from scg.tape import (
    DRAWN,
    INHERITED,
    NOISE,
    NONNEGATIVE,
    POSITIVE,
    REQUIRES,
    TRAINABLE,
    Cut,
    DrawNode,
    Node,
    grad_enabled,
)  # fmt: skip

__all__ = ["ROUTES", "Distribution", "Site", "pathwise_site", "score_site", "with_noise"]

ROUTES = ("auto", "pathwise", "score")


class Distribution(Protocol):
    """What a site needs of a distribution."""

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """The tensors that the log-probability is a function of."""

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability, event axes summed."""

    def describe(self) -> str:
        """Return a short text, such as `Normal(3, 2)`."""


@dataclass(slots=True, eq=False)
class Site:
    """One draw.

    Attributes
    ----------
    distribution : Distribution
        What was drawn from, with the parameters it had.
    value : ndarray
        What came out.
    route : {"pathwise", "score"}
        How its gradient is estimated.
    draw : Draw
        Name, place and run.
    stamp : int
        Sum of the versions of those parameters that are trainable leaves themselves.
    order : int
        That of its node.
    """

    distribution: Distribution
    value: Any
    route: str
    draw: Draw
    stamp: int
    order: int

    def log_prob(self) -> Tensor:
        """Return the total log-probability of the value at the parameters it was drawn with.

        Raises
        ------
        GradientError
            If a parameter was updated since the draw.
        """
        if _stamp(self.distribution) != self.stamp:
            raise GradientError(
                f"draw {self.draw} is stale: a parameter of it was updated since, so its "
                "log-probability belongs to another distribution; draw again before backward"
            )
        return self.distribution.log_prob(Tensor(self.value)).sum()


def _stamp(distribution: Distribution) -> int:
    return sum(p._node.version for p in distribution.parameters.values() if p._node is not None)


def _draw_rule(F: Any, g: Any, _y: Any, _x: Any) -> Any:
    return g


_DRAW = Op("draw", lambda x, /: x, smooth=SMOOTH, axes=_axes.elementwise)
_DRAW.set_vjp(_draw_rule)


def with_noise(noise: Any, *, positive: bool = False) -> Tensor:
    """Return noise as a tensor that is known to be noise, so that a jump on it is noticed.

    Noise that is almost surely positive says so: no pole at 0 can then be crossed.
    """
    flags = NOISE | POSITIVE | NONNEGATIVE if positive else NOISE
    node = DrawNode(_DRAW, (), (), {}, flags, 0, noise.shape, noise.dtype, sys._getframe(1))
    node.cut, node.runs, node.site, node.draw = None, (), None, None
    return Tensor(noise, node)


def pathwise_site(distribution: Distribution, value: Tensor, name: str | None) -> Tensor:
    """Record a reparameterised draw whose value was computed from its parameters and noise."""
    flags = value._node.flags if value._node is not None else NOISE
    parents, saved = ((value._node,), (None, None)) if flags & REQUIRES else ((), ())
    node = DrawNode(_DRAW, parents, saved, {}, flags, 0, value.shape, value.dtype, sys._getframe(1))
    draw = Draw(
        name or "", distribution.describe(), node.place, current_run(), recorded=grad_enabled()
    )
    node.draw = draw
    node.cut = value._node.cut if value._node is not None else None
    node.runs = value._node.runs if value._node is not None else ()
    node.site = Site(distribution, value._data, "pathwise", draw, 0, node.order)
    return Tensor(value._data, node)


def score_site(
    distribution: Distribution, value: Any, name: str | None, *, continuous: bool
) -> Tensor:
    """Record a draw whose gradient is its score times the loss."""
    value = np.asarray(value)
    inherited = 0
    for p in distribution.parameters.values():
        inherited |= p._node.flags & INHERITED if p._node is not None else 0
    trainable = bool(inherited & (REQUIRES | TRAINABLE | DRAWN))
    flags = (NOISE if continuous else 0) | (DRAWN if trainable else 0)
    node = DrawNode(_DRAW, (), (), {}, flags, 0, value.shape, value.dtype, sys._getframe(1))
    run = current_run()
    draw = Draw(name or "", distribution.describe(), node.place, run, recorded=grad_enabled())
    site = Site(distribution, value, "score", draw, _stamp(distribution), node.order)
    node.draw, node.site, node.cut, node.runs = draw, site, None, (run,) if trainable else ()
    if inherited & REQUIRES and grad_enabled():
        run.add_draw(site)
    elif inherited & TRAINABLE:
        node.cut = _missing_score(node, draw, distribution)
    return Tensor(value, node)


def _missing_score(node: Node, draw: Draw, distribution: Distribution) -> Cut:
    """Say why a draw with trainable parameters has no score that could be differentiated."""
    cuts = [p._node.cut for p in distribution.parameters.values() if p._node is not None]
    known = next((c for c in cuts if c is not None), None)
    reason = "no_grad" if not grad_enabled() else "OPAQUE"
    return known or Cut("sample", reason, node.place, draw)


def check_route(route: str) -> str:
    """Return `route` if it is a known one."""
    if route not in ROUTES:
        raise OptionError(f"estimator={route!r} is not one of {', '.join(ROUTES)}")
    return route
