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


programs = pytest.mark.parametrize("program", REFUSALS.values(), ids=list(REFUSALS))
with_a_cost = pytest.mark.parametrize(
    "program", [pytest.param(p, id=name) for name, p in REFUSALS.items() if p.cost]
)


def message(program):
    leaves = [scg.parameter(v, name=f"p{i}") for i, v in enumerate(program.at)]
    with pytest.raises(program.error) as error:
        scg.grad(program.fn(*leaves), leaves)
    return str(error.value)


@programs
def test_the_message_names_the_op_the_draw_and_the_remedy(program):
    text = message(program)
    assert program.op in text
    assert (f"'{program.draw}' ~" in text) if program.draw else "draw '" not in text
    assert program.remedy in text


@programs
def test_the_message_names_a_line_of_the_program(program):
    first = program.fn.__code__.co_firstlineno
    lines = range(first, first + len(inspect.getsource(program.fn).splitlines()))
    named = {int(n) for n in re.findall(r"refusals\.py:(\d+)", message(program))}
    assert named & set(lines) or not program.draw  # refused while it draws: the traceback tells
    assert len(named) > 1 or not (program.op and program.draw)


@with_a_cost
def test_the_message_names_the_cost(program):
    assert "cost" in message(program)


@programs
def test_the_parameters_keep_no_gradient(program):
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
