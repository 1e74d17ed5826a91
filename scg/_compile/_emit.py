"""From a region to its task: the text of the loop, and the row of numbers it is called with."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scg._compile._buffers import Buffer, View
from scg._compile._fuse import Region, folded
from scg._compile._work import Map, Reduce
from scg._typing import Shape
from scg.kernels.vector_spec import COLUMN_SEGMENT, ROW_SEGMENT, Access, Spec, lanes_for

__all__ = ["Task", "emit"]

Strides = tuple[int, ...]


class Task(NamedTuple):
    """What one region does.

    Attributes
    ----------
    spec : Spec
    units : int
        How many independent units the work has.
    numbers : list of int
        The row, with 0 for addresses.
    addresses : list of (place in the row, buffer, offset in bytes)
    elements : int
        Of the space; what the work costs is proportional to it.
    """

    spec: Spec
    units: int
    numbers: list[int]
    addresses: list[tuple[int, Buffer, int]]
    elements: int


class _Layout(NamedTuple):
    """The axes of a region by their part in the loop, and the sizes of all."""

    sizes: Shape
    groups: list[list[int]]
    outer: list[int]
    loop: int | None
    vector: int | None
    columns: bool

    def size(self, axis: int | None) -> int:
        return 1 if axis is None else self.sizes[axis]


def emit(region: Region, stored: set[Buffer]) -> Task:
    """Write down the loop of a region.

    Parameters
    ----------
    region : Region
    stored : set of Buffer
        What of the values it makes is read elsewhere.
    """
    return _Writer(region, stored).task()


class _Writer:
    def __init__(self, region: Region, stored: set[Buffer]) -> None:
        self.region, self.stored = region, stored
        self.layout = _layout(region, self._touched())
        self.accesses: dict[tuple[Buffer, Strides, int, int], int] = {}
        self.kinds: list[Access] = []
        self.nodes: list[tuple[Any, ...]] = []
        self.known: dict[tuple[Any, ...], int] = {}
        self.values: dict[Buffer, int] = {}
        self.stores: list[tuple[int, int]] = []
        self.dtypes: set[str] = set()

    def _touched(self) -> list[Strides]:
        """Return the strides of all memory accesses: what is not stored may lie anyhow."""
        region = self.region
        return [
            strides for buffer, strides, _ in region.touched
            if buffer not in region.made or buffer in self.stored
        ]  # fmt: skip

    def task(self) -> Task:
        for work, axes in self.region.items:
            self._add(work, axes)
        layout = self.layout
        length = layout.size(layout.loop)
        segment = COLUMN_SEGMENT if layout.columns else ROW_SEGMENT
        segment = segment if length > segment else 0
        width = layout.size(layout.vector)
        lanes = self._lanes(width)
        tail = "mask" if width < lanes else "again" if width % lanes else "none"
        spec = Spec(
            layout.columns, len(layout.outer), segment, lanes, tail, tuple(self.kinds),
            tuple(self.nodes), tuple(self.stores),
        )  # fmt: skip
        units = math.prod(layout.sizes[a] for a in layout.outer)
        units *= -(-length // segment) if segment else 1
        units *= -(-width // lanes) if layout.columns else 1
        numbers, addresses = self._row(spec)
        return Task(spec, units, numbers, addresses, math.prod(layout.sizes))

    def _lanes(self, width: int) -> int:
        """Return how many numbers a vector holds."""
        if math.prod(self.layout.sizes) == 1:
            return 1
        lanes = lanes_for(self.dtypes)
        wide = lanes * self._registers()
        return wide if width >= wide else lanes

    def _registers(self) -> int:
        """Return how many registers a vector should fill.

        Several let one computation go on while another waits, and columns use more of each line of
        memory while it is at hand; with many values alive at once they spill (measured).
        """
        nodes = self.nodes
        reductions = sum(node[0] == "reduce" for node in nodes)
        if any(node[0] == "op" and set(node[2]) - {"where", "abs"} for node in nodes):
            return 2
        if self.layout.columns:
            return 1 if reductions > 2 else 4 if len(nodes) <= 8 else 2
        return 2 if reductions or len(nodes) <= 10 else 1

    # --- nodes ------------------------------------------------------------------------------

    def _node(self, *node: Any) -> int:
        if node not in self.known:
            self.known[node] = len(self.nodes)
            self.nodes.append(node)
        return self.known[node]

    def _add(self, work: Map | Reduce, axes: tuple[int, ...]) -> None:
        inputs = [self._read(view, work.shape, axes) for view in work.inputs]
        (out,) = work.outputs
        node = (
            self._map(work, inputs) if isinstance(work, Map)
            else self._node("scan", *inputs) if work.kind == "scan"
            else self._node("reduce", work.kind, *inputs)
        )  # fmt: skip
        self.dtypes.add(str(out.dtype))
        strides = self.region.strides(out, work.shape, axes)
        if isinstance(work, Reduce) and work.partial:
            self.stores.append((node, self._access(out, strides, segment=1)))
            return
        self.values[out.buffer] = node
        if out.buffer in self.stored:
            self.stores.append((node, self._access(out, strides)))

    def _map(self, work: Map, inputs: list[int]) -> int:
        converted = [
            self._cast(node, view, "bool" if name in work.truths else work.arithmetic)
            for node, view, name in zip(inputs, work.inputs, work.names, strict=True)
        ]
        self.dtypes.add(work.arithmetic)
        if work.text == "x":
            return converted[0]
        (out,) = work.outputs
        return self._node("op", work.text, work.functions, work.names, work.statics,
                          work.arithmetic, tuple(converted), str(out.dtype))  # fmt: skip

    def _cast(self, node: int, view: View, dtype: str) -> int:
        return node if str(view.dtype) == dtype else self._node("cast", node, dtype)

    def _read(self, view: View, shape: Shape, axes: tuple[int, ...]) -> int:
        if view.buffer in self.values:
            return self.values[view.buffer]
        access = self._access(view, self.region.strides(view, shape, axes))
        return self._node("load", access)

    # --- memory -----------------------------------------------------------------------------

    def _access(self, view: View, strides: Strides, segment: int = 0) -> int:
        key = (view.buffer, tuple(strides[g[-1]] for g in self.layout.groups), view.offset, segment)
        if key not in self.accesses:
            self.accesses[key] = len(self.kinds)
            self.kinds.append(self._kind(view, key[1], segment))
        return self.accesses[key]

    def _kind(self, view: View, strides: Strides, segment: int) -> Access:
        layout = self.layout
        step = 0 if layout.vector is None else strides[layout.vector]
        lane = "none" if step == 0 else "one" if step == 1 else "any"
        moves = layout.columns and layout.loop is not None and strides[layout.loop] != 0
        return Access(str(view.dtype), moves, lane, bool(segment))

    def _row(self, spec: Spec) -> tuple[list[int], list[tuple[int, Buffer, int]]]:
        layout, addresses, numbers = self.layout, [], []
        accesses = list(self.accesses)
        for place, (name, i) in enumerate(spec.fields()):
            number = 0
            if name in ("loop", "width"):
                number = layout.size(layout.loop if name == "loop" else layout.vector)
            elif name == "size":
                number = layout.sizes[layout.outer[i]]
            else:
                buffer, strides, offset, segment = accesses[i]
                size = buffer.dtype.itemsize
                if name == "address":
                    addresses.append((place, buffer, offset * size))
                elif name == "segment":
                    number = segment * size
                else:
                    number = strides[self._axis(name)] * size
            numbers.append(number)
        return numbers, addresses

    def _axis(self, name: str) -> int:
        layout = self.layout
        axis = {"step": layout.loop, "lane": layout.vector}.get(name)
        return layout.outer[int(name.split()[1])] if axis is None else axis


def _layout(region: Region, touched: list[Strides]) -> _Layout:
    """Fold axes, and choose which the loop runs along and which a vector lies along."""
    space, reduced = region.space, region.reduced
    groups = folded(space, reduced or (), touched)
    sizes = tuple(math.prod(space[a] for a in g) for g in groups)
    axes = list(range(len(groups)))
    if reduced is None:
        columns = len(sizes) > 1 and sizes[-1] < 8 and sizes[-2] > 2 * sizes[-1]
        loop = axes[-1] if axes else None
    else:
        columns = region.columns
        loop = next((i for i, g in enumerate(groups) if g[0] in reduced), None)
    rest = [a for a in axes if a != loop]
    vector = (rest[-1] if rest else None) if columns else loop
    outer = [a for a in rest if a != vector]
    return _Layout(sizes, groups, outer, loop, vector, columns)
