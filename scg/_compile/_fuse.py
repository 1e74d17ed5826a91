"""Regions: work that is done in one pass over memory.

Work is placed in the order of the program, into the first region that may do it: one that makes
what it reads, element for element, or one that reads what it reads. So nothing moves behind what
comes later, and every region can be done when those before it are done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from scg._compile._buffers import Buffer, View, contiguous
from scg._compile._work import Map, Reduce, Work
from scg._typing import Shape
from scg.kernels.vector_spec import COLUMN_SEGMENT, ROW_SEGMENT

__all__ = ["Region", "folded", "place", "squeezed", "squeezed_axes"]

# Work on so few elements is put together even if it has nothing in common.
SMALL = 1024
# More in one region costs registers and time to compile, and saves little.
MOST = 48
LANES = 16
COLLISION = 4096

Strides = tuple[int, ...]


class Region:
    """Work over one space.

    Attributes
    ----------
    space : tuple of int
        Sizes of the axes, none of them 1.
    items : list of (Map or Reduce, axes)
        With the axis of the space that each of its own axes is, those of size 1 left out.
    made : dict of Buffer to (strides, offset)
        What it computes, and where each element of it lies.
    reduced : tuple of int or None
        The axes it reduces over, if it reduces: they must lie like one in all that it touches.
    columns : bool
        The form of its loop, if it reduces.
    unfinished : set of Buffer
        Where it puts results of segments, which another region reduces.
    """

    def __init__(self, space: Shape) -> None:
        self.space = space
        self.items: list[tuple[Map | Reduce, tuple[int, ...]]] = []
        self.made: dict[Buffer, tuple[Strides, int]] = {}
        self.touched: dict[tuple[Buffer, Strides, int], None] = {}
        self.reduced: tuple[int, ...] | None = None
        self.columns = False
        self.unfinished: set[Buffer] = set()

    # --- joining ----------------------------------------------------------------------------

    def axes_for(self, work: Map | Reduce) -> tuple[int, ...] | None:
        """Return the axes of the space that the axes of `work` are; None if it cannot join."""
        shape = squeezed(work.shape)
        if len(self.items) >= MOST:
            return None
        axes = tuple(range(len(shape))) if shape == self.space else self._axes_by_operands(work)
        if axes is None or not self._forwards(work, axes):
            return None
        return axes if self._stays_whole(work, axes) else None

    def _axes_by_operands(self, work: Map | Reduce) -> tuple[int, ...] | None:
        """Find the axes of what is computed from finished reductions."""
        if self.reduced is None or isinstance(work, Reduce):
            return None
        kept = tuple(a for a in range(len(self.space)) if a not in self.reduced)
        if squeezed(work.shape) != tuple(self.space[a] for a in kept):
            return None
        return kept if any(v.buffer in self.made for v in work.inputs) else None

    def _forwards(self, work: Map | Reduce, axes: tuple[int, ...]) -> bool:
        """Tell whether all that is read of the region's own values are the elements at hand."""
        return not any(view.buffer in self.unfinished for view in work.inputs) and all(
            self.made[view.buffer] == (self.strides(view, work.shape, axes), view.offset)
            for view in work.inputs if view.buffer in self.made
        )  # fmt: skip

    def _stays_whole(self, work: Map | Reduce, axes: tuple[int, ...]) -> bool:
        """Tell whether the axes that must lie like one still do."""
        reduced = self.reduced
        if isinstance(work, Reduce):
            own = tuple(axes[i] for i in squeezed_axes(work.shape, work.axes))
            columns = column_form(work)
            if reduced not in (None, own) or (reduced and self.columns != columns):
                return False
            if columns and self.items and self._collides(work, axes):
                return False
            reduced = own
        if reduced is None:
            return True
        views = [self.strides(v, work.shape, axes) for v in (*work.inputs, *work.outputs)]
        touched = [strides for _, strides, _ in self.touched] + views
        return collapses(self.space, reduced, touched)

    def _collides(self, work: Reduce, axes: tuple[int, ...]) -> bool:
        """Tell whether rows lie so far apart that they push each other out of the caches.

        Going down the columns of one array is bearable then, but not of all that a region reads.
        """
        (x,) = work.inputs
        strides = self.strides(x, work.shape, axes)
        step = strides[axes[squeezed_axes(work.shape, work.axes)[-1]]]
        return step > 0 and step * x.dtype.itemsize % COLLISION == 0

    def strides(self, view: View, shape: Shape, axes: tuple[int, ...]) -> Strides:
        """Return the strides of a view, broadcast to `shape`, over the space."""
        result = [0] * len(self.space)
        own = [s for s, n in zip(view.over(shape), shape, strict=True) if n > 1]
        for axis, stride in zip(axes, own, strict=True):
            result[axis] = stride
        return tuple(result)

    def add(self, work: Map | Reduce, axes: tuple[int, ...]) -> None:
        """Do this work too."""
        for view in work.inputs:
            if view.buffer not in self.made:
                self.touched[view.buffer, self.strides(view, work.shape, axes), view.offset] = None
        (out,) = work.outputs
        strides = self.strides(out, work.shape, axes)
        if isinstance(work, Reduce):
            self.reduced = tuple(axes[i] for i in squeezed_axes(work.shape, work.axes))
            self.columns = column_form(work)
        if isinstance(work, Reduce) and work.partial:
            self.unfinished.add(out.buffer)
        else:
            self.made[out.buffer] = strides, out.offset
        self.touched[out.buffer, strides, out.offset] = None
        self.items.append((work, axes))

    def shares(self, work: Map | Reduce) -> bool:
        """Tell whether something is gained by doing the work here."""
        buffers = {buffer for buffer, _, _ in self.touched}
        return math.prod(self.space) <= SMALL or any(v.buffer in buffers for v in work.inputs)


def squeezed(shape: Shape) -> Shape:
    """Leave out axes of size 1."""
    return tuple(n for n in shape if n > 1)


def squeezed_axes(shape: Shape, axes: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers that axes have when those of size 1 are left out."""
    long = [i for i, n in enumerate(shape) if n > 1]
    return tuple(long.index(a) for a in axes if shape[a] > 1)


def collapses(space: Shape, axes: Sequence[int], touched: Sequence[Strides]) -> bool:
    """Tell whether axes lie in memory like one, in all that is touched."""
    if any(b - a != 1 for a, b in pairwise(axes)):
        return False
    return all(
        strides[a] == strides[a + 1] * space[a + 1] for strides in touched for a in axes[:-1]
    )


def folded(space: Shape, loop: Sequence[int], touched: Sequence[Strides]) -> list[list[int]]:
    """Put neighbouring axes together that lie in memory like one and have the same part in it."""
    groups: list[list[int]] = []
    for axis in range(len(space)):
        before = groups[-1][-1] if groups else None
        alike = before is not None and (before in loop) == (axis in loop)
        if alike and before is not None and collapses(space, (before, axis), touched):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def by_columns(space: Shape, loop: Sequence[int]) -> bool:
    """Choose the form of a reduction over the axes `loop`, by how many vectors each would take.

    Columns side by side are read a vector at a time if the loop is not over the last axis, and one
    by one, which costs about twice as much, if it is; in rows it is the other way round.
    """
    length = math.prod(space[a] for a in loop)
    rest = [n for a, n in enumerate(space) if a not in loop]
    width = rest[-1] if rest else 1
    last = len(space) - 1 in loop
    others = math.prod(rest) // width
    rows = others * width * -(-length // LANES) * (1 if last else 2)
    columns = others * -(-width // LANES) * length * (2 if last else 1)
    return columns < rows


# --- placing ---------------------------------------------------------------------------------


def place(work: Sequence[Work]) -> list[Any]:
    """Put work into steps: regions, and what is done by itself."""
    steps: list[Any] = []
    pending = list(reversed(work))
    while pending:
        item = pending.pop()
        parts = _parts(item, steps) if isinstance(item, Reduce) and not item.partial else None
        if parts is None:
            _place(item, steps)
        else:
            pending += reversed(parts)
    return steps


def _place(item: Work, steps: list[Any]) -> None:
    at = len(steps)
    if isinstance(item, Map | Reduce):
        at, axes = _region_for(item, steps)
        if at == len(steps):
            steps.append(Region(squeezed(item.shape)))
        steps[at].add(item, axes)
    else:
        steps.append(item)
    for view in item.inputs:
        view.buffer.readers.append(at)
    for view in item.outputs:
        view.buffer.writers.append(at)


def _region_for(item: Map | Reduce, steps: list[Any]) -> tuple[int, tuple[int, ...]]:
    """Return where the work goes, and the axes of that region which its own axes are."""
    for at in range(_first_place(item), len(steps)):
        region = steps[at]
        if isinstance(region, Region):
            own = any(v.buffer in region.made for v in item.inputs)
            if own or region.shares(item):
                axes = region.axes_for(item)
                if axes is not None:
                    return at, axes
    return len(steps), tuple(range(len(squeezed(item.shape))))


def _first_place(item: Work) -> int:
    """Return the step that makes the last of what the work reads."""
    return max((w for v in item.inputs for w in v.buffer.writers if w > 0), default=0)


def _parts(item: Reduce, steps: list[Any]) -> list[Work] | None:
    """Take a reduction apart that no single pass can finish; None if one can."""
    (x,) = item.inputs
    shape, axes = squeezed(item.shape), squeezed_axes(item.shape, item.axes)
    own = tuple(s for s, n in zip(x.over(item.shape), item.shape, strict=True) if n > 1)
    if len(axes) > 1 and not (collapses(shape, axes, [own]) and _finds_place(item, steps)):
        return _one_by_one(item)
    if item.kind == "scan":
        return None
    length = math.prod(shape[a] for a in axes)
    segment = COLUMN_SEGMENT if column_form(item) else ROW_SEGMENT
    return _in_segments(item, -(-length // segment)) if length > segment else None


def _finds_place(item: Reduce, steps: list[Any]) -> bool:
    """Tell whether the step that makes what is reduced, if it is a region, can reduce it."""
    (x,) = item.inputs
    makers = [steps[w] for w in x.buffer.writers if w >= 0]
    return all(not isinstance(m, Region) or m.axes_for(item) is not None for m in makers)


def column_form(item: Reduce) -> bool:
    """Choose the form of a reduction by itself."""
    (x,) = item.inputs
    shape, axes = squeezed(item.shape), squeezed_axes(item.shape, item.axes)
    own = tuple(s for s, n in zip(x.over(item.shape), item.shape, strict=True) if n > 1)
    groups = folded(shape, axes, [own])
    sizes = tuple(math.prod(shape[a] for a in group) for group in groups)
    loop = [i for i, group in enumerate(groups) if group[0] in axes]
    return item.kind == "scan" or by_columns(sizes, loop)


def _one_by_one(item: Reduce) -> list[Work]:
    """Reduce over the last of the axes first."""
    (x,), (out,) = item.inputs, item.outputs
    *first, last = (a for a in item.axes if item.shape[a] > 1)
    shape = tuple(1 if i == last else n for i, n in enumerate(item.shape))
    between = View(Buffer(shape, out.dtype), shape, contiguous(shape))
    return [
        Reduce([x], [between], item.shape, item.kind, (last,)),
        Reduce([between], [out], shape, item.kind, tuple(first)),
    ]


def _in_segments(item: Reduce, count: int) -> list[Work]:
    """Reduce each segment to a number, and then those."""
    (x,), (out,) = item.inputs, item.outputs
    kept = tuple(1 if i in item.axes else n for i, n in enumerate(item.shape))
    parts = Buffer((*kept, count), out.dtype)
    strides = tuple(s * count for s in contiguous(kept))
    return [
        Reduce([x], [View(parts, kept, strides)], item.shape, item.kind, item.axes, partial=True),
        Reduce([View(parts, (*kept, count), (*strides, 1))], [View(out.buffer, (*kept, 1),
               (*out.strides, 0), out.offset)], (*kept, count), item.kind, (len(kept),)),
    ]  # fmt: skip
