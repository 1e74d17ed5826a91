"""What instructions are taken apart into: work on views, which regions gather."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scg._compile._buffers import View
from scg._typing import Shape

__all__ = ["Call", "Draw", "Map", "Product", "Reduce", "Step", "Work"]


@dataclass(slots=True, eq=False)
class Work:
    """Something a step does.

    Attributes
    ----------
    inputs : list of View
    outputs : list of View
        What it writes, each element once.
    """

    inputs: list[View]
    outputs: list[View]


@dataclass(slots=True, eq=False)
class Map(Work):
    """An expression, element by element.

    Attributes
    ----------
    shape : tuple of int
        Of all inputs, which are broadcast to it, and of the output.
    text : str
        In the vocabulary of elementwise ops.
    functions, names : tuple of str
        Those it calls, and what it calls its inputs.
    statics : tuple of (str, number)
    arithmetic : str
        The dtype that inputs are converted to; a comparison makes truths of it.
    truths : tuple of str
        Names of inputs that are converted to booleans instead.
    """

    shape: Shape = ()
    text: str = "x"
    functions: tuple[str, ...] = ()
    names: tuple[str, ...] = ("x",)
    statics: tuple[tuple[str, Any], ...] = ()
    arithmetic: str = ""
    truths: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Reduce(Work):
    """A sum, maximum or minimum over axes, which the output keeps with size 1.

    Attributes
    ----------
    shape : tuple of int
        Of the input.
    kind : {"sum", "max", "min", "scan"}
        A scan is the running sum, and keeps its axis.
    axes : tuple of int
        Over which.
    partial : bool
        Whether it is done for segments, whose results the buffer of the output holds side by side.
    """

    shape: Shape = ()
    kind: str = "sum"
    axes: tuple[int, ...] = ()
    partial: bool = False


@dataclass(slots=True, eq=False)
class Product(Work):
    """A matrix product of two inputs, plus a bias if there is a third.

    Attributes
    ----------
    relu : bool
        Whether negative results become 0.
    """

    relu: bool = False


@dataclass(slots=True, eq=False)
class Call(Work):
    """Python on arrays.

    Attributes
    ----------
    function : callable
        `function(*arrays of the inputs, *arrays to write)`.
    name : str
    effect : {"", "raises", "any"}
        What it does besides: nothing, raise an error if it has to, or anything, such as to draw.
    """

    function: Callable[..., None] = field(default=lambda *arrays: None)
    name: str = ""
    effect: str = ""


@dataclass(slots=True, eq=False)
class Draw(Work):
    """Noise from a NumPy Generator; fields as in `Noise`."""

    kind: str = ""
    generator: Callable[[], Any] = field(default=lambda: None)


@dataclass(slots=True, eq=False)
class Step(Work):
    """A step of an optimiser: gradients and parameters in, parameters out."""

    optimizer: Any = None
    tensors: tuple[Any, ...] = ()
