"""Gaussian backpropagation: gradient and Hessian for the mean and the spread of a normal draw."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from scg import _axes
from scg._axes import AxisMap
from scg._bare import array_of, bare
from scg._op import SMOOTH, Op
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.errors import OptionError
from scg.estimators._base import Estimator
from scg.noise import Source
from scg.site import Site, pathwise_site, with_noise

__all__ = ["GaussianHessian"]


class GaussianHessian(Estimator):
    """Differentiate the mean by the gradient of the cost, and the covariance by half its Hessian.

    For Normal and MultivariateNormal, by `scale` or by `factor`.

    Parameters
    ----------
    probes : int, optional
        Random signs with which the Hessian is multiplied in place of all unit vectors (Hutchinson
        1990): unbiased too, at the price of so many products instead of one for each element.

    Raises
    ------
    OptionError
        For another family, or fewer than one probe.
    BiasedGradientError
        At backward, where noise crosses a kink on the way to a cost: its Hessian misses the bend.

    Notes
    -----
    Unbiased, for costs that are twice differentiable; good for one derivative. For a quadratic cost
    the slope in the spread has no variance. Source: Bonnet (1964) and Price (1958), as in Rezende,
    Mohamed and Wierstra (2014), "Stochastic Backpropagation and Approximate Inference in Deep
    Generative Models", eq. 7 to 9, arXiv 1401.4082.

    Examples
    --------
    >>> import scg
    >>> scale = scg.parameter(0.5)
    >>> z = scg.Normal(0.0, scale).sample(estimator=scg.estimators.GaussianHessian(), rng=0)
    >>> (z**2).backward()
    >>> scale.grad  # d/ds of s**2, whatever was drawn
    array(1.)
    """

    route: ClassVar[str] = "pathwise"

    def __init__(self, probes: int | None = None) -> None:
        if probes is not None and probes < 1:
            raise OptionError(f"scg.estimators.GaussianHessian: probes={probes!r} is less than 1")
        self.probes = probes
        self._signs: Sequence[Array] = ()

    def draw(
        self, distribution: Any, source: Source, sizes: Shape, options: Mapping[str, Any]
    ) -> Tensor:
        """Draw as usual, and let no first derivative through to the spread."""
        name = _spread_of(distribution)
        if not distribution.parameters[name].requires_grad:  # the Hessian has nothing to move
            drawn: Tensor = distribution._draw(source, sizes, self.route, self.route, options)
            return drawn
        shape = sizes + distribution.batch_shape + distribution.event_shape
        noise = source.normal(distribution._spread.noise_shape(shape), distribution.dtype)
        loc, spread = distribution.parameters["loc"], distribution.parameters[name]
        moved = bare(distribution._spread.times(Tensor(noise))._data)
        value = array_of(bare(loc._data) + moved)
        joined = _JOINED.apply(
            (loc, spread, with_noise(noise), value), {"vectors": name == "factor"}
        )
        own = copy.copy(self)  # the probes belong to this draw
        own._signs = [_signs(source, value) for _ in range(self.probes or 0)]
        return pathwise_site(distribution, joined, estimator=own, **options)

    def curvature(
        self, site: Site, product: Callable[[Array], Any]
    ) -> Iterator[tuple[Tensor, Array]]:
        """Yield the parameter of the spread and its slope: the Hessian times the spread."""
        distribution: Any = site.distribution
        name = _spread_of(distribution)
        spread = bare(distribution.parameters[name]._data)
        directions = self._signs or _units(site.value)
        slope: Any = 0.0
        for v in directions:
            curved = product(v)
            if name == "scale":
                slope = slope + curved * v * spread
            else:
                slope = slope + curved[..., None] * (v[..., None, :] @ spread)
        yield distribution.parameters[name], array_of(slope / max(1, len(self._signs)))


def _spread_of(distribution: Any) -> str:
    if distribution.name in ("Normal", "MultivariateNormal"):
        for name in ("scale", "factor"):
            if name in distribution.parameters:
                return name
    raise OptionError(
        f"scg.estimators.GaussianHessian cannot estimate scg.{distribution.name} with parameters "
        f"{', '.join(distribution.parameters)}; use it with Normal, by scale or factor"
    )


def _signs(source: Source, like: Array) -> Array:
    return array_of(2 * bare(source.bernoulli(np.full(like.shape, 0.5, like.dtype))) - 1)


def _units(like: Array) -> Iterator[Array]:
    for index in np.ndindex(like.shape):
        unit = np.zeros_like(like)
        unit[index] = 1
        yield unit


def _joined_axes(
    shapes: Sequence[Shape], out: Shape, *, vectors: bool, **_: Any
) -> Sequence[AxisMap]:
    """Elementwise, or row by row for vectors, whose elements the factor mixes."""
    if not vectors:
        return _axes.elementwise(shapes, out)
    loc, factor, noise, value = shapes
    rows = _axes.elementwise([(*factor[:-1], 1), (*noise[:-1], 1)], (*out, 1))
    return [
        _axes.elementwise([loc], out)[0], (*rows[0][:-2], None, None), (*rows[1][:-2], None),
        _axes.elementwise([value], out)[0],
    ]  # fmt: skip


def _joined_rule(
    F: Any, g: Any, _y: Any, _loc: Any, _spread: Any, _noise: Any, _value: Any, **_: Any
) -> Any:
    return g, None, None, None


# The value with its parents, so that every rule about draws sees them; the spread's share of the
# gradient is not the derivative of the value.
_JOINED = Op(
    "gaussian", lambda loc, spread, noise, value, /, *, vectors: value,
    smooth=SMOOTH, axes=_joined_axes,
)  # fmt: skip
_JOINED.set_vjp(_joined_rule)
