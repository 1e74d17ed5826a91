"""Soundness: what a trace takes for a constant must be one.

A value that depends on an argument, a parameter or noise, but was computed past the recorder, would
enter the program as the numbers it had. So a function is traced twice, on other numbers, and any
difference between the two programs is a defect.
"""

from __future__ import annotations

import numpy as np

from scg._compile._plan import traced
from scg._compile._program import Apply, Argument, Constant, Gradient, Host, Noise, Parameter


def lines(program):
    """Return a program as text, constants with all their digits."""
    names = {}
    found = []
    for step in program.instructions:
        inputs = [names.get(v) for v in step.inputs]
        for value in step.outputs:
            names[value] = len(names)
        outputs = [(names[v], v.shape, str(v.dtype)) for v in step.outputs]
        found.append(f"{outputs} = {_said(step)}{inputs}")
    found.append(f"results {[names[v] for v in program.results]}")
    found.extend(
        f"gradient {id(p)} {None if v is None else names[v]}" for p, v in program.gradients.items()
    )
    return found


def _said(step):
    if isinstance(step, Constant):
        return f"constant {step.array.dtype} {np.asarray(step.array).tolist()}"
    if isinstance(step, Argument):
        return f"argument {step.index}"
    if isinstance(step, Parameter | Gradient):
        return f"{type(step).__name__} {id(step.tensor)}"
    if isinstance(step, Noise):
        return f"noise {step.kind}"
    if isinstance(step, Apply):
        statics = {
            k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in step.statics.items()
        }
        return f"{step.op.name} {statics}"
    return f"host {step.name}" if isinstance(step, Host) else type(step).__name__


def differences(function, *calls, before=lambda number: None):
    """Trace a function once for each tuple of arguments, and return the lines that differ.

    `before(number)` is called before each, to change parameters and seeds.
    """
    programs = []
    for number, args in enumerate(calls):
        before(number)
        _, plan = traced(
            function, args, {}, [a for a in args if isinstance(a, np.random.Generator)]
        )
        programs.append(lines(plan.program))
    first = programs[0]
    return [
        pair for other in programs[1:] for pair in _unequal(first, other)
    ]  # fmt: skip


def _unequal(one, other):
    if len(one) != len(other):
        return [(f"{len(one)} lines", f"{len(other)} lines"), *_pairs(one, other)]
    return _pairs(one, other)


def _pairs(one, other):
    return [(a, b) for a, b in zip(one, other, strict=False) if a != b]
