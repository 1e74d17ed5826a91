"""A running mean of past weights as a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._bare import array_of, bare
from scg._recording import keeps_state, recorder
from scg._run import Run, current_run
from scg._surrogate.baselines import Weighted
from scg._typing import Array
from scg.errors import OptionError

__all__ = ["RunningMean"]


class RunningMean:
    """The exponential mean of the mean weights of earlier runs.

    It is read before the current run is added to it, so it never sees its own draw.

    Parameters
    ----------
    decay : float
        In [0, 1): how much of the old mean is kept.

    Notes
    -----
    Unbiased. Source: Williams (1992), section 4 (reinforcement comparison).

    Examples
    --------
    >>> import scg
    >>> mean = scg.estimators.RunningMean(decay=0.9)
    >>> a = scg.parameter(0.0)
    >>> b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=mean), rng=0)
    >>> (b * 2.0).backward()
    >>> mean.value
    0.0
    """

    def __init__(self, decay: float = 0.95) -> None:
        if not 0.0 <= decay < 1.0:
            raise OptionError(f"scg.estimators.RunningMean: decay={decay!r} is not in [0, 1)")
        keeps_state(self)
        self.decay = decay
        self.value = 0.0
        self._seen = False
        self._pending: list[tuple[Run, float]] = []

    def baseline_of(self, weighted: Weighted) -> Any:
        """Return the mean of earlier runs, and note this one's for when it has ended."""
        here = recorder()
        if here is None:
            return self._look(weighted.weight, weighted.run)
        given = array_of(weighted.weight)
        value = np.asarray(self._look(given, weighted.run))
        here.host("RunningMean", self._again, [given], [value])
        return bare(value)

    def _again(self, weight: Array) -> tuple[Array]:
        """Do what one backward of a compiled step does."""
        return (np.asarray(self._look(weight, current_run())),)

    def _look(self, weight: Array, run: Run) -> float:
        self._commit(run.root)
        if np.size(weight):
            self._pending.append((run.root, float(np.mean(weight))))
        return self.value

    def _commit(self, current: Run) -> None:
        """Take in what ended runs noted."""
        ended = [x for run, x in self._pending if run is not current]
        self._pending = [(run, x) for run, x in self._pending if run is current]
        for x in ended:
            self.value = self.decay * self.value + (1.0 - self.decay) * x if self._seen else x
            self._seen = True
