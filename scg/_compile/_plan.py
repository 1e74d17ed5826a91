"""One trace of a function, made ready to be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from scg._apart import apart, end_after
from scg._compile._clean import clean, without_dead
from scg._compile._detached import Definition, detached, flags_after, flags_of
from scg._compile._program import Host, Program
from scg._compile._trace import Trace
from scg._compile._trees import (
    Static,
    form_of,
    maker,
    mapped,
    native_order,
    order_of,
    parts,
    result_spec,
)
from scg._recording import recording_to
from scg._tensor import Tensor
from scg._typing import Array
from scg.kernels._once import computed_once
from scg.ops import transpose
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

    __slots__ = ("_where", "flags", "tensor")

    def __init__(self, tensor: bool, flags: int, where: Definition) -> None:
        self.tensor, self.flags, self._where = tensor, flags, where

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and self.tensor is other.tensor and self.flags == other.flags

    def __hash__(self) -> int:
        return hash((self.tensor, self.flags))

    def __repr__(self) -> str:
        return "a tensor" if self.tensor else "an array"

    def made(self, array: Array) -> Any:
        """Return an array as this result."""
        return detached(array, self.flags, self._where) if self.tensor else array


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
    filled : callable
        Returns the tree of results for their arrays.
    form : tuple
        What there is to the results but their arrays.
    """

    def __init__(self, trace: Trace, tree: Any) -> None:
        self.traced: Program | None = without_dead(trace.program)
        self.program = clean(self.traced)
        self.found = list(trace.gradients.found.items())
        self._passed = trace.generators.passed
        self._updates, self._cleared = trace.updates, trace.cleared
        self._tags = [(leaf, leaf.grad_tags) for leaf in trace.gradients.written]
        self._calls_python = any(isinstance(s, Host) for s in self.program.instructions)
        self.filled, self.form = builder(tree, count()), form_of(tree)
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
        if self._calls_python:
            with apart():  # which may ask what run it is in, as a running mean does
                results = self._run(arrays)
        else:
            results = self._run(arrays)
        for leaf, tags in self._tags:
            leaf.grad_tags = tags
        self.end()
        return self.filled(_placed(results, donated) if donated else results)

    def end(self) -> None:
        """End the run around the call, if the step did what ends one."""
        if self._updates or self._cleared:
            end_after(updated=self._updates)


def builder(tree: Any, numbers: Iterator[int]) -> Callable[[Sequence[Array]], Any]:
    """Return what puts arrays into the places of a tree, which are numbered as they come."""
    if type(tree) is Slot:
        number, made = next(numbers), tree.made
        return lambda arrays: made(arrays[number])
    found = parts(tree)
    if found is None:
        return lambda arrays: tree
    kind, entries = found
    inner = [(key, builder(value, numbers)) for key, value in entries]
    make = maker(kind)
    return lambda arrays: make([(key, build(arrays)) for key, build in inner])


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
    where = Definition(function)
    entry, exit_ = _Entry(trace, where), _Exit(trace, where)
    with apart(), recording_to(trace), computed_once():
        args, kwargs = mapped((args, kwargs), entry)
        tree = mapped(_result(function, args, kwargs, trace), exit_)
        trace.finish()
    plan = Plan(trace, tree)
    plan.end()
    return plan.filled(exit_.arrays), plan


def _result(function: Callable[..., Any], args: Any, kwargs: Any, trace: Trace) -> Any:
    """Return what a function returns; what the trace refused in it is the error that counts.

    NumPy makes another one of it, when a tensor is written to an element of an array.
    """
    try:
        return function(*args, **kwargs)
    except Exception:
        trace.raise_refusal()
        raise


class _Entry:
    """Turns arguments into what the function sees: arrays become tensors."""

    def __init__(self, trace: Trace, where: Definition) -> None:
        self._trace, self._where = trace, where
        self._count: Iterator[int] = iter(range(2**62))

    def __call__(self, leaf: Any) -> Any:
        flags = 0
        if isinstance(leaf, Static):
            return leaf.value
        if isinstance(leaf, np.random.Generator):
            return self._trace.generators.inside(leaf)
        if isinstance(leaf, Tensor):
            if isinstance(leaf._node, Leaf):
                return leaf
            array, flags = leaf._data, flags_of(leaf._node)
        elif isinstance(leaf, np.ndarray | np.generic):
            array = native_order(np.asarray(leaf))
        else:
            return leaf
        # Memory of its own: a captured array, or another argument, that shows the same one would
        # be taken for this argument, and follow it at later calls.
        order = order_of(array)
        own = np.array(array if order is None else array.transpose(order), order="C")
        self._trace.argument(own, next(self._count))
        tensor = detached(own, flags, self._where)
        return tensor if order is None else transpose(tensor, np.argsort(order).tolist())


class _Exit:
    """Turns results into the places where they will stand; what is no array stands there itself.

    Attributes
    ----------
    arrays : list of ndarray
        Copies of the results of the traced call.
    """

    def __init__(self, trace: Trace, where: Definition) -> None:
        self._trace, self._where = trace, where
        self.arrays: list[Array] = []

    def __call__(self, leaf: Any) -> Any:
        result_spec(leaf)
        if isinstance(leaf, Tensor) and not isinstance(leaf._node, Leaf):
            return self._slot(leaf._data, Slot(True, flags_after(leaf._node), self._where))
        if isinstance(leaf, np.ndarray | np.generic):
            return self._slot(np.asarray(leaf), Slot(False, 0, self._where))
        return leaf

    def _slot(self, array: Array, slot: Slot) -> Slot:
        self._trace.program.results.append(self._trace.value_of(array))
        self.arrays.append(np.array(array))
        return slot
