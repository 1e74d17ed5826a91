"""A running mean of past weights as a baseline."""

from __future__ import annotations

import numpy as np

from scg._run import Run
from scg._surrogate.baselines import Weighted
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
        self.decay = decay
        self.value = 0.0
        self._seen = False
        self._pending: list[tuple[Run, float]] = []

    def baseline_of(self, weighted: Weighted) -> float:
        """Return the mean of earlier runs, and note this one's for when it has ended."""
        root = weighted.run.root
        self._commit(root)
        if np.size(weighted.weight):
            self._pending.append((root, float(np.mean(weighted.weight))))
        return self.value

    def _commit(self, current: Run) -> None:
        """Take in what ended runs noted."""
        ended = [x for run, x in self._pending if run is not current]
        self._pending = [(run, x) for run, x in self._pending if run is current]
        for x in ended:
            self.value = self.decay * self.value + (1.0 - self.decay) * x if self._seen else x
            self._seen = True
