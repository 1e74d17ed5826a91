"""How a normal distribution spreads whose precision is diagonal plus rank one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Shape

if TYPE_CHECKING:
    from scg.distributions._spread import Vectors

__all__ = ["RankOne"]


class RankOne:
    """Vectors of covariance (diag(d) + u u^T)^-1, d and u of shape (..., n).

    With w = D^-1/2 u and eta = 1 / (1 + w.w), a factor is R = D^-1/2 (I - s w w^T), with
    s = (1 - sqrt(eta)) / w.w: I - s w w^T has the eigenvalue sqrt(eta) along w and 1 across it.
    """

    def __init__(self, diagonal: Tensor, direction: Tensor) -> None:
        self.d, self.u = diagonal, direction
        self.root = ops.sqrt(diagonal)
        self.eta = 1.0 / (1.0 + ops.sum(self.u * self.u / self.d, axis=-1, keepdims=True))
        self.narrowing = ops.sqrt(self.eta)

    def noise_shape(self, shape: Shape) -> Shape:
        """Return the shape of the noise behind vectors of a shape."""
        return shape

    def times(self, noise: Tensor) -> Tensor:
        """Multiply every vector of noise by the factor."""
        x = noise / self.root
        return x - self._shrink() * (self.u / self.d) * ops.sum(self.u * x, axis=-1, keepdims=True)

    def variance(self) -> Tensor:
        """Return the diagonal of the covariance, by the formula of Sherman and Morrison."""
        scaled = self.u / self.d
        return 1.0 / self.d - self.eta * scaled * scaled

    def log_det(self) -> Tensor:
        """Return the logarithm of the factor's determinant."""
        return ops.log(self.narrowing[..., 0]) - ops.sum(ops.log(self.root), axis=-1)

    def check_density(self) -> None:
        """Do nothing: with a positive diagonal there always is a density."""

    def matrix(self) -> Tensor:
        """Return the factor as a matrix."""
        across = self._shrink() * self.u / self.d
        plain = _column(1.0 / self.root) * np.eye(self.d.shape[-1], dtype=self.d.dtype)
        return plain - _column(across) * _row(self.u / self.root)

    def whiten(self, x: Tensor) -> Tensor:
        """Undo the spread of vectors."""
        along = ops.sum(self.u * x, axis=-1, keepdims=True)
        return self.root * x + self._stretch() * (self.u / self.root) * along

    def trace(self, first: Vectors) -> Tensor:
        """Return the trace of this precision times the covariance of another spread."""
        along = ops.sum(_column(self.u) * first.matrix(), axis=-2)
        return ops.sum(self.d * first.variance(), axis=-1) + ops.sum(along * along, axis=-1)

    def of_vectors(self, n: int) -> RankOne:
        """Return this spread, whose event is a vector already."""
        return self

    def _shrink(self) -> Tensor:
        """Return s, without the 0 / 0 of its definition at u = 0."""
        return self.eta / (1.0 + self.narrowing)

    def _stretch(self) -> Tensor:
        """Return t, for the inverse of I - s w w^T is I + t w w^T."""
        return self.narrowing / (1.0 + self.narrowing)


def _column(x: Tensor) -> Tensor:
    return x.reshape((*x.shape, 1))


def _row(x: Tensor) -> Tensor:
    return x.reshape((*x.shape[:-1], 1, x.shape[-1]))
