"""Linear systems: solve, solve_triangular, inv, slogdet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scg import _axes
from scg._axes import Along, AxisMap
from scg._op import JUMP, OPS, POLE, SMOOTH, op, serves
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.errors import ShapeError, SupportError
from scg.ops import _samples
from scg.ops._matrix_rules import floats, keep_batch, lapack, square, transposed

__all__ = ["Slogdet", "inv", "slogdet", "solve", "solve_triangular"]

_SINGULAR = "a matrix is singular"


def _invertible(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.uniform(-0.5, 0.5, shape) + 2 * np.eye(shape[-1])


def _systems(*statics: dict[str, Any]) -> Any:
    """Return samples of a matrix and a right-hand side, vector or matrix, batched or not.

    The first statics are tried with every shape, the others with some.
    """
    shapes = (
        ((1, 1), (1,)), ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)), ((2, 3, 3), (3,)),
        ((3, 3), (2, 3, 2)), ((2, 1, 3, 3), (4, 3, 2)), ((0, 0), (0, 2)), ((0, 3, 3), (3, 2)),
    )  # fmt: skip

    def cases(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
        for options in statics:
            for a, b in shapes if options == statics[0] else shapes[1:4]:
                inputs = _invertible(rng, a), rng.uniform(-2, 2, b)
                yield tuple(x.astype(dtype) for x in inputs), options

    return _samples.Samples(cases)


def _solution_shape(name: str) -> Any:
    def shape(a: Shape, b: Shape, **_: Any) -> Shape:
        n = square(name)(a)[-1]
        matrix = (*b, 1) if len(b) == 1 else b
        try:
            if len(matrix) < 2 or matrix[-2] != n:
                raise ValueError
            batch = np.broadcast_shapes(a[:-2], matrix[:-2])
        except ValueError:
            raise ShapeError(
                f"scg.{name}: right-hand side of shape {b} does not fit matrices of shape {a}; it "
                f"must be a vector of {n} elements or matrices of {n} rows"
            ) from None
        return (*batch, n) if len(b) == 1 else (*batch, *matrix[-2:])

    return shape


def _solution_axes(shapes: Sequence[Shape], out: Shape, **_: Any) -> list[AxisMap]:
    """Keep batch axes and the columns of the right-hand side."""
    a, b = shapes
    batch = out[: len(out) - min(len(b), 2)]
    left, right = _axes.elementwise([a[:-2], b[:-2]], batch)
    columns = (None,) if len(b) == 1 else (None, Along(len(out) - 1))
    return [(*left, None, None), (*right, *columns)]


def _as_columns(x: Any, like: Any) -> Any:
    """Give a vector of unknowns (of a vector right-hand side) a column axis."""
    return x.reshape((*x.shape, 1)) if len(like.shape) == 1 else x


@op(
    shape=_solution_shape("solve"), axes=_solution_axes, smooth=(POLE, SMOOTH), pole_safe=0,
    reference=np.linalg.solve, numpy=(np.linalg.solve,), samples=_systems({}),
)  # fmt: skip
def solve(a: Any, b: Any, /) -> Any:
    """Solve a x = b for x.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)
    b : Tensor or array_like, shape (n,) or (..., n, k)
        Batch axes broadcast against those of `a`.

    Returns
    -------
    Tensor, shape (..., n) or (..., n, k)

    Raises
    ------
    SupportError
        If a matrix is singular.

    Notes
    -----
    Gradient: `gb = solve(a.T, g)` and `-gb @ x.T`. Singular matrices are a pole.

    Examples
    --------
    >>> import scg
    >>> scg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    Tensor([1. , 0.5])
    """
    with lapack("solve", a, _SINGULAR):
        return np.linalg.solve(floats(a, "solve"), b)


@solve.vjp
def _(F: Any, g: Any, needs: Sequence[Any], y: Any, a: Any, _b: Any) -> Any:
    gb = F.solve(a.swapaxes(-1, -2), _as_columns(g, _b))
    ga = -F.matmul(gb, _as_columns(y, _b).swapaxes(-1, -2)) if needs[0] else None
    return ga, gb.reshape(gb.shape[:-1]) if len(_b.shape) == 1 else gb


# --- triangular systems ------------------------------------------------------------------------


def _triangle(a: Any, lower: bool, unit_diagonal: bool) -> Any:
    """Return the part of `a` that a triangular system reads."""
    part = np.tril(a) if lower else np.triu(a)
    return np.where(np.eye(a.shape[-1], dtype=bool), 1.0, part) if unit_diagonal else part


def _row_by_row(
    a: Any, b: Any, lower: bool = False, trans: bool = False, unit_diagonal: bool = False
) -> Any:
    """Substitute, so that nothing reaches an unknown that does not depend on it."""
    part = _triangle(a, lower, unit_diagonal)
    part, lower = (transposed(part), not lower) if trans else (part, lower)
    columns = _as_columns(b, b)
    batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    x = np.zeros((*batch, *columns.shape[-2:]))
    order = range(a.shape[-1])[:: 1 if lower else -1]
    for place, i in enumerate(order):
        rest = sum(part[..., i, j, None] * x[..., j, :] for j in order[:place])
        x[..., i, :] = (columns[..., i, :] - rest) / part[..., i, i, None]
    return x[..., 0] if b.ndim == 1 else x


@op(
    shape=_solution_shape("solve_triangular"), axes=_solution_axes, smooth=(POLE, SMOOTH),
    pole_safe=0, reference=_row_by_row,
    samples=_systems(
        {}, {"lower": True}, {"trans": True}, {"lower": True, "trans": True},
        {"lower": True, "unit_diagonal": True}, {"trans": True, "unit_diagonal": True},
    ),
)  # fmt: skip
def solve_triangular(
    a: Any, b: Any, /, lower: bool = False, trans: bool = False, unit_diagonal: bool = False
) -> Any:
    """Solve a x = b for x, reading one triangle of `a`.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)
    b : Tensor or array_like, shape (n,) or (..., n, k)
        Batch axes broadcast against those of `a`.
    lower : bool
        Read the lower triangle; the default is the upper one, as in SciPy.
    trans : bool
        Solve with the transposed triangle.
    unit_diagonal : bool
        Take the diagonal to be 1 without reading it.

    Returns
    -------
    Tensor, shape (..., n) or (..., n, k)

    Raises
    ------
    SupportError
        If there is a 0 on the diagonal.

    Notes
    -----
    Gradient: that of `solve`, on the triangle alone. A 0 on the diagonal is a pole.

    Examples
    --------
    >>> import scg
    >>> scg.solve_triangular([[2.0, 0.0], [2.0, 1.0]], [2.0, 4.0], lower=True)
    Tensor([1., 2.])
    """
    a, b = floats(a, "solve_triangular"), np.asarray(b)
    shape = _solution_shape("solve_triangular")(a.shape, b.shape)
    dtype = np.result_type(a, b, np.float32)
    columns = _as_columns(b, b)
    batch = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    out = np.empty((*batch, *columns.shape[-2:]), dtype)
    left = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    right = np.broadcast_to(columns, out.shape)
    for index in np.ndindex(batch) if out.size else ():
        out[index] = _substitute(left[index], right[index], lower, trans, unit_diagonal)
    return out.reshape(shape)


def _substitute(a: Array, b: Array, lower: bool, trans: bool, unit: bool) -> Array:
    """Solve one system. LAPACK reads by columns: a matrix stored by rows is to it the transpose."""
    # Here, because scipy.linalg would be a third of what `import scg` costs beyond Numba.
    from scipy.linalg.lapack import dtrtrs, strtrs

    run = strtrs if a.dtype == b.dtype == np.float32 else dtrtrs
    x, info = run(a.T, b, lower=not lower, trans=not trans, unitdiag=unit)
    if info > 0:
        raise SupportError(
            f"scg.solve_triangular: element {info - 1} of the diagonal is 0, so that a matrix of "
            f"shape {a.shape} is singular"
        )
    return x  # type: ignore[no-any-return]


@solve_triangular.vjp
def _(
    F: Any, g: Any, needs: Sequence[Any], y: Any, a: Any, _b: Any, *, lower: bool, trans: bool,
    unit_diagonal: bool,
) -> Any:  # fmt: skip
    turned = {"lower": lower, "trans": not trans, "unit_diagonal": unit_diagonal}
    gb = F.solve_triangular(a, _as_columns(g, _b), **turned)
    ga = None
    if needs[0]:
        x = _as_columns(y, _b)
        pair = (x, gb) if trans else (gb, x)
        whole = -F.matmul(pair[0], pair[1].swapaxes(-1, -2))
        ga = F.tril(whole, k=-unit_diagonal) if lower else F.triu(whole, k=+unit_diagonal)
    return ga, gb.reshape(gb.shape[:-1]) if len(_b.shape) == 1 else gb


# --- inverses and determinants -----------------------------------------------------------------


def _regular(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    for shape in ((1, 1), (3, 3), (2, 4, 4), (0, 3, 3), (0, 0)):
        yield (_invertible(rng, shape).astype(dtype),), {}


@op(
    shape=square("inv"), axes=keep_batch, smooth=POLE, pole_safe=0, reference=np.linalg.inv,
    numpy=(np.linalg.inv,), samples=_samples.Samples(_regular, complex_step=True),
)  # fmt: skip
def inv(a: Any, /) -> Any:
    """Invert matrices.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)

    Returns
    -------
    Tensor, shape (..., n, n)

    Raises
    ------
    SupportError
        If a matrix is singular.

    Notes
    -----
    Gradient: `-y.T @ g @ y.T`. Singular matrices are a pole. To multiply with an inverse, `solve`
    is faster and more accurate.

    Examples
    --------
    >>> import scg
    >>> scg.inv([[2.0, 0.0], [0.0, 4.0]])
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    with lapack("inv", a, _SINGULAR):
        return np.linalg.inv(floats(a, "inv"))


@inv.vjp
def _(F: Any, g: Any, y: Any, _a: Any) -> Any:
    turned = y.swapaxes(-1, -2)
    return -F.matmul(F.matmul(turned, g), turned)


def _nearly_singular(rng: np.random.Generator, dtype: DType) -> Iterable[_samples.Case]:
    """Draw matrices whose sign the tests of the axis rule change when they change an element."""
    yield from _regular(rng, dtype)
    yield ((np.ones((3, 2, 2)) + 1e-3 * np.eye(2)).astype(dtype),), {}


class Slogdet(NamedTuple):
    """Sign and logarithm of the absolute value of determinants.

    Examples
    --------
    >>> import scg
    >>> scg.slogdet([[-2.0]]).sign
    Tensor(-1.)
    """

    sign: Tensor
    logabsdet: Tensor


def _without_matrix(name: str) -> Any:
    return lambda a: square(name)(a)[:-2]


@op(
    shape=_without_matrix("slogdet"), axes=keep_batch, smooth=JUMP,
    reference=lambda a: np.linalg.slogdet(a)[0], samples=_samples.Samples(_nearly_singular),
)  # fmt: skip
def slogdet_sign(a: Any, /) -> Any:
    """Find the sign of determinants: 1, -1 or 0."""
    with lapack("slogdet", a, "no determinant was found"):
        return np.linalg.slogdet(floats(a, "slogdet"))[0]


@op(
    name="slogdet", shape=_without_matrix("slogdet"), axes=keep_batch, smooth=POLE, pole_safe=0,
    reference=lambda a: np.linalg.slogdet(a)[1], samples=_samples.Samples(_regular),
)  # fmt: skip
def _logabsdet(a: Any, /) -> Any:
    """Find the sign of determinants and the logarithm of their absolute value."""
    with lapack("slogdet", a, "no determinant was found"):
        return np.linalg.slogdet(floats(a, "slogdet"))[1]


@_logabsdet.vjp
def _(F: Any, g: Any, _y: Any, a: Any) -> Any:
    return g.reshape((*g.shape, 1, 1)) * F.inv(a).swapaxes(-1, -2)


@serves(np.linalg.slogdet)
def slogdet(a: Any) -> Slogdet:
    """Find the sign of determinants and the logarithm of their absolute value.

    Parameters
    ----------
    a : Tensor or array_like, shape (..., n, n)

    Returns
    -------
    sign : Tensor, shape (...)
        1, -1, or 0 for singular matrices.
    logabsdet : Tensor, shape (...)
        -inf for singular matrices.

    Notes
    -----
    Gradient of the logarithm: `inv(a).T`; singular matrices are a pole. The sign is a jump and
    passes none.

    Examples
    --------
    >>> import scg
    >>> sign, logabsdet = scg.slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> sign
    Tensor(-1.)
    """
    return Slogdet(OPS["slogdet_sign"].public(a), OPS["slogdet"].public(a))
