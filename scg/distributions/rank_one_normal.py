"""The normal distribution of vectors whose precision is diagonal plus rank one."""

from __future__ import annotations

from typing import Any

import scg.ops as ops
from scg.distributions._kl import PAIRS
from scg.distributions._rank_one import RankOne
from scg.distributions._support import POSITIVE, REAL
from scg.distributions.multivariate_normal import MultivariateNormal
from scg.distributions.normal import Normal
from scg.errors import ShapeError

__all__ = ["RankOneNormal"]


class RankOneNormal(Normal):
    """The normal distribution of vectors with the precision diag(d) + u u^T.

    Draws, densities and the divergence from independent elements take time in proportion to n.

    Parameters
    ----------
    loc : Tensor or array_like, shape (..., n)
        Mean.
    diagonal : Tensor or array_like, shape (..., n)
        d, positive.
    direction : Tensor or array_like, shape (..., n)
        u. The variance along D^-1 u is smaller than that of the diagonal alone.

    Raises
    ------
    ShapeError
        If the shapes do not broadcast to vectors.
    SupportError
        If a parameter is not finite, or `diagonal` is not positive.

    Notes
    -----
    Reparameterised: `loc + R eps` with `eps ~ N(0, 1)` and R of Rezende, Mohamed and Wierstra
    (2014), "Stochastic Backpropagation and Approximate Inference in Deep Generative Models", eq. 16
    to 18, arXiv 1401.4082.

    Examples
    --------
    >>> import scg
    >>> d = scg.RankOneNormal([0.0, 0.0], [1.0, 1.0], [1.0, 1.0])
    >>> d.variance, d.entropy()
    (Tensor([0.66666667, 0.66666667]), Tensor(2.28857092))
    """

    def __init__(self, loc: Any, diagonal: Any, direction: Any) -> None:
        given = self._set(
            {"loc": REAL, "diagonal": POSITIVE, "direction": REAL},
            loc=loc, diagonal=diagonal, direction=direction,
        )  # fmt: skip
        shape = self._broadcast(*[value.shape for value in given.values()])
        if not shape:
            raise ShapeError(
                "scg.RankOneNormal: loc, diagonal and direction are numbers; one of them needs "
                "shape (..., n)"
            )
        self.loc, self.batch_shape, self.event_shape = given["loc"], shape[:-1], shape[-1:]
        vectors = [ops.broadcast_to(given[name], shape) for name in ("diagonal", "direction")]
        self._spread = RankOne(*vectors)


for _other in (RankOneNormal, Normal, MultivariateNormal):
    PAIRS[RankOneNormal, _other] = PAIRS[_other, RankOneNormal] = PAIRS[Normal, Normal]
