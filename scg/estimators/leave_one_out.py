"""Leave-one-out baselines: the mean weight of the other elements along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from scg._surrogate.baselines import Weighted
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import BiasedGradientError, OptionError
from scg.estimators._base import Estimator
from scg.noise import Source

__all__ = ["BatchMean", "LeaveOneOut"]


class BatchMean:
    """The mean weight of the other elements along an axis of the draw, as a baseline.

    Right only where each element reaches costs of its own, which is proven or refused.

    Parameters
    ----------
    axis : int
        Of the draw's sample and batch axes.

    Raises
    ------
    BiasedGradientError
        At backward, if costs mix elements along that axis, or their noise is coupled.

    Notes
    -----
    Unbiased. Source: Mnih and Rezende (2016), "Variational inference for Monte Carlo objectives",
    arXiv 1602.06725; Kool, van Hoof and Welling (2019), "Buy 4 REINFORCE samples".

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter([0.0, 0.0, 0.0])
    >>> score = scg.estimators.Score(baseline=scg.estimators.BatchMean())
    >>> b = scg.Bernoulli(logits=a).sample(estimator=score, rng=0)
    >>> ((b - 0.45) ** 2).mean().backward()
    """

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def baseline_of(self, weighted: Weighted) -> Any:
        """Return for each element the mean weight of the others."""
        weight = weighted.weight
        if not -weight.ndim <= self.axis < weight.ndim or weight.shape[self.axis] < 2:
            raise OptionError(
                f"draw {weighted.site.draw}: leave-one-out needs two elements or more along axis "
                f"{self.axis}, but its batch shape is {weight.shape}"
            )
        axis = self.axis % weight.ndim
        coupled = weighted.site.coupling is not None and weighted.site.coupling.within
        if coupled or not weighted.independent_along(axis):
            why = "a cost (or what Python read) depends on several of its elements"
            remedy = "keep that axis until the final mean, or use RunningMean"
            if coupled:
                why, remedy = "its elements have coupled noise", "draw independent noise"
            raise BiasedGradientError(
                f"draw {weighted.site.draw}: leave-one-out along axis {axis} would see the draw "
                f"itself, because {why}; {remedy}"
            )
        return (weight.sum(axis=axis, keepdims=True) - weight) / (weight.shape[axis] - 1)


class LeaveOneOut(Estimator):
    """Draw n samples along a new leading axis, each with the others' mean cost as its baseline.

    Average the cost over that axis yourself: `cost.mean(axis=0)`.

    Parameters
    ----------
    n : int
        At least 2.

    Notes
    -----
    Unbiased. Source: Kool, van Hoof and Welling (2019), "Buy 4 REINFORCE samples, get a baseline
    for free"; Salimans and Knowles (2014), arXiv 1401.1022.

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter(0.0)
    >>> b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.LeaveOneOut(4), rng=0)
    >>> b.shape
    (4,)
    >>> ((b - 0.45) ** 2).mean().backward()
    """

    route: ClassVar[str] = "score"

    def __init__(self, n: int) -> None:
        if n < 2:
            raise OptionError(f"scg.estimators.LeaveOneOut: n={n!r} is less than 2")
        self.n = n

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Draw with the sample axis in front."""
        return super().draw(distribution, source, (self.n, *sizes), options)

    def baseline_of(self, weighted: Weighted) -> Any:
        """Return for each sample the mean weight of the others."""
        return BatchMean(0).baseline_of(weighted)
