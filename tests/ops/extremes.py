"""What the samples of every op must include, and what an op does where they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from accuracy import is_float
from harness import FLOATS, cases, expected, judge_value, raw

import scg
from scg._elementwise import ElementwiseOp
from scg._op import Op

REFUSALS = (scg.ShapeError, ValueError, IndexError)  # NumPy's, where a rule asks NumPy


def check_rank_0(op: Op) -> None:
    """Require a case with a number for each input, or a shape rule and an op that refuse one."""
    seen, allowed = set(), {}
    for inputs, statics in cases(op):
        for i, x in enumerate(inputs):
            slot = min(i, len(op.inputs) - 1)  # all of `*xs` is one
            if np.ndim(x) == 0:
                seen.add(slot)
            elif any(_permits(op, numbers, statics) for numbers in _with_numbers(inputs, i)):
                allowed[slot] = f"input {i} of {[np.shape(x) for x in inputs]} {statics}"
    missing = {i: case for i, case in allowed.items() if i not in seen}
    assert not missing, f"{op.name} permits a number but has no such case: {missing}"


def _with_numbers(inputs, which):
    """Put a number into the place of one input, and into those of all."""
    numbers = [np.asarray(x).reshape(-1)[:1].sum(dtype=np.asarray(x).dtype) for x in inputs]
    return [*inputs[:which], numbers[which], *inputs[which + 1 :]], numbers


def _permits(op: Op, inputs, statics):
    """Tell whether the shape rule allows these inputs; if not, a public op must refuse them too."""
    shapes = [np.shape(x) for x in inputs]
    try:
        op.shape(*shapes, **statics)
    except REFUSALS:
        if hasattr(scg, op.name):
            with pytest.raises(scg.ScgError):
                raw(op, inputs, statics)
        return False
    return True


def check_empty(op: Op) -> None:
    """Require a case without elements."""
    assert any(np.size(x) == 0 for inputs, _ in cases(op) for x in inputs), op.name


def check_nonfinite(op: Op, dtype) -> None:
    """Compare with the reference where NaN and infinities are among the inputs of each case.

    Where the reference finds no answer, the op must say so.
    """
    for inputs, statics in cases(op, dtype):
        for given, label in _with_nonfinite(inputs):
            try:
                expected(op, given, statics, dtype)
            except np.linalg.LinAlgError:
                with pytest.raises(scg.SupportError):
                    raw(op, given, statics)
            else:
                judge_value(op, given, statics, dtype, label)


def _with_nonfinite(inputs):
    """Put a special value into one place, or into all, of one input at a time."""
    for i, x in enumerate(inputs):
        if not is_float(x) or x.size == 0:
            continue
        for places, values in _plantings(x.size):
            special = np.array(x)
            special.reshape(-1)[places] = values
            yield [*inputs[:i], special, *inputs[i + 1 :]], f"input {i} {places}={values}"


def _plantings(size):
    for value in (np.nan, np.inf, -np.inf):
        for place in sorted({0, size // 2, size - 1}):
            yield place, value
        yield slice(None), value
    if size > 1:
        yield [0, size - 1], [np.inf, -np.inf]


def check_edges_are_complete(op: Op) -> None:
    """Require of an elementwise op that its edges have NaN and both infinities in each input."""
    assert isinstance(op, ElementwiseOp)
    for inputs, _ in op.samples.edges(FLOATS[1]):
        for i, x in enumerate(inputs):
            if is_float(x):
                missing = [v for v in (np.nan, np.inf, -np.inf) if not _has(x, v)]
                assert not missing, f"{op.name}: the edges of input {i} lack {missing}"


def _has(x, value):
    return bool(np.any(np.isnan(x) if np.isnan(value) else x == value))
