"""What a trace records: a step as a list of instructions on arrays.

Each array is a `Value`, made by exactly one instruction; the order of instructions is the order in
which the step was run, and the only order that is known to be right. What is read from outside
comes in by a `Load`, randomness by `Noise`, and what changes memory is an `Update`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg._op import Op
from scg._place import Place
from scg._tensor import Tensor
from scg._typing import Array, DType, Shape
from scg.errors import ScgError

__all__ = [
    "Apply", "Argument", "Constant", "Gradient", "Host", "Instruction", "Load", "Noise",
    "Parameter", "Program", "Update", "Value", "forward_of",
]  # fmt: skip


@dataclass(slots=True, eq=False)
class Value:
    """One array of the program.

    Attributes
    ----------
    shape, dtype
        Fixed: another shape is another program.
    source : Instruction
        What makes it.
    """

    shape: Shape
    dtype: DType
    source: Instruction


@dataclass(slots=True, eq=False)
class Instruction:
    """Something that is done, in its turn.

    Attributes
    ----------
    inputs : tuple of Value or None
        None stands for an optional input that was left out.
    outputs : list of Value
        What it makes; none for an effect.
    """

    inputs: tuple[Value | None, ...] = ()
    outputs: list[Value] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Load(Instruction):
    """An array that exists before the step does: nothing is computed."""


@dataclass(slots=True, eq=False)
class Constant(Load):
    """The same numbers at every call."""

    array: Array = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Argument(Load):
    """An array among the arguments of the call, by its number among their leaves."""

    index: int = -1


@dataclass(slots=True, eq=False)
class Parameter(Load):
    """The memory of a parameter, as it is between two updates.

    After an `Update` that changes it the same parameter is loaded anew, as another value.
    """

    tensor: Tensor = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Gradient(Load):
    """The gradient that a parameter held when the call began."""

    tensor: Tensor = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Noise(Instruction):
    """Numbers that a NumPy Generator is asked for, at its turn among those of the same generator.

    Attributes
    ----------
    kind : {"normal", "uniform", "exponential"}
        Which of `standard_normal`, `random` and `standard_exponential`.
    generator : callable
        Returns the Generator; asked once a call, for `scg.seed` replaces it.
    """

    kind: str = ""
    generator: Callable[[], Any] = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Apply(Instruction):
    """An op of the registry.

    Attributes
    ----------
    op : Op
        With its `forward`, which the value must equal to rounding.
    statics : mapping
        The options it was called with, defaults included.
    place : Place or None
        The user's line.
    """

    op: Op = None  # type: ignore[assignment]
    statics: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None


@dataclass(slots=True, eq=False)
class Host(Instruction):
    """Python that must run at its turn, on arrays: a sampler with rejection, say.

    Attributes
    ----------
    call : callable
        `call(*arrays)` returns one array for each output, as a tuple.
    name : str
        For profiles and errors.
    """

    call: Callable[..., tuple[Array, ...]] = None  # type: ignore[assignment]
    name: str = ""


@dataclass(slots=True, eq=False)
class Update(Instruction):
    """A step of an optimiser; its inputs are the gradients of `tensors`, in their order.

    Attributes
    ----------
    optimizer : Optimizer
        Counts its steps and holds its state arrays, as after an ordinary step.
    tensors : tuple of Tensor
        What is changed, in place.
    """

    optimizer: Any = None
    tensors: tuple[Tensor, ...] = ()


@dataclass(slots=True, eq=False)
class Program:
    """A step.

    Attributes
    ----------
    instructions : list of Instruction
        In the order of the trace.
    results : list of Value
        What the call returns, flat.
    gradients : dict of Tensor to Value or None
        What the parameters' `.grad` hold when the call ends; None means none.
    """

    instructions: list[Instruction] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    gradients: dict[Tensor, Value | None] = field(default_factory=dict)


def forward_of(instruction: Apply) -> Callable[..., tuple[Any, ...]]:
    """Return the op's forward pass with its statics, as a function that returns a tuple."""
    op, statics = instruction.op, dict(instruction.statics)

    def forward(*arrays: Any) -> tuple[Any, ...]:
        try:
            with np.errstate(all="ignore"):
                return (op.forward(*arrays, **statics),)
        except ScgError as error:
            raise _placed(error, instruction) from error.__cause__
        except (ValueError, IndexError, TypeError, np.linalg.LinAlgError) as error:
            raise _placed(op._explain(error, list(arrays), statics), instruction) from error

    return forward


def _placed(error: Exception, instruction: Apply) -> Exception:
    """Say at which line of the user's the op stands, which no traceback shows here."""
    if instruction.place is not None:
        error.add_note(f"in the compiled step, at {instruction.place}")
    return error
