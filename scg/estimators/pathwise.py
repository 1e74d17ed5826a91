"""The pathwise estimator."""

from __future__ import annotations

from typing import ClassVar

from scg.estimators._base import Estimator

__all__ = ["Pathwise"]


class Pathwise(Estimator):
    """Differentiate through the sampler, and refuse where that would be biased.

    Notes
    -----
    Unbiased where it is not refused. Source: Kingma and Welling (2014), arXiv 1312.6114; Rezende,
    Mohamed and Wierstra (2014), arXiv 1401.4082.

    Examples
    --------
    >>> import scg
    >>> mu = scg.parameter(0.5)
    >>> x = scg.Normal(mu, 1.0).sample(estimator=scg.estimators.Pathwise())
    >>> x.backward()
    >>> float(mu.grad)
    1.0
    """

    route: ClassVar[str] = "pathwise"
