"""The optimisers against their papers' formulas; the runs they end; resuming bitwise."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import scg
from scg import nn, optim
from scg._run import current_run, order
from scg.errors import CheckpointError, GradientError, OptionError

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
    scg.Normal(0.0, 1.0).sample()
    optimizer.zero_grad()
    third = current_run()
    assert (first.ended, first.updated) == (True, True)
    assert (second.ended, second.updated) == (True, False)
    assert not third.ended
    assert len({id(run) for run in (first, second, third)}) == 3


def test_zero_grad_goes_on_with_a_run_in_which_nothing_was_noted():
    p = scg.parameter([1.0])
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.step()
    run = current_run()
    optimizer.zero_grad()
    assert current_run() is run
    with scg.episode():
        scg.Normal(0.0, 1.0).sample(rng=np.random.default_rng(0))  # noted in the run, as fixed
    optimizer.zero_grad()
    assert current_run() is not run


def test_zero_grad_ends_one_run_however_many_parameters_there_are():
    def orders(count):
        params = [scg.parameter([1.0]) for _ in range(count)]
        scg.Normal(0.0, 1.0).sample()  # or there would be nothing to end
        start = next(order)
        optim.SGD(params, lr=0.1).zero_grad()
        return next(order) - start

    assert orders(1) == orders(3) > 1


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


def test_an_optimiser_shows_its_numbers():
    a, b = scg.parameter(1.0), scg.parameter(2.0)
    assert repr(optim.SGD([a], lr=0.5)) == "SGD(1 parameter, lr=0.5, weight_decay=0.0, steps=0)"
    adam = optim.AdamW([a, b], lr=optim.step_decay(0.1, every=1, factor=0.5))
    a.grad = 1.0
    adam.step()
    assert repr(adam) == (
        "AdamW(2 parameters, lr=schedule, beta1=0.9, beta2=0.999, eps=1e-08, "
        "weight_decay=0.01, steps=1)"
    )


def test_a_copy_of_an_optimizer_updates_its_own_parameters():
    """The pass that a step leaves ready holds addresses: a copy must not use the original's."""
    p = scg.parameter([1.0, 2.0])
    adam = scg.optim.Adam([p], lr=0.5)
    p.grad = [1.0, 1.0]
    adam.step()
    before = p.numpy().copy()
    other = copy.deepcopy(adam)
    other.params[0].grad = [1.0, -1.0]
    other.step()
    np.testing.assert_array_equal(p.numpy(), before)
    assert not np.array_equal(other.params[0].numpy(), before)
