"""A compiled call is a run of its own: gradients, tags and what is known of results."""

import numpy as np
import pytest

import scg
from scg.errors import (
    BiasedGradientError,
    GradientError,
)
from tests.compile.calls import debug, thrice, traces


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


DRAWN = {
    "coins": lambda q: scg.Bernoulli(logits=q * np.ones(9)).sample(),
    "normal": lambda q: scg.Normal(q * np.ones(9), 1.0).sample(),
    "fixed noise": lambda q: q * scg.Normal(np.zeros(9), 1.0).sample(),
    "nothing": lambda q: q * np.ones(9),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cleared", ["before the loss", "before backward"])
@pytest.mark.parametrize("drawn", DRAWN)
def test_what_an_updating_step_returns_may_be_read(drawn, cleared):
    """Its draws are past: the parameters have moved on. And it stays compiled."""
    q, in_python = scg.parameter(0.4), []
    optimizer = scg.optim.SGD([q], lr=0.1)

    @debug
    def step():
        in_python.append(1)
        if cleared == "before the loss":
            optimizer.zero_grad()
        loss = ((DRAWN[drawn](q) - 0.3) ** 2).mean()
        if cleared == "before backward":
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(5):
        loss = step()
        assert float(-loss) == -float(loss) < 0
        (2.0 * q).backward()
    assert len(in_python) == 2


@pytest.mark.filterwarnings("error")
def test_a_result_of_a_parameter_that_the_step_leaves_alone_may_be_read():
    """As the loss of a critic, which the generator's draws reach: its run is over."""
    w, theta, in_python = scg.parameter(0.4), scg.parameter(0.1), []
    optimizer = scg.optim.SGD([w], lr=0.1)

    @debug
    def step():
        in_python.append(1)
        loss = ((w - scg.Normal(theta, 1.0).sample().detach()) ** 2).mean()
        optimizer.zero_grad()
        loss.backward(of="value")
        optimizer.step()
        return loss

    for _ in range(5):
        assert float(step()) > 0
        theta.zero_grad()
        scg.Normal(theta, 1.0).sample().backward()
    assert len(in_python) == 2
    with pytest.raises(BiasedGradientError):  # but it still is noise, of a parameter
        scg.where(theta > step(), 1.0, 0.0).backward()


def test_noise_among_the_arguments_still_is_noise_in_the_result():
    w, p = scg.parameter(0.5), scg.parameter(0.4)
    optimizer = scg.optim.SGD([w], lr=0.1)

    @debug
    def step(u):
        optimizer.zero_grad()
        (w**2).backward()
        optimizer.step()
        return 1.0 - u

    for _ in range(4):
        u = scg.Uniform(0.0, 1.0).sample()
        with pytest.raises(BiasedGradientError):
            ((step(u) < p) * 1.0 + 0.0 * p).backward()
        scg._run.fresh_run()


def test_noise_that_was_drawn_after_the_update_still_is_noise():
    """Though the draw beside it is past, and comes first."""
    w, p = scg.parameter(0.5), scg.parameter(0.4)
    optimizer = scg.optim.SGD([w], lr=0.1)

    @debug
    def step():
        z = scg.Normal(w, 1.0).sample()
        optimizer.zero_grad()
        (z**2).backward()
        optimizer.step()
        return z * 0.0 + scg.Uniform(0.0, 1.0).sample()

    for _ in range(4):
        with pytest.raises(BiasedGradientError):
            ((step() < p) * 1.0 + 0.0 * p).backward()
        scg._run.fresh_run()


USES = {
    "in a cost": lambda b, q: 5.0 * b + q,
    "detached": lambda b, q: 5.0 * b.detach() + q,
    "by a comparison": lambda b, q: scg.where(b > 0.5, 2.0, 1.0) * q,
    "read after one": lambda b, q: 2.0 * q if b > 0.5 else q,
}


@pytest.mark.parametrize("use", USES)
def test_a_draw_that_came_out_of_a_compiled_function_is_refused_in_a_loss(use):
    """Nobody has its score: half of the gradient would be missing. A look at it is free."""
    q = scg.parameter(0.4)
    act = debug(lambda: scg.Bernoulli(logits=q).sample())
    for b in thrice(act):
        with pytest.raises(BiasedGradientError, match=r"inside (the|a) compiled"):
            USES[use](b, q).backward()
        with pytest.raises(BiasedGradientError):
            scg.surrogate(USES[use](b, q))
        USES[use](b, q).backward(of="value")
        q.zero_grad()
        (5.0 * scg.peek(b) + q).backward()
        assert q.grad == 1.0
        q.zero_grad()


def test_a_compiled_draw_is_refused_in_the_loss_of_another_compiled_function():
    q = scg.parameter(0.4)
    act = debug(lambda: scg.Bernoulli(logits=q).sample())
    learn = debug(lambda b: (5.0 * b + q).backward())
    for _ in range(3):
        with pytest.raises(BiasedGradientError, match="inside a compiled"):
            learn(act())
