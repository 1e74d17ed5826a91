"""A plan computes what the ops of its program compute."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import scg
from scg._compile._fuse import Region
from scg._compile._native import Plan, native
from scg._compile._work import Call
from scg.kernels import _jit, execute
from tests.compile.writer import DRAWS, Writer, assert_means, compare, numbers, programs


# An op compiles its kernels when it is first called, while the program is written.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_a_plan_equals_the_ops(case):
    compare(*case)


def regions(plan):
    return [step for step in plan.steps if isinstance(step, Region)]


# --- fusion ----------------------------------------------------------------------------------


def test_a_chain_with_its_reductions_is_one_region():
    w = Writer()
    x, b = w.argument(0, (30, 40)), w.argument(1, (40,))
    e = w.exp(w.add(x, b))
    p = w.divide(e, w.sum(e, axis=1, keepdims=True))
    w.program.results = [p, w.sum(w.log(p), axis=-1)]
    plan = compare(w.program, [numbers(30, 40), numbers(40)])
    assert len(plan.steps) == 1


def test_a_few_numbers_are_one_region_to_the_end():
    w = Writer()
    x = w.argument(0, (3,), np.float64)
    loss = w.mean(w.square(x))
    w.program.results = [w.negative(loss), w.multiply(loss, w.constant(2.0))]
    plan = compare(w.program, [numbers(3, dtype=np.float64)])
    assert len(plan.steps) == 1


def test_columns_and_rows_are_summed_in_regions_of_their_own():
    w = Writer()
    x = w.argument(0, (60, 80))
    y = w.tanh(x)
    w.program.results = [w.sum(y, axis=0), w.sum(y, axis=1)]
    assert len(compare(w.program, [numbers(60, 80)]).steps) == 2


def test_views_are_no_work():
    w = Writer()
    x = w.argument(0, (6, 8))
    y = w.transpose(
        w.reshape(w.getitem(x, index=(slice(1, 5), slice(None, None, 2))), shape=(4, 4))
    )
    w.program.results = [y, w.broadcast_to(w.getitem(x, index=(0,)), shape=(3, 8))]
    plan = native(w.program)
    array = numbers(6, 8)
    ours = plan([array])
    np.testing.assert_array_equal(ours[0], array[1:5, ::2].T)
    np.testing.assert_array_equal(ours[1], np.broadcast_to(array[0], (3, 8)))
    assert not plan.steps or len(plan.steps) == 1  # one copy: the slice cannot be reshaped in place


def test_what_nobody_reads_is_not_done():
    w = Writer()
    x = w.argument(0, (5,))
    w.sin(w.exp(x))
    w.program.results = [w.negative(x)]
    assert len(compare(w.program, [numbers(5)]).steps) == 1


def test_an_op_without_a_rule_is_called():
    w = Writer()
    x = w.argument(0, (4, 4), np.float64)
    w.program.results = [w.exp(w.cholesky(w.add(w.square(x), w.constant(np.eye(4) * 99))))]
    array = numbers(4, 4, dtype=np.float64)
    plan = compare(w.program, [array + array.T])
    assert [type(step) for step in plan.steps] == [Region, Call, Region]


# --- sizes and dtypes ------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("kind", ["sum", "max", "mean"])
def test_long_reductions_are_cut_into_segments(axis, kind):
    w = Writer()
    shape = (3, 20_000) if axis == 1 else (5_000, 7)
    x = w.argument(0, shape)
    w.program.results = [getattr(w, kind)(w.exp(x), axis=axis)]
    array = numbers(*shape)
    (ours,) = native(w.program)([array])
    theirs = getattr(np, kind)(np.exp(array).astype(np.float64), axis=axis)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "uint8"])
def test_integers_and_truths(dtype):
    w = Writer()
    x, y = (w.argument(i, (9, 5), dtype) for i in range(2))
    w.program.results = [
        w.where(w.equal(x, y), x, y), w.sum(x, axis=0), w.any(x, axis=1), w.all(y), w.mean(y),
        w.astype(x, dtype="float32"), w.logical_and(x, y), w.multiply(x, y), w.not_equal(x, y),
    ]  # fmt: skip
    arrays = [np.random.default_rng(i).integers(0, 3, (9, 5)).astype(dtype) for i in range(2)]
    compare(w.program, arrays)


def test_numbers_become_integers_as_in_numpy():
    w = Writer()
    x = w.argument(0, (9,), np.float64)
    w.program.results = [w.astype(x, dtype=d) for d in ("int64", "int32", "bool")]
    array = np.array([1.9, -1.9, 0.0, -0.0, 1e9, -1e9, 0.5, 7.0, -2.5])
    for ours, dtype in zip(native(w.program)([array]), ("int64", "int32", "bool"), strict=True):
        np.testing.assert_array_equal(ours, array.astype(dtype))


SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 1e-40, 3e38], np.float32)


@pytest.mark.parametrize(
    "name", ["relu", "abs", "exp", "negative", "sqrt", "log", "tanh", "log1p", "square"]
)
def test_special_numbers_are_those_of_the_op(name):
    w = Writer()
    w.program.results = [getattr(w, name)(w.argument(0, SPECIAL.shape))]
    (ours,) = native(w.program)([SPECIAL])
    with np.errstate(all="ignore"):
        theirs = scg._op.OPS[name].forward(SPECIAL)
    known = ~np.isnan(theirs)  # the sign of a NaN means nothing
    np.testing.assert_array_equal(np.signbit(ours)[known], np.signbit(theirs)[known])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_sums_and_extrema_keep_special_numbers():
    w = Writer()
    x = w.argument(0, (2, 40))
    w.program.results = [w.sum(x, axis=1), w.max(x, axis=1), w.min(x, axis=0)]
    array = numbers(2, 40)
    array[0, 17], array[1] = np.nan, -0.0
    ours = native(w.program)([array])
    np.testing.assert_array_equal(ours[0], [np.nan, -0.0])
    assert np.signbit(ours[0][1])
    np.testing.assert_array_equal(ours[1], array.max(1))
    np.testing.assert_array_equal(ours[2], array.min(0))


def test_empty_arrays_are_left_to_the_ops():
    w = Writer()
    x = w.argument(0, (0, 3))
    w.program.results = [w.sum(w.exp(x), axis=0), w.exp(x)]
    zero, empty = native(w.program)([numbers(0, 3)])
    np.testing.assert_array_equal(zero, np.zeros(3))
    assert empty.shape == (0, 3)


# --- products --------------------------------------------------------------------------------


def test_noise_is_drawn_in_order_and_bitwise():
    rng = np.random.default_rng(3)
    w = Writer()
    asked = [
        ("normal", (4, 3), np.float32), ("uniform", (), np.float64), ("normal", (2,), np.float64),
        ("exponential", (3,), np.float32),
    ]  # fmt: skip
    draws = [w.noise(kind, shape, dtype, lambda: rng) for kind, shape, dtype in asked]
    w.program.results = draws
    plan, same = native(w.program), np.random.default_rng(3)
    for _ in range(2):
        ours = plan([])
        theirs = [getattr(same, DRAWS[kind])(shape, dtype) for kind, shape, dtype in asked]
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_noise_waits_for_python_that_may_draw_too():
    rng = np.random.default_rng(5)
    w = Writer()
    first = w.noise("normal", (2,), np.float64, lambda: rng)
    between = w.host(lambda x: (rng.standard_normal(2) + 0 * x,), [first], (2,), np.float64)
    w.program.results = [first, between, w.noise("normal", (2,), np.float64, lambda: rng)]
    ours, same = native(w.program)([]), np.random.default_rng(5)
    for array in ours:
        np.testing.assert_array_equal(array, same.standard_normal(2))


def test_python_in_the_middle_sees_and_gives_arrays():
    w = Writer()
    x = w.argument(0, (3, 2))
    y = w.host(lambda a: (a[::-1] * 2,), [w.transpose(w.exp(x))], (2, 3), np.float32)
    w.program.results = [w.negative(y)]
    compare(w.program, [numbers(3, 2)])


@pytest.mark.parametrize("size", [3, 100])
def test_results_are_the_callers_own(size):
    w = Writer()
    x = w.argument(0, (size, size))
    y, z = w.exp(x), w.matmul(x, x)
    w.program.results = [x, y, y, z, w.relu(z), w.transpose(w.negative(y))]
    plan, array = native(w.program), numbers(size, size)
    first = plan([array])
    kept = [a.copy() for a in first]
    second = plan([array + 1])
    np.testing.assert_array_equal(first[0], array)
    np.testing.assert_array_equal(first[1], first[2])
    assert_means(w.program, [array], first)
    for before, now in zip(kept, first, strict=True):
        np.testing.assert_array_equal(before, now)
    everything = [*first, *second, array]
    assert not any(np.shares_memory(a, b) for a, b in combinations(everything, 2))


def test_tasks_write_large_results_where_the_caller_finds_them():
    w = Writer()
    x = w.argument(0, (200, 300))
    w.program.results = [x, w.exp(x), w.matmul(w.transpose(x), x)]
    plan = compare(w.program, [numbers(200, 300)])
    assert plan.nbytes < 1000


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_transposed_results_lie_as_what_they_were_computed_from(axes):
    w = Writer()
    x = w.argument(0, (20, 30, 40))
    y = w.transpose(w.exp(x), axes=axes)
    w.program.results = [y, w.transpose(x, axes=axes), w.getitem(w.negative(x), index=(3, 4))]
    array = numbers(20, 30, 40)
    plan = compare(w.program, [array])
    first, second = plan([array]), plan([array + 1])
    np.testing.assert_array_equal(first[1], array.transpose(axes))
    assert first[0].strides == first[1].strides == array.transpose(axes).strides
    assert not np.shares_memory(first[0], second[0])


def test_an_argument_that_is_a_gradient_is_returned_as_it_was():
    p = scg.parameter(numbers(100, 100))
    w = Writer()
    x = w.argument(0, (100, 100))
    w.program.gradients = {p: w.square(w.parameter(p))}
    w.program.results = [x]
    plan = native(w.program)
    plan([numbers(100, 100)])
    before = p.grad.copy()
    p._data = numbers(100, 100, seed=1)
    np.testing.assert_array_equal(plan([p.grad])[0], before)


def test_a_large_argument_is_read_where_it_is():
    w = Writer()
    x = w.argument(0, (200, 300))
    w.program.results = [w.sum(w.square(x))]
    plan = native(w.program)
    assert plan.nbytes < 100_000
    for seed in range(2):
        array = numbers(200, 300, seed=seed)
        np.testing.assert_allclose(plan([array])[0], np.sum(array.astype(float) ** 2), rtol=1e-6)


@pytest.mark.parametrize("size", [8, 200])
def test_an_argument_may_be_what_the_call_writes(size):
    p = scg.parameter(numbers(size, size))
    optimizer = scg.optim.SGD([p], lr=0.5)
    w = Writer()
    x, y = w.argument(0, (size, size)), w.argument(1, (size, size))
    gradient = w.square(x)
    w.update(optimizer, [p], [gradient])
    w.program.gradients = {p: gradient}
    w.program.results = [w.sum(w.multiply(w.matmul(x, gradient), w.parameter(p))), w.sum(y)]
    plan = native(w.program)
    plan([numbers(size, size, seed=1), numbers(size, size)])
    for _ in range(2):
        old, rate = p.grad.copy(), np.float32(0.5)
        start = scg.peek(p).copy()
        total, total_before = plan([p.grad, scg.peek(p)])
        after = start - rate * old**2
        np.testing.assert_allclose(total, np.sum((old @ old**2) * after), rtol=1e-3)
        np.testing.assert_allclose(total_before, start.sum(dtype=float), rtol=1e-4)
        p._data = numbers(size, size)
        p.grad = None
        plan([numbers(size, size, seed=1), numbers(size, size)])


def test_a_strided_parameter_is_read_as_it_is():
    p = scg.parameter(np.ones((3, 4)))
    w = Writer()
    w.program.results = [w.square(w.parameter(p))]
    p._data = np.arange(12.0).reshape(4, 3).T
    np.testing.assert_array_equal(native(w.program)([])[0], p._data**2)


def test_one_thread_and_several_give_the_same_bits(monkeypatch):
    w = Writer()
    x, v = w.argument(0, (400, 300)), w.argument(1, (300, 500))
    y = w.relu(w.matmul(x, v))
    p = w.softmax(w.tanh(y), axis=1)
    w.program.results = [w.sum(p, axis=0), w.mean(w.exp(y)), p, w.matmul(w.transpose(y), p)]
    plan, arguments = native(w.program), [numbers(400, 300) / 9, numbers(300, 500) / 9]
    monkeypatch.setenv("SCG_YIELD", "0")
    monkeypatch.setattr(_jit, "_last_look", [float("-inf"), 0.0])
    several = plan(arguments)
    monkeypatch.setattr(execute, "threads", lambda: 1)
    for a, b in zip(several, plan(arguments), strict=True):
        np.testing.assert_array_equal(a, b)


def test_memory_is_used_again():
    w = Writer()
    x = w.argument(0, (64, 64), np.float64)
    for _ in range(20):
        x = w.matmul(x, x)
    w.program.results = [x]
    assert native(w.program).nbytes <= 3 * 64 * 64 * 8 + 3 * 64


def test_a_plan_without_generated_loops_computes_the_same():
    w = Writer()
    x = w.argument(0, (4, 5), np.float64)
    w.program.results = [w.softmax(w.transpose(w.exp(x)), axis=0), w.sum(x, axis=1)]
    array = numbers(4, 5, dtype=np.float64)
    assert_means(w.program, [array], Plan(w.program, loops=False)([array]))


# --- indices ---------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [1, 3, 40])
def test_one_index_per_row_is_looked_up_and_written(classes):
    w = Writer()
    x, i = w.argument(0, (30, classes)), w.argument(1, (30, 1), np.int64)
    w._examples[i][:] = 0
    taken = w.take_along_axis(w.log_softmax(x), i, axis=1)
    w.program.results = [taken, w.scatter_along_axis(taken, i, shape=(30, classes), axis=1)]
    index = np.random.default_rng(1).integers(-classes, classes, (30, 1))
    plan = compare(w.program, [numbers(30, classes), index])
    assert any(isinstance(s, Call) and s.name == "take_along_axis" for s in plan.steps) == (
        classes > 16
    )


def test_an_index_that_is_not_there_raises_what_the_op_raises():
    w = Writer()
    x, i = w.argument(0, (4, 3)), w.argument(1, (4, 1), np.int64)
    w._examples[i][:] = 0
    w.program.results = [
        w.take_along_axis(x, i, axis=1),
        w.one_hot(w.reshape(i, shape=4), num_classes=3),
    ]
    plan, index = native(w.program), np.array([[0], [2], [1], [0]])
    plan([numbers(4, 3), index])
    with pytest.raises(scg.errors.ShapeError, match="take_along_axis"):
        plan([numbers(4, 3), index + 1])
    with pytest.raises(scg.errors.ShapeError, match="one_hot"):
        plan([numbers(4, 3), index - 1])


def test_classes_are_hot_and_parts_are_stacked():
    w = Writer()
    i = w.argument(0, (5,), np.int64)
    w._examples[i][:] = 0
    hot = w.one_hot(i, num_classes=4, dtype=np.float32)
    w.program.results = [w.stack(hot, w.negative(hot), axis=1), w.stack(i, i, axis=-1)]
    compare(w.program, [np.array([0, 3, 1, 1, 2])])
