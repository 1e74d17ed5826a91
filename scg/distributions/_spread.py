"""How a normal distribution spreads around its mean, by standard deviations or by a factor."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

import scg.ops as ops
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._rank_one import RankOne
from scg.errors import OptionError, SupportError

__all__ = ["Diagonal", "Factor", "Scale", "Spread", "Vectors"]


class Scale:
    """Independent elements with standard deviations `scale`."""

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    def noise_shape(self, shape: Shape) -> Shape:
        """Return the shape of the noise behind values of a shape."""
        return shape

    def times(self, noise: Tensor) -> Tensor:
        """Spread standard normal noise."""
        return self.scale * noise

    def variance(self) -> Tensor:
        """Return the variance of every element."""
        return self.scale * self.scale

    def log_det(self) -> Tensor:
        """Return the logarithm of the spread of every element."""
        return ops.log(self.scale)

    def check_density(self) -> None:
        """Positive standard deviations always have a density."""

    def of_vectors(self, n: int) -> Diagonal:
        """Return the same spread with the last axis, of size `n`, as the event."""
        shape = np.broadcast_shapes(self.scale.shape, (n,))
        return Diagonal(ops.broadcast_to(self.scale, shape))


class Diagonal:
    """Vectors whose factor is diagonal, kept as its diagonal of shape (..., n)."""

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    def matrix(self) -> Tensor:
        """Return the factor as a matrix."""
        return _as_column(self.scale) * np.eye(self.scale.shape[-1], dtype=self.scale.dtype)

    def whiten(self, x: Tensor) -> Tensor:
        """Undo the spread of vectors."""
        return x / self.scale

    def variance(self) -> Tensor:
        """Return the variance of every element."""
        return self.scale * self.scale

    def trace(self, first: Vectors) -> Tensor:
        """Return the trace of this precision times the covariance of another spread."""
        return ops.sum(first.variance() / self.scale / self.scale, axis=-1)

    def log_det(self) -> Tensor:
        """Return the logarithm of the factor's determinant."""
        return ops.sum(ops.log(self.scale), axis=-1)


class Factor:
    """Vectors of covariance R R^T, R of shape (..., n, k)."""

    def __init__(self, factor: Tensor) -> None:
        self.factor = factor

    def noise_shape(self, shape: Shape) -> Shape:
        """Return the shape of the noise behind vectors of a shape."""
        return (*shape[:-1], self.factor.shape[-1])

    def times(self, noise: Tensor) -> Tensor:
        """Multiply every vector of noise by the factor."""
        if self.factor.ndim == 2:  # one product for all vectors, instead of one each
            return ops.matmul(noise, _turned(self.factor))
        return _without_last(ops.matmul(self.factor, _as_column(noise)))

    def variance(self) -> Tensor:
        """Return the diagonal of R R^T."""
        return ops.sum(self.factor * self.factor, axis=-1)

    def log_det(self) -> Tensor:
        """Return log |det R|.

        Raises
        ------
        OptionError
            If R is not square.
        SupportError
            If R is singular: the distribution lies in a subspace and has no density.
        """
        n, k = self.factor.shape[-2:]
        if n != k:
            remedy = "this one can only be drawn from" if k < n else (
                "pass factor=scg.cholesky(R @ R.swapaxes(-1, -2))"
            )  # fmt: skip
            raise OptionError(
                "scg.Normal: log-probability, entropy, divergence and the score function need a "
                f"square factor, but factor has shape {self.factor.shape}; {remedy}"
            )
        result = ops.slogdet(self.factor).logabsdet
        _check_regular(result._data, self.factor.shape)
        return result

    def check_density(self) -> None:
        """Refuse a factor without a density."""
        self.log_det()

    def matrix(self) -> Tensor:
        """Return the factor."""
        return self.factor

    def whiten(self, x: Tensor) -> Tensor:
        """Solve R z = x for vectors; R is invertible."""
        if self.factor.ndim == 2 and x.ndim > 1:  # one factorisation for all vectors
            return _turned(ops.solve(self.factor, _turned(x)))
        return _without_last(ops.solve(self.factor, _as_column(x)))

    def trace(self, first: Vectors) -> Tensor:
        """Return the trace of this precision times the covariance of another spread."""
        ratio = ops.solve(self.factor, first.matrix())
        return ops.sum(ratio * ratio, axis=(-2, -1))

    def of_vectors(self, n: int) -> Factor:
        """Return this spread, whose event is a vector already."""
        return self


Vectors: TypeAlias = Diagonal | Factor | RankOne
Spread: TypeAlias = Scale | Factor | RankOne


def _check_regular(log_det: Array, shape: Shape) -> None:
    singular = ~np.isfinite(log_det)
    if np.any(singular):
        index = tuple(int(i) for i in np.argwhere(singular)[0])
        place = f" at batch index {index}" if index else ""
        raise SupportError(
            "scg.Normal: parameter factor must be invertible to have a density, but is "
            f"singular{place} (shape {shape})"
        )


def _turned(x: Tensor) -> Tensor:
    return ops.swapaxes(x, -1, -2)


def _as_column(x: Tensor) -> Tensor:
    return x.reshape((*x.shape, 1))


def _without_last(x: Tensor) -> Tensor:
    return x.reshape(x.shape[:-1])
