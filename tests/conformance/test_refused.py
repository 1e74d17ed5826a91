"""What is refused names the op, the user's line, the draw, the cost and the remedy."""

import inspect
import re

import numpy as np
import pytest
from conformance import closed
from conformance.program import flat
from conformance.refusals import REFUSALS

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def refusal(program):
    """Return the message and the lines of the program that it names."""
    leaves = [scg.parameter(v, name=f"p{i}") for i, v in enumerate(program.at)]
    with pytest.raises(program.error) as error:
        scg.grad(program.fn(*leaves), leaves)
    assert error.type is program.error or program.error in (scg.ScgError, scg.GradientError)
    text = str(error.value)
    first = program.fn.__code__.co_firstlineno
    lines = range(first, first + len(inspect.getsource(program.fn).splitlines()))
    named = [int(n) for n in re.findall(r"refusals\.py:(\d+)", text)]
    return text, [n for n in named if n in lines]


@pytest.mark.parametrize("name", REFUSALS)
def test_the_message(name):
    program = REFUSALS[name]
    text, _ = refusal(program)
    assert program.op in text
    assert (f"'{program.draw}' ~" in text) if program.draw else "draw '" not in text
    assert program.remedy in text


@pytest.mark.parametrize("name", REFUSALS)
def test_the_parameters_keep_no_gradient(name):
    program = REFUSALS[name]
    leaves = [scg.parameter(v) for v in program.at]
    with pytest.raises(scg.ScgError):
        program.fn(*leaves).backward()
    assert all(leaf.grad is None for leaf in leaves)


@pytest.mark.parametrize("name", [n for n, p in REFUSALS.items() if p.wrong])
def test_what_others_return_is_wrong(name):
    program = REFUSALS[name]
    truth = flat(closed.gradient(program.expected, program.at))
    for reading, gradient in program.wrong.items():
        assert np.max(np.abs(flat(gradient(*program.at)) - truth)) > 1e-3, reading
