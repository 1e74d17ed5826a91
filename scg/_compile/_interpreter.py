"""A program run instruction by instruction with the ops themselves: what a backend must equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
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
    Update,
    Value,
)
from scg._tensor import Tensor
from scg._typing import Array

__all__ = ["interpreter"]

Arguments = Sequence[Array]


def interpreter(program: Program) -> Callable[[Arguments], list[Array]]:
    """Return a function of the arrays of the arguments that runs a program."""

    def run(arguments: Arguments) -> list[Array]:
        arrays: dict[Value, Array] = {}
        try:
            for step in program.instructions:
                operands = [None if v is None else arrays[v] for v in step.inputs]
                made = _do(step, operands, arguments)
                arrays.update(zip(step.outputs, made, strict=True))
        except Exception:  # which finds the gradients that were there before it
            _leave({t: v for t, v in program.gradients.items() if v in arrays}, arrays)
            raise
        _leave(program.gradients, arrays)
        return [np.array(arrays[v]) for v in program.results]

    return run


def _leave(gradients: Mapping[Tensor, Value | None], arrays: Mapping[Value, Array]) -> None:
    for tensor, value in gradients.items():
        leaf = tensor._leaf("set the gradient of")
        leaf.grad = None if value is None else np.array(arrays[value])


@singledispatch
def _do(step: Instruction, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    raise TypeError(f"{type(step).__name__} is no instruction")


@_do.register
def _(step: Constant, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    return (step.array,)


@_do.register
def _(step: Argument, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    return (np.array(arguments[step.index]),)  # a copy: it may be the memory of a parameter


@_do.register
def _(step: Parameter, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    return (np.array(step.tensor._data),)  # a copy, which an update does not change


@_do.register
def _(step: Gradient, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    return (step.tensor._leaf("read the gradient of").grad,)


@_do.register
def _(step: Noise, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    value, generator = step.outputs[0], step.generator()
    draw = {
        "normal": generator.standard_normal, "uniform": generator.random,
        "exponential": generator.standard_exponential,
    }[step.kind]  # fmt: skip
    return (np.asarray(draw(value.shape, dtype=value.dtype)),)


@_do.register
def _(step: Apply, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    with np.errstate(all="ignore"):
        return (np.asarray(step.op.forward(*operands, **step.statics)),)


@_do.register
def _(step: Host, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    return step.call(*operands)


@_do.register
def _(step: Update, operands: Sequence[Any], arguments: Arguments) -> Sequence[Array]:
    names = {id(p): name for name, p in step.optimizer._named.items()}
    gradients = {names[id(p)]: g for p, g in zip(step.tensors, operands, strict=True)}
    step.optimizer._advance(gradients, step.optimizer.rate)
    return ()
