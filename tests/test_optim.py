"""The optimisers against their papers' formulas, resuming, runs, schedules, clipping, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg import nn, optim
from scg._run import current_run
from scg.errors import CheckpointError, GradientError, NonFiniteError, OptionError

DTYPES = (np.float32, np.float64)
STEPS = 7


# The references: float64 generators that take gradients and give parameters.


def sgd(p, lr, decay=0.0):
    while True:
        g = yield p
        p = p - lr * (g + decay * p)


def momentum(p, lr, beta, nesterov=False, decay=0.0):
    v = 0.0
    while True:
        g = (yield p) + decay * p
        v = beta * v + g
        p = p - lr * (g + beta * v if nesterov else v)


def rmsprop(p, lr, alpha, eps, decay=0.0):
    s = 0.0
    while True:
        g = (yield p) + decay * p
        s = alpha * s + (1 - alpha) * g**2
        p = p - lr * g / (np.sqrt(s) + eps)


def adagrad(p, lr, eps, decay=0.0):
    s = 0.0
    while True:
        g = (yield p) + decay * p
        s = s + g**2
        p = p - lr * g / (np.sqrt(s) + eps)


def adam(p, lr, beta1, beta2, eps, decay=0.0, shrink=0.0):
    m = v = t = 0.0
    while True:
        g = (yield p) + decay * p
        t += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        corrected = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        p = p - lr * shrink * p - lr * corrected


LR = 0.05
RULES = {
    "sgd": (lambda p: optim.SGD(p, LR), lambda p: sgd(p, LR)),
    "sgd-decay": (lambda p: optim.SGD(p, LR, weight_decay=0.1), lambda p: sgd(p, LR, 0.1)),
    "momentum": (lambda p: optim.Momentum(p, LR, beta=0.8), lambda p: momentum(p, LR, 0.8)),
    "nesterov": (
        lambda p: optim.Momentum(p, LR, beta=0.8, nesterov=True, weight_decay=0.1),
        lambda p: momentum(p, LR, 0.8, True, 0.1),
    ),
    "rmsprop": (
        lambda p: optim.RMSProp(p, LR, alpha=0.7, eps=1e-3, weight_decay=0.1),
        lambda p: rmsprop(p, LR, 0.7, 1e-3, 0.1),
    ),
    "adagrad": (
        lambda p: optim.AdaGrad(p, LR, eps=1e-3, weight_decay=0.1),
        lambda p: adagrad(p, LR, 1e-3, 0.1),
    ),
    "adam": (lambda p: optim.Adam(p, LR), lambda p: adam(p, LR, 0.9, 0.999, 1e-8)),
    "adam-decay": (
        lambda p: optim.Adam(p, LR, beta1=0.7, beta2=0.9, eps=1e-3, weight_decay=0.1),
        lambda p: adam(p, LR, 0.7, 0.9, 1e-3, decay=0.1),
    ),
    "adamw": (
        lambda p: optim.AdamW(p, LR, weight_decay=0.1),
        lambda p: adam(p, LR, 0.9, 0.999, 1e-8, shrink=0.1),
    ),
}  # fmt: skip
rules = pytest.mark.parametrize("rule", RULES)


def gradients(rng, shape, count=STEPS):
    return rng.standard_normal((count, *shape))


@rules
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3, 5), (0,)])
def test_each_rule_follows_its_formula(rule, dtype, shape, rng):
    make, formula = RULES[rule]
    start = rng.standard_normal(shape).astype(dtype)
    p = scg.parameter(start)
    optimizer, reference = make([p]), formula(start.astype(np.float64))
    expected = next(reference)
    for g in gradients(rng, shape):
        p.grad = g
        optimizer.step()
        expected = reference.send(p.grad.astype(np.float64))
    # Each step rounds a dozen times; parameters are of order 1 and Adam's ratio is at most ~1.
    atol = 12 * STEPS * np.finfo(dtype).eps
    np.testing.assert_allclose(scg.peek(p), expected, rtol=0, atol=atol)
    assert p.dtype == dtype


def test_the_first_step_of_adam_is_lr_whatever_the_gradient():
    p = scg.parameter([0.0, 0.0, 0.0])
    optimizer = optim.Adam([p], lr=0.25)
    p.grad = [1e-3, -1.0, 1e6]
    optimizer.step()
    np.testing.assert_allclose(scg.peek(p), [-0.25, 0.25, -0.25], rtol=1e-4)


def test_weight_decay_of_adamw_leaves_the_moments_alone():
    p = scg.parameter([4.0])
    optimizer = optim.AdamW([p], lr=0.5, weight_decay=0.5)
    p.grad = [0.0]
    optimizer.step()
    arrays, _ = optimizer.state()
    assert scg.peek(p)[0] == 3.0
    assert all(np.all(a == 0) for a in arrays.values())


def test_updates_happen_in_place_and_count_a_version():
    p = scg.parameter([1.0, 2.0])
    view, version = scg.peek(p), p.version
    p.grad = [1.0, 1.0]
    optim.SGD([p], lr=0.5).step()
    assert view.tolist() == [0.5, 1.5]
    assert p.version == version + 1


def test_a_parameter_without_a_gradient_is_skipped_and_starts_its_own_bias_correction():
    idle, busy = scg.parameter([1.0]), scg.parameter([1.0])
    optimizer = optim.Adam({"idle": idle, "busy": busy}, lr=0.1)
    for _ in range(5):
        busy.grad = [1.0]
        optimizer.step()
    assert scg.peek(idle)[0] == 1.0
    assert idle.version == 0
    idle.grad = [3.0]
    optimizer.step()
    assert scg.peek(idle)[0] == pytest.approx(0.9)


def test_a_gradient_in_another_memory_order(rng):
    a, b = scg.parameter(np.ones((3, 4))), scg.parameter(np.ones((3, 4)))
    g = rng.standard_normal((4, 3))
    a.grad, b.grad = g.T, np.ascontiguousarray(g.T)
    for p in (a, b):
        optim.Adam([p]).step()
    assert np.array_equal(scg.peek(a), scg.peek(b))


# --- runs ------------------------------------------------------------------------------------


def test_step_ends_the_run_as_updated_and_zero_grad_as_not():
    p = scg.parameter([1.0])
    optimizer = optim.SGD([p], lr=0.1)
    first = current_run()
    optimizer.step()
    second = current_run()
    optimizer.zero_grad()
    third = current_run()
    assert (first.ended, first.updated) == (True, True)
    assert (second.ended, second.updated) == (True, False)
    assert not third.ended
    assert len({id(run) for run in (first, second, third)}) == 3


def test_zero_grad_forgets():
    p = scg.parameter([1.0])
    (p * p).sum().backward()
    optim.SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


@rules
def test_a_pending_backward_refuses_after_a_step_and_names_the_parameter(rule):
    model = nn.Sequential(nn.Linear(2, 1, rng=0, dtype=np.float64))
    optimizer = RULES[rule][0](model)
    # The residual of x ** 2 is x itself: nothing else here is overwritten by the step.
    pending = (model.parameters()[0] ** 2).sum()
    model(np.ones((3, 2))).sum().backward()
    optimizer.step()
    with pytest.raises(GradientError, match=r"0\.weight was updated"):
        pending.backward()


def test_training_goes_down_hill():
    x = scg.parameter([3.0, -2.0])
    optimizer = optim.Momentum([x], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        ((x - [1.0, 2.0]) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(scg.peek(x), [1.0, 2.0], atol=1e-5)


# --- state -----------------------------------------------------------------------------------


def train(optimizer, params, gs):
    for g in gs:
        for p, part in zip(params, g, strict=True):
            p.grad = part
        optimizer.step()


@rules
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(rule, dtype, rng):
    make = RULES[rule][0]
    start = rng.standard_normal((2, 3, 4)).astype(dtype)
    gs = gradients(rng, (2, 3, 4), 10)
    whole, part = ([scg.parameter(a) for a in start] for _ in range(2))
    train(make(whole), whole, gs)

    before = make(part)
    train(before, part, gs[:4])
    arrays, state = before.state()
    state = json.loads(json.dumps(state))
    resumed = [scg.parameter(scg.peek(p)) for p in part]
    after = make(resumed)
    after.load_state(arrays, state)
    train(after, resumed, gs[4:])
    for p, q in zip(whole, resumed, strict=True):
        assert scg.peek(p).tobytes() == scg.peek(q).tobytes()


def test_resuming_goes_through_a_checkpoint_file(tmp_path, rng):
    p = scg.parameter([1.0, 2.0])
    optimizer = optim.Adam({"p": p}, lr=optim.cosine(0.1, 10))
    train(optimizer, [p], gradients(rng, (1, 2)))
    arrays, state = optimizer.state()
    scg.checkpoint.save(tmp_path / "a.safetensors", arrays, state)
    fresh = optim.Adam({"p": scg.parameter([1.0, 2.0])}, lr=optim.cosine(0.1, 10))
    fresh.load_state(*scg.checkpoint.load(tmp_path / "a.safetensors"))
    assert (fresh.steps, fresh.rate) == (STEPS, optimizer.rate)
    again, _ = fresh.state()
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in arrays.items()}


def test_state_is_a_copy_with_readable_names():
    p = scg.parameter([1.0])
    optimizer = optim.Adam({"enc.weight": p})
    arrays, _ = optimizer.state()
    assert list(arrays) == ["enc.weight.mean", "enc.weight.square"]
    p.grad = [1.0]
    optimizer.step()
    assert arrays["enc.weight.mean"][0] == 0.0


def test_a_changed_step_size_survives():
    optimizer = optim.SGD([scg.parameter([1.0])], lr=0.1)
    optimizer.lr = 0.025
    fresh = optim.SGD([scg.parameter([1.0])], lr=0.1)
    fresh.load_state(*optimizer.state())
    assert fresh.lr == 0.025


def damaged(optimizer, change):
    arrays, state = optimizer.state()
    change(arrays, state)
    return arrays, state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, s: a.pop("0.mean"), "0.mean is not in it"),
        (lambda a, s: a.update(more=np.zeros(1)), "more has no place"),
        (lambda a, s: a.update({"0.mean": np.zeros(3)}), r"\(3,\) there and \(2,\) here"),
        (lambda a, s: a.update({"0.mean": np.zeros(2, np.float32)}), "float32 there and float64"),
        (lambda a, s: s.update(rule="AdamW"), "rule is 'AdamW' there and 'Adam' here"),
        (lambda a, s: s.update(beta1=0.5), "beta1 is 0.5 there and 0.9 here"),
        (lambda a, s: s.pop("beta2"), "beta2 is not in it"),
        (lambda a, s: s.pop("steps"), "steps=None"),
        (lambda a, s: s.update(steps=-1), "steps=-1"),
        (lambda a, s: s.update(updates=[0, 0]), r"updates=\[0, 0\]"),
        (lambda a, s: s.update(updates=[9]), r"updates=\[9\]"),
        (lambda a, s: s.update(lr=None), "saved with a schedule"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    p = scg.parameter([1.0, 2.0])
    optimizer = optim.Adam([p])
    p.grad = [1.0, 2.0]
    optimizer.step()
    before = optimizer.state()
    with pytest.raises(CheckpointError, match=message):
        optimizer.load_state(*damaged(optim.Adam([scg.parameter([1.0, 2.0])]), change))
    after = optimizer.state()
    assert before[1] == after[1]
    assert all(np.array_equal(before[0][k], after[0][k]) for k in before[0])


def test_a_negative_step_size_in_a_state_changes_nothing():
    optimizer = optim.SGD([scg.parameter([1.0])], lr=0.1)
    arrays, state = optimizer.state()
    with pytest.raises(OptionError, match="lr=-1"):
        optimizer.load_state(arrays, {**state, "lr": -1.0, "steps": 3})
    assert (optimizer.lr, optimizer.steps) == (0.1, 0)


# --- what is refused -------------------------------------------------------------------------


def one():
    return [scg.parameter([1.0])]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(one(), lr=-0.1), "SGD: lr=-0.1 must not be negative"),
        (lambda: optim.SGD(one(), lr=math.nan), "lr=nan must be a finite number"),
        (lambda: optim.SGD(one(), lr="fast"), "lr='fast' must be a finite number"),
        (lambda: optim.SGD(one(), 0.1, weight_decay=-1), "weight_decay=-1.0 must not be negative"),
        (lambda: optim.Momentum(one(), 0.1, beta=1.0), r"beta=1.0 must lie in \[0, 1\)"),
        (lambda: optim.RMSProp(one(), alpha=-0.1), r"alpha=-0.1 must lie in \[0, 1\)"),
        (lambda: optim.RMSProp(one(), eps=0.0), "eps=0.0 must be positive"),
        (lambda: optim.AdaGrad(one(), eps=math.inf), "eps=inf must be a finite number"),
        (lambda: optim.Adam(one(), beta1=1.0), r"Adam: beta1=1.0 must lie in \[0, 1\)"),
        (lambda: optim.AdamW(one(), beta2=-0.1), r"AdamW: beta2=-0.1 must lie in \[0, 1\)"),
        (lambda: optim.Adam([]), "there are no parameters"),
        (lambda: optim.Adam(nn.Sequential()), "there are no parameters"),
        (lambda: optim.Adam(one() * 2), "'0' and '1' are the same parameter"),
        (lambda: optim.Adam(one()[0]), "params is a Tensor"),
        (lambda: optim.Adam(set(one())), "params is a set"),
        (lambda: optim.Adam(3), "params is a int"),
        (lambda: optim.clip_grad_norm(one(), 0.0), "max_norm=0.0 must be positive"),
        (lambda: optim.clip_grad_value(one(), -1.0), "limit=-1.0 must not be negative"),
    ],
)
def test_wrong_options_get_one_sentence(make, message):
    with pytest.raises(OptionError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", [scg.tensor([1.0]), np.ones(1), 1.0])
def test_only_parameters_can_be_trained(entry):
    with pytest.raises(GradientError, match="entry 'b'"):
        optim.SGD({"a": one()[0], "b": entry}, lr=0.1)


def test_what_is_computed_from_a_parameter_is_none():
    with pytest.raises(GradientError, match="entry '0'"):
        optim.SGD([one()[0] * 2.0], lr=0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_check_finite_names_the_parameter_before_anything_changes(value):
    model = nn.Sequential(nn.Linear(2, 1, rng=0, dtype=np.float64))
    weight, bias = model.parameters()
    optimizer = optim.Momentum(model, 0.1, check_finite=True)
    weight.grad, bias.grad = [[1.0], [1.0]], [value]
    before = model.state()
    with pytest.raises(NonFiniteError, match=r"1 of 1 gradient elements of parameter '0\.bias'"):
        optimizer.step()
    assert all(np.array_equal(before[k], v) for k, v in model.state().items())
    assert optimizer.steps == weight.version == 0
    assert not optimizer.state()[0]["0.weight.velocity"].any()


def test_without_check_finite_a_nan_goes_through():
    p = scg.parameter([1.0, 1.0])
    p.grad = [math.nan, 1.0]
    optim.SGD([p], lr=0.5).step()
    np.testing.assert_array_equal(scg.peek(p), [math.nan, 0.5])


# --- clipping --------------------------------------------------------------------------------


def with_grads(*arrays):
    params = [scg.parameter(np.zeros(np.shape(a), np.asarray(a).dtype)) for a in arrays]
    for p, a in zip(params, arrays, strict=True):
        p.grad = a
    return params


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_bounds_the_norm(values, bound):
    params = with_grads(values, values[:1])
    joined = np.array([*values, values[0]])
    norm = np.linalg.norm(joined)
    assert optim.clip_grad_norm(params, bound) == pytest.approx(norm, rel=1e-12)
    clipped = np.concatenate([p.grad for p in params])
    expected = joined if norm <= bound else joined * (bound / norm)
    # atol: below 1e-308 numbers have fewer bits, and products with them round more coarsely.
    np.testing.assert_allclose(clipped, expected, rtol=1e-12, atol=1e-300)


def test_small_gradients_keep_every_bit():
    params = with_grads(np.array([0.1, 0.7]))
    optim.clip_grad_norm(params, 1.0)
    assert params[0].grad.tolist() == [0.1, 0.7]


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float64, 1e200)])
def test_squares_do_not_overflow(dtype, size):
    params = with_grads(np.array([3 * size, 4 * size], dtype))
    assert optim.clip_grad_norm(params, 1.0) == pytest.approx(5 * size, rel=1e-6)
    np.testing.assert_allclose(params[0].grad, [0.6, 0.8], rtol=1e-6)
    assert params[0].grad.dtype == dtype


def test_clipping_skips_what_has_no_gradient():
    idle = scg.parameter([1.0])
    (busy,) = with_grads([3.0, 4.0])
    assert optim.clip_grad_norm([idle, busy, *with_grads(np.zeros(0))], 10.0) == 5.0
    optim.clip_grad_value([idle, busy], 3.5)
    assert idle.grad is None
    assert busy.grad.tolist() == [3.0, 3.5]
    assert optim.clip_grad_norm([idle], 1.0) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_is_refused_or_left(value):
    params = dict(zip("ab", with_grads([1.0], [value]), strict=True))
    with pytest.raises(NonFiniteError, match="gradient of 'b' is NaN or infinite"):
        optim.clip_grad_norm(params, 0.5)
    assert not math.isfinite(optim.clip_grad_norm(params, 0.5, check_finite=False))
    assert params["a"].grad[0] == 1.0


# --- schedules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (optim.constant(0.3), {0: 0.3, 10**9: 0.3}),
        (optim.step_decay(1.0, every=3, factor=0.5), {0: 1.0, 2: 1.0, 3: 0.5, 6: 0.25}),
        (optim.exponential_decay(1.0, factor=0.25, every=4), {0: 1.0, 2: 0.5, 4: 0.25}),
        (optim.cosine(2.0, 8), {0: 2.0, 8: 0.0, 100: 0.0}),
        (optim.linear_warmup(1.0, 4), {0: 0.0, 1: 0.25, 4: 1.0, 9: 1.0}),
        (optim.linear_warmup(1.0, 4, start=0.5), {0: 0.5, 2: 0.75, 4: 1.0}),
        (
            optim.linear_warmup(optim.step_decay(1.0, every=2, factor=0.5), 2),
            {1: 0.5, 2: 1.0, 4: 0.5},
        ),
        (optim.piecewise(1.0, {20: 0.01, 10: 0.1}), {0: 1.0, 9: 1.0, 10: 0.1, 19: 0.1, 20: 0.01}),
    ],
)
def test_schedules_have_exact_values(schedule, values):
    assert {step: schedule(step) for step in values} == values


def test_cosine_is_symmetric_about_its_middle():
    schedule = optim.cosine(1.0, 10, final=0.5)
    assert schedule(5) == pytest.approx(0.75)
    for step in range(10):
        assert schedule(step) + schedule(10 - step) == pytest.approx(1.5)


def test_a_schedule_counts_the_steps_done():
    p = scg.parameter([0.0])
    optimizer = optim.SGD([p], lr=optim.piecewise(1.0, {1: 0.5, 2: 0.25}))
    seen = []
    for _ in range(3):
        before = scg.peek(p)[0]
        p.grad = [1.0]
        optimizer.step()
        seen.append(before - scg.peek(p)[0])
    assert seen == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("value", [-1.0, math.nan, None])
def test_a_schedule_that_leaves_the_range_is_refused_before_anything_changes(value):
    p = scg.parameter([1.0])
    p.grad = [1.0]
    optimizer = optim.SGD([p], lr=lambda step: value)
    with pytest.raises(OptionError, match="from its schedule, at step 0"):
        optimizer.step()
    assert scg.peek(p)[0] == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.constant(-1.0), "constant: lr"),
        (lambda: optim.step_decay(1.0, every=0), "every=0 must be a whole number from 1"),
        (lambda: optim.step_decay(1.0, every=1, factor=0), "factor=0.0 must be positive"),
        (lambda: optim.exponential_decay(1.0, factor=-1), "factor=-1.0 must not be negative"),
        (lambda: optim.cosine(1.0, 2.5), "steps=2.5 must be a whole number"),
        (lambda: optim.cosine(1.0, 5, final=-1), "final=-1.0 must not be negative"),
        (lambda: optim.linear_warmup(1.0, 5, start=1.0), r"start=1.0 must lie in \[0, 1\)"),
        (lambda: optim.piecewise(1.0, {0.5: 1.0}), "step=0.5 must be a whole number"),
        (lambda: optim.piecewise(1.0, {5: -1.0}), r"changes\[5\]=-1.0"),
        (lambda: optim.piecewise(1.0, [5]), "must map steps"),
    ],
)
def test_wrong_schedules_get_one_sentence(make, message):
    with pytest.raises(OptionError, match=message):
        make()
