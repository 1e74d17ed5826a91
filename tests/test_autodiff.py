"""Backward and the functional derivatives."""

import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

import scg
from scg.errors import GradientError, ShapeError


def test_gradients_accumulate_until_cleared():
    x = scg.parameter(3.0)
    for expected in (6.0, 12.0):
        (x * x).backward()
        assert x.grad == expected
    x.zero_grad()
    assert x.grad is None


def test_an_array_loss_means_its_sum_or_is_weighted():
    x = scg.parameter([1.0, 2.0])
    (x * x).backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    x.zero_grad()
    (x * x).backward([1.0, -1.0])
    np.testing.assert_array_equal(x.grad, [2.0, -4.0])
    with pytest.raises(ShapeError, match="gradient"):
        (x * x).backward([1.0])


def test_a_second_backward_raises_unless_retained():
    x = scg.parameter(3.0)
    y = scg.exp(x)
    y.backward(retain=True)
    y.backward()
    with pytest.raises(GradientError, match="retain=True"):
        y.backward()


def test_a_changed_parameter_is_noticed():
    w, x = scg.parameter(3.0, name="w"), scg.parameter(2.0)
    y = w * x
    w.assign(5.0)
    with pytest.raises(GradientError, match="w or parameter was updated"):
        y.backward()


def test_nothing_trainable_is_explained():
    with pytest.raises(GradientError, match="nothing trainable"):
        scg.exp(scg.tensor(1.0)).backward()
    with pytest.raises(GradientError, match="floating point"):
        (scg.parameter(1.0) > 0).backward()


def test_an_identity_vjp_does_not_share_its_buffer():
    """Cotangents that pass through unchanged must not be added into in place."""
    x, y = scg.parameter([1.0, 2.0]), scg.parameter([3.0, 4.0])
    s = x + y
    (s + s + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])
    np.testing.assert_array_equal(y.grad, [2.0, 2.0])


def test_diamonds_are_not_walked_by_path():
    x = scg.parameter(1.0)
    y = x
    for _ in range(200):  # 2**200 paths
        y = 0.5 * y + 0.5 * y
    y.backward()
    assert x.grad == 1.0


def test_a_chain_of_100_000_ops():
    x = scg.parameter(1.0)
    y = x
    for _ in range(100_000):
        y = y + 0.0
    y.backward()
    assert x.grad == 1.0


def test_deleting_a_long_chain_does_not_overflow_the_stack():
    script = """
import scg
y = scg.parameter(1.0)
for _ in range(300_000):
    y = y + 0.0
del y
print("alive")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.split() == ["alive"], result.stderr


def nodes_visited(length):
    """Count Python function calls during backward: time without a clock."""
    x = scg.parameter(1.0)
    y = x
    for _ in range(length):
        y = y * 1.0
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        y.backward()
    finally:
        sys.setprofile(None)
    return calls


def test_backward_is_linear_in_the_graph():
    small, large = nodes_visited(500), nodes_visited(5000)
    assert large < 10.5 * small


def test_cotangents_are_freed_as_they_are_consumed():
    x = scg.parameter(np.ones(100_000))
    (-x).sum().backward()  # so that compiling is not measured
    y = x
    for _ in range(50):
        y = -y
    tracemalloc.start()
    y.sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 100_000 * 8  # not the 50 cotangents of the chain


def test_graphs_free_themselves_without_the_garbage_collector():
    import gc
    import weakref

    gc.disable()
    try:
        x = scg.parameter(np.ones(3))
        y = scg.exp(x * 2.0)
        ref = weakref.ref(y)
        y.sum().backward()
        del y
        assert ref() is None
    finally:
        gc.enable()


def test_no_grad_records_nothing():
    x = scg.parameter(1.0)
    with scg.no_grad():
        y = scg.exp(x)
    assert not y.requires_grad
    with pytest.raises(GradientError):
        y.backward()

    @scg.no_grad()
    def decorated():
        return scg.exp(x)

    assert not decorated().requires_grad
    assert scg.exp(x).requires_grad


def test_grad_keeps_the_structure_and_touches_no_grad():
    x, y = scg.parameter(2.0), scg.parameter(3.0)
    g = scg.grad(x * y, {"a": x, "b": [y, x]})
    assert float(g["a"]) == 3.0
    assert float(g["b"][0]) == 2.0
    assert x.grad is None


def test_grad_of_what_is_not_reached_is_zero_and_of_a_constant_is_refused():
    x, y = scg.parameter(2.0), scg.parameter(3.0)
    assert float(scg.grad(x * 2.0, y)) == 0.0
    with pytest.raises(GradientError, match="not a tracked tensor"):
        scg.grad(x * 2.0, scg.tensor(1.0))


def test_grad_with_respect_to_an_inner_tensor():
    x = scg.parameter(2.0)
    h = x * x
    assert float(scg.grad(h * h, h)) == 8.0


def test_derivatives_of_any_order():
    x = scg.parameter(0.7)
    y = scg.sin(x)
    for expected in (np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t), np.sin):
        y = scg.grad(y, x, create_graph=True)
        np.testing.assert_allclose(float(y), expected(0.7), rtol=1e-12)


def test_a_gradient_inside_a_loss():
    """A gradient penalty: differentiate the squared norm of a gradient."""
    w = scg.parameter([1.0, -2.0])
    g = scg.grad((w * w * w).sum(), w, create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_allclose(w.grad, 36 * np.array([1.0, -2.0]) ** 3)


def test_jacobian_hessian_and_hvp_agree():
    def f(x):
        return (scg.exp(x) * scg.stack([x[1], x[0]])).sum()

    point, v = np.array([0.3, -0.5]), np.array([1.0, 2.0])
    h = scg.hessian(f)(point).numpy()
    np.testing.assert_allclose(h, h.T)
    np.testing.assert_allclose(scg.hvp(f, (point,), (v,))[0].numpy(), h @ v)
    j = scg.jacobian(lambda x: scg.grad(f(x), x, create_graph=True))(scg.parameter(point))
    np.testing.assert_allclose(j.numpy(), h)


def test_hessian_of_a_vector_is_refused():
    with pytest.raises(ShapeError, match="one number"):
        scg.hessian(scg.exp)([1.0, 2.0])


def test_pull_can_be_called_twice():
    _, pull = scg.vjp(scg.multiply, 2.0, 3.0)
    assert [float(g) for g in pull(1.0)] == [3.0, 2.0]
    assert [float(g) for g in pull(2.0)] == [6.0, 4.0]


def test_float32_gradients_stay_float32():
    x = scg.parameter(np.ones(3, np.float32))
    (x * np.float64(2.0)).sum().backward()
    assert x.grad.dtype == np.float32


def test_the_line_in_an_error_is_the_users():
    x = scg.parameter(1.0)
    y = scg.exp(x)
    y.backward()
    with pytest.raises(GradientError, match=r"test_autodiff\.py"):
        y.backward()


def test_two_threads_record_independently():
    from concurrent.futures import ThreadPoolExecutor

    def work(i):
        x = scg.parameter(float(i))
        if i % 2:
            with scg.no_grad():
                time.sleep(0.001)
                return (x * x).requires_grad
        return (x * x).requires_grad

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(20))) == [i % 2 == 0 for i in range(20)]


# --- user-defined ops ------------------------------------------------------------------------


def test_a_user_op_has_a_gradient_and_can_be_checked():
    @scg.op(vjp=lambda g, y, x, *, k: g * k * x ** (k - 1), smooth="smooth", axes="elementwise")
    def power_k(x, *, k=2):
        return x**k

    x = scg.parameter([1.0, 2.0])
    power_k(x, k=3).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 12.0])
    scg.testing.check_grads(lambda t: power_k(t, k=3), [1.0, 2.0])


def test_a_wrong_user_vjp_fails_the_check():
    @scg.op(vjp=lambda g, y, x: g * 2.1 * x, smooth="smooth")
    def wrong(x):
        return x * x

    with pytest.raises(GradientError, match="differences"):
        scg.testing.check_grads(wrong, [1.0, 2.0])


def test_a_user_op_refuses_a_second_derivative():
    @scg.op(vjp=lambda g, y, x: g * 2 * x)
    def squared(x):
        return x * x

    x = scg.parameter(2.0)
    with pytest.raises(GradientError, match="squared"):
        scg.grad(squared(x), x, create_graph=True)


def test_a_user_op_is_opaque_to_noise_until_declared():
    mu = scg.parameter(0.5)
    for smooth, refused in (("opaque", True), ("smooth", False), ("jump", True)):
        fn = scg.op(vjp=lambda g, y, x: g * 2 * x, smooth=smooth)(lambda x: x * x)
        loss = fn(scg.Normal(mu, 1.0).sample(rng=0, estimator="pathwise")) + mu
        if refused:
            with pytest.raises(scg.BiasedGradientError):
                loss.backward()
        else:
            loss.backward()


def test_unknown_words_for_a_user_op_are_explained():
    with pytest.raises(scg.OptionError, match="smooth, kink"):
        scg.op(smooth="wobbly")
    with pytest.raises(scg.OptionError, match="elementwise"):
        scg.op(axes="wobbly")


def test_an_op_without_vjp_is_no_silent_detach():
    opaque = scg.op()(lambda x: np.exp(x))
    jump = scg.op(smooth="jump")(lambda x: np.floor(x))
    a = scg.parameter(0.4)
    with pytest.raises(GradientError, match=r"no vjp.*smooth=\"jump\".*x\.detach\(\)"):
        opaque(2.0 * a)
    with scg.no_grad():
        assert scg.peek(opaque(a)) == np.exp(0.4)
    (opaque(a.detach()) * a + jump(a)).backward()
    np.testing.assert_allclose(a.grad, np.exp(0.4))


def test_draws_pass_an_op_without_vjp_and_parameters_beside_them_do_not():
    opaque = scg.op()(lambda x, y: np.exp(x) * y)
    scg.testing.check_unbiased(
        lambda a: opaque(0.1, scg.Normal(a, 1.0).sample(name="x")) * a, 0.4
    )  # fmt: skip
    a = scg.parameter(0.4)
    with pytest.raises(scg.BiasedGradientError, match=r"scg\.op\(vjp="):
        (opaque(a, scg.Bernoulli(logits=a).sample()) + a).backward()


@pytest.mark.parametrize("shape", [(3,), ()])
def test_gradients_are_arrays_of_their_own(shape):
    a, b, weight = scg.parameter(np.ones(shape)), scg.parameter(np.ones(shape)), np.ones(shape)
    for loss in (a, a + b, (a + b).reshape(shape), 2.0 * a + b, a.sum() + 0.0 * b):
        a.zero_grad(), b.zero_grad()
        loss.backward(weight if loss.shape == shape else None)
        grads = [p._node.grad for p in (a, b) if p.grad is not None]
        assert all(type(g) is np.ndarray and g.shape == shape for g in grads)
        assert all(g.flags.writeable and not np.may_share_memory(g, weight) for g in grads)
        assert len(grads) == 1 or not np.may_share_memory(*grads)


def test_a_gradient_that_was_looked_at_is_not_changed_by_a_later_backward():
    x, w = np.ones((2, 3)), scg.parameter(np.ones((3, 4)))
    scg.linear(x, w, np.zeros(4)).sum().backward()
    seen = w.grad
    scg.linear(x, w, np.zeros(4)).sum().backward()
    assert np.all(seen == 2.0)
    assert np.all(w.grad == 4.0)
