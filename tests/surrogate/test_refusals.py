"""Where a gradient would be biased it is refused, and the message says what and where."""

import math
import threading

import numpy as np
import pytest

import scg
from scg.errors import BiasedGradientError, GradientError
from scg.tape import Node

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


@pytest.fixture
def mu():
    return scg.parameter(0.3, name="mu")


def draw(mu, **options):
    return scg.Normal(mu, 1.0).sample(rng=0, name="x", **options)


JUMPS = {
    "greater": lambda x: scg.where(x > 0, 1.0, 0.0) * x,
    "sign": lambda x: scg.sign(x) * x,
    "round": lambda x: scg.round(x),
    "floor": lambda x: scg.floor(x) + x,
    "astype": lambda x: x.astype(int) * x,
    "divide": lambda x: x / abs(x),
    "log": lambda x: scg.log(scg.square(x)),
    "detach": lambda x: x * x.detach(),
}


@pytest.mark.parametrize("name", JUMPS)
def test_pathwise_through_a_jump_a_pole_or_an_opaque_step_is_refused(mu, name):
    loss = JUMPS[name](draw(mu, estimator="pathwise"))
    with pytest.raises(BiasedGradientError) as error:
        loss.backward()
    message = str(error.value)
    assert "test_refusals.py:" in message  # the user's line
    assert "'x' ~ Normal" in message
    assert "score" in message  # the remedy
    assert mu.grad is None


@pytest.mark.parametrize("name", [name for name in JUMPS if name != "floor"])
def test_auto_takes_the_score_function_where_pathwise_is_refused(mu, name):
    JUMPS[name](draw(mu, estimator="score")).backward()
    score = float(mu.grad)
    mu.zero_grad()
    JUMPS[name](draw(mu)).backward()
    assert mu.grad == score


def test_a_jumpy_and_a_smooth_cost_of_one_draw_go_their_own_ways(mu):
    x = draw(mu)
    (scg.floor(x + 2.0) + x).backward()
    value = scg.peek(x)
    np.testing.assert_allclose(mu.grad, math.floor(value + 2.0) * (value - 0.3) + 1.0)


SMOOTH = {
    "softplus by hand": lambda x: scg.log(scg.exp(x) + 1.0),
    "bounded reciprocal": lambda x: 1.0 / (1.0 + x * x),
    "relu": scg.relu,
    "abs": abs,
    "clip": lambda x: scg.clip(x, -0.5, 0.5),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_and_kinked_programs_stay_pathwise(mu, name):
    SMOOTH[name](draw(mu)).backward()
    assert mu.grad is not None


def test_fixed_noise_against_a_parameter_is_refused():
    p = scg.parameter(0.4)
    u = scg.Uniform(0.0, 1.0).sample(rng=0)
    loss = scg.where(u < p, 1.0, 0.0) + p
    with pytest.raises(BiasedGradientError, match="less"):
        loss.backward()


def test_fixed_noise_against_a_constant_is_fine(mu):
    u = scg.Uniform(0.0, 1.0).sample(5, rng=0)
    (scg.where(u < 0.5, 1.0, 0.0) * mu).sum().backward()
    np.testing.assert_allclose(mu.grad, np.sum(scg.peek(u) < 0.5))


def test_a_jump_in_a_parameter_alone_is_the_derivative_almost_everywhere(mu):
    (scg.where(mu > 0, mu, 0.0) + scg.floor(mu)).backward()
    assert mu.grad == 1.0


@pytest.mark.parametrize(
    "read",
    [
        bool,
        int,
        float,
        round,
        math.floor,
        lambda t: t.item(),
        lambda t: t.numpy(),
        np.asarray,
        lambda t: t.tolist(),
    ],
)
def test_reading_a_pathwise_draw_is_an_escape(mu, read):
    x = draw(mu)
    read(x)
    with pytest.warns(scg.EscapeWarning, match="peek"):
        (x * x).backward()
    value = scg.peek(x)
    np.testing.assert_allclose(mu.grad, value**2 * (value - 0.3))  # the score


def test_peek_and_printing_are_not_escapes(mu):
    x = draw(mu)
    scg.peek(x), repr(x), f"{x:.2f}", str(x), hash(x)
    (x * x).backward()


def test_an_escape_under_no_grad_still_counts(mu):
    x = draw(mu)
    with scg.no_grad():
        flag = bool(x * 2 > 0)
    (x if flag else -x).backward()
    value = scg.peek(x)
    np.testing.assert_allclose(mu.grad, abs(value) * (value - 0.3))


def test_an_escape_in_a_worker_thread_counts(mu):
    x = draw(mu)
    worker = threading.Thread(target=lambda: float(x))
    worker.start()
    worker.join()
    (x * x).backward()
    value = scg.peek(x)
    np.testing.assert_allclose(mu.grad, value**2 * (value - 0.3))


def test_reading_after_the_update_is_free(mu):
    optimizer = scg.optim.SGD([mu], lr=0.1)
    for _ in range(2):
        x = draw(mu)
        loss = x * x
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss)


def test_zero_grad_between_forward_and_backward_keeps_the_draws():
    a = scg.parameter(0.2)
    grads = []
    for clear_late in (False, True):
        optimizer = scg.optim.SGD([a], lr=0.1)
        b = scg.Bernoulli(logits=a).sample(rng=3)
        loss = (b - 0.45) ** 2
        if clear_late:
            optimizer.zero_grad()
        loss.backward()
        grads.append(float(a.grad))
        optimizer.zero_grad()
    assert grads[0] == grads[1] != 0


def test_a_draw_made_under_no_grad_from_what_was_computed_there_is_refused():
    a = scg.parameter(0.2)
    with scg.no_grad():
        b = scg.Bernoulli(logits=2.0 * a).sample(rng=3)
    with pytest.raises(BiasedGradientError, match="no_grad"):
        (b * a).backward()


def test_a_stale_draw_is_refused():
    a = scg.parameter(0.2)
    b = scg.Bernoulli(logits=a).sample(rng=3)
    a.assign(0.5)
    with pytest.raises(GradientError, match="stale"):
        (b * 2.0 + a).backward()


def test_mixing_a_gradient_with_a_loss_is_refused():
    a = scg.parameter(0.2)
    loss = (scg.Bernoulli(logits=a).sample(rng=3) - 0.45) ** 2 * a
    g = scg.grad(loss, a, create_graph=True)
    with pytest.raises(BiasedGradientError, match="surrogate"):
        (g + loss).backward()


def test_unknown_estimator_and_mode(mu):
    with pytest.raises(scg.OptionError, match="estimator"):
        draw(mu, estimator="magic")
    with pytest.raises(scg.OptionError, match="expectation"):
        draw(mu).backward(of="median")


def test_pathwise_bernoulli_is_refused():
    with pytest.raises(BiasedGradientError, match="no differentiable sampler"):
        scg.Bernoulli(0.5).sample(estimator="pathwise")


def test_memory_is_flat_over_training_iterations():
    """A running average of tensors must not keep every iteration's graph alive."""
    import gc

    a = scg.parameter(0.2)
    optimizer = scg.optim.SGD([a], lr=0.0)
    average = scg.tensor(0.0)
    counts = []
    for i in range(60):
        b = scg.Bernoulli(logits=a).sample(rng=i)
        loss = (b - 0.45) ** 2
        average = 0.9 * average + 0.1 * loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i in (20, 59):
            gc.collect()
            counts.append(sum(issubclass(type(o), Node) for o in gc.get_objects()))
    assert counts[1] <= counts[0] + 5


def test_a_refusal_for_an_earlier_attempt_says_how_to_go_on():
    """As in a notebook: the refused draw was read, and the next loss has nothing to do with it."""
    mu, w = scg.parameter(0.3), scg.parameter([1.0, 2.0])
    z = scg.Normal(mu, 1.0).sample(estimator="pathwise")
    loss = z**2 if z > 0 else z
    with pytest.raises(BiasedGradientError):
        loss.backward()
    with pytest.raises(BiasedGradientError, match=r"call zero_grad\(\) first"):
        (w**2).sum().backward()
    mu.zero_grad()
    (w**2).sum().backward()
    np.testing.assert_array_equal(w.grad, [2.0, 4.0])
