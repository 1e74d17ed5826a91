"""What `scg.jit` promises around the program: signatures, refusals, results, runs, threads."""

import contextlib
import threading
import warnings
from collections import namedtuple
from dataclasses import InitVar, dataclass, field

import numpy as np
import pytest

import scg
from scg._compile._interpreter import interpreter
from scg._compile._jit import PLANS, Compiled
from scg._compile._program import Host
from scg.errors import (
    BiasedGradientError,
    GradientError,
    NonFiniteError,
    OptionError,
    RetraceWarning,
    TraceError,
)

Pair = namedtuple("Pair", "first second")


@dataclass
class Batch:
    images: object
    labels: object


def debug(function, **options):
    """Compile without native code: what is tested here is the same, and no kernel is built."""
    return scg.jit(debug=True, **options)(function)


def thrice(function, *args):
    """Return what two traced calls and a compiled one return."""
    return [function(*args) for _ in range(3)]


def traces(function):
    return sum(len(entry.plans) for entry in function._entries.values())


# --- arguments and results -------------------------------------------------------------------


def test_trees_go_in_and_out():
    @debug
    def f(batch, pair, named, rest):
        total = batch.images.sum() + pair.first * pair.second
        return {
            "batch": Batch(total * named["a"], None), "pair": Pair(rest[0] + 1, (rest[1], "x")),
            "list": [named["a"], 2.5, True],
        }  # fmt: skip

    args = (
        Batch(np.ones((2, 2)), 3), Pair(np.float32(2.0), np.arange(2)), {"a": np.array(0.5)},
        [np.int64(4), scg.tensor([1.0])],
    )  # fmt: skip
    for out in thrice(f, *args):
        np.testing.assert_array_equal(out["batch"].images._data, (4 + 2 * np.arange(2)) * 0.5)
        assert out["batch"].labels is None
        assert type(out["pair"]) is Pair
        assert int(out["pair"].first._data) == 5
        assert out["pair"].second[1] == "x"
        assert out["list"][1:] == [2.5, True]


@dataclass(frozen=True)
class Shifted:
    values: object
    shift: InitVar[float]
    twice: object = field(init=False, default=None)

    def __post_init__(self, shift):
        object.__setattr__(self, "values", self.values + shift)
        object.__setattr__(self, "twice", 2.0 * self.values)


@dataclass(slots=True)
class Slotted:
    values: object
    unset: object = field(init=False)


def test_dataclasses_are_taken_as_they_are_and_not_made_again():
    f = debug(lambda a, b: (a, b, a.values + a.twice + b.values))
    for number in range(4):
        x = np.full(2, float(number))
        a, b, total = f(Shifted(x, 1.0), Slotted(x))
        np.testing.assert_array_equal(total._data, 3.0 * (x + 1.0) + x)
        np.testing.assert_array_equal(a.values._data, x + 1.0)
        np.testing.assert_array_equal(a.twice._data, 2.0 * (x + 1.0))
        np.testing.assert_array_equal(b.values._data, x)
        assert not hasattr(b, "unset")


def test_attributes_beside_the_fields_of_a_dataclass_are_arguments_too():
    f = debug(lambda batch: batch.images * batch.weight)
    for number in range(4):
        batch = Batch(np.ones(2), None)
        batch.weight = np.float64(number)
        np.testing.assert_array_equal(f(batch)._data, np.full(2, float(number)))


def test_results_have_memory_of_their_own():
    x = np.ones(3)
    f = debug(lambda x: (x, x.reshape(3, 1), x + 0.0))
    for results in thrice(f, x):
        assert not any(np.shares_memory(r._data, x) for r in results)
    first = f(x)
    f(2 * x)
    np.testing.assert_array_equal(first[2]._data, np.ones(3))


def test_a_parameter_is_returned_as_itself():
    w = scg.parameter([1.0])
    f = debug(lambda x: (w, w * x))
    assert all(out[0] is w for out in thrice(f, np.ones(1)))


def test_what_no_call_could_make_anew_is_not_returned():
    f = debug(lambda x: scg.Normal(x, 1.0))
    with pytest.raises(TraceError, match="returns a Normal"):
        f(np.zeros(2))


def test_arguments_of_the_wrong_kind_are_refused():
    f = debug(lambda x: x)
    with pytest.raises(OptionError, match=r"argument x\['a'\] is an array of dtype <U1"):
        f({"a": np.array(["b"])})
    with pytest.raises(OptionError, match="argument x is a set, which is neither"):
        f({1, 2})


def test_any_layout_is_taken():
    f = debug(lambda x: scg.cumsum(x, axis=0))
    x = np.arange(12.0).reshape(3, 4)
    for version in (x, np.asfortranarray(x), x[:, ::1], x[::-1][::-1], x.astype(">f8")):
        np.testing.assert_array_equal(f(version)._data, np.cumsum(x, axis=0))


def test_arguments_keep_their_places_however_they_are_passed():
    f = debug(lambda a, *rest, k, **more: a + 10 * rest[0] + 100 * rest[1] + 1000 * k + more["m"])
    x = np.ones(1)
    results = thrice(lambda: f(x, 2 * x, 3 * x, k=4 * x, m=5000 * x))
    assert [float(r._data[0]) for r in results] == [9321.0] * 3


def test_a_captured_array_does_not_follow_an_argument_that_shows_its_memory():
    whole = np.arange(12.0).reshape(4, 3)
    upper, lower = whole[:2], whole[2:]
    for captured in (upper, scg.tensor(upper, copy=False)):
        f = debug(lambda x: ((x - captured) ** 2).sum())  # noqa: B023
        assert [float(f(x)._data) for x in (captured, upper, lower)] == [0.0, 0.0, 216.0]


def test_a_captured_part_of_an_array_is_used_beside_another_part():
    whole = np.arange(12.0).reshape(4, 3)
    f = debug(lambda x: x @ whole[1:].T)
    for part in (whole[:2], whole[:2], whole[2:]):
        np.testing.assert_array_equal(f(part)._data, part @ whole[1:].T)


# --- signatures ------------------------------------------------------------------------------


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


# --- what cannot be compiled -----------------------------------------------------------------


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


# --- noise -----------------------------------------------------------------------------------


def test_noise_is_bitwise_that_of_eager_mode():
    def f(x, rng):
        y = scg.Normal(x, 1.0).sample(rng=rng) + scg.Exponential(2.0).sample((3,), rng=7)
        return y * scg.Gamma(2.0, 1.0).sample(rng=rng) + scg.Uniform(0.0, 1.0).sample()

    results = []
    for function in (f, debug(f)):
        scg.seed(3)
        rng = np.random.default_rng(1)
        results.append([function(np.ones(3), rng)._data for _ in range(4)])
        results[-1].append(function(np.ones(3), np.random.default_rng(2))._data)
        scg.seed(4)
        results[-1].append(function(np.ones(3), rng)._data)
    np.testing.assert_array_equal(*results)


def test_a_source_of_the_users_own_is_asked_again():
    results = []
    for wrap in (lambda f: f, debug):
        source = scg.noise.AntitheticSource(5)
        f = wrap(lambda x: x + scg.Normal(0.0, 1.0).sample(4, rng=source))  # noqa: B023
        results.append([f(np.zeros(4))._data for _ in range(4)])
    np.testing.assert_array_equal(*results)
    assert not np.array_equal(results[0][0], results[0][3])


def test_a_generator_that_is_captured_and_passed_is_refused():
    rng = np.random.default_rng(0)
    f = debug(
        lambda own: scg.Normal(0.0, 1.0).sample(rng=rng) + scg.Normal(0.0, 1.0).sample(rng=own)
    )
    with pytest.raises(TraceError, match="is used past it too"):
        f(rng)


def test_a_captured_generator_does_not_follow_the_argument():
    results = []
    for wrap in (lambda f: f, debug):
        rng, other = np.random.default_rng(1), np.random.default_rng(2)
        f = wrap(
            lambda a, b: (
                scg.Normal(0.0, 1.0).sample(rng=rng) + 2.0 * scg.Normal(0.0, 1.0).sample(rng=a)  # noqa: B023
                + 4.0 * scg.Normal(0.0, 1.0).sample(rng=b)
            )
        )  # fmt: skip
        results.append([float(f(other, other)._data) for _ in range(4)])
        results[-1].append(float(f(rng, rng)._data))
        results[-1].append(other.random())
    assert results[0] == results[1]


# --- runs, gradients, provenance -------------------------------------------------------------


def coin_step():
    a = scg.parameter(0.3)
    return a, lambda: (scg.Bernoulli(logits=a).sample() - 0.45) ** 2


def test_a_step_ends_the_run_around_it():
    a, loss = coin_step()
    optimizer = scg.optim.SGD([a], lr=0.1)

    @debug
    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    for drawn in (True, True, True, False, True):
        if drawn:
            scg.Normal(a, 1.0).sample()
        before, updates = scg._run.current_run(), scg._run._updates[0]
        step()
        assert before.updated is drawn
        assert scg._run._updates[0] > updates
        assert scg._run.current_run().updates == scg._run._updates[0]
    assert optimizer.steps == a.version == 5


def test_gradients_accumulate_over_calls():
    w = scg.parameter([1.0, 2.0])
    f = debug(lambda x: (w * x).sum().backward())
    for n in range(1, 6):
        f(np.array([1.0, 10.0]))
        np.testing.assert_array_equal(w.grad, n * np.array([1.0, 10.0]))


def test_an_optimiser_outside_uses_the_gradients():
    w = scg.parameter(np.ones(2))
    optimizer = scg.optim.Adam([w], lr=0.1)

    @debug
    def backward(x):
        optimizer.zero_grad()
        ((w - x) ** 2).sum().backward()

    reference = scg.parameter(np.ones(2))
    other = scg.optim.Adam([reference], lr=0.1)
    for k in range(5):
        x = np.array([0.0, float(k)])
        backward(x)
        optimizer.step()
        other.zero_grad()
        ((reference - x) ** 2).sum().backward()
        other.step()
    np.testing.assert_allclose(scg.peek(w), scg.peek(reference), rtol=1e-14)


def test_a_schedule_and_a_changed_rate_are_followed():
    values = []
    for wrap in (lambda f: f, debug):
        w = scg.parameter(1.0)
        optimizer = scg.optim.SGD([w], lr=lambda n: 0.1 / (1 + n))

        @wrap
        def step():
            optimizer.zero_grad()  # noqa: B023
            (w * w).backward()  # noqa: B023
            optimizer.step()  # noqa: B023

        for _ in range(4):
            step()
        optimizer.lr = 0.5
        step()
        values.append(float(w))
    assert values[0] == values[1]


def test_tags_are_those_of_eager_mode():
    a, _ = coin_step()

    @debug
    def step():
        a.zero_grad()
        b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.GumbelSoftmax(0.5))
        (b * 2.0).backward()

    for _ in range(4):
        a.zero_grad()
        step()
        assert {tag.kind for tag in a.tags} == {"BIASED"}
    with scg.strict(), pytest.raises(BiasedGradientError):
        step()


def test_a_result_has_no_gradient_and_says_so():
    w = scg.parameter(2.0)
    f = debug(lambda x: w * x)
    for out in thrice(f, np.array(1.0)):
        with pytest.raises(GradientError, match="came out of a compiled function"):
            out.backward()
        (w * out).backward()
        assert [tag.reason for tag in w.tags] == ["detach"]
        w.zero_grad()


def test_noise_from_a_compiled_function_still_is_noise():
    p = scg.parameter(0.4)
    f = debug(lambda x: scg.Uniform(0.0, 1.0).sample() * x)
    for u in thrice(f, np.array(1.0)):
        with pytest.raises(BiasedGradientError):
            ((u < p) * 1.0 + 0.0 * p).backward()
        scg._run.fresh_run()


def test_results_may_be_arguments():
    w = scg.parameter(0.5)
    f = debug(lambda h: scg.tanh(h * w))
    h = np.array(1.0)
    for _ in range(5):
        h = f(h)
    assert traces(f) <= 2
    expected = 1.0
    for _ in range(5):
        expected = np.tanh(expected * 0.5)
    assert float(h._data) == pytest.approx(expected, rel=1e-15)


def test_a_tracked_argument_makes_it_part_of_the_graph():
    w = scg.parameter(2.0)
    f = debug(lambda x: x * x * 3.0)
    f(np.array(1.0))
    y = f(w * 1.0)
    y.backward()
    assert float(w.grad) == 12.0


def test_a_call_within_a_run_with_reads_is_not_compiled():
    """An unmarked cost made inside would depend on what was read outside."""
    a = scg.parameter(0.0)
    penalty = debug(lambda x: (scg.exp(a) * x).sum().backward())
    seed = next(n for n in range(99) if np.random.default_rng(n).random() < 0.5)
    coin = scg.Bernoulli(logits=a).sample(rng=seed)
    assert coin
    with pytest.warns(scg.errors.EscapeWarning):
        penalty(np.array(2.0))
    assert float(a.grad) == 2.0 + 0.5 * 2.0  # its own slope, and the score of the coin
    assert traces(penalty) == 0


def test_a_compiled_function_inside_another_is_a_part_of_it():
    inner = debug(lambda x: x + scg.Normal(0.0, 1.0).sample())
    outer = debug(lambda x: inner(x) * 2.0)
    thrice(outer, np.array(1.0))
    assert traces(inner) == 0


def test_no_grad_is_another_signature():
    w = scg.parameter(2.0)
    f = debug(lambda x: (w * x).requires_grad)
    assert f(np.array(1.0)) is True
    with scg.no_grad():
        assert f(np.array(1.0)) is False


def test_a_source_in_use_is_asked():
    f = debug(lambda x: x + scg.Normal(0.0, 1.0).sample(4))
    thrice(f, np.zeros(4))
    with scg.noise.using(scg.noise.AntitheticSource(0)):
        x = f(np.zeros(4))
    np.testing.assert_array_equal(x._data[:2], -x._data[2:])


def test_exact_expectations_see_every_draw():
    f = debug(lambda a: (scg.Bernoulli(logits=a).sample() - 0.45) ** 2)
    scg.testing.check_unbiased(f, 0.3)
    assert traces(f) == 0


def test_episodes_around_and_inside():
    _, loss = coin_step()
    step = debug(lambda: loss().backward())
    for _ in range(4):
        with scg.episode():
            step()
    assert traces(step) == 2  # without a gradient and with one


def test_a_marked_cost_that_no_backward_reaches_is_told():
    a, _ = coin_step()
    f = debug(lambda: scg.cost(scg.Bernoulli(logits=a).sample() * 1.0))
    with pytest.raises(GradientError, match="marked a cost that no backward"):
        f()


# --- failures and threads --------------------------------------------------------------------


def test_a_failing_call_leaves_the_state():
    w = scg.parameter([1.0, 1.0])
    optimizer = scg.optim.Adam([w], check_finite=True)

    @debug
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w * 1.0

    thrice(step, np.ones(2))
    before = np.array(scg.peek(w)), optimizer.steps, w.version, w.grad
    with pytest.raises(NonFiniteError, match="Adam: 1 of 2 gradient elements"):
        step(np.array([1.0, np.inf]))
    np.testing.assert_array_equal(scg.peek(w), before[0])
    assert (optimizer.steps, w.version) == before[1:3]
    step(np.ones(2))
    assert optimizer.steps == before[1] + 1


def test_a_trace_that_fails_leaves_nothing():
    calls = []

    def f(x):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("once")
        return x

    g = debug(f)
    with pytest.raises(KeyError):
        g(np.ones(1))
    assert len(thrice(g, np.ones(1))) == 3
    assert not scg._recording.ACTIVE


def test_concurrent_calls_trace_once_and_agree():
    w = scg.parameter(np.ones(5))
    f = debug(lambda x: scg.tanh(w * x).sum())
    results, ready = {}, threading.Barrier(8)

    def call(n):
        ready.wait()
        results[n] = [float(f(np.full(5, float(n)))._data) for _ in range(20)]

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert traces(f) == 1
    for n in range(8):
        assert results[n] == [pytest.approx(5 * np.tanh(n), rel=1e-14)] * 20


def test_another_thread_is_not_recorded():
    inside, done = threading.Event(), threading.Event()
    sums = []

    def eager():
        inside.wait()
        sums.append(float(scg.tensor(1.0) + 2.0))
        done.set()

    thread = threading.Thread(target=eager)
    thread.start()

    @debug
    def f(x):
        inside.set()
        done.wait()
        return x * 2.0

    f(np.array(1.0))
    thread.join()
    (entry,) = f._entries.values()
    assert sums == [3.0]
    assert len(entry.plans[0].program.instructions) == 3  # the argument, 2.0 and the product


def test_what_an_op_of_the_users_own_decides_is_decided_at_every_call():
    @scg.op(smooth="jump")
    def larger(x):
        return x if x > 1 else (scg.tensor(x) * 0.0 + 5.0)._data

    f = debug(lambda x: larger(x) + 0.0)
    assert [float(f(np.array(v))._data) for v in (0.5, 2.0, 0.5, 3.0)] == [5.0, 2.0, 5.0, 3.0]


def test_a_function_may_call_itself_from_its_own_program():
    @scg.op(smooth="smooth", axes="elementwise", vjp=lambda g, y, x: g)
    def again(x):
        return x if float(x) > 3 else f(x + 1.0)._data

    def one_at_a_time(program):
        run, busy = interpreter(program), []

        def checked(arrays):
            assert not busy, "a plan has one memory"
            busy.append(1)
            results = run(arrays)
            busy.pop()
            return results

        return checked

    f = Compiled(lambda x: again(x), (), (), one_at_a_time)
    assert [float(r._data) for r in thrice(f, np.array(0.0))] == [4.0] * 3


@pytest.mark.parametrize("calls", [1, 4])
def test_what_python_decides_by_a_draw_inside_is_refused_outside(calls):
    """Nobody has the score of that draw; looking at it, or a surrogate of one's own, is free."""
    q = scg.parameter(0.4)
    act = scg.jit(lambda x: scg.Bernoulli(logits=q + x).sample(), check=False)
    for _ in range(calls):
        drawn = act(np.array(0.1))
    q.zero_grad()
    scg.peek(drawn)
    (2.0 * q).backward()
    factor = 3.0 if drawn else 1.0
    (factor * q).backward(of="value")
    with pytest.raises(scg.BiasedGradientError, match=r"bool\(\) at .* inside the compiled"):
        (factor * q).backward()
    q.zero_grad()
    (2.0 * q).backward()
    assert q.grad == 2.0


@pytest.mark.parametrize("clears", [1, 2])
@pytest.mark.parametrize("chosen", ["formed", "among parts formed before"])
def test_zero_grad_does_not_make_a_loss_that_such_a_draw_decided_forget_it(chosen, clears):
    """Forward, zero_grad, backward: the loss was formed before, and the draw has no score here."""
    q = scg.parameter(0.4)
    act = scg.jit(lambda x: scg.Bernoulli(logits=q + x).sample(), check=False)
    parts = 3.0 * q, scg.exp(q)
    drawn = act(np.array(0.1))
    if chosen == "formed":
        loss = 3.0 * q if drawn else scg.exp(q)
    else:
        loss = parts[0] if drawn else parts[1]
    for _ in range(clears):
        q.zero_grad()
    with pytest.raises(scg.BiasedGradientError, match=r"bool\(\) at .* inside the compiled"):
        loss.backward()
    scg.exp(q).backward()  # formed after it
    assert q.grad == np.exp(0.4)


def test_a_loss_of_the_next_iteration_is_not_asked_for_what_an_evaluation_read():
    q = scg.parameter(0.4)
    optimizer = scg.optim.SGD([q], lr=0.1)
    evaluate = scg.jit(lambda x: (scg.Bernoulli(logits=q + x).sample() - 0.4) ** 2)
    for _ in range(3):
        optimizer.zero_grad()
        (2.0 * q).backward()
        optimizer.step()
        float(evaluate(np.array(0.1)))
    optimizer.zero_grad()
    other = scg.parameter(1.0)
    scg.optim.SGD([other], lr=0.1).step()
    assert scg._run.current_run().cleared is None


def test_what_an_updating_step_returns_may_be_read():
    """Its draws are past: the parameters have moved on."""
    q = scg.parameter(0.4)
    optimizer = scg.optim.SGD([q], lr=0.1)

    @scg.jit
    def step(x):
        optimizer.zero_grad()
        loss = (scg.Bernoulli(logits=q + x).sample() - 0.4) ** 2
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        assert float(step(np.array(0.1))) > 0
        (2.0 * q).backward()
