"""A walk over a program that writes a simpler one: rules, constants, common subexpressions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from scg._compile._program import Apply, Constant, Instruction, Program, Value
from scg._op import OPS, Op
from scg._place import Place
from scg._typing import Array, DType, Shape

__all__ = ["Rewriter", "Rule", "constant_of", "number_of", "source_of"]

FOLDED = 4096  # elements: a larger constant costs more memory than computing it

Rule: TypeAlias = "Callable[[Rewriter, Apply], Value | None]"


class Rewriter:
    """Writes a program anew, instruction by instruction.

    Parameters
    ----------
    rules : mapping of str to sequence of Rule
        By the name of the op, "" for every op; each returns a value to use instead, or None.

    Attributes
    ----------
    pieces : dict of Value to object
        What rules know of sums of slices (`_pieces`).
    """

    def __init__(self, rules: Mapping[str, Sequence[Rule]]) -> None:
        self._rules = rules
        self._written: list[Instruction] = []
        self._known: dict[Any, Value] = {}
        self._place: Place | None = None
        self.pieces: dict[Value, tuple[int, tuple[Any, ...]]] = {}

    def __call__(self, program: Program) -> Program:
        """Return the program written anew."""
        now: dict[Value, Value] = {}
        for step in program.instructions:
            inputs = tuple([None if v is None else now[v] for v in step.inputs])
            if isinstance(step, Apply):
                self._place = step.place
                out = step.outputs[0]
                now[out] = self.apply(step.op, inputs, step.statics, out.shape, out.dtype)
            elif isinstance(step, Constant):
                now[step.outputs[0]] = self.constant(step.array)
            else:
                self._written.append(_copied(step, inputs))
                now.update(zip(step.outputs, step.outputs, strict=True))
        gradients = {p: None if v is None else now[v] for p, v in program.gradients.items()}
        return Program(self._written, [now[v] for v in program.results], gradients)

    def apply(
        self, op: Op, inputs: Sequence[Value | None], statics: Mapping[str, Any], shape: Shape,
        dtype: DType,
    ) -> Value:  # fmt: skip
        """Return the value of an op: one that is there already, a simpler one, or a new one."""
        step = Apply(tuple(inputs), op=op, statics=statics, place=self._place)
        step.outputs.append(Value(shape, dtype, step))
        for rule in (*self._rules.get(op.name, ()), *self._rules.get("", ())):
            simpler = rule(self, step)
            if simpler is not None:
                return simpler
        return self.written(step)

    def written(self, step: Apply) -> Value:
        """Return the value of an instruction as it is, which is written if it is new."""
        return self._known_or(_key(step), step)

    def elementwise(self, name: str, *inputs: Value, dtype: DType) -> Value:
        """Return the value of an elementwise op on values that are there."""
        shape = np.broadcast_shapes(*[v.shape for v in inputs])
        return self.apply(OPS[name], inputs, {}, shape, dtype)

    def reshaped(self, value: Value, shape: Shape) -> Value:
        """Return a value in another shape."""
        return self.apply(OPS["reshape"], (value,), {"shape": shape}, shape, value.dtype)

    def repeated(self, value: Value, shape: Shape) -> Value:
        """Return a value broadcast to a shape."""
        return self.apply(OPS["broadcast_to"], (value,), {"shape": shape}, shape, value.dtype)

    def number(self, value: float, dtype: DType) -> Value:
        """Return a number as a constant."""
        return self.constant(np.asarray(value, dtype))

    def constant(self, array: Array) -> Value:
        """Return a constant; one number in many places is written as that number, broadcast."""
        first = array.reshape(-1)[:1]
        if array.size > 1 and array.dtype.kind == "f" and bool((array == first).all()):
            return self.repeated(self.constant(np.array(first[0])), array.shape)
        step = Constant(array=array)
        step.outputs.append(Value(array.shape, array.dtype, step))
        small = array.size <= FOLDED
        key = ("constant", array.shape, array.dtype, array.tobytes()) if small else None
        return self._known_or(key, step)

    def _known_or(self, key: Any, step: Instruction) -> Value:
        if key is not None and key in self._known:
            return self._known[key]
        self._written.append(step)
        value = step.outputs[0]
        if key is not None:
            self._known[key] = value
        return value


def _copied(step: Instruction, inputs: tuple[Value | None, ...]) -> Instruction:
    again = copy.copy(step)  # the program that is read stays as it is
    again.inputs = inputs
    return again


def _key(step: Apply) -> Any:
    """Return what two equal computations have in common; None if that cannot be told."""
    if any(isinstance(v, np.ndarray) for v in step.statics.values()):
        return None
    options = repr(sorted(step.statics.items()))
    return (id(step.op), tuple([id(v) for v in step.inputs]), options)


def constant_of(value: Value | None) -> Array | None:
    """Return the array of a constant; None for other values."""
    return value.source.array if value is not None and isinstance(value.source, Constant) else None


def number_of(value: Value | None) -> float | None:
    """Return the number that every element of a value is; None if that is not known."""
    while value is not None and (repeated := source_of(value, "broadcast_to", "reshape")):
        value = repeated.inputs[0]
    array = constant_of(value)
    return None if array is None or array.size != 1 or array.dtype.kind != "f" else array.item()


def source_of(value: Value | None, *names: str) -> Apply | None:
    """Return the instruction that makes a value, if it is an op of one of some names."""
    step = None if value is None else value.source
    return step if isinstance(step, Apply) and step.op.name in names else None
