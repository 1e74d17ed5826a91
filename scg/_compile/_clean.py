"""What a trace contains too much, taken out: dead code, constants, repetitions, empty algebra."""

from __future__ import annotations

from scg._compile._algebra import RULES
from scg._compile._program import Apply, Load, Program, Value
from scg._compile._rewriter import Rewriter

__all__ = ["clean"]

ROUNDS = 4  # one leaves what the next finds; a program of the usual kind is clean after two


def clean(program: Program) -> Program:
    """Return a program that does the same with less."""
    program = without_dead(program)
    for _ in range(ROUNDS):
        before = len(program.instructions)
        program = without_dead(Rewriter(RULES)(program))
        if len(program.instructions) == before:
            break
    return program


def without_dead(program: Program) -> Program:
    """Drop what nothing needs; noise is drawn all the same, for what comes after it."""
    needed: set[Value] = set(program.results)
    needed.update(v for v in program.gradients.values() if v is not None)
    kept = []
    for step in reversed(program.instructions):
        if isinstance(step, Apply | Load) and not needed.intersection(step.outputs):
            continue
        kept.append(step)
        needed.update(v for v in step.inputs if v is not None)
    return Program(kept[::-1], program.results, program.gradients)
