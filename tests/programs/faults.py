"""Faults planted into the library's own source, one line at a time, to see that they are found."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from corpus import corpus, truth

from scg import _noise_facts
from scg._surrogate import analysis, control, costs, reach
from scg.estimators.leave_one_out import BatchMean
from scg.testing import check_program


@dataclass(frozen=True)
class Fault:
    """What goes wrong, in which function, and the text that is replaced by another.

    Where two rules guard the same thing, `also` switches off the other.
    """

    name: str
    function: Any
    text: str
    wrong: str
    also: Fault | None = None


FAULTS = (
    Fault("costs: a weight without its coefficient", costs.Cost.terms.fget,
          "return self.coefficient * self.value", "return self.value"),
    Fault("costs: a cost that is reached twice counts once", costs._Reads.joined,
          "older.value, newer.cotangent + older.cotangent,",
          "older.value, older.cotangent,"),
    Fault("provenance: no_grad forgets the draws", _noise_facts._hold,
          "result.parents, result.inputs, result.saved = tuple(held), None, ()",
          "result.parents, result.inputs, result.saved = (), None, ()"),
    Fault("control: raw reads decide nothing", control.reads,
          "    return found\n", "    return []\n"),
    Fault("alignment: an axis is kept if one path keeps it", reach.join_axes,
          "a if a == b else None", "a or b"),
    Fault("routing: a jump is smooth", _noise_facts._passage,
          "return Passage.JUMP if crossed[JUMP] & NOISE else Passage.FLAT",
          "return Passage.SMOOTH"),
    Fault("baseline: nobody checks what it depends on", BatchMean.baseline_of,
          "if coupled or not weighted.independent_along(axis):", "if coupled:"),
    Fault("baseline: the mean includes the element itself", BatchMean.baseline_of,
          "return (weight.sum(axis=axis, keepdims=True) - weight) / (weight.shape[axis] - 1)",
          "return weight.mean(axis=axis, keepdims=True)"),
    Fault("support: a parameter may move it", analysis.Analysis._moved_support,
          'getattr(distribution, "moves_support", ())', "()",
          Fault("a density's edges are poles", _noise_facts._passage,
                "return Passage.POLE if not safe", "return Passage.SMOOTH if not safe")),
)  # fmt: skip


@contextmanager
def planted(fault):
    """Run functions with the fault in their source, wherever they are used."""
    parts = [fault] if fault.also is None else [fault, fault.also]
    right = [part.function.__code__ for part in parts]
    for part in parts:
        part.function.__code__ = _wrong(part)
    try:
        yield
    finally:
        for part, code in zip(parts, right, strict=True):
            part.function.__code__ = code


def _wrong(fault):
    """Return the code of a function after the replacement."""
    file = Path(inspect.getsourcefile(fault.function))
    source = file.read_text()
    assert source.count(fault.text) == 1, f"{file} does not have once: {fault.text}"
    module = compile(source.replace(fault.text, fault.wrong), str(file), "exec")
    return _find(module, fault.function.__code__.co_qualname)


def _find(code, qualname):
    """Return the code of a function of a module; None if it is not in there."""
    if code.co_qualname == qualname:
        return code
    inner = (_find(c, qualname) for c in code.co_consts if isinstance(c, CodeType))
    return next((found for found in inner if found is not None), None)


def programs_until_found(fault):
    """Return how many programs it took until one came out biased."""
    with planted(fault):
        for number, program in enumerate(corpus(), 1):
            try:
                check_program(program, truth=truth(program))
            except AssertionError as error:
                if str(error).startswith("biased"):
                    return number
    raise AssertionError(f"{fault.name}: not found by {len(corpus())} programs")
