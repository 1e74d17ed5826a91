"""Whether two traces of a function are one program: what looked like a constant has to be one.

A number that NumPy or Python made of something that changes enters a trace as the number it was.
It shows when the next call is traced too, on other arguments, parameters and noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scg._compile._program import (
    Apply,
    Argument,
    Constant,
    Gradient,
    Host,
    Instruction,
    Noise,
    Parameter,
    Program,
    Value,
)
from scg._place import Place
from scg._typing import Array

__all__ = ["difference"]

_Numbers = Mapping[Value | None, int]


def difference(one: Program, other: Program) -> str | None:
    """Return the first thing in which two programs differ; None if they are the same."""
    found = next(_unlike(one, other), None)
    if found is not None:
        return found
    if len(one.instructions) != len(other.instructions) or _ends(one) != _ends(other):
        return "what the calls return, or the gradients that they leave"
    return None


def _unlike(one: Program, other: Program) -> Iterator[str]:
    ours, theirs = _numbered(one), _numbered(other)
    for a, b in zip(one.instructions, other.instructions, strict=False):
        if _inputs(a, ours) != _inputs(b, theirs) or not _alike(a, b):
            yield f"{_said(a)} in one call, {_said(b)} in the next{_used_at(a, one)}"


def _numbered(program: Program) -> dict[Value | None, int]:
    made = [v for step in program.instructions for v in step.outputs]
    return {None: -1, **{v: number for number, v in enumerate(made)}}


def _inputs(step: Instruction, numbers: _Numbers) -> list[int]:
    return [numbers[v] for v in step.inputs]


def _ends(program: Program) -> Any:
    numbers = _numbered(program)
    gradients = {id(p): numbers[v] for p, v in program.gradients.items()}
    return [numbers[v] for v in program.results], gradients


def _alike(a: Instruction, b: Instruction) -> bool:
    if type(a) is not type(b) or [_form(v) for v in a.outputs] != [_form(v) for v in b.outputs]:
        return False
    if isinstance(a, Constant) and isinstance(b, Constant):
        return same_bits(a.array, b.array)
    return bool(_key(a) == _key(b))


def _form(value: Value) -> Any:
    return value.shape, value.dtype


def same_bits(a: Array, b: Array) -> bool:
    """Tell whether two arrays hold the same numbers, NaN included."""
    return a is b or bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def _key(step: Instruction) -> Any:
    if isinstance(step, Apply):
        return step.op.name, _options(step.statics)
    if isinstance(step, Parameter | Gradient):
        return id(step.tensor)
    if isinstance(step, Noise):
        return step.kind
    if isinstance(step, Host):
        return step.name
    return step.index if isinstance(step, Argument) else None


def _options(statics: Mapping[str, Any]) -> dict[str, str]:
    return {k: repr(v.tolist() if isinstance(v, np.ndarray) else v) for k, v in statics.items()}


def _said(step: Instruction) -> str:
    if isinstance(step, Constant):
        array = step.array
        numbers = np.array2string(array, threshold=4, edgeitems=2, separator=", ")
        return f"the constant {numbers}" if array.ndim < 2 else f"a constant of shape {array.shape}"
    if isinstance(step, Host):
        return f"the call of {step.name}"
    return f"scg.{step.op.name}" if isinstance(step, Apply) else type(step).__name__


def _used_at(step: Instruction, program: Program) -> str:
    """Say where the first op that has to do with an instruction was called."""
    for user in program.instructions:
        if isinstance(user, Apply) and (user is step or set(user.inputs) & set(step.outputs)):
            return _at(user.place)
    return ""


def _at(place: Place | None) -> str:
    return f", used by an operation at {place}" if place is not None else ""
