"""Raw reads of noise, and other ways in which a value could forget which noise reached it."""

import copy
import pickle
import threading

import numpy as np
import pytest
from exact import assert_unbiased

import scg
from scg.errors import BiasedGradientError

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def uniform():
    return scg.Uniform(0.0, 1.0).sample(rng=0)


RAW = {
    "float": float,
    "item": lambda u: u.item(),
    "numpy": lambda u: u.numpy(),
    "asarray": np.asarray,
    "deepcopy": copy.deepcopy,
    "pickle": lambda u: pickle.loads(pickle.dumps(u)),
    "python": lambda u: 2.0 * float(u) - 1.0,
}


@pytest.mark.parametrize("read", RAW)
def test_a_parameter_compared_with_noise_that_was_read_raw_is_refused(read):
    p = scg.parameter(0.4)
    loss = scg.where(p > RAW[read](uniform()), 1.0, 0.0) + p
    with pytest.raises(BiasedGradientError, match="greater"):
        loss.backward()


def test_the_same_for_a_score_function_draw():
    p = scg.parameter(0.4)
    x = scg.Normal(p, 1.0).sample(rng=0, estimator="score")
    loss = scg.where(p > float(x), 1.0, 0.0) + p
    with pytest.raises(BiasedGradientError, match="greater"):
        loss.backward()


@pytest.mark.parametrize("decide", [bool, int])
def test_a_decision_on_a_parameter_and_noise_read_raw_is_refused(decide):
    p = scg.parameter(1.4)
    shifted = p - float(uniform())
    loss = p * 2.0 if decide(shifted) else p
    with pytest.raises(BiasedGradientError, match=decide.__name__):
        loss.backward()


@pytest.mark.parametrize("read", RAW)
def test_a_raw_parameter_compared_with_raw_noise_is_refused(read):
    """In Python alone: the loss has no draw in it, and no op has seen both numbers."""
    p = scg.parameter(0.4)
    u = RAW[read](uniform())
    loss = p * 2.0 if u < float(p) else p
    with pytest.raises(BiasedGradientError, match=r"float\(\).*parameter"):
        loss.backward()


def test_the_same_comparison_is_fine_for_another_parameter():
    p, q = scg.parameter(0.4), scg.parameter(2.0)
    loss = q * 3.0 if float(uniform()) < float(p) else q
    (slope,) = scg.grad(loss, [q])
    assert slope.numpy() in (1.0, 3.0)


def test_a_look_at_a_parameter_is_free_before_noise_is_read_and_in_the_next_run():
    p = scg.parameter(0.4)
    float(p)
    (p * float(uniform())).backward()
    p.zero_grad()
    float(p)
    (p * p).backward()


def test_the_audit_lists_noise_that_was_read_raw():
    p = scg.parameter(0.4)
    float(uniform())
    assert "raw noise" in {a.kind for a in scg.audit(p * p).assumptions}
    p.zero_grad()
    assert "raw noise" not in {a.kind for a in scg.audit(p * p).assumptions}


def test_reading_noise_is_harmless_without_a_jump_in_a_parameter():
    p = scg.parameter(0.4)
    u = float(uniform())
    (scg.tanh(p * u) / p + scg.relu(p - u)).backward()
    assert np.isfinite(p.grad)


def test_whole_numbers_read_from_noise_move_in_jumps_only():
    p = scg.parameter(0.4)
    u = uniform()
    level = int(u * 3.0) if bool(u > 0.1) else 0
    scg.where(p > level, p, 0.0).backward()
    assert p.grad is not None


def test_a_new_run_has_read_nothing():
    p = scg.parameter(0.4)
    float(uniform())
    p.zero_grad()
    scg.where(p > 0.2, p, 0.0).backward()
    assert p.grad == 1.0


def test_a_parameter_made_from_a_trainable_draw_is_an_escape():
    mu = scg.parameter(0.4)
    x = scg.Normal(mu, 1.0).sample(rng=0)
    start = scg.parameter(x)
    (start * mu).backward()
    value = scg.peek(x)
    np.testing.assert_allclose(mu.grad, value + value * 0.4 * (value - 0.4))


def test_a_parameter_started_from_noise_is_a_constant_start():
    w = scg.parameter(scg.Normal(0.0, 1.0).sample(rng=0))
    scg.where(w > 0, w, 0.0).backward()
    assert w.grad is not None


def test_differentiating_at_noise_does_not_hide_it():
    p = scg.parameter(0.4)
    for f in (scg.vjp, lambda fn, u: (scg.jacobian(fn)(u),)):
        with pytest.raises(BiasedGradientError, match="less"):
            f(lambda x: scg.where(x < p, 1.0, 0.0) * x + p, uniform())[0].sum().backward()


def test_differentiating_at_noise_keeps_its_value():
    np.testing.assert_allclose(scg.jacobian(lambda x: x * x)(uniform()), 2 * uniform())


def pathwise(mu):
    return scg.Normal(mu, 1.0).sample(rng=0, estimator="pathwise")


POLES = {
    "power of zero": lambda x: scg.power(scg.tensor(0.0), scg.relu(x)),
    "rate": lambda x: scg.Exponential(scg.square(x)).log_prob(2.0),
    "cholesky": lambda x: scg.cholesky(
        scg.stack([scg.stack([x * x, x]), scg.stack([x, 2.0 + 0.0 * x])])
    )[1, 0],
}


@pytest.mark.parametrize("name", POLES)
def test_poles_that_noise_can_reach(name):
    with pytest.raises(BiasedGradientError):
        POLES[name](pathwise(scg.parameter(0.3))).backward()


def test_an_integer_made_from_a_positive_number_may_be_zero():
    mu = scg.parameter(0.3)
    whole = scg.exp(scg.Normal(0.0, 1.0).sample(rng=0)).astype(int)
    with pytest.raises(BiasedGradientError, match="log"):
        scg.log(whole + scg.square(pathwise(mu))).backward()


def test_a_sum_of_no_positive_numbers_is_zero():
    mu = scg.parameter(0.3)
    nothing = scg.exp(scg.Normal(0.0, 1.0).sample(0, rng=0)).sum()
    with pytest.raises(BiasedGradientError, match="log"):
        scg.log(nothing + scg.square(pathwise(mu))).backward()


def test_noise_read_in_another_thread_counts_here():
    p = scg.parameter(0.4)
    u, found = uniform(), []
    worker = threading.Thread(target=lambda: found.append(float(u)))
    worker.start()
    worker.join()
    with pytest.raises(BiasedGradientError, match="greater"):
        (scg.where(p > found[0], 1.0, 0.0) + p).backward()


def test_a_jacobian_can_be_differentiated_in_what_its_function_closes_over():
    """Losing that gradient would bias whatever the result is used in."""
    p = scg.parameter(0.4)
    (scg.jacobian(lambda x: p * x * x)(0.5) + p).backward()
    np.testing.assert_allclose(p.grad, 2.0)


def test_a_jacobian_can_be_differentiated_in_the_parameter_of_a_draw():
    """E[b] x**2 has the slope 2 x p in x, whose slope in p is 2 x."""

    def loss(rng, p):
        b = scg.Bernoulli(p).sample(rng=rng)
        return scg.jacobian(lambda x: b * x * x)(0.7)

    assert_unbiased(loss, [0.4])


@pytest.mark.parametrize(
    "f", [lambda p: scg.leaky_relu(-1.0, negative_slope=p), lambda p: scg.elu(-1.0, alpha=p)]
)
def test_an_option_that_needs_a_gradient_is_refused(f):
    with pytest.raises(scg.errors.GradientError, match="option"):
        f(scg.parameter(0.4))


# --- derivatives of the surrogate -------------------------------------------------------------


def gradient(a, seed=3):
    b = scg.Bernoulli(logits=a).sample(rng=seed)
    return scg.grad((b - 0.45) ** 2 * a, a, create_graph=True)


@pytest.mark.parametrize("f", [scg.square, scg.exp, lambda g: g * g, lambda g: 1.0 / g, abs])
def test_what_is_not_linear_in_a_gradient_is_refused(f):
    a = scg.parameter(0.3)
    with pytest.raises(BiasedGradientError, match="linear"):
        f(gradient(a)).backward()


def test_what_is_linear_in_a_gradient_is_fine():
    a = scg.parameter(0.3)
    second = scg.peek(scg.grad(gradient(a), a))
    a.zero_grad()
    g = gradient(a)
    scg.stack([2.0 * g, -g / 3.0]).reshape(1, 2).sum().backward()
    np.testing.assert_allclose(a.grad, (2 - 1 / 3) * second)


def test_a_draw_after_the_gradient_was_taken_is_refused():
    a = scg.parameter(0.3)
    g = gradient(a)
    loss = g if scg.Bernoulli(logits=a).sample(rng=0) else -g
    with pytest.raises(BiasedGradientError, match="after the gradient"):
        loss.backward()
