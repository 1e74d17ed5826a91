"""Score weights: each element of a draw is weighted by the cost elements that it can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scg._axes import AxisMap
from scg._bare import shape_of
from scg._op import OPS
from scg._surrogate.reach import bits, identity_axes
from scg._tensor import Tensor
from scg._typing import Array, Shape

__all__ = ["Weights", "aligned_index"]


class Weights:
    """The weights of every draw, from the terms that the elementary costs add to the loss.

    Draws of a chain reach nested sets of costs, so each weight is formed from the one before: that
    keeps ten thousand draws with ten thousand costs linear.

    Parameters
    ----------
    terms : sequence of ndarray
        What the elements of each cost add to the loss.
    """

    def __init__(self, terms: Sequence[Array]) -> None:
        self._terms = terms
        self._last: dict[tuple[AxisMap, Shape], tuple[int, Array]] = {}

    def of(self, axes: AxisMap, shape: Shape, costs: int) -> Array:
        """Return the weight of a log-probability of that shape, by axes it keeps."""
        sizes = shape
        if None in axes:
            sizes = tuple(n if a is not None else 1 for n, a in zip(shape, axes, strict=True))
        done, before = self._last.get((axes, sizes), (0, None))
        if done & ~costs:
            done, before = 0, None
        fresh = costs & ~done
        if before is not None and not fresh:
            return before
        total = before.copy() if isinstance(before, np.ndarray) else before
        for index in bits(fresh):
            total = _added(total, self._terms[index], axes, sizes)
        if total is None:
            total = np.zeros(sizes)
        self._last[axes, sizes] = costs, total
        return total

    def summed(self, scored: Mapping[AxisMap, int], shape: Shape, among: int = -1) -> Array:
        """Return the weight of a log-probability by all ways to the costs of a mask."""
        total: Array | None = None
        for axes, costs in scored.items():
            if costs & among:
                weight = self.of(axes, shape, costs & among)
                total = weight if total is None else total + weight
        if total is None:
            return np.zeros(shape)
        return total if total.shape == shape else total + np.zeros(shape)


def aligned_index(axes: AxisMap, sizes: Sequence[int]) -> tuple[Any, ...]:
    """Return the index of the elements that a cost with those axis sizes is reached from.

    One entry for each axis of the draw; axes of which nothing is known are whole.
    """
    return tuple(
        slice(None) if a is None else _positions(a.start, a.step, sizes[a.axis]) for a in axes
    )


def _positions(start: int, step: int, count: int) -> slice:
    stop = start + step * count
    return slice(start, stop if stop >= 0 else None, step)


def _added(total: Any, terms: Any, axes: AxisMap, sizes: Shape) -> Any:
    """Add the terms of one cost, summed over the axes that the draw does not share.

    Arrays are added to in place. Tensors, whose operations are recorded, are not written to. First
    terms of the right shape are copied, in the precision of the zeros to which others are added.
    """
    shape = shape_of(terms)
    if total is None:
        if terms.__class__ is np.ndarray and shape == sizes and axes == identity_axes(len(sizes)):
            return terms.astype(np.float64)
        total = np.zeros(sizes)
    if total.shape == shape and axes == identity_axes(total.ndim):
        if isinstance(terms, Tensor):
            return total + terms
        total += terms
        return total
    shared = [a.axis for a in axes if a is not None]
    others = tuple(axis for axis in range(len(shape)) if axis not in shared)
    summed = np.sum(terms, axis=others) if others else terms
    here, index = _arranged(summed, shared, axes), aligned_index(axes, shape)
    if isinstance(here, Tensor):
        return total + OPS["scatter"].public(here, shape=total.shape, index=index)
    total[index] += here
    return total


def _arranged(summed: Any, shared: Sequence[int], axes: AxisMap) -> Any:
    """Order the axes of a sum as the draw has them, with size 1 where it shares none."""
    left = sorted(shared)
    moved = summed.transpose([left.index(axis) for axis in shared]) if shared else summed
    full = [slice(None) if a is not None else None for a in axes]
    return moved[tuple(full)]
