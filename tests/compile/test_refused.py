"""What `scg.jit` refuses, with the user's line and the remedy."""

import contextlib

import numpy as np
import pytest

import scg
from scg._compile._program import Host
from scg.errors import (
    TraceError,
)
from tests.compile.calls import debug, thrice


def decides(x):
    return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (decides, r"Python decision .*scg.where"),
        (lambda x: float(x[0]), "float\\(\\) of it"),
        (lambda x: int(x[0]), "int\\(\\) of it"),
        (lambda x: np.asarray(x), "__array__"),
        (lambda x: x.numpy(), "numpy\\(\\)"),
        (lambda x: x[x > 0.5], "boolean mask.*scg.where"),
        (lambda x: scg.repeat(x, scg.floor(x).astype(int)), "repeat counts"),
        (lambda x: np.median(x), "numpy\\(\\)"),
        (lambda x: np.zeros(2).__setitem__(0, x[0]), "reads a value"),
        (lambda x: scg.parameter(x), "parameter\\(\\)"),
        (lambda x: [0.0, 1.0][int(x.sum())], "int\\(\\)"),
    ],
)  # fmt: skip
def test_reading_a_value_is_refused_at_the_users_line(function, words):
    line = function.__code__.co_firstlineno
    with pytest.raises(TraceError, match=words) as caught:
        debug(function)(np.array([0.5, 2.0]))
    assert f"{__file__}:{line + (function is decides)}" in str(caught.value)


def caught(action):
    """Return a function that swallows what an action on its arguments raises."""

    def f(*args):
        with contextlib.suppress(Exception):
            action(*args)
        return args[0] * 2.0

    return f


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda x, _: int(x[0]), "int\\(\\) of it"),
        (lambda x, _: scg.external(lambda a: a, x), "external calls"),
        (lambda _, rng: (rng.random(), scg.Normal(0.0, 1.0).sample(rng=rng)), "NumPy drew"),
    ],
)
def test_a_refusal_that_the_function_catches_is_one_all_the_same(action, words):
    f = debug(caught(action))
    with pytest.raises(TraceError, match=words):
        f(np.ones(2), np.random.default_rng(0))


def test_numpy_may_look_at_the_form_of_a_tensor():
    w = scg.parameter(np.ones((2, 3)))
    f = debug(lambda x: x * w * (np.shape(x)[1] + np.ndim(w) + np.size(x) + np.size(a=w, axis=0)))
    for out in thrice(f, np.ones((2, 3))):
        np.testing.assert_array_equal(out._data, np.full((2, 3), 3.0 + 2.0 + 6.0 + 2.0))


def test_a_parameter_is_not_read_either():
    w = scg.parameter([1.0, 2.0])
    with pytest.raises(TraceError, match="decision"):
        debug(lambda x: x if w[0] > 0 else -x)(np.ones(2))


def test_what_is_the_same_at_every_call_may_be_read():
    c = scg.tensor([1.0, 2.0])
    f = debug(lambda x: x * float(c[1]) if c[0] > 0 else x)
    assert [float(r._data) for r in thrice(f, np.array(1.0))] == [2.0] * 3


def test_the_outside_world_and_assignments_are_refused():
    w = scg.parameter([1.0])
    with pytest.raises(TraceError, match="external calls the outside world"):
        debug(lambda x: scg.external(lambda a: a, x))(np.ones(1))
    with pytest.raises(TraceError, match="assign changes a parameter"):
        debug(lambda x: w.assign(x))(np.ones(1))


def test_random_numbers_of_numpy_are_found():
    rng = np.random.default_rng(0)
    f = debug(lambda x: x + rng.random(2))
    f(np.ones(2))
    with pytest.raises(
        TraceError, match=r"not the same program.*constant.*used by an operation at"
    ):
        f(np.ones(2))


def test_a_counter_is_found():
    count = iter(range(9))
    f = debug(lambda x: x * next(count))
    f(np.ones(2))
    with pytest.raises(TraceError, match=r"the constant 0.* in one call"):
        f(np.ones(2))


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([{"n": 1}, {"n": 2}], r"result\['n'\] from 1 to 2"),
        ([(0.0,), (-0.0,)], r"result\[0\] from 0\.0 to -0\.0"),
        ([1, True], "result from 1 to True"),
        ([{"a": None}, {"b": None}], "result from dict to dict"),
        ([[None], (None,)], "result from list to tuple"),
    ],
)
def test_a_result_that_is_no_array_has_to_stay_the_same(results, words):
    left = iter(results)
    f = debug(lambda x: (x, next(left))[1])
    f(np.ones(2))
    with pytest.raises(TraceError, match=words):
        f(np.ones(2))


def test_another_parameter_and_an_array_for_a_tensor_are_other_results():
    one, two = scg.parameter([1.0, 2.0]), scg.parameter([1.0, 2.0])
    for kinds in ([one, two], [np.ones(2), scg.tensor([1.0, 1.0])]):
        left = iter(kinds)
        f = debug(lambda x: next(left))  # noqa: B023
        f(np.ones(2))
        with pytest.raises(TraceError, match="not the same program"):
            f(np.ones(2))


def test_a_nan_stays_the_same_result():
    f = debug(lambda x: (x, float("nan")))
    assert all(np.isnan(r[1]) for r in thrice(f, np.ones(2)))


def test_a_captured_generator_that_numpy_uses_too_is_refused():
    def f(x, rng):
        a = scg.Normal(0.0, 1.0).sample(rng=rng)
        rng.random()
        return x + a + scg.Normal(0.0, 1.0).sample(rng=rng)

    with pytest.raises(TraceError, match="NumPy drew from a generator"):
        debug(f)(np.array(1.0), np.random.default_rng(0))


def test_a_generator_made_inside_is_refused():
    f = debug(lambda x: x + scg.Normal(0.0, 1.0).sample(rng=np.random.default_rng(0)))
    with pytest.raises(TraceError, match="a generator was made inside"):
        f(np.array(1.0))


@pytest.mark.parametrize("make", [
    lambda w: scg.optim.SGD([w], lr=0.1),
    lambda w: scg.estimators.RunningMean(),
    lambda w: scg.noise.AntitheticSource(0),
])  # fmt: skip
def test_objects_with_state_are_not_made_inside(make):
    w = scg.parameter(1.0)
    f = debug(lambda x: (x, make(w))[0])
    with pytest.raises(TraceError, match=r"\(\), which keeps state .* made outside"):
        f(np.ones(1))


def test_seeding_inside_is_refused():
    def f(x):
        scg.seed(1)
        return x + scg.Normal(0.0, 1.0).sample()

    with pytest.raises(TraceError, match=r"scg\.seed was called inside"):
        debug(f)(np.array(1.0))


def test_a_view_of_a_parameter_is_not_used_after_an_update():
    w = scg.parameter(np.ones((2, 3)))
    optimizer = scg.optim.SGD([w], lr=0.1)

    def f(x):
        turned = w.T
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return turned + 1.0

    with pytest.raises(TraceError, match="a view of a parameter made before its update"):
        debug(f)(np.ones((2, 3)))


def slope(w, c):
    w.zero_grad()
    z = scg.Normal(w, 1.0).sample()
    (1.0 / (z * z * c + 1.0)).backward()
    return w.grad


def test_a_sign_that_excluded_a_pole_is_checked_at_every_call():
    w = scg.parameter(2.0)
    f = debug(lambda c: slope(w, c))
    for c in (1.0, 2.0, 3.0, 0.0):  # of the sign of 1.0 no more is needed than that it is no minus
        f(np.array(c))
    with pytest.raises(TraceError, match="was not negative when it was traced"):
        f(np.array(-1.0))
    f(np.array(1.0))


def test_a_sign_that_is_certain_is_not_checked():
    w = scg.parameter(2.0)
    f = debug(lambda c: slope(w, scg.exp(c)))
    for c in (1.0, 2.0, 3.0, -0.5):
        f(np.array(c))
    (entry,) = f._entries.values()
    assert not any(isinstance(step, Host) for step in entry.plans[-1].program.instructions)
