"""What a trace contains too much: the passes that clean a program."""

from __future__ import annotations

from scg._compile._program import Apply, Load, Program, Value

__all__ = ["clean"]


def clean(program: Program) -> Program:
    """Return a program that does the same with less."""
    return without_dead(program)


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
