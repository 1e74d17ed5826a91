"""Sample inputs: what an op's record says about where and how to test it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from scg._typing import DType, Shape

__all__ = ["MODERATE", "Case", "Samples", "arrays", "elementwise"]

Case: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]  # inputs, statics

_SHAPES: dict[int, list[tuple[Shape, ...]]] = {
    1: [((),), ((0,),), ((1,),), ((5,),), ((3, 4),), ((2, 1, 3),)],
    2: [
        ((), ()), ((0,), (1,)), ((5,), (5,)), ((3, 4), (4,)), ((3, 1), (4,)), ((), (3,)),
        ((2, 3, 1), (1, 4)),
    ],
    3: [((), (), ()), ((5,), (5,), (5,)), ((3, 1), (4,), ()), ((0, 2), (2,), (1, 1))],
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """How to test an op.

    Attributes
    ----------
    cases : callable
        `cases(rng, dtype)` yields `(inputs, statics)` inside the domain, away from kinks and
        poles: values and all derivatives are tested there.
    edges : callable
        `edges(dtype)` yields cases on which only the value is compared: zeros of both signs, NaN,
        infinities, subnormals, the ends of the domain.
    complex_step : bool
        The reference accepts complex inputs and is analytic, so its derivative can be had to full
        precision by a complex step.
    ulps : float
        Allowed error of the value, in units in the last place; 0 for an op that only moves numbers.
    conditioned : bool
        The error is measured in units of the last place of the value and of what the value changes
        by, per relative change of the inputs: sums of terms of both signs cannot do better.
    slope_ulps : float
        Allowed error of float32 cotangents, in the same units, conditioned in every op.
    """

    cases: Callable[[np.random.Generator, DType], Iterable[Case]]
    edges: Callable[[DType], Iterable[Case]] = field(default=lambda dtype: ())
    complex_step: bool = False
    ulps: float = 4.0
    conditioned: bool = True
    slope_ulps: float = 4.0


# Where the default edges would overflow in float32 on the way to a result that does not.
MODERATE = (0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf)


def elementwise(
    *domains: tuple[float, float], edges: Sequence[float] | None = None,
    statics: Sequence[dict[str, Any]] = ({},), complex_step: bool = False, ulps: float = 4.0,
    conditioned: bool = False, slope_ulps: float = 4.0,
) -> Samples:  # fmt: skip
    """Draw each input uniformly from its interval, in every shape and broadcast pattern.

    `edges` are tried in all combinations; None means zeros of both signs, one, NaN, infinities,
    the smallest subnormal and the largest number.
    """

    def cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
        for static in statics:
            for shapes in _SHAPES[len(domains)]:
                yield (
                    tuple(
                        np.asarray(rng.uniform(low, high, shape), dtype=dtype)
                        for (low, high), shape in zip(domains, shapes, strict=True)
                    ),
                    static,
                )

    def edge_cases(dtype: DType) -> Iterable[Case]:
        info = np.finfo(dtype)
        special = edges if edges is not None else (
            0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, info.smallest_subnormal,
            info.max, info.min,
        )  # fmt: skip
        grid = np.array(list(product(special, repeat=len(domains))), dtype=dtype)
        for static in statics:
            yield tuple(np.ascontiguousarray(column) for column in grid.T), static

    return Samples(cases, edge_cases, complex_step, ulps, conditioned, slope_ulps)


def arrays(
    *cases: tuple[Sequence[Shape], dict[str, Any]], low: float = -2.0, high: float = 2.0,
    complex_step: bool = False, ulps: float = 4.0,
) -> Samples:  # fmt: skip
    """Draw inputs of the given shapes uniformly, one case per `(shapes, statics)`."""

    def draw(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
        for shapes, statics in cases:
            yield tuple(np.asarray(rng.uniform(low, high, s), dtype=dtype) for s in shapes), statics

    return Samples(draw, complex_step=complex_step, ulps=ulps)
