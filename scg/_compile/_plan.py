"""One trace of a function, made ready to be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from scg._apart import apart
from scg._compile._clean import clean, without_dead
from scg._compile._detached import detached, flags_after
from scg._compile._program import Program
from scg._compile._trace import Trace
from scg._compile._trees import mapped, native_order, result_spec
from scg._recording import recording_to
from scg._run import end_run, gradients_cleared
from scg._tensor import Tensor
from scg._typing import Array
from scg.tape import Leaf

__all__ = ["Plan", "traced"]

Executor = Callable[[Sequence[Array]], list[Array]]


class Slot:
    """Where a result stands in the tree of results.

    Attributes
    ----------
    tensor : bool
        Whether it is one, or an array.
    flags : int
        What is known of it as a tensor.
    """

    __slots__ = ("flags", "tensor")

    def __init__(self, tensor: bool, flags: int) -> None:
        self.tensor, self.flags = tensor, flags

    def made(self, array: Array) -> Any:
        """Return an array as this result."""
        return detached(array, self.flags) if self.tensor else array


class Plan:
    """A program and what belongs to it.

    Attributes
    ----------
    traced : Program or None
        As it was traced, until another trace has confirmed it.
    program : Program
        Cleaned.
    found : list of (Leaf, bool)
        Whether there was a gradient when the traced call began: another call has to be alike.
    """

    def __init__(self, trace: Trace, tree: Any) -> None:
        self.traced: Program | None = without_dead(trace.program)
        self.program = clean(self.traced)
        self.found = list(trace.gradients.found.items())
        self._passed = trace.generators.passed
        self._updates, self._cleared = trace.updates, trace.cleared
        self._tags = [(leaf, leaf.grad_tags) for leaf in trace.gradients.written]
        self._tree = tree
        self._run: Executor | None = None

    def fits(self) -> bool:
        """Tell whether the parameters hold gradients where they did."""
        for leaf, there in self.found:
            if (leaf.grad is not None) is not there:
                return False
        return True

    def __call__(
        self, arrays: Sequence[Array], generators: Sequence[Any], donated: Sequence[Array],
        make: Callable[..., Executor],
    ) -> Any:  # fmt: skip
        """Run the program on the arrays of a call; results may take the place of donated ones."""
        if self._run is None:
            self._run = make(self.program)
        if generators:
            self._passed.update(enumerate(generators))
        results = self._run(arrays)
        for leaf, tags in self._tags:
            leaf.grad_tags = tags
        self.end()
        return self.filled(_placed(results, donated) if donated else results)

    def filled(self, results: Sequence[Array]) -> Any:
        """Return the tree of results, with arrays in their places."""
        if type(self._tree) is Slot:
            return self._tree.made(results[0])
        left = iter(results)
        return mapped(self._tree, lambda x: x.made(next(left)) if type(x) is Slot else x)

    def end(self) -> None:
        """End the run around the call, if the step did what ends one."""
        if self._updates:
            end_run(updated=True)
        elif self._cleared:
            gradients_cleared()


def _placed(results: list[Array], donated: Sequence[Array]) -> list[Array]:
    """Return the results with those in the memory of donated arrays for which it fits."""
    free = [a for a in donated if a.flags.writeable]
    placed = []
    for result in results:
        for place, array in enumerate(free):
            if array.shape == result.shape and array.dtype == result.dtype:
                np.copyto(array, result)
                result = free.pop(place)
                break
        placed.append(result)
    return placed


def traced(
    function: Callable[..., Any], args: Any, kwargs: Any, generators: Sequence[Any]
) -> tuple[Any, Plan]:
    """Run a function eagerly and return its result, and the plan that was written down.

    The results are copies: those of later calls have memory of their own too.
    """
    trace = Trace()
    for number, generator in enumerate(generators):
        trace.generators.take(number, generator)
    entry, exit_ = _Entry(trace), _Exit(trace)
    with apart(), recording_to(trace):
        args, kwargs = mapped((args, kwargs), entry)
        tree = mapped(function(*args, **kwargs), exit_)
        trace.finish()
    plan = Plan(trace, tree)
    plan.end()
    return plan.filled(exit_.arrays), plan


class _Entry:
    """Turns arguments into what the function sees: arrays become tensors."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._count: Iterator[int] = iter(range(2**62))

    def __call__(self, leaf: Any) -> Any:
        flags = 0
        if isinstance(leaf, Tensor):
            if isinstance(leaf._node, Leaf):
                return leaf
            array, flags = leaf._data, flags_after(leaf._node)
        elif isinstance(leaf, np.ndarray | np.generic):
            array = native_order(np.asarray(leaf))
        else:
            return leaf
        own = array.view()  # two arguments may be one array
        self._trace.argument(own, next(self._count))
        return detached(own, flags)


class _Exit:
    """Turns results into the places where they will stand; what is no array stands there itself.

    Attributes
    ----------
    arrays : list of ndarray
        Copies of the results of the traced call.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.arrays: list[Array] = []

    def __call__(self, leaf: Any) -> Any:
        result_spec(leaf)
        if isinstance(leaf, Tensor) and not isinstance(leaf._node, Leaf):
            return self._slot(leaf._data, Slot(True, flags_after(leaf._node)))
        if isinstance(leaf, np.ndarray | np.generic):
            return self._slot(np.asarray(leaf), Slot(False, 0))
        return leaf

    def _slot(self, array: Array, slot: Slot) -> Slot:
        self._trace.program.results.append(self._trace.value_of(array))
        self.arrays.append(np.array(array))
        return slot
