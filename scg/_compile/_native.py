"""A program as a plan: tasks over memory laid out in advance, and Python where there must be some.

`native(program)` lowers instructions to work (`_lower.py`), fuses work into regions (`_fuse.py`),
compiles the loops of the regions (`_emit.py`) and lays out the memory (`_arena.py`). What is left
for a call is to bring the arguments in, draw the noise, run the tasks and take the results out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scg._compile._arena import allocate
from scg._compile._buffers import Buffer, View, whole
from scg._compile._emit import emit
from scg._compile._fuse import Region, place
from scg._compile._lower import Lowering
from scg._compile._program import Program
from scg._compile._stretch import Stretch, Updating, overlap_test
from scg._compile._work import Call, Draw, Product, Step, Work
from scg._typing import Array
from scg.kernels._jit import CAN_COMPILE
from scg.kernels._product import HAS_KERNEL
from scg.kernels.execute import place as address
from scg.kernels.matmul import matmul
from scg.kernels.uniform import fill

__all__ = ["Plan", "native"]

# Arguments of more bytes are read where they are; to copy a smaller one costs less than to ask for
# its address.
COPIED = 1 << 14

Pointers = dict[Buffer, list[Callable[[int], None]]]


def native(program: Program) -> Plan:
    """Compile a program.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Plan
        Called with the arrays of the arguments it returns those of the results, sets the gradients
        and does the updates.
    """
    return Plan(program, loops=CAN_COMPILE)


class Plan:
    """A compiled program.

    Attributes
    ----------
    nbytes : int
        Memory it holds between two calls, besides parameters, gradients and constants.
    steps : list
        What it does, for profiles.
    """

    def __init__(self, program: Program, *, loops: bool = True) -> None:
        low = Lowering(program, loops=loops)
        results = [low.view(v) for v in program.results]
        self._gradients = _gradients(program, low)
        kept = [*results, *(g for g in self._gradients.values() if g is not None)]
        self.steps = place(_alive(low.work, kept))
        end = len(self.steps)
        for view in kept:
            view.buffer.readers.append(end)
        self._draws, self._low, self._results = _draws(self.steps), low, results
        buffers = _buffers(self.steps, [*low.arguments.values(), *low.gradients.values()])
        stored = _stored(self.steps)
        self._tasks = {
            at: emit(step, stored) for at, step in enumerate(self.steps) if isinstance(step, Region)
        }
        within: set[Buffer] = set()  # made in a region that keeps it in registers
        for at, task in self._tasks.items():
            within |= set(self.steps[at].made) - {b for _, b, _ in task.addresses}
        buffers = [b for b in buffers if b not in within]
        self._in_place = {b for b in low.arguments.values() if _of_tasks(b, self.steps, [-1])}
        self._new = _new(self.steps, results)
        elsewhere = self._in_place | self._new
        self.nbytes = allocate(b for b in buffers if b.array is None and b not in elsewhere)
        self._bind()

    # --- binding ----------------------------------------------------------------------------

    def _bind(self) -> None:
        """Make functions of the steps, with the addresses of all memory in them."""
        self._runs: list[tuple[Callable[[], Any], int]] = []  # with the steps done after each
        pointers: Pointers = {}
        optimizers = [step.optimizer for step in self.steps if isinstance(step, Step)]
        self._schedules = [(o, callable(o.lr)) for o in optimizers]
        stretch: Stretch | None = None
        for at, step in enumerate(self.steps):
            if isinstance(step, Draw) and step in self._draws:
                continue
            if not _is_task(step) or (isinstance(step, Step) and callable(step.optimizer.lr)):
                self._close(stretch, at, pointers)
                stretch = None
            if _is_task(step):
                stretch = stretch or Stretch()
                self._add(stretch, at)
            else:
                self._runs.append((_python(step), at + 1))
        self._close(stretch, len(self.steps), pointers)
        self._fills = [_python(d) for d in self._draws]
        self._found = [
            (tensor._leaf("read the gradient of"), whole(buffer).array())
            for tensor, buffer in self._low.gradients.items()
        ]
        self._targets = [
            (i, b.array) for i, b in self._low.arguments.items() if b.array is not None
        ]
        self._memory = {id(t): (t, t._data) for t, _ in self._low.parameters}.values()
        self._pointers = {
            i: pointers.get(b, []) for i, b in self._low.arguments.items()
            if b in self._in_place and b.readers
        }  # fmt: skip
        self._made = [
            (tuple(v.shape[a] for a in v.order), v.dtype, np.argsort(v.order), pointers[v.buffer])
            for v in self._results if v.buffer in self._new
        ]  # fmt: skip
        self._returned = [self._returning(v) for v in self._results]
        self._overlaps = overlap_test(self._written_outside())
        last = self._runs[-1][1] if self._runs else 0
        # The plan's own memory: the next call writes the next gradients there.
        self._left = [
            (t, last - 1, None) if v is None
            else (t, max(v.buffer.writers, default=-1), v.buffer.array)
            for t, v in self._gradients.items()
        ]  # fmt: skip

    def _fits(self) -> bool:
        """Tell whether parameters have the memory, and optimisers the kind of rate, they had."""
        for tensor, array in self._memory:
            if tensor._data is not array:
                return False
        for optimizer, scheduled in self._schedules:
            if callable(optimizer.lr) is not scheduled:
                return False
        return True

    def _move(self) -> None:
        """Use what parameters and optimisers were given since."""
        for tensor, buffer in self._low.parameters:
            buffer.array = tensor._data
        self._bind()

    def _add(self, stretch: Stretch, at: int) -> None:
        step = self.steps[at]
        if isinstance(step, Product):
            stretch.add_product(step)
        elif isinstance(step, Step):
            stretch.add_update(step)
        else:
            stretch.add_loop(self._tasks[at])

    def _close(self, stretch: Stretch | None, done: int, pointers: Pointers) -> None:
        if stretch is None:
            return
        self._runs.append((stretch.close(), done))
        for buffer, point in stretch.pointers():
            pointers.setdefault(buffer, []).append(point)

    def _returning(self, view: View) -> Callable[[Sequence[Array], Iterator[Array]], Array]:
        """Return what takes a result from arguments, from what was made anew, or from the plan."""
        if view.buffer in self._new:
            return lambda arguments, made: next(made)
        if view.buffer in self._in_place:
            index = next(i for i, b in self._low.arguments.items() if b is view.buffer)
            return lambda arguments, made: _copy(view.of(arguments[index]))
        array = view.array()
        return lambda arguments, made: _copy(array)

    def _written_outside(self) -> list[Array]:
        """Return what a call writes and its caller may hold: gradients, updated parameters."""
        views = [g for g in self._gradients.values() if g is not None]
        views += [v for step in self.steps if isinstance(step, Step) for v in step.outputs]
        return [v.buffer.array for v in views if v.buffer.array is not None]

    # --- calling ----------------------------------------------------------------------------

    def __call__(self, arguments: Sequence[Array]) -> list[Array]:
        """Run the step."""
        if not self._fits():
            self._move()
        arguments = self._point(arguments)  # which keeps copies alive until the tasks have run
        made = self._make()
        for index, target in self._targets:
            target[...] = arguments[index]
        for leaf, array in self._found:
            array[...] = leaf.grad
        for draw in self._fills:
            draw()
        done = 0
        try:
            for run, done_after in self._runs:
                run()
                done = done_after
        finally:  # what raises finds the gradients that were there before it
            for tensor, written, gradient in self._left:
                if written < done:
                    tensor._leaf("set").grad = gradient
        again = iter(made)
        return [take(arguments, again) for take in self._returned]

    def _make(self) -> list[Array]:
        """Return new arrays for the results that tasks write there themselves."""
        made = []
        for shape, dtype, axes, pointers in self._made:
            array = np.empty(shape, dtype)
            start = address(array)
            for point in pointers:
                point(start)
            made.append(array.transpose(axes))
        return made

    def _point(self, arguments: Sequence[Array]) -> Sequence[Array]:
        """Tell tasks where the arguments are; what lies where a task writes is copied first."""
        for index, pointers in self._pointers.items():
            start = address(arguments[index])
            if self._overlaps(start, start + arguments[index].nbytes):
                copy = arguments[index].copy()
                arguments = [*arguments[:index], copy, *arguments[index + 1 :]]
                start = address(copy)
            for point in pointers:
                point(start)
        return arguments


def _copy(array: Array) -> Array:
    """Copy an array as it lies, unless it repeats memory, where that would mean nothing."""
    return array.copy(order="C" if 0 in array.strides else "K")


def _gradients(program: Program, low: Lowering) -> dict[Any, View | None]:
    """Give each gradient memory that it has to itself."""
    result: dict[Any, View | None] = {}
    seen: set[Buffer] = {low.view(v).buffer for v in program.results}
    for tensor, value in program.gradients.items():
        if value is None:
            result[tensor] = None
            continue
        view = low.view(value)
        own = view == whole(view.buffer) and view.buffer.array is None
        if not own or view.buffer in seen or view.buffer.writers:
            view = _copied(low, view)
        seen.add(view.buffer)
        view.buffer.pinned = True
        result[tensor] = view
    return result


def _copied(low: Lowering, view: View) -> View:
    """Copy a view as soon as all of it is there: what comes after may raise."""
    made = [at for at, w in enumerate(low.work) if any(v.buffer is view.buffer for v in w.outputs)]
    copy = low.copied(view)
    low.work.insert(made[-1] + 1 if made else 0, low.work.pop())
    return copy


def _alive(work: list[Work], kept: Sequence[View]) -> list[Work]:
    """Leave out what nobody reads."""
    needed = {view.buffer for view in kept}
    alive = []
    for item in reversed(work):
        effect = isinstance(item, Draw | Step) or (isinstance(item, Call) and item.effect != "")
        if effect or any(view.buffer in needed for view in item.outputs):
            needed.update(view.buffer for view in item.inputs)
            alive.append(item)
    return alive[::-1]


def _draws(steps: Sequence[Any]) -> list[Draw]:
    """Return the draws that can be made before all else: Python may ask the same generator."""
    draws: list[Draw] = []
    for step in steps:
        if isinstance(step, Call) and step.effect == "any":
            break
        if isinstance(step, Draw):
            draws.append(step)
            step.outputs[0].buffer.writers.append(-1)
    return draws


def _of_tasks(buffer: Buffer, steps: Sequence[Any], more: Iterable[int] = ()) -> bool:
    """Tell whether a large buffer is touched by tasks alone, by results, or by `more`."""
    allowed = {len(steps), *more}
    return buffer.nbytes > COPIED and all(
        at in allowed
        or (at >= 0 and isinstance(steps[at], Region | Product) and _is_task(steps[at]))
        for at in buffer.readers + buffer.writers
    )


def _new(steps: Sequence[Any], results: Sequence[View]) -> set[Buffer]:
    """Return what tasks write into memory made at each call, which becomes the caller's."""
    count = Counter(v.buffer for v in results)
    return {
        v.buffer for v in results
        if v.buffer.array is None and count[v.buffer] == 1 and v.is_permuted
        and _of_tasks(v.buffer, steps)
    }  # fmt: skip


def _buffers(steps: Sequence[Any], more: Sequence[Buffer]) -> list[Buffer]:
    """Return all memory that the steps touch, each buffer once."""
    found: dict[Buffer, None] = dict.fromkeys(more)
    for step in steps:
        for item in [w for w, _ in step.items] if isinstance(step, Region) else [step]:
            found.update(dict.fromkeys(v.buffer for v in (*item.inputs, *item.outputs)))
    return list(found)


def _stored(steps: Sequence[Any]) -> set[Buffer]:
    """Return what regions make and somebody else reads."""
    return {
        buffer for at, step in enumerate(steps) if isinstance(step, Region) for buffer in step.made
        if buffer.pinned or any(r != at for r in buffer.readers)
    }  # fmt: skip


# --- steps -----------------------------------------------------------------------------------


def _is_task(step: Any) -> bool:
    if isinstance(step, Product):
        return HAS_KERNEL
    return isinstance(step, Region) or (isinstance(step, Step) and CAN_COMPILE)


def _python(step: Any) -> Callable[[], Any]:
    """Return a step that is not a loop as a function."""
    arrays = [v.array() for v in step.inputs]
    if isinstance(step, Call):
        arrays += [v.array() for v in step.outputs]
        function = step.function
        return lambda: function(*arrays)
    if isinstance(step, Draw):
        return _drawing(step)
    if isinstance(step, Product):
        out, bias = step.outputs[0].array(), (arrays[2] if len(arrays) > 2 else None)
        activation = "relu" if step.relu else None
        return lambda: matmul(arrays[0], arrays[1], out, bias=bias, activation=activation)
    assert isinstance(step, Step)
    return Updating(step).run


_DRAWS = {"normal": "standard_normal", "exponential": "standard_exponential"}


def _drawing(step: Draw) -> Callable[[], Any]:
    generator, out = step.generator, step.outputs[0].array()
    if step.kind == "uniform":
        return lambda: fill(generator(), out)
    name, dtype = _DRAWS[step.kind], out.dtype.type
    return lambda: getattr(generator(), name)(out=out, dtype=dtype)
