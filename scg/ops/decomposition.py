"""Factorisations of matrices: Cholesky, eigenvalues, singular values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from scg._op import KINK, OPAQUE, OPS, POLE, op, serves
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.ops import _samples
from scg.ops._matrix_rules import (
    floats,
    keep_batch,
    lapack,
    square,
    symmetric_part,
    transposed,
)
from scg.tape import NONNEGATIVE

__all__ = ["Eigh", "cholesky", "eigh", "eigvalsh", "svdvals"]


def _positive_definite(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    for shape in ((1, 1), (3, 3), (2, 4, 4), (0, 3, 3), (0, 0)):
        a = rng.uniform(-1, 1, shape)
        yield ((a @ transposed(a) + shape[-1] * np.eye(shape[-1])).astype(dtype),), {}


def _symmetric(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    """Draw matrices with eigenvalues well apart."""
    for shape in ((1, 1), (3, 3), (2, 4, 4), (0, 3, 3), (0, 0)):
        a = rng.uniform(-0.3, 0.3, shape) + np.diag(np.arange(shape[-1]) - 1.3)
        yield (a.astype(dtype),), {}
    yield (np.diag([1.0, 2.0]).astype(dtype),), {}


# --- Cholesky --------------------------------------------------------------------------------


def _cholesky(a: Any) -> Any:
    return np.linalg.cholesky(symmetric_part(a))


@op(
    shape=square("cholesky"), axes=keep_batch, smooth=POLE, pole_safe=0, reference=_cholesky,
    numpy=(np.linalg.cholesky,), samples=_samples.Samples(_positive_definite),
)  # fmt: skip
def cholesky(a: Any, /) -> Any:
    """Factorise positive definite matrices as L L^T with L lower triangular.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)
        Its symmetric part `(a + a.T) / 2` is factorised.

    Returns
    -------
    Tensor, shape (..., n, n)
        L, with a positive diagonal.

    Raises
    ------
    SupportError
        If a matrix is not positive definite.

    Notes
    -----
    Gradient: symmetric; Murray (2016), arXiv:1602.07527, equation 10. Singular matrices are a pole:
    `[[x**2, x], [x, 2]]` has the factor `[[abs(x), 0], [sign(x), 1]]`.

    Examples
    --------
    >>> import scg
    >>> scg.cholesky([[4.0, 2.0], [2.0, 5.0]])
    Tensor([[2., 0.],
            [1., 2.]])
    """
    with lapack("cholesky", a, "a matrix is not positive definite; add to its diagonal"):
        return _cholesky(floats(a, "cholesky"))


@cholesky.vjp
def _(F: Any, g: Any, y: Any, _a: Any) -> Any:
    n = y.shape[-1]
    half = np.tri(n, dtype=y.dtype) - np.eye(n, dtype=y.dtype) / 2
    inner = F.matmul(y.swapaxes(-1, -2), g) * half
    left = F.solve_triangular(y, inner, lower=True, trans=True)
    both = F.solve_triangular(y, left.swapaxes(-1, -2), lower=True, trans=True)
    return (both + both.swapaxes(-1, -2)) / 2


# --- eigenvalues -----------------------------------------------------------------------------


class Eigh(NamedTuple):
    """Eigenvalues and eigenvectors of symmetric matrices.

    Examples
    --------
    >>> import scg
    >>> scg.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    Tensor([1., 2.])
    """

    eigenvalues: Tensor
    eigenvectors: Tensor


def _packed_eigh(a: Any) -> Array:
    """Return the eigenvalues as the first row and the eigenvectors as columns below them."""
    values, vectors = np.linalg.eigh(symmetric_part(a))
    if vectors.size:
        top = np.argmax(np.abs(vectors), axis=-2)[..., None, :]
        vectors = vectors * np.sign(np.take_along_axis(vectors, top, -2))
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def _packed_shape(a: Shape) -> Shape:
    shape = square("eigh")(a)
    return (*shape[:-2], shape[-1] + 1, shape[-1])


@op(
    name="eigh", shape=_packed_shape, axes=keep_batch, smooth=OPAQUE, reference=_packed_eigh,
    samples=_samples.Samples(_symmetric),
)  # fmt: skip
def _eigh(a: Any, /) -> Any:
    """Find eigenvalues and eigenvectors of symmetric matrices."""
    with lapack("eigh", a, "the eigenvalues did not converge"):
        return _packed_eigh(floats(a, "eigh"))


@_eigh.vjp
def _(F: Any, g: Any, y: Any, _a: Any) -> Any:
    n = y.shape[-1]
    row, column = (*y.shape[:-2], 1, n), (*y.shape[:-2], n, 1)
    values, vectors = y[..., 0, :], y[..., 1:, :]
    gap = values.reshape(row) - values.reshape(column)
    turned = vectors.swapaxes(-1, -2)
    # 0 on the diagonal and between equal eigenvalues, which a symmetric function needs not to mix.
    mixing = F.divide_or_zero(F.matmul(turned, g[..., 1:, :]), gap)
    inner = mixing + g[..., 0, :].reshape(row) * np.eye(n, dtype=y.dtype)
    both = F.matmul(F.matmul(vectors, inner), turned)
    return (both + both.swapaxes(-1, -2)) / 2


@serves(np.linalg.eigh)
def eigh(a: Any) -> Eigh:
    """Find eigenvalues and eigenvectors of symmetric matrices.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)
        Its symmetric part `(a + a.T) / 2` is used.

    Returns
    -------
    eigenvalues : Tensor, shape (..., n)
        Smallest first.
    eigenvectors : Tensor, shape (..., n, n)
        One per column, of length 1, its largest component positive.

    Notes
    -----
    Gradient: symmetric; eigenvectors turn towards each other by one over the gap of their
    eigenvalues. Where two are equal that part is 0, which is right for functions that do not tell
    them apart. Opaque to noise, because eigenvectors jump there; `eigvalsh` is not.

    Examples
    --------
    >>> import scg
    >>> values, vectors = scg.eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> vectors
    Tensor([[0., 1.],
            [1., 0.]])
    """
    packed = OPS["eigh"].public(a)
    return Eigh(packed[..., 0, :], packed[..., 1:, :])


def _eigvalsh(a: Any) -> Any:
    return np.linalg.eigvalsh(symmetric_part(a))


@op(
    shape=lambda a: square("eigvalsh")(a)[:-1], axes=keep_batch, smooth=KINK, reference=_eigvalsh,
    numpy=(np.linalg.eigvalsh,), samples=_samples.Samples(_symmetric),
)  # fmt: skip
def eigvalsh(a: Any, /) -> Any:
    """Find the eigenvalues of symmetric matrices.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)
        Its symmetric part `(a + a.T) / 2` is used.

    Returns
    -------
    Tensor, shape (..., n)
        Smallest first.

    Notes
    -----
    Gradient: `v @ v.T` with the eigenvector v.

    Examples
    --------
    >>> import scg
    >>> scg.eigvalsh([[2.0, 0.0], [0.0, 1.0]])
    Tensor([1., 2.])
    """
    with lapack("eigvalsh", a, "the eigenvalues did not converge"):
        return _eigvalsh(floats(a, "eigvalsh"))


@eigvalsh.vjp
def _(F: Any, g: Any, _y: Any, a: Any) -> Any:
    vectors = F.eigh(a)[..., 1:, :]
    weighted = vectors * g.reshape((*g.shape[:-1], 1, g.shape[-1]))
    return F.matmul(weighted, vectors.swapaxes(-1, -2))


# --- singular values -------------------------------------------------------------------------


def _rectangular(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    for shape in ((1, 1), (3, 3), (2, 4), (2, 4, 3), (0, 3)):
        a = rng.uniform(-0.3, 0.3, shape) + np.eye(*shape[-2:]) * (1 + np.arange(shape[-1]))
        yield (a.astype(dtype),), {}


def _svdvals_shape(a: Shape) -> Shape:
    if len(a) < 2:
        square("svdvals")(a)
    return (*a[:-2], min(a[-2:]))


@op(
    shape=_svdvals_shape, axes=keep_batch, smooth=KINK, sign=NONNEGATIVE, max_order=1,
    reference=lambda a: np.linalg.svd(a, compute_uv=False), numpy=(np.linalg.svdvals,),
    samples=_samples.Samples(_rectangular),
)  # fmt: skip
def svdvals(a: Any, /) -> Any:
    """Find the singular values of matrices.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., m, n)

    Returns
    -------
    Tensor, shape (..., min(m, n))
        Largest first, not negative.

    Notes
    -----
    Gradient: `u @ v.T` with the singular vectors u and v. It can be differentiated once only.

    Examples
    --------
    >>> import scg
    >>> scg.svdvals([[3.0, 0.0], [0.0, -4.0]])
    Tensor([4., 3.])
    """
    with lapack("svdvals", a, "the singular values did not converge"):
        return np.linalg.svd(floats(a, "svdvals"), compute_uv=False)


@svdvals.vjp
def _(F: Any, g: Any, _y: Any, a: Any) -> Any:
    u, _, vh = np.linalg.svd(floats(a, "svdvals"), full_matrices=False)
    return F.matmul(u * g[..., None, :], vh)
