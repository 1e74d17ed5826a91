"""What the values of one draw, over many runs, say about the density that it states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scg._tensor import Tensor, parameter
from scg._typing import Array, Shape
from scg.autodiff import grad
from scg.errors import OptionError, SupportError
from scg.inspect._evidence import evidence, surprise
from scg.site import Site

__all__ = ["PROJECTIONS", "Moments"]

MOST_ELEMENTS, MOST_OUTCOMES = 4, 8
PROJECTIONS = 3
ADDED = 1e-5  # by how much probabilities may miss 1, in float32 too


class Moments:
    """What one draw gave in each run.

    With s the score of the draw in the parameters of its density p:

    - E[s] = 0;
    - E[f(x) d/dx log p(x) + f'(x)] = 0 for f that vanish outside an interval (Stein 1972), and so
      do the products of two independent elements;
    - of discrete values, each comes as often as its probability says.
    """

    def __init__(self) -> None:
        self._scores: list[Array] = []
        self._points: list[Array] = []
        self._outcomes: list[Array] = []

    def add(self, site: Site) -> Array | None:
        """Take in the draw of a run; return projections of its score."""
        distribution: Any = site.distribution
        tracked = _own_parameters(distribution)
        continuous = bool(getattr(distribution, "continuous", False))
        if not continuous:
            self._add_outcomes(site)
        x = parameter(site.value) if continuous else Tensor(site.value)
        log_prob = distribution.log_prob(x).sum()
        wanted = [*tracked, x] if continuous else tracked
        if not wanted or not log_prob.requires_grad:
            return None
        slopes = [g._data for g in grad(log_prob, wanted, of="value", retain=True)]
        if continuous and not getattr(distribution, "moves_support", ()):
            self._points.append(np.stack([_some(site.value), _some(slopes[-1])]))
        projected = _projected(slopes[: len(tracked)])
        if continuous and tracked:
            self._scores.append(projected)
        return projected if tracked else None

    def _add_outcomes(self, site: Site) -> None:
        """Take in which outcomes came, of a draw with a finite support or of counts."""
        distribution: Any = site.distribution
        support, whole = _support(distribution)
        if support is None:
            return
        shape = (len(support), *[1] * (site.value.ndim - support.ndim + 1), *support.shape[1:])
        values = support.reshape(shape)
        log_p = distribution.log_prob(Tensor(values))._data
        probabilities = np.exp(np.asarray(log_p, np.float64))
        _check_total(probabilities.sum(axis=0).reshape(-1), whole)
        events = len(getattr(distribution, "event_shape", ()))
        same = values == site.value
        hits = np.all(same, axis=tuple(range(-events, 0))) if events else same
        pair = np.stack([hits, np.broadcast_to(np.minimum(probabilities, 1.0), hits.shape)])
        few = pair.reshape(2, len(support), -1)[:, :MOST_OUTCOMES, :MOST_ELEMENTS]
        self._outcomes.append(few.reshape(2, -1))

    # --- evidence --------------------------------------------------------------------------------

    def tables(self, planned: int) -> Iterator[tuple[str, int, float]]:
        """Yield what is wrong if it is, in how many columns that was looked for, and log e."""
        if _alike(self._scores):
            yield (
                "the mean of its score is not zero: log_prob does not belong to the sampler",
                *_judged(np.array(self._scores), planned),
            )
        if _alike(self._points):
            table = stein(*np.moveaxis(np.array(self._points), 1, 0))
            text = "its values are not distributed as log_prob says"
            yield text, *_judged(table, planned - planned // 4)
        if _alike(self._outcomes):
            hits, probabilities = np.moveaxis(np.array(self._outcomes), 1, 0)
            text = "its outcomes do not come as often as log_prob says"
            yield text, 1, surprise(hits, probabilities) - np.log(hits.shape[1])

    def twins(self, events: int, planned: int) -> tuple[int, float]:
        """Return the evidence that its first two elements share noise, and in how many columns."""
        if events or not _alike(self._points) or self._points[0].shape[1] < 2:
            return 0, 0.0
        table = stein(*np.moveaxis(np.array(self._points), 1, 0))
        return _judged(table[:, [0]] * table[:, [1]], planned - planned // 4)


def _own_parameters(distribution: Any) -> list[Tensor]:
    """Return the parameters that the score is taken in: tracked, and not moving the support."""
    left_out = {
        *getattr(distribution, "moves_support", ()),
        *getattr(distribution, "without_gradient", ()),
    }
    given = distribution.parameters.items()
    return [p for name, p in given if p.requires_grad and name not in left_out]


def _support(distribution: Any) -> tuple[Array | None, bool]:
    """Return outcomes to look for, and whether these are all."""
    try:
        return np.asarray(distribution.enumerate_support()), True
    except (OptionError, AttributeError):
        pass
    batch = getattr(distribution, "batch_shape", ())
    counts = np.arange(float(MOST_OUTCOMES)).reshape(-1, *[1] * len(batch))
    try:
        distribution.log_prob(Tensor(counts))
    except (SupportError, OptionError, ValueError, TypeError):
        return None, False
    return counts, False


def _check_total(total: Array, whole: bool) -> None:
    error = np.abs(total - 1.0) if whole else total - 1.0
    if np.max(error, initial=0.0) > ADDED:
        wrong = total[int(np.argmax(error))]
        raise SupportError(f"the probabilities of its outcomes add up to {wrong:.6g}")


def _projected(scores: Sequence[Array]) -> Array:
    """Return a few numbers, however many parameters there are."""
    return np.array([
        sum(float(np.sum(s * _signs(s.shape, number))) for s in scores)
        for number in range(PROJECTIONS)
    ])  # fmt: skip


def _signs(shape: Shape, number: int) -> Array:
    """Return fixed signs, the same for parameters of one shape: the first are all plus."""
    if number == 0:
        return np.ones(shape)
    return np.random.default_rng((number, *shape)).choice([-1.0, 1.0], shape)


def _some(values: Array) -> Array:
    return np.asarray(values, np.float64).reshape(-1)[:MOST_ELEMENTS]


def _alike(rows: Sequence[Array]) -> bool:
    return len({row.shape for row in rows}) == 1


def _judged(samples: Array, planned: int) -> tuple[int, float]:
    tolerance = 1e-6 * np.mean(np.abs(samples), axis=0)
    return samples.shape[1], evidence(samples, tolerance, planned)[0]


def stein(x: Array, slope: Array) -> Array:
    """Return what has mean zero if `slope` is d/dx of the log-density of `x`, both (n, k).

    The test functions live between two quantiles of the first quarter of the runs, which are then
    left out: no boundary of the support can lie there.
    """
    pilot = len(x) // 4
    low, high = np.quantile(x[: max(pilot, 1)], (0.05, 0.95), axis=0)
    x, slope = x[pilot:], slope[pilot:]
    width = np.where(high > low, high - low, np.inf)
    u = np.clip((x - low) / width, 0.0, 1.0)
    bump, bent = (u * (1 - u)) ** 2, 2 * u * (1 - u) * (1 - 2 * u) / width
    skewed, its = bump * (2 * u - 1), bent * (2 * u - 1) + 2 * bump / width
    return np.concatenate([bump * slope + bent, skewed * slope + its], axis=1)
