"""Tasks that run one after the other without Python in between: one call of the executor."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from scg._compile._buffers import Buffer, View
from scg._compile._emit import Task
from scg._compile._work import Product, Step
from scg._typing import Array
from scg.kernels import machine, tasks, vector_loops
from scg.kernels._jit import threads
from scg.kernels._product import FIELDS
from scg.kernels.execute import PIECES, Compiled, Line, Schedule, place
from scg.kernels.optim import Updates

__all__ = ["Stretch", "Updating", "overlap_test"]

# Nanoseconds, roughly: of a vector going through memory and a simple operation, and of a function.
# A line is divided among threads from so much work on, and a thread takes so much at a time.
MOVE, SIMPLE, FUNCTION = 0.1, 0.05, 0.6
DIVIDED, CHUNK = 5000.0, 1500.0

Ranges = list[tuple[int, int]]


class Stretch:
    """Some steps of a plan, ready to run any number of times.

    Attributes
    ----------
    external : dict of Buffer to list of (place, offset)
        Where in the rows the address of an array stands that comes with each call.
    """

    def __init__(self) -> None:
        self.external: dict[Buffer, list[tuple[int, int]]] = {}
        self._lines: list[Line] = []
        self._touched: list[tuple[Ranges, Ranges]] = []
        self._updates: list[Updating] = []
        self._size = 0

    # --- building ---------------------------------------------------------------------------

    def add_loop(self, task: Task) -> None:
        """Add the loop of a region."""
        row = list(task.numbers)
        for at, buffer, offset in task.addresses:
            row[at] = self._address(buffer, offset, at)
        spec = task.spec
        address = machine.address_of(
            vector_loops.NAME, repr(spec), lambda: vector_loops.write(spec)
        )
        written = {access for _, access in spec.stores}
        buffers = [buffer for _, buffer, _ in task.addresses]
        reads = [b for i, b in enumerate(buffers) if i not in written]
        line = Line(Compiled(address), row, task.units, _grain(task))
        self._add(line, reads, [buffers[i] for i in written])

    def add_product(self, product: Product) -> None:
        """Add a matrix product."""
        a, b, *bias = product.inputs
        (out,) = product.outputs
        m, k, n = *a.shape[-2:], b.shape[-1]
        size = out.dtype.itemsize
        places = dict(zip(("a", "b", "c", "bias"), (a, b, out, *bias), strict=False))
        found = {
            name: self._address(view.buffer, view.offset * view.dtype.itemsize, FIELDS.index(name))
            for name, view in places.items()
        }
        self._add(tasks.multiply(
            out.dtype, m, k, n, _matrix(a, found["a"]), _matrix(b, found["b"]),
            tasks.Matrix(found["c"], n * size, size, m * n * size),
            batch=a.shape[0] if len(a.shape) == 3 else 1, bias=found.get("bias", 0),
            relu=product.relu,
        ), [view.buffer for view in product.inputs], [out.buffer])  # fmt: skip

    def add_update(self, step: Step) -> None:
        """Add a step of an optimiser: one pass over all parameters.

        One that follows a schedule has to be the first: a schedule may ask what came before.
        """
        update = Updating(step)
        buffers = [view.buffer for view in (*step.inputs, *step.outputs)]
        for line in update.lines:
            # Its state arrays are nobody else's, and parameters are among what it reads.
            self._add(line, buffers, buffers)
        self._updates.append(update)

    def _add(self, line: Line, reads: list[Buffer], writes: list[Buffer]) -> None:
        """Add a line, which waits for those before it that touch the same memory."""
        read, written = self._ranges(reads), self._ranges(writes)
        after = len(self._touched)
        while after and not _conflict((read, written), self._touched[after - 1]):
            after -= 1
        self._lines.append(line._replace(after=after))
        self._touched.append((read, written))
        self._size += len(line.row)

    def _ranges(self, buffers: list[Buffer]) -> Ranges:
        """Return where the memory of buffers begins and ends.

        What comes with a call lies apart from all else, which `Plan` sees to: below zero here.
        """
        external = list(self.external)
        places = [external.index(b) for b in buffers if b.array is None]
        arrays = [b.array for b in buffers if b.array is not None]
        return [
            *((-p - 1, -p) for p in places),
            *((place(a), place(a) + a.nbytes) for a in arrays),
        ]

    def _address(self, buffer: Buffer, offset: int, at: int) -> int:
        if buffer.array is None:
            self.external.setdefault(buffer, []).append((self._size + at, offset))
            return 0
        return place(buffer.array) + offset

    # --- running ----------------------------------------------------------------------------

    def close(self) -> Callable[[], None]:
        """Return a function that runs all that was added."""
        self._schedule = Schedule(self._lines)
        run, updates = self._schedule.run, self._updates
        if not updates:
            return run

        def run_with_updates() -> None:
            for update in updates:
                update.begin()
            run()
            for update in updates:
                update.end()

        return run_with_updates

    def pointers(self) -> list[tuple[Buffer, Callable[[int], None]]]:
        """Return what tells the tasks the addresses of the arrays of a call."""
        return [(b, _setter(self._schedule.rows, ps)) for b, ps in self.external.items()]


class Updating:
    """A step of an optimiser: what `Optimizer.step` does before and after the pass over memory."""

    def __init__(self, step: Step) -> None:
        self._optimizer = optimizer = step.optimizer
        names = {id(p): name for name, p in optimizer._named.items()}
        self._names = [names[id(tensor)] for tensor in step.tensors]
        self._leaves = [tensor._leaf("update") for tensor in step.tensors]
        gradients = [view.array() for view in step.inputs[: len(self._names)]]
        self._pass = Updates(optimizer._rule, [
            (tensor._data, gradient, *optimizer._state[name].values())
            for tensor, gradient, name in zip(step.tensors, gradients, self._names, strict=True)
        ])  # fmt: skip
        self.lines = self._pass.lines

    def run(self) -> None:
        """Do it by itself."""
        self.begin()
        self._pass.run()
        self.end()

    def begin(self) -> None:
        """Count the updates, and set the scalars that depend on the counts."""
        optimizer = self._optimizer
        # A schedule may raise: before anything is counted.
        rate, counts = optimizer.rate, optimizer._updates
        scalars: dict[int, Any] = {}
        chosen = []
        for name in self._names:
            count = counts[name] = counts[name] + 1
            if count not in scalars:
                scalars[count] = optimizer._scalars(rate, count)
            chosen.append(scalars[count])
        self._pass.set(chosen)

    def end(self) -> None:
        """Count the step, after which the parameters are others."""
        for leaf in self._leaves:
            leaf.version += 1
        self._optimizer.steps += 1


def _conflict(one: tuple[Ranges, Ranges], other: tuple[Ranges, Ranges]) -> bool:
    """Tell whether one of two lines writes what the other touches."""
    (read, written), (others_read, others_written) = one, other
    return _meet(read + written, others_written) or _meet(written, others_read)


def _meet(some: Ranges, others: Ranges) -> bool:
    return any(a < d and c < b for a, b in some for c, d in others)


def overlap_test(arrays: Sequence[Array]) -> Callable[[int, int], bool]:
    """Return a test whether memory from one address to another overlaps that of any array."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted((place(a), place(a) + a.nbytes) for a in arrays):
        if ends and start < ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)

    def overlaps(start: int, end: int) -> bool:
        before = bisect_left(starts, end)
        return before > 0 and ends[before - 1] > start

    return overlaps


def _setter(rows: Any, places: Sequence[tuple[int, int]]) -> Callable[[int], None]:
    def point(start: int) -> None:
        for at, offset in places:
            rows[at] = start + offset

    return point


def _matrix(view: View, address: int) -> tasks.Matrix:
    size = view.dtype.itemsize
    *step, row, col = (s * size for s in view.strides)
    return tasks.Matrix(address, row, col, *step)


def _grain(task: Task) -> int:
    """Return how many units a thread takes at a time; all of them if more than one is no use."""
    nodes = task.spec.nodes
    simple = sum(node[0] in ("op", "reduce") for node in nodes)
    functions = sum(len(node[2]) for node in nodes if node[0] == "op")
    size = sum(a.lane != "none" for a in task.spec.accesses)
    work = task.elements * (MOVE * size + SIMPLE * simple + FUNCTION * functions)
    if work < DIVIDED or threads() == 1:
        return task.units
    pieces = min(PIECES * threads(), max(1, int(work / CHUNK)))
    return -(-task.units // pieces)
