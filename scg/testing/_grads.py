"""Check derivatives against differences of the function itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._run import episode
from scg._tensor import Tensor, as_tensor
from scg._typing import Array
from scg.autodiff import vjp
from scg.errors import GradientError

__all__ = ["check_grads", "directional_difference"]

# Weights of f(t - 2h), f(t - h), f(t + h), f(t + 2h): the error is O(h^4).
_STENCIL = ((-2.0, 1 / 12), (-1.0, -2 / 3), (1.0, 2 / 3), (2.0, -1 / 12))


def check_grads(
    fn: Callable[..., Tensor], *inputs: Any, order: int = 1, rtol: float = 1e-6, step: float = 1e-3,
    rng: np.random.Generator | None = None,
) -> None:  # fmt: skip
    """Compare a function's derivatives with differences of its values.

    Parameters
    ----------
    fn : callable
        A deterministic function of tensors, smooth within `2 * step` of `inputs`.
    *inputs : array_like
        Where to check; floating-point ones are differentiated, in float64.
    order : int
        Up to which derivative.
    rtol : float
        Allowed error, relative to the size of the derivative and of the function around it.
    step : float
        Of the five-point difference along a random direction; its error is O(step**4).
    rng : numpy.random.Generator, optional
        Chooses directions and cotangents.

    Raises
    ------
    GradientError
        If a derivative differs, naming its order and both numbers.

    Examples
    --------
    >>> import scg
    >>> scg.testing.check_grads(lambda x: scg.exp(x).sum(), [0.0, 1.0], order=2)
    """
    rng = np.random.default_rng(0) if rng is None else rng
    points = [_as_double(x) for x in inputs]
    with episode(fresh=True):  # what was drawn and read before has no part in it
        for level in range(1, order + 1):
            _check_once(fn, points, rtol, step, rng, level)
            fn = _slope_of(fn, points, rng)


def _as_double(x: Any) -> Array:
    array = np.asarray(as_tensor(x)._data)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _check_once(
    fn: Callable[..., Tensor], points: list[Array], rtol: float, step: float,
    rng: np.random.Generator, level: int,
) -> None:  # fmt: skip
    directions = [
        rng.standard_normal(p.shape) if p.dtype.kind == "f" else np.zeros(p.shape) for p in points
    ]
    out, pull = vjp(fn, *points)
    cotangent = rng.standard_normal(out.shape)
    slopes = pull(cotangent)
    claimed = sum(
        float(np.sum(s._data * d)) for s, d, p in zip(slopes, directions, points, strict=True)
        if p.dtype.kind == "f"
    )  # fmt: skip
    measured, scale = directional_difference(fn, points, directions, cotangent, step)
    if not abs(claimed - measured) <= rtol * (abs(measured) + scale):
        raise GradientError(
            f"derivative of order {level} is {claimed:.12g} along a random direction, but "
            f"differences of the function give {measured:.12g}"
        )


def directional_difference(
    fn: Callable[..., Tensor], points: list[Array], directions: list[Array], cotangent: Array,
    step: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the slope of `<cotangent, fn>` along a direction, and the size of its terms."""
    total = scale = 0.0
    for offset, weight in _STENCIL:
        moved = [
            p + offset * step * d if p.dtype.kind == "f" else p
            for p, d in zip(points, directions, strict=True)
        ]
        products = fn(*[as_tensor(m) for m in moved])._data * cotangent
        total += weight / step * float(np.sum(products))
        scale = max(scale, float(np.sum(np.abs(products))))
    return total, scale


def _slope_of(
    fn: Callable[..., Tensor], points: list[Array], rng: np.random.Generator
) -> Callable[..., Tensor]:
    """Return the function `<pull(c), u>` for fixed random `c` and `u`: one derivative further."""
    seed = int(rng.integers(2**32))

    def slope(*args: Tensor) -> Tensor:
        fixed = np.random.default_rng(seed)
        out, pull = vjp(fn, *args)
        cotangent = as_tensor(fixed.standard_normal(out.shape))
        total = as_tensor(0.0)
        for p, s in zip(points, pull(cotangent, create_graph=True), strict=True):
            if p.dtype.kind == "f":
                total = total + (s * as_tensor(fixed.standard_normal(p.shape))).sum()
        return total

    return slope
