"""The passes over a trace: what is left of a program, and that it still says the same."""

import numpy as np
import pytest
from alike import check

import scg
from scg._compile._clean import clean
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from scg._compile._native import native
from scg._compile._plan import traced
from scg._compile._program import Apply, Constant, Noise, Update
from scg._op import OPS


def ops_of(function, *args):
    """Return the names of the ops that are left of a function of arrays."""
    program = traced(function, args, {}, [])[1].program
    return [step.op.name for step in program.instructions if isinstance(step, Apply)]


X = np.linspace(0.5, 2.0, 6).reshape(2, 3)

# What is left of each function of a matrix, by op.
LEFT = {
    "one": (lambda x: x * 1.0 / 1.0 + 0.0 - 0.0, []),
    "one of another dtype": (
        lambda x: x.astype(np.float32) * np.float64(1.0), ["astype", "multiply"],
    ),
    "minus twice": (lambda x: scg.negative(-x), []),
    "minus a difference": (lambda x: -(x - x.sum()), ["sum", "subtract"]),
    "plus minus": (lambda x: x + (-x.sum()), ["sum", "subtract"]),
    "minus minus": (lambda x: x - (-x.sum()), ["sum", "add"]),
    "itself away, but for NaN": (lambda x: scg.exp(x - x), ["subtract", "exp"]),
    "a quotient": (lambda x: x / 49.0, ["divide"]),
    "a quotient by a power of two": (lambda x: x / -8.0, ["multiply"]),
    "numbers that round apart": (lambda x: x * 0.1 * 10.0, ["multiply", "multiply"]),
    "numbers together": (lambda x: x * 2.0 * 3.0 / 4.0, ["multiply"]),
    "a number and minus": (lambda x: -(x * 2.0), ["multiply"]),
    "twice": (lambda x: x + x, ["multiply"]),
    "a repetition": (lambda x: scg.exp(x) + scg.exp(x) * x, ["exp", "multiply", "add"]),
    "constants": (lambda x: x + scg.exp(scg.tensor(2.0)).sum(), ["add"]),
    "the dead": (lambda x: (scg.exp(x), x + 1.0)[1], ["add"]),
    "reshapes": (lambda x: x.reshape(6).reshape(3, 2).reshape(2, 3), []),
    "a reshape": (lambda x: scg.expand_dims(x.reshape(6), 0).reshape(3, 2), ["reshape"]),
    "transpositions": (lambda x: scg.swapaxes(x.T, 0, 1), []),
    "three axes turned": (lambda x: x.reshape(1, 2, 3).transpose(2, 0, 1).transpose(1, 2, 0),
                          ["reshape"]),
    "computing on transposes": (
        lambda x: scg.exp(x.T * 2.0) - x.T, ["multiply", "exp", "subtract", "transpose"],
    ),
    "a sum of two orders": (
        lambda x: x.reshape(3, 2) + x.T, ["reshape", "transpose", "add"],
    ),
    "casts": (lambda x: scg.detach(x.astype(np.float64)), []),
    "indices": (lambda x: x[:, None][..., None, :], ["reshape"]),
    "a repeated number": (lambda x: x * scg.broadcast_to(x.sum(), x.shape), ["sum", "multiply"]),
    "two repetitions": (
        lambda x: scg.exp(scg.broadcast_to(scg.broadcast_to(x[0], (1, 3)), (2, 3))),
        ["getitem", "exp", "broadcast_to"],
    ),
    "a sum of a repetition": (
        lambda x: scg.broadcast_to(x.sum(), (4, 5)).sum(), ["sum", "multiply"],
    ),
    "a sum along it": (
        lambda x: scg.broadcast_to(x[0], (7, 3)).sum(axis=0), ["getitem", "multiply"],
    ),
    "a sum across it": (
        lambda x: scg.broadcast_to(x[0], (7, 3)).sum(axis=1), ["getitem", "broadcast_to", "sum"],
    ),
    "a mean of one": (lambda x: x.reshape(2, 1, 3).mean(axis=1), []),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_no_surplus_is_left(name):
    function, left = LEFT[name]
    assert ops_of(function, X) == left


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_has_the_same_value(name):
    w = scg.parameter(1.0)  # lends its dtype to the comparison
    function, _ = LEFT[name]
    check(lambda: (function, [w]), [(X * k,) for k in (1.0, 2.0, -3.0)])


def test_the_gradient_of_a_split_is_a_concatenation():
    w = scg.parameter(X)

    def f(a):
        parts = scg.split(w * a, 3, axis=1)
        loss = sum((k + 1.0) * (part**3).sum() for k, part in enumerate(parts))
        return scg.grad(loss, w, of="value")

    left = ops_of(f, X)
    assert "concatenate" in left
    assert "scatter" not in left
    check(lambda: (f, [w]), [(X,), (2 * X,), (3 * X,)])


def test_many_slices_are_one_concatenation():
    w = scg.parameter(np.arange(40.0).reshape(20, 2))

    def f(a):
        state = scg.tensor(np.zeros(2))
        for t in range(20):
            state = scg.tanh(state + w[t] * a)
        return scg.grad(state.sum(), w, of="value")

    left = ops_of(f, np.array(0.1))
    assert left.count("concatenate") == 1
    assert "scatter" not in left
    check(lambda: (f, [w]), [(np.array(k),) for k in (0.1, 0.2, 0.3)])


def test_slices_that_overlap_are_added():
    w = scg.parameter(np.arange(4.0))
    f = lambda a: scg.grad((w[1:3] * a).sum() + (w[:2] ** 2).sum(), w, of="value")  # noqa: E731
    assert "concatenate" not in ops_of(f, np.array(0.1))
    check(lambda: (f, [w]), [(np.array(k),) for k in (0.1, 0.2, 0.3)])


def test_zero_times_a_value_stays():
    """It is not a number where the value is infinite."""
    assert ops_of(lambda x: x * 0.0, X) == ["multiply"]


# Where a function jumps, the last digit decides.
JUMPS = {
    "floor of a quotient": (lambda x: scg.floor(x / 49.0), 49.0 * np.arange(50.0)),
    "integer of a quotient": (lambda x: (x / 0.1).astype(np.int64), 0.1 * np.arange(50.0)),
    "comparison with a quotient": (lambda x: x / 49.0 == 1.0, np.array([49.0])),
    "floor of a product": (lambda x: scg.floor(x * (1 / 3) * 10.0), np.arange(50.0)),
    "a difference from itself": (
        lambda x: scg.where(x - x == 0.0, x, 0.0), np.array([np.nan, np.inf, 1.0])
    ),
}  # fmt: skip


@pytest.mark.parametrize("executor", [interpreter, native])
@pytest.mark.parametrize("name", JUMPS)
def test_jumps_are_where_they_were(name, executor):
    function, x = JUMPS[name]
    ours = Compiled(function, (), (), executor, check=False)
    with np.errstate(all="ignore"):
        expected = function(scg.as_tensor(x))
        results = [ours(x) for _ in range(2)]
    for result in results:
        np.testing.assert_array_equal(scg.peek(result), scg.peek(expected))


def test_a_parameter_before_and_after_an_update_are_two_values():
    w = scg.parameter([1.0, 2.0])
    optimizer = scg.optim.SGD([w], lr=0.5)

    def f(x):
        before = scg.exp(w)
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return before, scg.exp(w)

    assert ops_of(f, np.ones(2)).count("exp") == 2


def test_noise_stays_even_if_nothing_needs_it():
    def f(x):
        scg.Normal(x, 1.0).sample()
        return x + scg.Normal(0.0, 1.0).sample()

    program = traced(f, (np.zeros(2),), {}, [])[1].program
    assert sum(isinstance(step, Noise) for step in program.instructions) == 2


def test_cleaning_again_changes_nothing():
    from programs import PROGRAMS

    build, calls = PROGRAMS["vae"]
    program = traced(build()[0], calls[0], {}, [])[1].program
    assert len(clean(program).instructions) == len(program.instructions)


def test_the_vae_step_has_no_surplus_work():
    """Of what autodiff writes, only arithmetic on arrays that a person would write is left."""
    from programs import PROGRAMS

    build, calls = PROGRAMS["vae"]
    program = traced(build()[0], calls[0], {}, [])[1].program
    left = [step.op.name for step in program.instructions if isinstance(step, Apply)]
    assert {"reshape", "broadcast_to", "scatter", "astype", "detach", "swapaxes"}.isdisjoint(left)
    assert left.count("linear") == 4
    assert left.count("matmul") == 4 + 3  # weights, and what goes on to the layer before
    assert left.count("concatenate") == 1
    assert sum(isinstance(step, Update) for step in program.instructions) == 1
    constants = [step for step in program.instructions if isinstance(step, Constant)]
    assert all(step.array.size == 1 for step in constants)
    assert all(
        step.op is OPS[step.op.name] for step in program.instructions if isinstance(step, Apply)
    )
