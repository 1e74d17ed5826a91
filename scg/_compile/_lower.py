"""From instructions to work: ops become expressions, reductions, products, or calls of Python.

An op has a rule here if it can be done in generated loops; every other runs as `op.forward` on
arrays. A rule may decline, for a dtype or a case that it does not know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from scg._compile._buffers import Buffer, View, contiguous, whole
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
    forward_of,
)
from scg._compile._rules import BOOL, KNOWN, RULES, VIEWS, elementwise
from scg._compile._work import Call, Draw, Map, Reduce, Step, Work
from scg._elementwise import ElementwiseOp
from scg._typing import Array, DType, Shape
from scg.kernels.generate import Expression

__all__ = ["Lowering"]


class Lowering:
    """A program taken apart.

    Attributes
    ----------
    work : list of Work
        In an order in which it may be done.
    views : dict of Value to View
    arguments : dict of int to Buffer
        Where the arguments of a call go.
    parameters : list of (Tensor, Buffer)
        Whose memory is used; a parameter comes again after each of its updates.
    uses : Counter of Value
        How often each is read.
    gradients : dict of Tensor to Buffer
        Where the gradients that it had before are copied to.
    """

    def __init__(self, program: Program, *, loops: bool = True) -> None:
        self.work: list[Work] = []
        self.views: dict[Value, View] = {}
        self.arguments: dict[int, Buffer] = {}
        self.gradients: dict[Any, Buffer] = {}
        self.loops = loops
        self.parameters: list[tuple[Any, Buffer]] = []
        self._parameters: dict[int, Buffer] = {}
        self._last_use = _last_uses(program)
        self.uses = Counter(v for step in program.instructions for v in step.inputs)
        self.uses.update([*program.results, *program.gradients.values()])
        self._comparisons: dict[Buffer, Map] = {}
        for place, instruction in enumerate(program.instructions):
            self._lower(place, instruction)

    def view(self, value: Value | None) -> View:
        """Return the memory of a value."""
        assert value is not None
        return self.views[value]

    def _lower(self, place: int, instruction: Instruction) -> None:
        if isinstance(instruction, Apply):
            if not any(rule(self, instruction) for rule in self._rules(instruction)):
                self._call(instruction, forward_of(instruction), instruction.op.name)
        elif isinstance(instruction, Host):
            self._call(instruction, instruction.call, instruction.name, "any")
        elif isinstance(instruction, Noise):
            out = self.new(instruction.outputs[0])
            self.work.append(
                Draw([], [out], kind=instruction.kind, generator=instruction.generator)
            )
        elif isinstance(instruction, Update):
            self._update(place, instruction)
        else:
            self._load(instruction)

    def _rules(self, instruction: Apply) -> Iterator[Callable[[Lowering, Apply], bool]]:
        """Return what may lower an op, the most special first."""
        name = instruction.op.name
        if not _is_known(instruction):
            return
        if name in (RULES if self.loops else VIEWS):
            yield RULES[name]
        if self.loops and isinstance(instruction.op, ElementwiseOp):
            yield elementwise

    # --- what exists already ----------------------------------------------------------------

    def _load(self, instruction: Instruction) -> None:
        (value,) = instruction.outputs
        if isinstance(instruction, Constant):
            array = np.asarray(instruction.array, order="C")
            buffer = Buffer(array.shape, array.dtype, array, pinned=True)
        elif isinstance(instruction, Parameter):
            if not instruction.tensor._data.flags.c_contiguous:
                self._call(instruction, lambda: (instruction.tensor._data,), "strided parameter")
                return
            buffer = self._parameter(instruction.tensor)
        elif isinstance(instruction, Argument):
            buffer = self._slot(self.arguments, instruction.index, value)
        else:
            assert isinstance(instruction, Gradient)
            buffer = self._slot(self.gradients, instruction.tensor, value)
        self.views[value] = whole(buffer)

    def _slot(self, slots: dict[Any, Buffer], key: Any, value: Value) -> Buffer:
        if key not in slots:
            slots[key] = Buffer(value.shape, value.dtype, writers=[-1])
        return slots[key]

    def _parameter(self, tensor: Any) -> Buffer:
        key = id(tensor)
        if key not in self._parameters:
            self._know(tensor)
        return self._parameters[key]

    def _know(self, tensor: Any) -> Buffer:
        """Return the memory of a parameter as it is from here on."""
        array = tensor._data
        buffer = Buffer(array.shape, array.dtype, array, pinned=True)
        self._parameters[id(tensor)] = buffer
        self.parameters.append((tensor, buffer))
        return buffer

    def _update(self, place: int, instruction: Update) -> None:
        """Lower a step of an optimiser; what is still to be read of the old values is copied."""
        changed = [self._parameter(t) for t in instruction.tensors]
        for value, view in list(self.views.items()):
            if view.buffer in changed and self._last_use.get(value, -1) > place:
                self.views[value] = self.copied(view)
        after = [whole(self._know(tensor)) for tensor in instruction.tensors]
        inputs = [self.contiguous(self.view(v)) for v in instruction.inputs]
        inputs += map(whole, changed)
        self.work.append(
            Step(inputs, after, optimizer=instruction.optimizer, tensors=instruction.tensors)
        )

    # --- what rules use ---------------------------------------------------------------------

    def new(self, value: Value) -> View:
        """Return fresh memory for a value."""
        self.views[value] = whole(Buffer(value.shape, value.dtype))
        return self.views[value]

    def fresh(self, shape: Shape, dtype: DType) -> View:
        """Return fresh memory."""
        return whole(Buffer(shape, dtype))

    def map(
        self, text: str, out: View, arithmetic: DType | None = None, truths: tuple[str, ...] = (),
        statics: Mapping[str, Any] | None = None, **inputs: View,
    ) -> View:  # fmt: skip
        """Compute an expression in named inputs."""
        return self.express(text, out, inputs, arithmetic, truths, statics)

    def express(
        self, text: str, out: View, inputs: Mapping[str, View], arithmetic: DType | None = None,
        truths: tuple[str, ...] = (), statics: Mapping[str, Any] | None = None,
    ) -> View:  # fmt: skip
        """Compute an expression in inputs by name."""
        expression = _expression(text)
        work = Map(
            list(inputs.values()), [out], out.shape, text, tuple(sorted(expression.functions)),
            tuple(inputs), tuple((statics or {}).items()), str(arithmetic or out.dtype), truths,
        )  # fmt: skip
        self.work.append(self._with_comparisons(work))
        if out.dtype == BOOL and not (work.functions or work.statics):
            changing = any(v.buffer is b for v in work.inputs for _, b in self.parameters)
            if not changing:
                self._comparisons[out.buffer] = work
        return out

    def _with_comparisons(self, work: Map) -> Map:
        """Compare anew where the truth of a comparison is chosen by: its operands are at hand.

        The truths of a derivative were found in the forward pass; to keep them would take memory
        and a pass of its own.
        """
        for name, view in zip(work.names, work.inputs, strict=True):
            known = self._comparisons.get(view.buffer) if name in work.truths else None
            if known and view == whole(view.buffer) and known.arithmetic == work.arithmetic:
                return _inlined(work, name, known)
        return work

    def reduce(self, kind: str, x: View, axes: Sequence[int], out: View | None = None) -> View:
        """Reduce over axes, which stay with size 1."""
        axes = tuple(sorted(axes))
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        if out is None:
            out = self.fresh(shape, x.dtype)
        else:
            out = View(out.buffer, shape, contiguous(shape))
        if all(x.shape[a] == 1 for a in axes):
            return self.map("x", out, x=x)
        self.work.append(Reduce([x], [out], x.shape, kind, axes))
        return out

    def copied(self, view: View) -> View:
        """Return a contiguous copy."""
        return self.map("x", self.fresh(view.shape, view.dtype), x=view)

    def contiguous(self, view: View) -> View:
        """Return the view, or a copy if it is not contiguous."""
        return view if view.is_contiguous else self.copied(view)

    def check(self, instruction: Apply, wrong: View) -> None:
        """Run the op itself, which will raise, if a number is not zero."""
        forward = forward_of(instruction)

        def raise_if_wrong(flag: Array, *arrays: Array) -> None:
            if flag.item():
                forward(*arrays)

        inputs = [wrong, *map(self.view, instruction.inputs)]
        name = f"check of {instruction.op.name}"
        self.work.append(Call(inputs, [], function=raise_if_wrong, name=name, effect="raises"))

    def _call(
        self, instruction: Instruction, function: Callable[..., Any], name: str, effect: str = ""
    ) -> None:
        inputs = [self.view(v) for v in instruction.inputs if v is not None]
        present = [v is not None for v in instruction.inputs]
        outputs = [self.new(v) for v in instruction.outputs]
        call = _storing(function, present, len(inputs))
        self.work.append(Call(inputs, outputs, function=call, name=name, effect=effect))


def _inlined(work: Map, name: str, known: Map) -> Map:
    """Put a comparison into an expression in the place of its truth."""
    own = {n: f"{name}_{n}" for n in known.names}
    condition = renamed(known.text, own)
    kept = [(n, v) for n, v in zip(work.names, work.inputs, strict=True) if n != name]
    text = renamed(work.text, {name: f"({condition})"})
    inputs = [v for _, v in kept] + known.inputs
    names = (*(n for n, _ in kept), *own.values())
    truths = tuple(t for t in work.truths if t != name)
    return Map(inputs, work.outputs, work.shape, text, work.functions, names, work.statics,
               work.arithmetic, truths)  # fmt: skip


def _last_uses(program: Program) -> dict[Value, int]:
    last: dict[Value, int] = {}
    for place, instruction in enumerate(program.instructions):
        last.update(dict.fromkeys((v for v in instruction.inputs if v is not None), place))
    ends = [*program.results, *(v for v in program.gradients.values() if v is not None)]
    last.update(dict.fromkeys(ends, len(program.instructions)))
    # A view is alive as long as what is made of it; both are copied where one of them must be.
    for instruction in reversed(program.instructions):
        if isinstance(instruction, Apply) and instruction.op.name in VIEWS:
            end = max((last.get(v, -1) for v in instruction.outputs), default=-1)
            for v in instruction.inputs:
                if v is not None:
                    last[v] = max(last.get(v, -1), end)
    return last


def _is_known(instruction: Apply) -> bool:
    values = [v for v in (*instruction.inputs, *instruction.outputs) if v is not None]
    return all(v.dtype in KNOWN and 0 not in v.shape for v in values)


def _storing(function: Callable[..., Any], present: list[bool], count: int) -> Callable[..., None]:
    """Let a function that returns arrays write them where it is told."""

    def run(*arrays: Array) -> None:
        given = iter(arrays[:count])
        results = function(*[next(given) if p else None for p in present])
        for target, result in zip(arrays[count:], results, strict=True):
            np.copyto(target, result)

    return run


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Put other names, or expressions, in the places of names."""
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda m: names.get(m[0], m[0]), text)


_expressions: dict[str, Expression] = {}


def _expression(text: str) -> Expression:
    if text not in _expressions:
        _expressions[text] = Expression(text)
    return _expressions[text]
