"""The score-function estimator, with a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scg._bare import bare
from scg._surrogate.baselines import Weighted, refuse_baseline
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import OptionError
from scg.estimators._base import Estimator
from scg.noise import Source

__all__ = ["Score"]


class Score(Estimator):
    """Multiply the gradient of the log-probability with what the draw costs, less a baseline.

    Parameters
    ----------
    baseline : float, array_like, Tensor, callable or baseline, optional
        Subtracted from each element's weight, which is the part of the loss that the element can
        reach, coefficients included. An array is copied when the draw is made. A tensor must not
        depend on the draw; a callable is called at backward and must return such a tensor;
        `RunningMean()` and `BatchMean()` are computed from the weights.

    Raises
    ------
    OptionError
        If the baseline is a class instead of an instance.
    BiasedGradientError
        At backward, if the baseline depends on its own draw.

    Notes
    -----
    Unbiased. Source: Williams (1992), "Simple statistical gradient-following algorithms for
    connectionist reinforcement learning", section 4.

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter(0.0)
    >>> b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=0.25), rng=0)
    >>> ((b - 0.45) ** 2).backward()
    """

    route: ClassVar[str] = "score"

    def __init__(self, baseline: Any = None) -> None:
        if isinstance(baseline, type):
            raise OptionError(
                f"scg.estimators.Score: baseline={baseline!r} is a class; pass an instance, such "
                f"as {baseline.__name__}()"
            )
        self.baseline = baseline

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Draw with the baseline as it is now, should the array be changed by what is drawn."""
        if isinstance(self.baseline, np.ndarray | list):
            fixed = Score(np.array(self.baseline))
            return super(Score, fixed).draw(distribution, source, sizes, options)
        return super().draw(distribution, source, sizes, options)

    def baseline_of(self, weighted: Weighted) -> Any:
        """Return what to subtract from the weight."""
        baseline = self.baseline
        if baseline is None:
            return 0.0
        if hasattr(baseline, "baseline_of"):
            return baseline.baseline_of(weighted)
        if isinstance(baseline, Tensor):
            return _unseen(weighted, baseline)
        if callable(baseline):
            # A plain number computed now may come from anything, the draw itself included.
            return _unseen(weighted, baseline())
        return np.asarray(baseline)


def _unseen(weighted: Weighted, value: Any) -> Any:
    if not isinstance(value, Tensor) or weighted.reached_by_draw(value):
        refuse_baseline(weighted.site)
    return bare(value._data)
