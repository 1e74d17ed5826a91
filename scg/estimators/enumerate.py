"""All outcomes of a discrete draw, each weighted by its probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from scg._tensor import Tensor
from scg._typing import Shape
from scg.estimators._base import Estimator
from scg.noise import Source
from scg.site import score_site

__all__ = ["Enumerate"]


class Enumerate(Estimator):
    """Take every outcome instead of drawing one.

    The result has a new leading axis, one entry for each outcome, and `cost.mean(axis=0)` stands
    for the expectation: backward counts each outcome by its probability instead of 1 / K. The
    recorded value of the loss is the plain mean; that of `scg.surrogate(loss)` is weighted.

    Raises
    ------
    OptionError
        If the support is not finite.
    BiasedGradientError
        At backward, if a cost mixes outcomes before they are weighted, the loss takes them together
        otherwise than by a mean (a sum would be K times the expectation), or a cost pairs them with
        those of another enumerated draw along the same axis.

    Notes
    -----
    Exact for this draw: no variance from it, and unbiased with any estimators of other draws.
    Source: the sum over outcomes; as "local expectation gradients" in Titsias and Lazaro-Gredilla
    (2015), arXiv 1503.01494.

    Examples
    --------
    >>> import scg
    >>> theta = scg.parameter(0.3)
    >>> b = scg.Bernoulli(theta).sample(estimator=scg.estimators.Enumerate())
    >>> ((b - 0.45) ** 2).mean().backward()
    >>> float(theta.grad.round(12))
    0.1
    """

    route: ClassVar[str] = "score"
    averaged: ClassVar[bool] = True

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Return every outcome along a leading axis."""
        support = np.asarray(distribution.enumerate_support())
        count, event = len(support), distribution.event_shape
        padded = support.reshape(
            count, *(1,) * (len(sizes) + len(distribution.batch_shape)), *event
        )
        full = (count, *sizes, *distribution.batch_shape, *event)
        value = np.array(np.broadcast_to(padded, full))
        alone = {**options, "coupling": None}  # it asks the generator for nothing
        return score_site(distribution, value, continuous=False, estimator=self, live=True, **alone)

    def importance(self, probability: Tensor) -> Tensor:
        """Return the probability of each outcome over 1 / K."""
        return probability * float(len(probability))
