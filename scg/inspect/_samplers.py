"""Whether draws come from the densities that they state, and independently of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from scg._run import current_run
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import ScgError, SupportError
from scg.inspect._evidence import evidence
from scg.inspect._graph import sites_of, upstream
from scg.inspect._moments import PROJECTIONS, Moments
from scg.inspect._records import Check
from scg.inspect._words import counted, short_in
from scg.site import Site

__all__ = ["Samplers"]

MOST_SITES = 8


class Samplers:
    """What the draws of many runs say."""

    def __init__(self) -> None:
        self._moments: dict[str, Moments] = {}
        self._events: dict[str, int] = {}
        self._products: dict[tuple[str, str], list[Array]] = {}
        self._broken: dict[str, str] = {}

    def add(self, loss: Tensor) -> None:
        """Take in the draws of a run."""
        scores: dict[str, Array] = {}
        for name, site in self._sites(loss):
            try:
                projected = self._moments[name].add(site)
            except SupportError as error:
                self._broken.setdefault(name, str(error))
            except ScgError:
                continue  # no density, or none that can be differentiated
            else:
                if projected is not None:
                    scores[name] = projected
        for one, two in combinations(scores, 2):
            self._products.setdefault((one, two), []).append(scores[one] * scores[two])

    def _sites(self, loss: Tensor) -> Iterator[tuple[str, Site]]:
        """Yield the live draws that stand for themselves, under names that stay from run to run."""
        reads = [e.node for run in current_run().chain for e in run.escapes]
        seen: dict[str, int] = {}
        for node in sites_of(upstream([loss._node, *reads])):
            site = node.site
            if not _is_plain_draw(site):
                continue
            key = f"{site.draw.name or site.draw.distribution} at {site.draw.place}"
            seen[key] = seen.get(key, 0) + 1
            name = key if seen[key] == 1 else f"{key} (no. {seen[key]})"
            if name not in self._moments and len(self._moments) < MOST_SITES:
                self._moments[name] = Moments()
                self._events[name] = len(getattr(site.distribution, "event_shape", ()))
            if name in self._moments:
                yield name, site

    # --- verdicts --------------------------------------------------------------------------------

    def checks(self, planned: int, alpha: float) -> list[Check]:
        """Return what the runs so far say."""
        return [self._densities(planned, alpha), self._independence(planned, alpha)]

    def _densities(self, planned: int, alpha: float) -> Check:
        name = "densities"
        for draw, text in self._broken.items():
            return Check(name, "failed", short_in(f"{draw}: {text}"))
        tables = [(draw, *t) for draw, m in self._moments.items() for t in m.tables(planned)]
        if not tables:
            return Check(name, "skipped", "no draw has a density in parameters")
        columns = sum(count for _, _, count, _ in tables)
        limit = math.log(columns / alpha)
        draw, wrong, _, found = max(tables, key=lambda table: table[3])
        if found > limit:
            return Check(name, "failed", short_in(f"{draw}: {wrong}"), found, limit, alpha)
        looked_at = counted(len(self._moments), "draw")
        first = f"the first {looked_at}" if len(self._moments) == MOST_SITES else looked_at
        text = f"what log_prob says holds of {first}"
        return Check(name, "passed", text, found, limit, alpha)

    def _independence(self, planned: int, alpha: float) -> Check:
        name = "independence"
        found = {
            f"the scores of {one} and {two} are correlated": _judged(np.array(rows), planned)
            for (one, two), rows in self._products.items()
        }
        for draw, moments in self._moments.items():
            count, log_e = moments.twins(self._events[draw], planned)
            if count:
                found[f"the elements of {draw} are correlated"] = log_e
        if not found:
            return Check(name, "skipped", "there are no two draws with scores")
        limit = math.log(len(found) * PROJECTIONS / alpha)
        worst = max(found, key=lambda text: found[text])
        failed = found[worst] > limit
        text = (
            f"{worst}: they share noise"
            if failed
            else f"no noise is shared in {counted(len(found), 'pair')}"
        )
        verdict = "failed" if failed else "passed"
        return Check(name, verdict, short_in(text), found[worst], limit, alpha)


def _is_plain_draw(site: Site) -> bool:
    """Tell whether a draw is one value of its distribution, and a gradient may need its score."""
    replaced = hasattr(site.estimator, "importance") or getattr(site.estimator, "biased", None)
    coupled = site.coupling is not None and site.coupling.within
    return site.live and not replaced and not coupled


def _judged(samples: Array, planned: int) -> float:
    return evidence(samples, 1e-6 * np.mean(np.abs(samples), axis=0), planned)[0]
