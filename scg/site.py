"""The record of a draw, and how its value enters the graph.

A *pathwise* draw is a differentiable function of its parameters and of noise; backward may still
cut it for some costs and use its score. A *score* draw is a constant.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg import _axes
from scg._op import SMOOTH, Op
from scg._run import Draw, current_run
from scg._signs import note_sign
from scg._tensor import Tensor
from scg.errors import GradientError, OptionError
from scg.tape import (
    INHERITED,
    NOISE,
    NONNEGATIVE,
    POSITIVE,
    REQUIRES,
    ROUTED,
    SCORE,
    TRAINABLE,
    DrawNode,
    NoisyNode,
    grad_enabled,
)  # fmt: skip

__all__ = [
    "ROUTES", "Coupling", "Distribution", "Site", "check_estimator", "check_route", "coupling_of",
    "note_own_score", "pathwise_site",
    "score_site", "with_noise",
]  # fmt: skip

ROUTES = ("auto", "pathwise", "score")


class Distribution(Protocol):
    """What a site needs of a distribution."""

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """The tensors that the log-probability is a function of."""

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability, event axes summed."""

    def prob(self, value: Any) -> Tensor:
        """Return the probability or density."""

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
    estimator : str or Estimator
        How the user asked for its gradient to be estimated.
    draw : Draw
        Name, place and run.
    stamp : int
        Sum of the versions of those parameters that are trainable leaves themselves.
    pathwise : bool
        The value is a differentiable function of parameters and noise.
    live : bool
        A trainable parameter reaches its parameters.
    coupling : object
        What draws with dependent noise have in common; None if its noise is its own.
    """

    distribution: Distribution
    value: Any
    estimator: Any
    draw: Draw
    stamp: int
    pathwise: bool
    live: bool
    coupling: Any = None

    def log_prob(self) -> Tensor:
        """Return the log-probability of every member of the batch, at the parameters of the draw.

        Raises
        ------
        GradientError
            If a parameter was updated since the draw.
        """
        self._check_fresh()
        return self.distribution.log_prob(self._held_value())

    def prob(self) -> Tensor:
        """Return the probability likewise."""
        self._check_fresh()
        return self.distribution.prob(self._held_value())

    def _check_fresh(self) -> None:
        if _stamp(self.distribution) != self.stamp:
            raise GradientError(
                f"draw {self.draw} is stale: a parameter of it was updated since, so its "
                "log-probability belongs to another distribution; draw again before backward, or "
                "pass x.detach() if it is no more than an observation by now"
            )

    def _held_value(self) -> Tensor:
        """Return the value as a constant that still is noise, if it is: its jumps are jumps."""
        if self.value.dtype.kind != "f" or not getattr(self.distribution, "continuous", False):
            return Tensor(self.value)
        return with_noise(self.value)


def _stamp(distribution: Distribution) -> int:
    stamp = 0
    for p in distribution.parameters.values():
        if p._node is not None:
            stamp += p._node.version
    return stamp


def _draw_rule(F: Any, g: Any, _y: Any, _x: Any) -> Any:
    return g


_DRAW = Op("draw", lambda x, /: x, smooth=SMOOTH, axes=_axes.elementwise, sign=lambda same, x: x)
_DRAW.set_vjp(_draw_rule)


def with_noise(noise: Any, *, positive: bool = False) -> Tensor:
    """Return noise as a tensor that is known to be noise, so that a jump on it is noticed.

    Noise that is almost surely positive says so: no pole at 0 can then be crossed.
    """
    flags = NOISE | POSITIVE | NONNEGATIVE if positive else NOISE
    node = DrawNode(_DRAW, (), (), {}, flags, 0, noise.shape, noise.dtype, sys._getframe(1))
    node.site = None
    return Tensor(noise, node)


def pathwise_site(
    distribution: Distribution, value: Tensor, name: str | None, *, estimator: Any = "auto",
    coupling: Any = None,
) -> Tensor:  # fmt: skip
    """Record a reparameterised draw whose value was computed from its parameters and noise."""
    inner = value._node
    flags = inner.flags if inner is not None else NOISE
    node = DrawNode(_DRAW, (), (), {}, flags, 0, value.shape, value.dtype, sys._getframe(1))
    if inner is not None and flags & (REQUIRES | ROUTED):
        node.parents = (inner,)
        node.saved = (None, None)
        note_sign(_DRAW, node, (None,), (inner,))
    live = bool(flags & (TRAINABLE | ROUTED))
    if live and (getattr(estimator, "biased", None) or hasattr(estimator, "curvature")):
        node.flags |= ROUTED  # or backward would take it for an ordinary tensor
    _note_draw(node, distribution, value._data, name, estimator, coupling, pathwise=True, live=live)
    return Tensor(value._data, node)


def score_site(
    distribution: Distribution, value: Any, name: str | None, *, continuous: bool,
    estimator: Any = "score", coupling: Any = None, live: bool = False,
) -> Tensor:  # fmt: skip
    """Record a draw whose gradient is its score times the loss.

    It is live if a trainable parameter reaches its parameters, or if it has to be weighted anyway.
    """
    value = np.asarray(value)
    inherited = 0
    for p in distribution.parameters.values():
        inherited |= p._node.flags & INHERITED if p._node is not None else 0
    live = live or bool(inherited & (REQUIRES | TRAINABLE | ROUTED))
    flags = (NOISE if continuous else 0) | (ROUTED if live else 0)
    node = DrawNode(_DRAW, (), (), {}, flags, 0, value.shape, value.dtype, sys._getframe(1))
    _note_draw(node, distribution, value, name, estimator, coupling, pathwise=False, live=live)
    return Tensor(value, node)


def _note_draw(
    node: DrawNode, distribution: Distribution, value: Any, name: str | None, estimator: Any,
    coupling: Any, *, pathwise: bool, live: bool,
) -> None:  # fmt: skip
    run, recorded = current_run(), grad_enabled()
    draw = Draw(name or "", distribution.describe(), node.place, run, recorded)
    node.draw = draw
    node.site = Site(
        distribution, value, estimator, draw, _stamp(distribution), pathwise, live, coupling
    )
    run.drawn = True
    if coupling is not None and not live:
        run.root.fixed.append((coupling, draw))
    if live:
        node.runs = (run,)
        if recorded:
            run.add_draw()


def note_own_score(distribution: Distribution, value: Any, log_prob: Tensor) -> Tensor:
    """Mark a log-probability of a draw under the parameters that it was drawn with."""
    node = value._node if isinstance(value, Tensor) else None
    if isinstance(node, DrawNode) and node.site is not None and node.site.live:
        drawn = node.site.distribution
        if isinstance(log_prob._node, NoisyNode) and _same(drawn, distribution):
            log_prob._node.flags |= SCORE
            log_prob._node.draw = node.draw
    return log_prob


def _same(first: Distribution, second: Distribution) -> bool:
    if first is second:
        return True
    a, b = first.parameters, second.parameters
    return type(first) is type(second) and a.keys() == b.keys() and all(
        a[k]._node is not None and a[k]._node is b[k]._node for k in a
    )  # fmt: skip


class Coupling(NamedTuple):
    """What is known of the noise of a draw that is not independent.

    Attributes
    ----------
    state : dict or None
        The state of the generator that the draw was made from; None if unknown.
    within : bool
        The elements of the draw depend on one another along axis 0.
    """

    state: Mapping[str, Any] | None
    within: bool = False

    @property
    def token(self) -> Hashable:
        """Equal for two draws that were made from the same state; None if unknown."""
        if self.state is None:
            return None
        inner = self.state.get("state")
        if isinstance(inner, dict) and all(isinstance(n, int) for n in inner.values()):
            return tuple(inner.values())
        return str(self.state)


def coupling_of(rng: Any, source: Any) -> Coupling | None:
    """Return how a draw's noise is coupled, from the `rng=` that the user gave."""
    if rng is None:
        return None
    if getattr(source, "coupled", False):
        return Coupling(None, within=True)
    generator = getattr(source, "rng", None)
    if not isinstance(generator, np.random.Generator):
        return None
    return Coupling(generator.bit_generator.state)


def check_route(route: str) -> str:
    """Return `route` if it is a known one."""
    if route not in ROUTES:
        raise OptionError(f"estimator={route!r} is not one of {', '.join(ROUTES)}")
    return route


def check_estimator(estimator: Any) -> Any:
    """Return `estimator` if it is an object that draws."""
    if isinstance(estimator, type) or not hasattr(estimator, "draw"):
        raise OptionError(
            f"estimator={estimator!r} is neither one of {', '.join(ROUTES)} nor an instance of an "
            "estimator, such as scg.estimators.LeaveOneOut(4); a baseline goes into "
            "scg.estimators.Score(baseline=...)"
        )
    return estimator
