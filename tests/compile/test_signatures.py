"""What has a plan of its own: shapes, dtypes, static and donated arguments, objects."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import scg
from scg._compile._jit import PLANS
from scg.errors import (
    OptionError,
    RetraceWarning,
)
from tests.compile.calls import debug, thrice, traces


def test_numbers_are_static_and_arrays_are_not():
    f = debug(lambda x, k: x * k)
    assert [float(f(np.array(v), 2)._data) for v in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]
    assert traces(f) == 1
    with pytest.warns(RetraceWarning, match="changed k from 2 to 3"):
        assert float(f(np.array(1.0), 3)._data) == 3.0
    assert traces(f) == 2


def test_true_is_not_one_and_zero_has_a_sign():
    f = debug(lambda x, k: x * k)
    with pytest.warns(RetraceWarning):
        kinds = [f(np.array(1), k).dtype for k in (1, True, 1.0)]
    assert kinds == [np.int64, np.int64, np.float64]
    assert [np.signbit(f(np.array(1.0), k)._data) for k in (0.0, -0.0)] == [False, True]


def test_a_new_shape_is_reported_once_with_its_name():
    f = debug(lambda batch: batch["x"].sum())
    f({"x": np.ones(3)})
    with pytest.warns(RetraceWarning, match=r"changed batch\['x'\] from shape \(3,\) float64 to"):
        f({"x": np.ones(4)})
    f({"x": np.ones(5, np.float32)})  # no second warning: it would be an error here


def test_the_warning_names_the_line_of_the_caller():
    f = debug(lambda x: x)
    f(np.ones(1))
    with pytest.warns(RetraceWarning) as caught:
        f(np.ones(2))
    assert caught[0].filename == __file__


def test_static_arguments_are_compared_and_not_traced():
    @scg.jit(debug=True, static_argnames="axis")
    def f(x, axis):
        return x.sum(axis=axis)

    x = np.arange(6.0).reshape(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetraceWarning)
        for axis in (0, 1, (0, 1), 0):
            np.testing.assert_array_equal(f(x, axis=axis)._data, x.sum(axis=axis))
    with pytest.raises(OptionError, match="neither an array"):
        f(x, axis=[0])


@dataclass(frozen=True, eq=False)
class Problem:
    data: object
    scale: np.float64


@pytest.mark.parametrize("by_name", [False, True])
def test_static_arguments_are_no_leaves_whatever_they_contain(by_name):
    problem, order = Problem(np.full(2, 5.0), np.float64(3.0)), np.int64(2)

    @scg.jit(debug=True, static_argnames=["problem", "order"])
    def f(problem, order, x):
        for _ in range(order):
            x = x * problem.scale
        return x + problem.data

    def call(x):
        named = {"problem": problem, "order": order, "x": x}
        return f(**named) if by_name else f(*named.values())

    for number in range(4):
        x = np.array([1.0, float(number)])
        np.testing.assert_array_equal(call(x)._data, 9.0 * x + 5.0)
    assert traces(f) == 1


def test_the_type_of_a_static_number_is_compared():
    @scg.jit(debug=True, static_argnames="k")
    def f(x, k):
        return x * k

    x = np.ones(1, np.float32)
    assert f(x, 0.0).dtype == np.float32
    with pytest.warns(RetraceWarning, match=r"changed k from 0\.0 to np\.float64\(0\.0\)"):
        assert f(x, np.float64(0.0)).dtype == np.float64


def test_results_take_the_place_of_donated_arguments():
    f = scg.jit(debug=True, donate_argnames="state")(lambda state, x: (state["a"] + x, x * 2.0))
    state, x = {"a": np.ones(3)}, np.ones(3)
    for _ in range(3):
        out, double = f(state, x)
    np.testing.assert_array_equal(out._data, np.full(3, 2.0))
    assert out._data is state["a"]
    assert not np.shares_memory(double._data, x)
    frozen = np.ones(3)
    frozen.flags.writeable = False
    assert f({"a": frozen}, x)[0]._data is not frozen


def test_donated_arrays_that_share_memory_are_refused():
    f = scg.jit(debug=True, donate_argnames=["a", "b"])(lambda a, b: (a + 1.0, b * 3.0))
    x = np.ones(4)
    for a, b in ((x, x), (x[:3], x[1:]), (x, x[::-1])):
        with pytest.raises(OptionError, match=r"two donated arrays.*share memory"):
            f(a, b)
    for _ in range(3):
        x = np.ones(4)
        one, three = f(x[::2], x[1::2])
        np.testing.assert_array_equal(one._data, [2.0, 2.0])
        np.testing.assert_array_equal(three._data, [3.0, 3.0])


def test_a_donated_array_is_returned_beside_what_takes_its_place():
    f = scg.jit(debug=True, donate_argnames="a")(lambda a: (a + 1.0, a, a.reshape(4, 1)))
    for _ in range(3):
        more, same, column = f(np.ones(4))
        np.testing.assert_array_equal(more._data, np.full(4, 2.0))
        np.testing.assert_array_equal(same._data, np.ones(4))
        np.testing.assert_array_equal(column._data, np.ones((4, 1)))


def test_an_unknown_name_is_refused():
    with pytest.raises(OptionError, match="static_argnames names z, which the function does not"):
        scg.jit(static_argnames="z")(lambda x: x)


def test_only_so_many_plans_are_kept():
    f = debug(lambda x: x + 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RetraceWarning)
        for n in range(PLANS + 5):
            f(np.zeros(n))
    assert len(f._entries) == PLANS


def test_methods_are_compiled_for_each_object():
    class Model:
        def __init__(self, k):
            self.w = scg.parameter(k)

        @scg.jit(debug=True)
        def __call__(self, x):
            return self.w * x

    two, three = Model(2.0), Model(3.0)
    assert [float(r._data) for r in thrice(two, np.array(1.0))] == [2.0] * 3
    with pytest.warns(RetraceWarning, match="changed self"):
        assert [float(r._data) for r in thrice(three, np.array(1.0))] == [3.0] * 3


def test_modules_are_arguments_by_identity():
    @dataclass(eq=True)
    class Scale(scg.nn.Module):
        factor: scg.Tensor

        def __call__(self, x):
            return self.factor * x

    f = debug(lambda module, x: module(x))
    two, three = Scale(scg.parameter(2.0)), Scale(scg.parameter(3.0))
    assert [float(r._data) for r in thrice(f, two, np.array(1.0))] == [2.0] * 3
    with pytest.warns(RetraceWarning, match="changed module from the Scale to the Scale"):
        assert [float(r._data) for r in thrice(f, three, np.array(1.0))] == [3.0] * 3


def test_functions_that_do_not_tell_their_arguments_are_compiled_too():
    f = debug(np.hypot)
    assert [float(r._data) for r in thrice(f, np.array(3.0), np.array(4.0))] == [5.0] * 3
