"""The Gumbel-softmax relaxation: biased, and tagged so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

import scg.ops as ops
from scg._bare import array_of, bare
from scg._tensor import Tensor, as_tensor
from scg._typing import Shape
from scg.errors import OptionError
from scg.estimators._base import Estimator
from scg.noise import Source
from scg.site import pathwise_site, with_noise

__all__ = ["GumbelSoftmax"]


class GumbelSoftmax(Estimator):
    """Draw a point inside the simplex instead of a corner, and differentiate through it.

    For OneHotCategorical (the value is a probability vector) and Bernoulli (a number in (0, 1)).

    Parameters
    ----------
    temperature : float
        Positive; towards 0 the values approach corners and the variance grows.

    Raises
    ------
    OptionError
        For another family.

    Notes
    -----
    BIASED: it is the gradient for another distribution; the gradient carries a tag, and
    `scg.strict()` refuses it. Source: Jang, Gu and Poole (2017), arXiv 1611.01144; Maddison, Mnih
    and Teh (2017), arXiv 1611.00712.

    Examples
    --------
    >>> import scg
    >>> a = scg.parameter(0.0)
    >>> relaxed = scg.estimators.GumbelSoftmax(temperature=0.5)
    >>> b = scg.Bernoulli(logits=a).sample(estimator=relaxed, rng=0)
    >>> ((b - 0.45) ** 2).backward()
    >>> [tag.kind for tag in a.tags]
    ['BIASED']
    """

    route: ClassVar[str] = "pathwise"
    biased = "GumbelSoftmax"

    def __init__(self, temperature: float) -> None:
        if not temperature > 0:
            raise OptionError(
                f"scg.estimators.GumbelSoftmax: temperature={temperature!r} is not positive"
            )
        self.temperature = temperature

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Return a relaxed draw."""
        logits = _logits(distribution)
        shape = sizes + distribution.batch_shape + distribution.event_shape
        gumbel = _gumbel(source, shape, distribution.dtype)
        if distribution.event_shape:
            noise = with_noise(array_of(gumbel))
            value = ops.softmax((logits + noise) / self.temperature, axis=-1)
        else:
            logistic = gumbel - _gumbel(source, shape, distribution.dtype)
            noise = with_noise(array_of(logistic))
            value = ops.sigmoid((logits + noise) / self.temperature)
        return pathwise_site(distribution, value, estimator=self, **options)


def _logits(distribution: Any) -> Tensor:
    if distribution.name not in ("OneHotCategorical", "Bernoulli"):
        raise OptionError(
            f"scg.estimators.GumbelSoftmax cannot relax scg.{distribution.name}; use it with "
            "OneHotCategorical or Bernoulli"
        )
    given = distribution.parameters
    if "logits" in given:
        return as_tensor(given["logits"])
    p = given["probs"]
    return ops.log(p) if distribution.event_shape else ops.logit(p)


def _gumbel(source: Source, shape: Shape, dtype: Any) -> Any:
    """Return -log of exponential noise, which is Gumbel noise."""
    tiny = np.finfo(dtype).tiny
    return -np.log(np.maximum(bare(source.exponential(shape, dtype)), tiny))
