"""What is known of the sign of a value in every call, and the check where nothing is known.

A sign may have excluded a pole when the step was traced, so that a draw was differentiated through
and not scored. In another call it has to be so again.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from scg._compile._program import Apply, Constant, Noise, Value
from scg._typing import Array
from scg.errors import TraceError
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = ["facts_of", "relied_on", "requiring"]

_SIGNS = POSITIVE | NONNEGATIVE


def facts_of(value: Value, given: Mapping[Value, int] = MappingProxyType({})) -> int:
    """Return what the ops that make a value say of its sign, and what is given of others."""
    known: dict[Value, int] = {}
    stack = [value]
    while stack:
        last = stack[-1]
        inputs = [v for v in last.source.inputs if v is not None]
        waiting = [v for v in inputs if v not in known] if _has_rule(last) else []
        if waiting:
            stack.extend(waiting)
            continue
        known[stack.pop()] = _of_source(last, known) | given.get(last, 0)
    return known[value]


def _has_rule(value: Value) -> bool:
    return isinstance(value.source, Apply) and callable(value.source.op.sign)


def _of_source(value: Value, known: dict[Value, int]) -> int:
    source = value.source
    if isinstance(source, Constant):
        return sign_of(source.array)
    if isinstance(source, Noise):
        return NONNEGATIVE if source.kind != "normal" else 0
    if not isinstance(source, Apply):
        return 0
    if not callable(source.op.sign):
        return source.op.sign & _SIGNS
    facts = [0 if v is None else known[v] for v in source.inputs]
    same = len(facts) == 2 and source.inputs[0] is source.inputs[1]
    return source.op.sign(same, *facts) & _SIGNS


def sign_of(array: Array) -> int:
    """Return the sign that all elements of an array have."""
    least = np.min(array, initial=np.inf)
    return _SIGNS if least > 0 else NONNEGATIVE if least >= 0 else 0


def relied_on(
    value: Value, noisy: Container[Value], arrays: Mapping[Value, Array]
) -> dict[Value, int]:
    """Return the signs that values without noise happen to have, and that a noisy one's needs."""
    given = {v: sign_of(arrays[v]) for v in _behind(value, noisy)}
    needed = facts_of(value, given)

    def with_(v: Value, fact: int) -> int:
        return facts_of(value, {**given, v: fact})

    for v, fact in list(given.items()):
        weakest = (f for f in (0, fact & NONNEGATIVE, fact) if not needed & ~with_(v, f))
        given[v] = next(weakest)
    return {v: fact for v, fact in given.items() if fact}


def _behind(value: Value, noisy: Container[Value]) -> list[Value]:
    """Return the values without noise whose signs may tell that of a noisy one."""
    found: dict[Value, None] = {}
    stack = [value]
    seen = {value}
    while stack:
        current = stack.pop()
        if current not in noisy:
            found[current] = None
            continue
        inputs = [v for v in current.source.inputs if v is not None and v not in seen]
        if _has_rule(current):
            stack.extend(inputs)
            seen.update(inputs)
    return list(found)


def requiring(fact: int) -> Any:
    """Return a check that an array still has the sign that it had."""
    word, inside = (
        ("positive", np.greater) if fact & POSITIVE else ("not negative", np.greater_equal)
    )

    def check(array: Array) -> tuple[Array, ...]:
        if not np.all(inside(array, 0)):
            raise TraceError(
                f"a compiled function met a value that was {word} when it was traced, which "
                "decided how the gradient is estimated, and now is not; make its sign known "
                "(scg.exp, scg.softplus, scg.square), or compile another function for such values"
            )
        return ()

    return check
