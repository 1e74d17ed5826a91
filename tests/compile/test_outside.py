"""Compiled functions of parameters whose gradients the caller takes: never one that lacks them."""

from __future__ import annotations

import numpy as np
import pytest

import scg

CALLS = 5


def compiled(function):
    """Return a compiled function, and how many of its signatures were traced."""
    f = scg.jit(debug=True)(function)
    return f, lambda: sum(bool(entry.plans) for entry in f._entries.values())


@pytest.mark.parametrize("form", [lambda w: w, lambda w: [w], lambda w: {"w": w}])
def test_a_backward_outside_goes_through(form):
    w = scg.parameter([1.0, 2.0])
    f, traced = compiled(lambda p: sum((v * v).sum() for v in entries(p)))
    for _ in range(CALLS):
        w.zero_grad()
        f(form(w)).backward()
        np.testing.assert_array_equal(w.grad, [2.0, 4.0])
        assert not w.tags
    assert traced() == 0


def entries(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return tree if isinstance(tree, list) else [tree]


def test_so_does_one_through_what_is_made_of_the_result():
    """A sum with what is no part of the function had a gradient of that part alone."""
    w, v = scg.parameter([1.0, 2.0]), scg.parameter(3.0)
    f, _ = compiled(lambda w, x: (w * w * x).sum())
    for _ in range(CALLS):
        gradients = scg.grad(v * f(w, np.ones(2)) + w.sum(), [w, v])
        np.testing.assert_array_equal(gradients[0]._data, [7.0, 13.0])
        assert float(gradients[1]._data) == 5.0


def test_the_score_of_a_draw_inside_reaches_the_parameter():
    q = scg.parameter(0.3)

    def cost(q):
        return (scg.Bernoulli(probs=q).sample() - 0.45) ** 2

    def gradient(function, seed):
        scg.seed(seed)
        return scg.grad(function(q), [q])[0]._data

    f, _ = compiled(cost)
    for seed in range(CALLS):
        assert gradient(f, seed) == gradient(cost, seed) != 0.0


def test_a_function_that_takes_its_own_gradient_is_compiled():
    w = scg.parameter([1.0, 2.0])

    def step(w, x):
        w.zero_grad()
        loss = (w * w * x).sum()
        loss.backward()
        return loss

    f, traced = compiled(step)
    for _ in range(CALLS):
        assert float(f(w, np.ones(2))._data) == 5.0
        np.testing.assert_array_equal(w.grad, [2.0, 4.0])
    assert traced() == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda w: scg.grad((w * w).sum(), [w])[0],
        lambda w: scg.detach(w * 2.0),
        lambda w: (w, np.ones(2)),
    ],
)
def test_so_is_one_whose_results_lead_to_no_parameter(function):
    w = scg.parameter([1.0, 2.0])
    f, traced = compiled(function)
    for _ in range(CALLS):
        f(w)
    assert traced() == 1


def test_without_gradients_it_is_compiled():
    w = scg.parameter([1.0, 2.0])
    f, traced = compiled(lambda w: w * 2.0)
    with scg.no_grad():
        for _ in range(CALLS):
            np.testing.assert_array_equal(f(w)._data, [2.0, 4.0])
    assert traced() == 1


def test_a_captured_parameter_is_asked_for_at_backward():
    w = scg.parameter([1.0, 2.0])
    f, _ = compiled(lambda x: (w * x).sum())
    for _ in range(CALLS):
        with pytest.raises(scg.errors.GradientError, match="take its gradient inside of that"):
            f(np.ones(2)).backward()


@pytest.mark.parametrize("inside", [False, True])
def test_arrays_are_tensors_from_the_first_call_on(inside):
    w, kinds = scg.parameter([1.0, 2.0]), []

    def loss(w, data, name):
        kinds.extend(map(type, (data["x"], data["y"], name)))
        result = (w * data["x"]).sum() + data["y"]
        if inside:
            result.backward()
        return result, data["x"]

    f = scg.jit(debug=True, static_argnames="name")(loss)
    for _ in range(CALLS):
        result, x = f(w, {"x": np.ones(2), "y": np.float64(1.0)}, name="loss")
        assert (type(result), type(x)) == (scg.Tensor, scg.Tensor)
    assert kinds == [scg.Tensor, scg.Tensor, str] * (len(kinds) // 3)
