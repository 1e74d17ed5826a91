"""The trace of one call: what the engine computes, written down as a program.

The function runs eagerly, on the values of the call. An array is known by its identity, so that a
tensor made anew around it is the same value; all arrays are kept alive until the trace ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from scg._compile import _views
from scg._compile._facts import relied_on, requiring
from scg._compile._generators import Generators
from scg._compile._gradients import Gradients
from scg._compile._program import (
    Apply,
    Argument,
    Constant,
    Host,
    Instruction,
    Load,
    Noise,
    Parameter,
    Program,
    Update,
    Value,
    forward_of,
)
from scg._compile._words import refused_form, refused_read, refused_step
from scg._op import Op
from scg._run import order
from scg._tensor import PARAMETERS, Tensor
from scg._typing import Array
from scg.errors import TraceError
from scg.tape import NOISE, Leaf, Node, place_of_caller

__all__ = ["Trace"]


class Trace:
    """What is recorded, as it grows.

    Attributes
    ----------
    program : Program
        The instructions so far.
    updates : bool
        Parameters were changed, which ends the run.
    cleared : bool
        Gradients were cleared, which may end it.
    """

    def __init__(self) -> None:
        self.program = Program()
        self.updates = self.cleared = False
        self.generators = Generators()
        self.gradients = Gradients(self)
        self._begin = next(order)
        self._values: dict[int, Value] = {}
        self._kept: dict[int, list[Array]] = {}  # by whose memory they show
        self._varying: set[Value] = set()
        self._changed: dict[int, str] = {}
        self._relied: set[Value] = set()
        self._noisy: set[Value] = set()
        self._arrays: dict[Value, Array] = {}
        self._refused: TraceError | None = None

    # --- what the engine reports -----------------------------------------------------------

    def op(
        self, op: Op, arrays: Sequence[Any], nodes: Sequence[Node | None],
        statics: Mapping[str, Any], y: Array,
    ) -> None:  # fmt: skip
        """Write down an op."""
        beside = arrays if op.rules is not None else _floats(arrays) or arrays
        inputs = tuple([self._operand(a, beside) for a in arrays])
        for v, node in zip(inputs, nodes, strict=True):
            if v is not None and node is not None and node.flags & NOISE:
                self._noisy.add(v)
        if id(y) in self._values:  # it returned an operand as it was
            return
        for option in statics.values():
            self._refuse_option(op.name, option)
        step = Apply(inputs, op=op, statics=dict(statics), place=place_of_caller())
        self.add(_python_of(step, y) if op.custom else step, (y,))

    def host(
        self, name: str, call: Callable[..., tuple[Array, ...]], inputs: Sequence[Array],
        outputs: Sequence[Array], *, rng: Any = None,
    ) -> None:  # fmt: skip
        """Write down Python that has to run each time."""
        operands = tuple([self.value_of(a) for a in inputs])
        self.add(Host(operands, call=call, name=name), outputs)
        self.generators.drawn(rng)

    def noise(self, kind: str, generator: Callable[[], Any], rng: Any, y: Array) -> None:
        """Write down what a generator was asked for."""
        self.add(Noise(kind=kind, generator=generator), (y,))
        self.generators.drawn(rng)

    def generator(self, rng: Any) -> Callable[[], Any]:
        """Return how another call finds the generator that it has to ask."""
        try:
            return self.generators.find(rng)
        except TraceError as error:
            self._fail(error)

    def read(self, data: Any, kind: str) -> None:
        """Refuse a raw read of what another call would not find the same."""
        if type(data) is np.ndarray and self.varies(data):
            self._fail(refused_read(kind, place_of_caller()))

    def copied(self, array: Array) -> Array:
        """Return a copy that is known to be the same value."""
        copy = np.array(array)
        self._know(copy, self.value_of(array))
        return copy

    def sees_gradient(self, leaf: Leaf) -> None:
        """Note that what follows depends on the gradient that a parameter has."""
        self.gradients.sees(leaf)

    def gradient(self, leaf: Leaf) -> Tensor | None:
        """Return the gradient that a parameter has, as a tensor, or None."""
        self.gradients.sees(leaf)
        return None if leaf.grad is None else Tensor(leaf.grad)

    def writes_gradient(self, leaf: Leaf) -> None:
        """Note that the gradient of a parameter is about to be replaced."""
        self.gradients.writes(leaf)

    def update(self, optimizer: Any, gradients: Mapping[str, Array]) -> None:
        """Write down the step of an optimiser, which is about to change parameters."""
        tensors = tuple([optimizer._named[name] for name in gradients])
        for p in tensors:
            if p._node.order > self._begin:
                self.refuse("an update of a parameter made inside")
        inputs = tuple([self.value_of(g) for g in gradients.values()])
        if optimizer.check_finite:
            names = list(gradients)
            self.add(Host(inputs, call=_finite(optimizer, names), name="check_finite"), ())
        self.add(Update(inputs, optimizer=optimizer, tensors=tensors), ())
        self.updates = True
        for p in tensors:
            self._forget(p)

    def clears(self, leaf: Leaf) -> None:
        """Note that a gradient is about to be cleared."""
        self.gradients.writes(leaf)
        self.cleared = True

    def relies(self, value: Any) -> None:
        """Have signs checked by which a pole may have been excluded, unless they are certain."""
        if type(value) is not np.ndarray:
            return
        found = relied_on(self.value_of(value), self._noisy, self._arrays)
        for behind, fact in found.items():
            if behind not in self._relied:
                self._relied.add(behind)
                self.add(Host((behind,), call=requiring(fact), name="sign"), ())

    def refuse(self, what: str) -> NoReturn:
        """Raise, for something that cannot be repeated."""
        self._fail(refused_step(what, place_of_caller()))

    def _fail(self, error: TraceError) -> NoReturn:
        """Raise, and again when the function has returned: it may have caught the error."""
        self._refused = self._refused or error
        raise error

    def finish(self) -> None:
        """Enter what the step leaves, when the function has returned."""
        self.raise_refusal()
        self.gradients.finish()
        self.generators.finish()

    def raise_refusal(self) -> None:
        """Raise what was refused, though somebody caught it, or raised another error for it."""
        if self._refused is not None:
            raise self._refused

    # --- values ----------------------------------------------------------------------------

    def argument(self, array: Array, index: int) -> None:
        """Take an array in as an argument of the call."""
        self.add(Argument(index=index), (array,))

    def add(self, step: Instruction, outputs: Sequence[Array]) -> None:
        """Append an instruction and the arrays that it made."""
        self.program.instructions.append(step)
        varies = not isinstance(step, Apply | Constant) or any(
            v in self._varying for v in step.inputs
        )
        for y in outputs:
            value = Value(y.shape, y.dtype, step)
            step.outputs.append(value)
            self._know(y, value)
            if varies:
                self._varying.add(value)

    def _know(self, array: Array, value: Value) -> None:
        self._values[id(array)] = value
        self._arrays.setdefault(value, array)
        self._kept.setdefault(id(_views.owner(array)), []).append(array)

    def varies(self, array: Array) -> bool:
        """Tell whether another call may find other numbers there."""
        known = self._find(array)
        return id(array) in PARAMETERS if known is None else known in self._varying

    def value_of(self, array: Array) -> Value:
        """Return the value that an array holds, loading it if it is new."""
        known = self._find(array)
        if known is not None:
            return known
        parameter = PARAMETERS.get(id(array))
        if parameter is not None and self._is_older(parameter):
            return self._loaded(Parameter(tensor=parameter), array)
        return self._loaded(Constant(array=array), array)

    def _find(self, array: Array) -> Value | None:
        """Return the value of an array that is known, or that is a view of a known one."""
        known = self._values.get(id(array))
        if known is not None:
            if id(array) in self._changed:
                self.refuse(self._changed[id(array)])
            return known
        return self._of_view(array) if array.base is not None else None

    def _of_view(self, array: Array) -> Value | None:
        owner = _views.owner(array)
        parameter = PARAMETERS.get(id(owner))
        if parameter is not None and self._is_older(parameter):
            self.value_of(owner)
        beside = self._kept.get(id(owner), [])
        for known in reversed(beside):
            if id(known) in self._values:
                steps = _views.between(known, array)
                if steps is not None:
                    return self._walk(known, steps, array)
        if any(map(self.varies, beside)):
            self._fail(TraceError("scg.jit: a view of an array that the trace cannot follow"))
        return None

    def _walk(
        self, known: Array, steps: Sequence[tuple[Op, Mapping[str, Any]]], end: Array
    ) -> Value:
        """Write down the ops that lead from a known array to a view of it."""
        current = known
        for number, (op, statics) in enumerate(steps):
            y = end if number == len(steps) - 1 else op.forward(current, **statics)
            inputs = (self._values[id(current)],)
            self.add(Apply(inputs, op=op, statics=dict(statics), place=place_of_caller()), (y,))
            current = y
        if not steps:
            self._know(end, self._values[id(known)])
        return self._values[id(end)]

    def _is_older(self, parameter: Tensor) -> bool:
        return parameter._node is not None and parameter._node.order < self._begin

    def _loaded(self, load: Load, array: Array) -> Value:
        self.add(load, (array,))
        return load.outputs[0]

    def _operand(self, value: Any, among: Sequence[Any]) -> Value | None:
        """Return an operand of an op; a Python number takes the dtype that the others give it."""
        if value is None:
            return None
        if type(value) is np.ndarray:
            return self.value_of(value)
        return self.value_of(_strong(value, among))

    def _forget(self, p: Tensor) -> None:
        """Note that a parameter was changed in place: what shows its memory is another value."""
        del_id = id(p._data)
        self._values.pop(del_id, None)
        for known in self._kept.get(id(p._data), []):
            if known is not p._data:
                self._changed[id(known)] = "a view of a parameter made before its update"

    def _refuse_option(self, name: str, option: Any) -> None:
        array = option._data if isinstance(option, Tensor) else option
        if type(array) is np.ndarray and self.varies(array):
            text = (
                f"scg.{name} ({place_of_caller()}): an option has to be known when scg.jit traces, "
                "and this one is computed; pass it as a number, by a name in static_argnames"
            )
            self._fail(TraceError(text))


def _python_of(step: Apply, y: Array) -> Host:
    """Return a user's op as Python that runs at every call: it may do anything besides."""
    forward, options = forward_of(step), ", ".join(f"{k}={v!r}" for k, v in step.statics.items())
    wanted = (y.shape, y.dtype)

    def call(*arrays: Array) -> tuple[Array, ...]:
        result = np.asarray(*forward(*arrays))
        if (result.shape, result.dtype) != wanted:
            raise refused_form(step.op.name, step.place, result, wanted)
        return (result,)

    return Host(step.inputs, call=call, name=f"{step.op.name}({options})")


def _strong(value: Any, among: Sequence[Any]) -> Array:
    given = [a.dtype for a in among if type(a) is np.ndarray]
    try:
        return np.asarray(value, np.result_type(*given, value))
    except OverflowError:
        return np.asarray(value)


def _floats(arrays: Sequence[Any]) -> list[Array]:
    """Return the floating-point operands: an index among them does not widen a number."""
    return [a for a in arrays if type(a) is np.ndarray and a.dtype.kind == "f"]


def _finite(optimizer: Any, names: Sequence[str]) -> Callable[..., tuple[Array, ...]]:
    def check(*gradients: Array) -> tuple[Array, ...]:
        optimizer._require_finite(dict(zip(names, gradients, strict=True)))
        return ()

    return check
