"""A program whose gradient must come out right, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from conformance import closed, split
from hypothesis import strategies as st

import scg
from scg._run import fresh_run
from scg.distributions import Distribution
from scg.testing import exact_expectation

REAL, UNIT, SIZE = (-1.2, 1.2), (0.15, 0.85), (0.5, 1.4)
PROGRAMS: dict[str, Program] = {}


@dataclass(frozen=True)
class Program:
    """A program family, as a user writes it, with its truth.

    Attributes
    ----------
    section : str
        Where it stands in the list of programs: A (motifs), B (smoothness and control), C
        (support, parameters, draws), D (order), E (variances), S (what the semantics name).
    fn : callable
        Takes tensors, returns the loss; it draws by itself.
    expected : callable
        The exact expectation of the loss, in plain NumPy and analytic in the parameters.
    over : sequence of (low, high)
        From where hypothesis takes each parameter.
    at : sequence
        The parameters of the printed table; arrays give the shapes.
    routes : mapping
        Of each named draw: pathwise, score, enumerate, fixed, or several joined by "+".
    estimator : callable, optional
        The pruned estimator by hand: yields (probability, gradients), so its exact variance.
    variance : callable, optional
        The exact variance in closed form, where the estimator cannot be enumerated.
    wrong : mapping of str to callable
        What a hurried implementer would return instead: gradients, by hand.
    everywhere : bool
        Whether the score function can be used everywhere, to compare with.
    noisier : bool
        The variance is larger than that of the score function everywhere, which happens.
    examples : int
        How many parameter values hypothesis tries.
    cuts : callable, optional
        Where, in the standard normal noise of its one Gaussian draw, the program jumps: for those
        whose jumps the public quadrature cannot see.
    of : {"expectation", "value"}
        As in `scg.grad`.
    order : int
        2: what is estimated is the Hessian, by the gradient of the gradient.
    """

    section: str
    name: str
    fn: Callable[..., Any]
    expected: Callable[..., Any]
    over: Sequence[tuple[float, float]]
    at: Sequence[Any]
    routes: Mapping[str, str]
    estimator: Callable[..., Any] | None = None
    variance: Callable[..., Any] | None = None
    wrong: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    everywhere: bool = True
    noisier: bool = False
    examples: int = 5
    cuts: Callable[..., Sequence[float]] | None = None
    of: str = "expectation"
    order: int = 1

    def strategy(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """Return parameters for hypothesis."""
        parts = []
        for (low, high), at in zip(self.over, self.at, strict=True):
            number = st.floats(low, high)
            shape, size = np.shape(at), int(np.size(at))
            whole = st.lists(number, min_size=size, max_size=size)
            parts.append(whole.map(lambda x, s=shape: np.reshape(x, s)))
        return st.tuples(*parts)

    def truth(self, values: Sequence[Any]) -> list[np.ndarray]:
        """Return the derivative of the expectation."""
        derivative = closed.gradient if self.order == 1 else closed.curvature
        return derivative(self.expected, values)

    def moments(
        self, values: Sequence[Any], run: Callable[..., Sequence[Any]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact mean and variance, flat, of the gradients that `run(*leaves)` gives."""
        leaves = [scg.parameter(np.asarray(v, float)) for v in values]

        def both() -> np.ndarray:
            g = flat([g.numpy() for g in run(*leaves)])
            return np.stack([g, g * g])

        if self.cuts is None:
            mean, second = exact_expectation(both, max_runs=40_000)
        else:
            mean, second = split.expectation(both, split.rule(self.cuts(*values)))
        return mean, np.maximum(second - mean**2, 0.0)

    def estimate(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return the exact mean and variance of the gradient that `scg` returns."""
        return self.moments(values, self._estimate if self.order == 1 else self._hessian)

    def _estimate(self, *leaves: scg.Tensor) -> Sequence[scg.Tensor]:
        return scg.grad(self.fn(*leaves), list(leaves), of=self.of)

    def _hessian(self, *leaves: scg.Tensor) -> list[scg.Tensor]:
        first = scg.grad(self.fn(*leaves), list(leaves), create_graph=True)
        rows = [g[i] for g in first for i in np.ndindex(g.shape)]
        return [h for row in rows for h in scg.grad(row, list(leaves), retain=True)]

    def stated_variance(self, values: Sequence[Any]) -> np.ndarray | None:
        """Return the variance that the right, pruned estimator has, flat; None if not stated."""
        if self.estimator is not None:
            return closed.moments(self.estimator(*values))[1]
        if self.variance is not None:
            return np.atleast_1d(np.asarray(self.variance(*values), float))
        return None


def program(
    section: str,
    name: str,
    *,
    expected: Callable[..., Any],
    over: Sequence[tuple[float, float]],
    at: Sequence[Any],
    routes: Mapping[str, str],
    **known: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated function into the list of programs."""

    def enter(fn: Callable[..., Any]) -> Callable[..., Any]:
        if name in PROGRAMS:
            raise ValueError(f"two programs are called {name!r}")
        PROGRAMS[name] = Program(section, name, fn, expected, over, at, routes, **known)
        return fn

    return enter


def flat(arrays: Sequence[Any]) -> np.ndarray:
    """Return all gradients as one vector."""
    return np.concatenate([np.reshape(a, -1) for a in arrays])


def routes(fn: Callable[..., Any], values: Sequence[Any], seeds: int = 12) -> dict[str, str]:
    """Return what the audit reports of every named draw, over several runs."""
    found: dict[str, set[str]] = {}
    for seed in range(seeds):
        fresh_run()
        scg.seed(seed)
        loss = scg.as_tensor(fn(*[scg.parameter(np.asarray(v, float)) for v in values]))
        for name, taken in scg.audit(loss).routes().items():
            found.setdefault(name, set()).update(taken)
    kinds = ("pathwise", "score", "enumerate", "fixed", "not reached")
    return {name: "+".join(k for k in kinds if k in got) for name, got in found.items()}


# --- the score function everywhere, with the whole loss ---------------------------------------


@contextmanager
def sampling(change: Callable[..., Any]) -> Iterator[None]:
    """Replace `Distribution.sample` by `change(original, distribution, *args, **options)`."""
    original = Distribution.sample

    def sample(self: Distribution, *args: Any, **options: Any) -> Any:
        return change(original, self, *args, **options)

    Distribution.sample = sample  # type: ignore[method-assign]
    try:
        yield
    finally:
        Distribution.sample = original  # type: ignore[method-assign]


def score_everywhere(program: Program, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the estimator that prunes nothing.

    Every draw by its score, weighted by the whole loss, plus the derivative of the loss with all
    draws held: unbiased wherever a score exists, and what every better estimator is measured by.
    """

    def one_run(*leaves: scg.Tensor) -> Sequence[scg.Tensor]:
        scores: list[scg.Tensor] = []

        def scored(original: Any, self: Any, *args: Any, **options: Any) -> Any:
            x = original(self, *args, **{**options, "estimator": "score"})
            scores.append(self.log_prob(scg.tensor(scg.peek(x))).sum())
            return x

        with sampling(scored):
            loss = scg.as_tensor(program.fn(*leaves)).sum()
        total = float(scg.peek(loss)) * sum(scores, loss * 0.0) + loss
        return scg.grad(total, list(leaves), of="value")

    return program.moments(values, one_run)
