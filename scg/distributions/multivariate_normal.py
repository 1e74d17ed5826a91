"""The normal distribution of vectors, by a factor, the covariance or the precision."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor, as_tensor
from scg._typing import Array, Shape
from scg.distributions._kl import PAIRS
from scg.distributions._spread import Factor
from scg.distributions._support import REAL
from scg.distributions.normal import Normal
from scg.errors import OptionError, ShapeError, SupportError

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Normal):
    """The normal distribution of vectors, `Normal` by a factor that may be computed.

    Parameters
    ----------
    loc : Tensor or array_like, shape (..., n)
        Mean.
    factor : Tensor or array_like, shape (..., n, k)
        R, of covariance R R^T, as that of `Normal`.
    covariance : Tensor or array_like, shape (..., n, n)
        Symmetric and positive definite; its Cholesky factor is the factor.
    precision : Tensor or array_like, shape (..., n, n)
        The inverse of the covariance, symmetric and positive definite; the transposed inverse of
        its Cholesky factor is the factor. Exactly one of the three is given.

    Raises
    ------
    OptionError
        If not exactly one of the last three is given.
    ShapeError
        If the shapes do not fit together.
    SupportError
        If a parameter is not finite, or a covariance or precision is not symmetric and positive
        definite.

    Notes
    -----
    Reparameterised: `loc + R eps` with `eps ~ N(0, 1)` (Kingma and Welling 2014, arXiv 1312.6114).
    The gradient of a covariance or precision is symmetric: of a change that keeps it so.

    Examples
    --------
    >>> import scg
    >>> d = scg.MultivariateNormal([0.0, 0.0], covariance=[[1.0, 0.5], [0.5, 4.25]])
    >>> d.variance, d.log_prob([0.0, 0.0])
    (Tensor([1.  , 4.25]), Tensor(-2.53102425))
    """

    def __init__(
        self, loc: Any, *, factor: Any = None, covariance: Any = None, precision: Any = None
    ) -> None:
        given = {"factor": factor, "covariance": covariance, "precision": precision}
        given = {name: value for name, value in given.items() if value is not None}
        if len(given) != 1:
            raise OptionError(
                "scg.MultivariateNormal takes a mean and exactly one of factor=, covariance= and "
                "precision="
            )
        if factor is not None:
            self._spread = self._by_factor(loc, factor)
        else:
            self._spread = self._by_square(loc, *given.popitem())

    def _by_square(self, loc: Any, name: str, matrix: Any) -> Factor:
        """Take a covariance or a precision and compute the factor of the covariance."""
        matrix = as_tensor(matrix)
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ShapeError(
                f"scg.MultivariateNormal: {name} needs shape (..., n, n), but has {matrix.shape}"
            )
        given = self._set({"loc": REAL, name: REAL}, **{"loc": loc, name: matrix})
        lower = _cholesky(name, given[name])
        factor = lower if name == "covariance" else _transposed_inverse(lower)
        spread = self._by_factor(given["loc"], factor)
        self.parameters = given
        return spread


def _cholesky(name: str, matrix: Tensor) -> Tensor:
    _refuse(name, matrix.shape, ~_is_symmetric(matrix._data), "symmetric")
    try:
        return ops.cholesky(matrix)
    except SupportError:
        smallest = np.linalg.eigvalsh(matrix._data).min(axis=-1)
        _refuse(name, matrix.shape, smallest == smallest.min(), "positive definite")
        raise


def _is_symmetric(matrix: Array) -> Any:
    """Tell of each matrix, up to the rounding of a product that is symmetric as a formula."""
    difference = np.abs(matrix - matrix.swapaxes(-1, -2)).max(axis=(-2, -1), initial=0.0)
    size = np.abs(matrix).max(axis=(-2, -1), initial=0.0)
    return difference <= 1e3 * np.finfo(matrix.dtype).eps * size


def _refuse(name: str, shape: Shape, bad: Array, words: str) -> None:
    if not np.any(bad):
        return
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    place = f" at batch index {index}" if index else ""
    raise SupportError(
        f"scg.MultivariateNormal: parameter {name} must be symmetric and positive definite, but is "
        f"not {words}{place} (shape {shape})"
    )


def _transposed_inverse(lower: Tensor) -> Tensor:
    """Return R = L^-T: from the precision L L^T follows the covariance R R^T."""
    identity = np.broadcast_to(np.eye(lower.shape[-1], dtype=lower.dtype), lower.shape)
    return ops.solve_triangular(lower, identity, lower=True, trans=True)


for _pair in (
    (MultivariateNormal, MultivariateNormal), (MultivariateNormal, Normal),
    (Normal, MultivariateNormal),
):  # fmt: skip
    PAIRS[_pair] = PAIRS[Normal, Normal]
