"""One trace of a function, made ready to be run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg._apart import apart
from scg._compile._clean import clean
from scg._compile._trace import Trace
from scg._compile._trees import mapped, result_spec
from scg._recording import recording_to
from scg._run import end_run, gradients_cleared
from scg._tensor import Tensor
from scg._typing import Array
from scg.tape import Leaf

__all__ = ["Plan", "traced"]

Executor = Callable[[Sequence[Array]], list[Array]]


class Plan:
    """A program and what belongs to it.

    Attributes
    ----------
    program : Program
        Cleaned.
    found : list of (Leaf, bool)
        Whether there was a gradient when the traced call began: another call has to be alike.
    """

    def __init__(self, trace: Trace, result: Any) -> None:
        self.program = clean(trace.program)
        self.found = list(trace.gradients.found.items())
        self._trace_generators = trace.generators
        self._updates, self._cleared = trace.updates, trace.cleared
        self._tags = [(leaf, leaf.grad_tags) for leaf in trace.gradients.written]
        self._result = result
        self._run: Executor | None = None

    def fits(self) -> bool:
        """Tell whether the parameters hold gradients where they did."""
        return all((leaf.grad is not None) == there for leaf, there in self.found)

    def __call__(
        self, arrays: Sequence[Array], generators: Sequence[Any], make: Callable[..., Executor]
    ) -> Any:
        """Run the program on the arrays of a call."""
        if self._run is None:
            self._run = make(self.program)
        passed = self._trace_generators.passed
        for number, generator in enumerate(generators):
            passed[number] = generator
        found = iter(self._run(arrays))
        for leaf, tags in self._tags:
            leaf.grad_tags = tags
        self.end()
        return mapped(self._result, lambda leaf: leaf.made(found) if type(leaf) is Slot else leaf)

    def end(self) -> None:
        """End the run around the call, if the step did what ends one."""
        if self._updates:
            end_run(updated=True)
        elif self._cleared:
            gradients_cleared()


class Slot:
    """Where a result stands in the tree of results."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: bool) -> None:
        self.tensor = tensor

    def made(self, arrays: Any) -> Any:
        """Return the next result."""
        array = next(arrays)
        return Tensor(array) if self.tensor else array


def traced(
    function: Callable[..., Any], args: Any, kwargs: Any, generators: Sequence[Any]
) -> tuple[Any, Plan]:
    """Run a function eagerly and return its result, and the plan that was written down."""
    trace = Trace()
    for number, generator in enumerate(generators):
        trace.generators.take(number, generator)
    count = iter(range(2**62))
    with apart(), recording_to(trace):
        args, kwargs = mapped((args, kwargs), lambda leaf: _entered(leaf, trace, count))
        result = function(*args, **kwargs)
        slots = mapped(result, lambda leaf: _slot(leaf, trace))
        trace.finish()
    plan = Plan(trace, slots)
    plan.end()
    return mapped(result, _returned), plan


def _entered(leaf: Any, trace: Trace, count: Any) -> Any:
    """Return an argument as the function sees it: arrays as tensors."""
    if isinstance(leaf, Tensor):
        if isinstance(leaf._node, Leaf):
            return leaf
        array = leaf._data
    elif isinstance(leaf, np.ndarray | np.generic):
        array = np.asarray(leaf)
    else:
        return leaf
    own = array.view()
    trace.argument(own, next(count))
    return Tensor(own)


def _slot(leaf: Any, trace: Trace) -> Any:
    """Return where a result will stand; what is no array is part of the plan."""
    result_spec(leaf)
    if isinstance(leaf, Tensor) and not isinstance(leaf._node, Leaf):
        trace.program.results.append(trace.value_of(leaf._data))
        return Slot(tensor=True)
    if isinstance(leaf, np.ndarray | np.generic):
        trace.program.results.append(trace.value_of(np.asarray(leaf)))
        return Slot(tensor=False)
    return leaf


def _returned(leaf: Any) -> Any:
    """Return a result of the traced call as later calls return it: in memory of its own."""
    if isinstance(leaf, Tensor):
        return leaf if isinstance(leaf._node, Leaf) else Tensor(np.array(leaf._data))
    return np.array(leaf) if isinstance(leaf, np.ndarray) else leaf
