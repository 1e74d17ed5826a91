"""A plan computes what the ops of its program compute."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import scg
from scg._compile._fuse import Region
from scg._compile._interpreter import interpreter
from scg._compile._jit import Compiled
from scg._compile._native import Plan, native
from scg._compile._work import Call, Product
from scg.errors import NonFiniteError, OptionError
from scg.kernels import _jit, execute
from tests.compile.writer import DRAWS, Writer, assert_means, programs


def compare(program, arguments):
    """Compile, call twice (the second call finds what the first left), and compare."""
    plan = native(program)
    plan(arguments)
    with np.errstate(all="ignore"):
        assert_means(program, arguments, plan(arguments))
    return plan


# An op compiles its kernels when it is first called, while the program is written.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_a_plan_equals_the_ops(case):
    compare(*case)


def regions(plan):
    return [step for step in plan.steps if isinstance(step, Region)]


def numbers(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


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


def test_a_product_reads_transposes_and_slices_where_they_are():
    w = Writer()
    x, y, c = w.argument(0, (30, 20)), w.argument(1, (25, 60)), w.argument(2, (25,))
    part = w.getitem(y, index=(slice(None), slice(0, 60, 2)))
    w.program.results = [w.matmul(w.transpose(x), w.transpose(part)), w.linear(w.transpose(x),
                         w.transpose(part), c)]  # fmt: skip
    plan = compare(w.program, [numbers(30, 20), numbers(25, 60), numbers(25)])
    assert {type(step) for step in plan.steps} == {Product}


BATCHES = [
    ((3, 4, 5), (5, 6)), ((3, 4, 5), (3, 5, 6)), ((4, 5), (3, 5, 6)), ((2, 3, 4, 5), (5, 2)),
    ((2, 3, 4, 5), (3, 5, 2)), ((3, 1, 5), (5, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", BATCHES)
def test_matrices_in_a_batch(shapes):
    w = Writer()
    a, b = (w.argument(i, shape) for i, shape in enumerate(shapes))
    w.program.results = [w.exp(w.matmul(a, b))]
    if len(shapes[1]) == 2:
        c = w.constant(numbers(shapes[1][1], seed=5))
        w.program.results.append(w.linear(w.flip(a, axis=0), b, c))
    compare(w.program, [numbers(*shape, seed=i) for i, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    "shapes", [((7,), (7,)), ((1, 9), (9, 50)), ((40, 9), (9, 1)), ((9,), (9, 4))]
)
def test_a_product_with_a_vector_is_a_loop(shapes):
    w = Writer()
    a, b = (w.argument(i, shape) for i, shape in enumerate(shapes))
    w.program.results = [w.relu(w.matmul(a, b))]
    plan = compare(w.program, [numbers(*shape, seed=i) for i, shape in enumerate(shapes)])
    assert {type(step) for step in plan.steps} == {Region}


def test_a_layer_is_a_product_and_its_derivative_one_region():
    w = Writer()
    x, v, b = w.argument(0, (30, 20)), w.argument(1, (20, 40)), w.argument(2, (40,))
    y = w.relu(w.linear(x, v, b))
    zero = w.constant(np.float32(0))
    g = w.where(w.greater(y, zero), w.multiply(y, y), zero)
    w.program.results = [g, w.sum(g, axis=0)]
    plan = compare(w.program, [numbers(30, 20), numbers(20, 40), numbers(40)])
    assert [type(step) for step in plan.steps] == [Product, Region]


def test_a_relu_whose_argument_is_read_too_is_not_taken_into_the_product():
    w = Writer()
    x = w.argument(0, (30, 20))
    y = w.matmul(x, w.transpose(x))
    w.program.results = [w.relu(y), y]
    compare(w.program, [numbers(30, 20)])


# --- calls -----------------------------------------------------------------------------------


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


def test_gradients_are_set_and_their_memory_written_again():
    p, q = scg.parameter(np.ones(4)), scg.parameter(np.ones(2))
    w = Writer()
    x = w.argument(0, (4,), np.float64)
    grad = w.multiply(x, w.parameter(p))
    w.program.gradients = {p: grad, q: None}
    w.program.results = [grad]
    plan = native(w.program)
    q.grad = np.ones(2)
    plan([np.arange(4.0)])
    np.testing.assert_array_equal(np.array(p.grad), np.arange(4.0))
    assert q.grad is None
    plan([np.full(4, 2.0)])
    np.testing.assert_array_equal(np.array(p.grad), np.full(4, 2.0))


def test_a_gradient_from_before_is_read():
    p = scg.parameter(np.ones(3))
    w = Writer()
    w.program.gradients = {p: w.add(w.gradient(p), w.argument(0, (3,), np.float64))}
    plan = native(w.program)
    p.grad = np.full(3, 5.0)
    for total in (6.0, 7.0):
        plan([np.ones(3)])
        np.testing.assert_array_equal(np.array(p.grad), np.full(3, total))


def test_a_parameter_that_was_given_another_array_is_followed():
    p = scg.parameter(np.arange(3.0))
    w = Writer()
    w.program.results = [w.square(w.parameter(p))]
    plan = native(w.program)
    plan([])
    p._data = np.array([5.0, 6.0, 7.0])
    np.testing.assert_array_equal(plan([])[0], [25.0, 36.0, 49.0])


OPTIMIZERS = {
    "SGD": lambda ps: scg.optim.SGD(ps, lr=lambda n: 0.1 / (n + 1)),
    "Momentum": lambda ps: scg.optim.Momentum(ps, lr=0.1, nesterov=True),
    "Adam": lambda ps: scg.optim.Adam(ps, lr=0.1, weight_decay=0.01),
}


def trained(make, loops=True, steps=3):
    """Return parameters, state and counts after compiled steps, and after ordinary ones."""
    results = []
    for compiled in (True, False):
        p, q = scg.parameter(numbers(40, 9)), scg.parameter(numbers(7, dtype=np.float64))
        optimizer = make([p, q])
        w = Writer()
        a, b = w.parameter(p), w.parameter(q)
        gradients = [w.square(a), w.multiply(b, w.argument(0, (), np.float64))]
        w.update(optimizer, (p, q), gradients)
        w.program.results = [a, w.sum(w.parameter(p))]
        w.program.gradients = dict(zip((p, q), gradients, strict=True))
        plan = Plan(w.program, loops=loops)
        for n in range(steps):
            number = np.array(n + 1.0)
            if compiled:
                before = scg.peek(p).copy()
                old, total = plan([number])
                np.testing.assert_array_equal(old, before)
                np.testing.assert_allclose(total, scg.peek(p).sum(), rtol=1e-4)
            else:
                p.grad, q.grad = scg.peek(p) ** 2, scg.peek(q) * number
                optimizer.step()
        state = [a for s in optimizer._state.values() for a in s.values()]
        counts = [optimizer.steps, *optimizer._updates.values(), p._node.version, q._node.version]
        results.append(([scg.peek(p), scg.peek(q), *state], counts))
    return results


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_updates_are_those_of_the_optimizer(name, loops):
    (ours, counts), (theirs, expected) = trained(OPTIMIZERS[name], loops)
    assert counts == expected
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def native_jit(function):
    return Compiled(function, (), (), native, check=False)


def scheduled(make, wrap, calls):
    """Return parameters and counts after calls that update the parameters one after the other."""
    p, q = scg.parameter(numbers(5)), scg.parameter(numbers(3, seed=1))
    updates = make(p, q)
    distinct = list(dict.fromkeys(updates))

    def step(x):
        for o in distinct:
            o.zero_grad()
        ((p * x) ** 2).sum().backward()
        ((q * x) ** 2).sum().backward()
        for o in updates:
            o.step()
        return (p * x).sum()

    compiled = wrap(step)
    for number in range(4):
        calls(number, distinct)
        compiled(scg.as_tensor(np.float32(0.5)))
    counts = [(o.steps, list(o._updates.values())) for o in distinct]
    return [scg.peek(p).copy(), scg.peek(q).copy()], counts


def on_the_others_steps(p, q):
    first = scg.optim.SGD([p], lr=0.1)
    return [first, scg.optim.SGD([q], lr=lambda n: 0.1 / (1 + first.steps))]


SCHEDULES = {
    "the same twice": lambda p, q: [scg.optim.Adam([p, q], lr=lambda n: 0.1 / (1 + n))] * 2,
    "another's steps": on_the_others_steps,
    "a number twice": lambda p, q: [scg.optim.Adam([p, q], lr=0.1)] * 2,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_sees_the_updates_before(name):
    nothing = lambda number, optimizers: None  # noqa: E731
    ours = scheduled(SCHEDULES[name], native_jit, nothing)
    theirs = scheduled(SCHEDULES[name], lambda f: f, nothing)
    assert ours[1] == theirs[1]
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_rate_may_become_a_schedule():
    def calls(number, optimizers):
        if number == 2:
            optimizers[0].lr = lambda n: 0.1 / (1 + n)

    make = SCHEDULES["a number twice"]
    ours, theirs = scheduled(make, native_jit, calls), scheduled(make, lambda f: f, calls)
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_schedule_that_raises_leaves_what_came_before_it():
    results = []
    for wrap in (native_jit, lambda f: f):
        p, q = scg.parameter(numbers(5)), scg.parameter(numbers(5))
        rates = [0.1, 0.1, 0.1, -1.0]
        first = scg.optim.Adam([p], lr=0.1)
        second = scg.optim.Adam([q], lr=lambda n: rates[n])  # noqa: B023

        @wrap
        def step(x):
            ((p * q - x) ** 2).sum().backward()  # noqa: B023
            first.step()  # noqa: B023
            second.step()  # noqa: B023

        for _ in range(3):
            step(scg.as_tensor(np.float32(1.0)))
        with pytest.raises(OptionError, match="from its schedule, at step 3"):
            step(scg.as_tensor(np.float32(1.0)))
        counts = [(o.steps, list(o._updates.values())) for o in (first, second)]
        results.append((scg.peek(p), scg.peek(q), np.array(p.grad), counts))
        first.load_state(*first.state())
    (*ours, counts), (*theirs, expected) = results
    assert counts == expected == [(4, [4]), (3, [3])]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


SLOPES = {
    "of a chain": lambda p, x: ((p * x) ** 2).sum(),
    "transposed": lambda p, x: (x[:, 0] @ p.T).sum() + (p.T @ x).sum(),
    "the argument": lambda p, x: (p * x).sum(),
}


@pytest.mark.parametrize("executor", [native, interpreter])
@pytest.mark.parametrize("name", SLOPES)
def test_gradients_that_an_optimiser_refuses_are_there_to_be_seen(name, executor):
    p = scg.parameter(numbers(4, 4))
    optimizer = scg.optim.SGD([p], lr=0.1, check_finite=True)

    def step(x):
        optimizer.zero_grad()
        SLOPES[name](p, x).backward()
        optimizer.step()

    compiled = Compiled(step, (), (), executor)
    good, bad = numbers(4, 4), numbers(4, 4)
    bad[1, 2] = np.nan
    for _ in range(2):
        compiled(good)
    with pytest.raises(NonFiniteError):
        compiled(bad)
    ours = np.array(p.grad)
    with pytest.raises(NonFiniteError):
        step(scg.as_tensor(bad))
    np.testing.assert_allclose(ours, np.array(p.grad), rtol=1e-5)
    assert np.isnan(ours).any()


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
