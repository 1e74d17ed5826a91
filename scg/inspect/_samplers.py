"""Whether draws come from the densities that they state, and independently of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from scg._run import current_run
from scg._tensor import Tensor, as_tensor, parameter
from scg._typing import Array
from scg.autodiff import grad
from scg.errors import ScgError
from scg.inspect._evidence import evidence
from scg.inspect._graph import sites_of, upstream
from scg.inspect._records import Check
from scg.site import Site

__all__ = ["Samplers"]

MOST_SITES, MOST_ELEMENTS, MOST_OUTCOMES = 8, 4, 8
PROJECTIONS = 3


class Samplers:
    """What the draws of many runs say about their densities.

    With s the score of a draw under its own density, in its own parameters:

    - E[s] = 0 and E[(v s)**2 + v H v] = 0, H the second derivative (Bartlett 1953);
    - E[f(x) d/dx log p(x) + f'(x)] = 0 for f that vanish outside an interval (Stein 1972), of the
      draws with a density;
    - each outcome of a finite support comes as often as its probability says;
    - scores of two draws are uncorrelated, unless they share their noise.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._moments: dict[str, list[Array]] = {}
        self._points: dict[str, list[tuple[Array, Array]]] = {}
        self._outcomes: dict[str, list[Array]] = {}
        self._products: dict[tuple[str, str], list[Array]] = {}
        self._broken: dict[str, str] = {}

    def add(self, loss: Tensor) -> None:
        """Take in the draws of a run."""
        first: dict[str, Array] = {}
        for name, site in self._sites(loss):
            try:
                scores = self._add(name, site)
            except ScgError as error:
                self._broken.setdefault(name, str(error))
                continue
            if scores is not None:
                first[name] = scores
        for one, two in combinations(first, 2):
            self._products.setdefault((one, two), []).append(first[one] * first[two])

    def _sites(self, loss: Tensor) -> Iterator[tuple[str, Site]]:
        """Yield the live draws that stand for themselves, under names that stay from run to run."""
        reads = [e.node for run in current_run().chain for e in run.escapes]
        seen: dict[str, int] = {}
        for node in sites_of(upstream([loss._node, *reads])):
            site = node.site
            proper = not (hasattr(site.estimator, "importance")
                          or getattr(site.estimator, "biased", None))  # fmt: skip
            coupled = site.coupling is not None and site.coupling.within
            if site.live and proper and not coupled:
                key = f"{site.draw.name or site.draw.distribution} at {site.draw.place}"
                seen[key] = seen.get(key, 0) + 1
                name = key if seen[key] == 1 else f"{key} ({seen[key]})"
                if name not in self._names and len(self._names) < MOST_SITES:
                    self._names.append(name)
                if name in self._names:
                    yield name, site

    def _add(self, name: str, site: Site) -> Array | None:
        """Take in one draw; return its projected score."""
        tracked = _own_parameters(site.distribution)
        continuous = bool(getattr(site.distribution, "continuous", False))
        x = parameter(site.value) if continuous else Tensor(site.value)
        log_prob = site.distribution.log_prob(x).sum()
        if not continuous:
            self._add_outcomes(name, site)
        wanted = [*tracked, x] if continuous else tracked
        if not wanted or not log_prob.requires_grad:
            return None
        slopes = grad(log_prob, wanted, of="value", create_graph=bool(tracked))
        if continuous and not getattr(site.distribution, "moves_support", ()):
            pair = (_some(site.value), _some(slopes[-1]._data))
            self._points.setdefault(name, []).append(pair)
        return self._add_moments(name, tracked, slopes[: len(tracked)])

    def _add_moments(
        self, name: str, tracked: Sequence[Tensor], scores: Sequence[Tensor]
    ) -> Array | None:
        if not tracked:
            return None
        projected, squares = [], []
        for number in range(PROJECTIONS):
            signs = [_signs(p.shape, number) for p in tracked]
            along = _along(scores, signs)
            projected.append(along._data)
            if along.requires_grad:
                curvature = grad(along, list(tracked), of="value", retain=True)
                squares.append(along._data**2 + _along(curvature, signs)._data)
        self._moments.setdefault(name, []).append(np.array([*projected, *squares], np.float64))
        return np.array(projected, np.float64)

    def _add_outcomes(self, name: str, site: Site) -> None:
        d = site.distribution
        try:
            support = np.asarray(d.enumerate_support())  # type: ignore[attr-defined]
        except (ScgError, AttributeError):
            return
        if len(support) > 64:
            return
        log_p = np.asarray(d.log_prob(Tensor(support))._data, np.float64)
        probabilities = np.exp(log_p)
        if not np.allclose(probabilities.sum(axis=0), 1.0, rtol=0, atol=1e-5):
            total = float(np.ravel(probabilities.sum(axis=0))[0])
            self._broken[name] = f"the probabilities of all outcomes add up to {total:.6g}"
            return
        events = len(getattr(d, "event_shape", ()))
        batch = site.value.shape[: site.value.ndim - events]
        same = support.reshape(len(support), *[1] * (site.value.ndim - support.ndim + 1),
                               *support.shape[1:]) == site.value  # fmt: skip
        hits = np.all(same, axis=tuple(range(-events, 0))) if events else same
        sizes = [1] * (len(batch) - (log_p.ndim - 1))
        expected = np.broadcast_to(
            probabilities.reshape(len(support), *sizes, *log_p.shape[1:]), hits.shape
        )
        surplus = (hits - expected).reshape(len(support), -1)
        chosen = surplus[:MOST_OUTCOMES, :MOST_ELEMENTS]
        self._outcomes.setdefault(name, []).append(chosen.reshape(-1))

    # --- verdicts --------------------------------------------------------------------------------

    def checks(self, planned: int, alpha: float) -> list[Check]:
        """Return what the runs so far say."""
        return [self._densities(planned, alpha), self._independence(planned, alpha)]

    def _densities(self, planned: int, alpha: float) -> Check:
        name = "densities"
        for site, text in self._broken.items():
            return Check(name, "failed", f"{site}: {text}")
        tables = [*self._tables()]
        if not tables:
            return Check(name, "skipped", "no draw has a score")
        columns = sum(samples.shape[1] for _, _, samples in tables)
        limit = math.log(columns / alpha)
        best = max(tables, key=lambda t: _evidence(t[2], planned))
        found = _evidence(best[2], planned)
        text = (
            f"{best[0]}: {best[1]}" if found > limit
            else f"{len(self._names)} draws agree with their densities in {columns} moments"
        )  # fmt: skip
        return Check(name, "failed" if found > limit else "passed", text, found, limit, alpha)

    def _tables(self) -> Iterator[tuple[str, str, Array]]:
        """Yield for each draw and identity what should have mean zero."""
        for name, rows in self._moments.items():
            if len({len(row) for row in rows}) == 1:
                yield name, _SCORE, np.array(rows)
        for name, pairs in self._points.items():
            if len({x.shape for x, _ in pairs}) == 1:
                yield name, _STEIN, stein(*(np.array(a, np.float64) for a in zip(*pairs)))  # noqa: B905
        for name, rows in self._outcomes.items():
            if len({len(row) for row in rows}) == 1:
                yield name, _OFTEN, np.array(rows, np.float64)

    def _independence(self, planned: int, alpha: float) -> Check:
        name = "independence"
        if not self._products:
            return Check(name, "skipped", "there are no two draws with scores")
        limit = math.log(len(self._products) * PROJECTIONS / alpha)
        found = {pair: _evidence(np.array(rows), planned) for pair, rows in self._products.items()}
        pair = max(found, key=lambda p: found[p])
        failed = found[pair] > limit
        text = (
            f"the scores of {pair[0]} and {pair[1]} are correlated, so they share noise" if failed
            else f"the scores of {len(found)} pairs of draws are uncorrelated"
        )  # fmt: skip
        return Check(name, "failed" if failed else "passed", text, found[pair], limit, alpha)


_SCORE = "the score does not have mean zero and the variance that the density states"
_STEIN = "values are not distributed as the density states"
_OFTEN = "outcomes do not come as often as their probabilities state"


def _own_parameters(distribution: Any) -> list[Tensor]:
    """Return the parameters that the score is taken in: tracked, and not moving the support."""
    left_out = {
        *getattr(distribution, "moves_support", ()),
        *getattr(distribution, "without_gradient", ()),
    }
    given = distribution.parameters.items()
    return [p for name, p in given if p.requires_grad and name not in left_out]


def _signs(shape: tuple[int, ...], number: int) -> Array:
    """Return fixed signs, the same for parameters of one shape: the first are all plus."""
    if number == 0:
        return np.ones(shape)
    return np.random.default_rng((number, *shape)).choice([-1.0, 1.0], shape)


def _along(slopes: Sequence[Tensor], signs: Sequence[Array]) -> Tensor:
    total = as_tensor(0.0)
    for s, v in zip(slopes, signs, strict=True):
        total = total + (s * v).sum()
    return total


def _some(values: Array) -> Array:
    return np.asarray(values, np.float64).reshape(-1)[:MOST_ELEMENTS]


def _evidence(samples: Array, planned: int) -> float:
    tolerance = 1e-6 * np.mean(np.abs(samples), axis=0)
    return evidence(samples, tolerance, planned)[0]


def stein(x: Array, slope: Array) -> Array:
    """Return what has mean zero if `slope` is d/dx of the log-density of `x`, both (n, k).

    The test functions live between two quantiles of the first quarter of the runs, which are then
    left out: no boundary of the support can lie there.
    """
    pilot = max(len(x) // 4, 1)
    low, high = np.quantile(x[:pilot], (0.05, 0.95), axis=0)
    x, slope = x[pilot:], slope[pilot:]
    width = np.where(high > low, high - low, np.inf)
    u = np.clip((x - low) / width, 0.0, 1.0)
    bump, bent = (u * (1 - u)) ** 2, 2 * u * (1 - u) * (1 - 2 * u) / width
    skewed, its = bump * (2 * u - 1), bent * (2 * u - 1) + 2 * bump / width
    return np.concatenate([bump * slope + bent, skewed * slope + its], axis=1)
