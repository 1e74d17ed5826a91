"""The fused optimiser updates against the obvious NumPy ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scg.errors import DTypeError, OptionError, ShapeError
from scg.kernels import optim
from scg.kernels.simd_mode import HAS_MODE

DTYPES = (np.float32, np.float64)
SIZES = (0, 1, 3, 17, 1001)
DECAYS = (0.0, 0.01)
GUARD = 64


# The references take and give float64: (p, g, *state) -> (p, *state).


def sgd(p, g, lr, weight_decay=0.0):
    return (p - lr * (g + weight_decay * p),)


def momentum(p, g, v, lr, beta=0.9, *, nesterov=False, weight_decay=0.0):
    g = g + weight_decay * p
    v = beta * v + g
    return p - lr * (g + beta * v if nesterov else v), v


def rmsprop(p, g, v, lr, alpha=0.99, eps=1e-8, *, weight_decay=0.0):
    g = g + weight_decay * p
    v = alpha * v + (1 - alpha) * g**2
    return p - lr * g / (np.sqrt(v) + eps), v


def adagrad(p, g, s, lr, eps=1e-10, *, weight_decay=0.0):
    g = g + weight_decay * p
    s = s + g**2
    return p - lr * g / (np.sqrt(s) + eps), s


def adam(
    p, g, m, v, lr, beta1=0.9, beta2=0.999, eps=1e-8, *, step, weight_decay=0.0, decoupled=False
):
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    corrected = np.sqrt(v / (1 - beta2**step))
    return p - lr * (m / (1 - beta1**step)) / (corrected + eps), m, v


RULES: list[tuple[optim.Rule, Callable[..., Any], int, dict[str, Any]]] = [
    (optim.SGD, sgd, 0, {}),
    (optim.MOMENTUM, momentum, 1, {"beta": 0.8}),
    (optim.MOMENTUM, momentum, 1, {"beta": 0.8, "nesterov": True}),
    (optim.RMSPROP, rmsprop, 1, {"alpha": 0.9, "eps": 1e-3}),
    (optim.ADAGRAD, adagrad, 1, {"eps": 1e-3}),
    (optim.ADAM, adam, 2, {"step": 1}),
    (optim.ADAM, adam, 2, {"step": 7, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3}),
    (optim.ADAM, adam, 2, {"step": 3, "decoupled": True}),
]
IDS = [f"{rule[0].name}-{'-'.join(rule[3])}" for rule in RULES]


def update(rule, *arrays, **options):
    """Update one parameter."""
    updates = optim.Updates(rule, [arrays])
    updates.set([rule.scalars(**options)])
    updates.run()


def problem(rng, shape, states, dtype):
    """Return p, g and state: squares are not negative."""
    p, g, *state = (rng.standard_normal((2 + states, *shape)) * 3).astype(dtype)
    return p, g, *(abs(s) for s in state)


def assert_close(actual, expected, dtype):
    """Compare with the double reference: values are of order 1 to 30, rounded a dozen times."""
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=12 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_matches_the_obvious_update(rule, reference, states, options, decay, dtype, rng):
    for size in SIZES:
        arrays = problem(rng, (size,), states, dtype)
        wide = [a.astype(np.float64) for a in arrays]
        gradient = arrays[1].copy()
        expected = reference(*wide, lr=0.03, weight_decay=decay, **options)
        update(rule, *arrays, lr=0.03, weight_decay=decay, **options)
        for actual, want in zip((arrays[0], *arrays[2:]), expected, strict=True):
            assert_close(actual, want, dtype)
        np.testing.assert_array_equal(arrays[1], gradient)


@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_many_steps_stay_on_the_reference(rule, reference, states, options, rng):
    p, _, *state = problem(rng, (9,), states, np.float64)
    state = [0 * s for s in state]
    slow = (p.copy(), *(s.copy() for s in state))
    options = {k: v for k, v in options.items() if k != "step"}
    for step in range(1, 30):
        if rule is optim.ADAM:
            options["step"] = step
        g = np.cos(p + step)
        update(rule, p, g, *state, lr=0.03, **options)
        slow = reference(slow[0], np.cos(slow[0] + step), *slow[1:], lr=0.03, **options)
    np.testing.assert_allclose(p, slow[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_threads_change_no_bit(rule, reference, states, options, dtype, rng, monkeypatch):
    arrays = problem(rng, (20_011,), states, dtype)
    results = []
    for threshold in (0, 10**9):
        monkeypatch.setattr(optim, "PARALLEL", threshold)
        copies = [a.copy() for a in arrays]
        update(rule, *copies, lr=0.03, weight_decay=0.01, **options)
        results.append(copies)
    for threaded, serial in zip(*results, strict=True):
        np.testing.assert_array_equal(threaded, serial)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", [0, 10**9])
@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_writes_nowhere_else(rule, reference, states, options, threshold, dtype, rng, monkeypatch):
    monkeypatch.setattr(optim, "PARALLEL", threshold)
    for size in (1, 15, 67):
        buffers = [np.full(size + 2 * GUARD, 7.0, dtype) for _ in range(2 + states)]
        arrays = [b[GUARD : GUARD + size] for b in buffers]
        for array, values in zip(arrays, problem(rng, (size,), states, dtype), strict=True):
            array[:] = values
        update(rule, *arrays, lr=0.03, **options)
        for buffer in buffers:
            assert (buffer[:GUARD] == 7).all() and (buffer[GUARD + size :] == 7).all()


@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_any_rank_and_a_read_only_gradient(rule, reference, states, options, rng):
    for shape in ((), (2, 3, 5), (4, 0)):
        p, g, *state = map(np.asarray, problem(rng, shape, states, np.float64))
        g.flags.writeable = False
        expected = reference(p, g, *state, lr=0.03, **options)
        update(rule, p, g, *state, lr=0.03, **options)
        assert_close(p, expected[0], np.float64)


def test_nan_and_infinity_stay_where_they_are():
    p = np.array([np.inf, 1.0, 1.0, -np.inf])
    g = np.array([1.0, np.nan, np.inf, 1.0])
    update(optim.SGD, p, g, lr=0.5)
    np.testing.assert_array_equal(p, [np.inf, np.nan, -np.inf, -np.inf])


def test_first_adam_step_has_the_size_of_the_rate_even_in_float32():
    """1 - 0.999 in float32 is off by 5e-5 of itself; the correction must not inherit that."""
    for scale in (1e-3, 1.0, 1e3):
        p, g = np.zeros(5, np.float32), np.full(5, scale, np.float32)
        update(optim.ADAM, p, g, np.zeros_like(p), np.zeros_like(p), lr=0.01, eps=0.0, step=1)
        np.testing.assert_allclose(p, -0.01, rtol=4 * np.finfo(np.float32).eps)


def test_float32_state_is_rounded_in_float32():
    """The loop must not slip into double: its result is the float32 recurrence's, bit for bit."""
    p, v, g = np.zeros(1, np.float32), np.ones(1, np.float32), np.zeros(1, np.float32)
    want = np.float32(1)
    for _ in range(20):
        update(optim.MOMENTUM, p, g, v, lr=0.0, beta=0.9)
        want = np.float32(0.9) * want
    assert v[0] == want


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_state_is_never_subnormal(rule, reference, states, options, dtype, compiled, monkeypatch):
    """Nor is anything else lost: the least normal number stays, and so do NaN and infinity."""
    tiny = np.finfo(dtype).tiny
    monkeypatch.setattr(optim, "CAN_COMPILE", compiled and optim.CAN_COMPILE)
    start = np.array([tiny / 2, -tiny / 2, 4 * tiny, np.inf, np.nan, 0.0], dtype)
    state = [start.copy() for _ in range(states)]
    p, g = np.ones(6, dtype), np.zeros(6, dtype)
    with np.errstate(all="ignore"):
        update(rule, p, g, *state, lr=1.0, **options)
    for array in state:
        np.testing.assert_array_equal(array[[0, 1, 5]], 0)
        assert array[2] > tiny
        assert np.isinf(array[3])
        assert np.isnan(array[4])


@pytest.mark.skipif(not (HAS_MODE and optim.CAN_COMPILE), reason="no mode against them")
@pytest.mark.parametrize("size", [3, 300_000])  # one thread, and several
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_subnormal_gradient_counts_as_zero_and_nothing_else_does(size, dtype):
    """The control register is a thread's: what comes afterwards must find it as it was."""
    p, g = np.zeros(size, dtype), np.full(size, np.finfo(dtype).tiny / 2)
    update(optim.SGD, p, g, lr=8.0)
    np.testing.assert_array_equal(p, 0)
    assert (g * np.ones((), dtype) > 0).all()


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (lambda p: (p, p[:3]), ShapeError, r"shape \(5,\).*\(3,\)"),
        (lambda p: (p, p.astype(np.float32)), DTypeError, "float64.*float32"),
        (lambda p: (p.astype(np.int64), p), DTypeError, "int64.*float32 or float64"),
        (lambda p: (p.astype(">f8"), p), DTypeError, ">f8.*float32 or float64"),
        (lambda p: (np.ones(10)[::2], p), ShapeError, "strided or read-only"),
        (lambda p: (np.broadcast_to(p, 5), p), ShapeError, "strided or read-only"),
    ],
)
def test_refuses_what_it_cannot_update(bad, error, says):
    with pytest.raises(error, match=says):
        update(optim.SGD, *bad(np.ones(5)), lr=0.1)


def test_refuses_strided_state():
    p = np.ones(5)
    with pytest.raises(ShapeError, match="momentum"):
        update(optim.MOMENTUM, p, p, np.ones(10)[::2], lr=0.1)


def test_adam_counts_from_one():
    p = np.ones(2)
    with pytest.raises(OptionError, match="step is 0"):
        update(optim.ADAM, p, p, p, p, lr=0.1, step=0)


# --- many parameters at once -----------------------------------------------------------------

SHAPES = [(3,), (optim.UNIT,), (), (optim.UNIT + 1,), (0,), (40, 70), (2 * optim.UNIT,), (1,)]


@pytest.mark.parametrize("threshold", [0, 10**9])
@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_one_pass_has_the_bits_of_many(
    rule, reference, states, options, threshold, rng, monkeypatch
):
    """Mixed dtypes and sizes, each parameter with scalars of its own."""
    monkeypatch.setattr(optim, "PARALLEL", threshold)
    parameters = [
        [np.asarray(a) for a in problem(rng, shape, states, DTYPES[i % 2])]
        for i, shape in enumerate(SHAPES)
    ]
    scalars = [rule.scalars(lr=0.01 * (i + 1), **options) for i in range(len(SHAPES))]
    apart = [[a.copy() for a in arrays] for arrays in parameters]
    together = optim.Updates(rule, parameters)
    together.set(scalars)
    together.run()
    for arrays, numbers, wanted in zip(parameters, scalars, apart, strict=True):
        alone = optim.Updates(rule, [wanted])
        alone.set([numbers])
        alone.run()
        for actual, want in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(actual, want)


def test_a_pass_takes_other_gradients_of_any_layout():
    p, q = np.zeros((2, 3)), np.zeros(2, np.float32)
    updates = optim.Updates(optim.SGD, [(p, np.zeros((2, 3))), (q, np.zeros(2, np.float32))])
    updates.set([optim.SGD.scalars(lr=1.0)] * 2)
    g = np.arange(6.0).reshape(3, 2).T
    updates.run([g, np.array([1, 2], np.float32)])
    np.testing.assert_array_equal(p, -g)
    np.testing.assert_array_equal(q, [-1, -2])
    with pytest.raises(ShapeError, match=r"shape \(2, 3\).*\(6,\)"):
        updates.run([g.reshape(6), q])


def test_no_parameters_and_scalars_that_differ_in_one():
    nothing = optim.Updates(optim.SGD, [])
    nothing.set([])
    nothing.run([])
    parameters = [(np.zeros(1), np.ones(1)) for _ in range(3)]
    updates = optim.Updates(optim.SGD, parameters)
    updates.set([optim.SGD.scalars(lr) for lr in (1.0, 1.0, 2.0)])
    updates.run()
    assert [p[0] for p, _ in parameters] == [-1, -1, -2]


@pytest.mark.parametrize(("rule", "reference", "states", "options"), RULES, ids=IDS)
def test_without_the_compiler_numpy_updates(rule, reference, states, options, rng, monkeypatch):
    monkeypatch.setattr(optim, "CAN_COMPILE", False)
    plain = rule._replace(function=rule.function.py_func)
    arrays = problem(rng, (5,), states, np.float64)
    expected = reference(*arrays, lr=0.03, **options)
    update(plain, *arrays, lr=0.03, **options)
    for actual, want in zip((arrays[0], *arrays[2:]), expected, strict=True):
        assert_close(actual, want, np.float64)
