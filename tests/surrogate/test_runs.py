"""What counts as one execution of the program: `zero_grad`, `step`, tasks, and what a run keeps."""

import asyncio
import contextvars
import gc
import threading

import numpy as np
import pytest
from exact import assert_unbiased, outcomes

import scg
from scg._run import current_run
from scg.errors import BiasedGradientError, GradientError

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def draw(logits, rng=None):
    return scg.Bernoulli(logits=logits).sample(rng=rng)


def test_zero_grad_after_the_forward_pass_keeps_draws_that_only_python_followed():
    """`loss = ...; zero_grad(); loss.backward()`, with no edge from the draw to the loss."""

    def loss(rng, a):
        cost = a * 3.0 if draw(a, rng) else scg.exp(a)
        a.zero_grad() if a.is_parameter else None
        return cost

    assert_unbiased(loss, [0.3])


def test_zero_grad_before_the_loss_is_formed_keeps_the_draws():
    """A rollout, then `zero_grad`, then a loss made of plain numbers."""

    def loss(rng, a):
        reward = 3.0 if draw(a, rng) else -1.0
        a.zero_grad() if a.is_parameter else None
        return a * reward

    assert_unbiased(loss, [0.3])


def test_a_loss_formed_before_another_optimizer_stepped_keeps_its_draws():
    def loss(rng, a):
        cost = a * 3.0 if draw(a, rng) else scg.exp(a)
        scg.optim.SGD([scg.parameter(0.0)], lr=0.1).step()
        return cost

    assert_unbiased(loss, [0.3])


def test_a_second_loss_of_a_run_that_zero_grad_ended_keeps_its_draws():
    """The first backward settles the run, so `zero_grad` ends it; both losses were made in it."""

    def loss(rng, a):
        b = draw(a, rng)
        first, second = (a * a, a * 3.0) if b else (a + 1.0, scg.exp(a))
        if a.is_parameter:
            first.backward()
            a.zero_grad()
        return second

    assert_unbiased(loss, [0.3])


def test_a_loss_formed_two_runs_ago_is_refused():
    a = scg.parameter(0.3)
    cost = a * 3.0 if draw(a, 0) else scg.exp(a)
    for seed in (1, 2):
        other = scg.parameter(0.0)
        (draw(other, seed) * other).backward()
        scg.optim.SGD([other], lr=0.1).step()
    with pytest.raises(BiasedGradientError, match="earlier run"):
        cost.backward()


def test_a_loss_whose_parameter_was_updated_since_is_stale():
    a = scg.parameter(0.3)
    cost = a * 3.0 if draw(a, 0) else scg.exp(a)
    other = scg.parameter(0.3)
    second = other * 2.0 if draw(a, 1) else other
    cost.backward()
    scg.optim.SGD([a], lr=0.1).step()
    with pytest.raises(GradientError, match="stale"):
        second.backward()


def test_an_evaluation_under_no_grad_does_not_outlive_zero_grad():
    a = scg.parameter(0.3)
    with scg.no_grad():
        int(draw(a)), float(scg.Normal(a, 1.0).sample())
    a.zero_grad()
    (draw(a) * a).backward()


def test_an_evaluation_before_the_forward_pass_ends_at_a_late_zero_grad():
    a = scg.parameter(0.3)
    with scg.no_grad():
        float(scg.Normal(a, 1.0).sample())
    loss = draw(a) * a
    a.zero_grad()
    loss.backward()
    assert a.grad is not None


def test_an_evaluation_before_a_forward_pass_without_draws_ends_there_too():
    a = scg.parameter(0.3)
    with scg.no_grad():
        float(scg.Normal(a, 1.0).sample())
    loss = scg.exp(a)
    a.zero_grad()
    loss.backward()
    assert a.grad is not None


def test_a_read_under_no_grad_after_the_forward_pass_does_not_end_there():
    a = scg.parameter(0.3)
    b = draw(a)
    with scg.no_grad():
        chosen = int(scg.Bernoulli(scg.sigmoid(a) * 0.5 + 0.25 * b).sample())
    a.zero_grad()
    with pytest.raises(BiasedGradientError, match="no_grad"):
        (b * a * chosen + a).backward()


def test_a_read_between_zero_grad_and_the_loss_counts():
    a = scg.parameter(0.3)
    x = scg.Normal(a, 1.0).sample(rng=0)
    a.zero_grad()
    cost = a * a if float(x) > 0 else 3.0 * a
    value, slope = scg.peek(cost), (0.6 if scg.peek(x) > 0 else 3.0)
    cost.backward()
    np.testing.assert_allclose(a.grad, slope + value * (scg.peek(x) - 0.3))


def test_a_settled_run_ends_at_zero_grad():
    """Repetitions without an update do not weight each other."""
    a = scg.parameter(0.3)
    grads = []
    for _ in range(3):
        (draw(a, 7) * 2.0 - 1.0).backward()
        grads.append(float(a.grad))
        a.zero_grad()
    assert grads[0] == grads[1] == grads[2]


def test_tasks_that_share_a_run_share_its_draws():
    async def rollout(a, rng):
        return int(draw(a, rng))

    async def both(a, rng):
        return [await asyncio.create_task(rollout(a, rng)) for _ in range(2)]

    def loss(rng, a):
        first, second = asyncio.run(both(a, rng))
        return a * (1.0 + first) * (2.0 - second)

    assert_unbiased(loss, [0.3])


def test_a_worker_thread_in_a_copied_context_shares_the_run():
    def loss(rng, a):
        context, found = contextvars.copy_context(), []
        rollout = lambda: found.append(int(draw(a, rng)))  # noqa: E731
        worker = threading.Thread(target=context.run, args=(rollout,))
        worker.start()
        worker.join()
        return a * 3.0 if found[0] else scg.exp(a)

    assert_unbiased(loss, [0.3])


STYLES = ("zero, forward, backward, step", "forward, zero, backward, step", "no step", "assign")


@pytest.mark.parametrize("style", STYLES)
def test_memory_is_flat_whatever_the_order_of_the_loop(style):
    a = scg.parameter(0.2)
    optimizer = scg.optim.SGD([a], lr=0.0)
    average, counts = scg.tensor(0.0), []
    for i in range(120):
        if style.startswith("zero"):
            optimizer.zero_grad()
        loss = (draw(a * 1.0, i) - 0.45) ** 2
        if style.startswith("forward"):
            optimizer.zero_grad()
        loss.backward()
        if style == "no step":
            optimizer.zero_grad()
        elif style == "assign":
            g = a.grad
            a.zero_grad()
            a.assign(scg.peek(a) - 0.0 * g)
        else:
            average = 0.9 * average + 0.1 * loss.detach()
            optimizer.step()
        if i in (40, 119):
            gc.collect()
            counts.append(sum(issubclass(type(o), scg.tape.Node) for o in gc.get_objects()))
    assert counts[1] <= counts[0] + 5


def test_a_run_that_never_ends_counts_its_reads_but_does_not_keep_them():
    a = scg.parameter(0.2)
    with scg.no_grad():
        for i in range(50):
            int(draw(a, i))
    assert len(current_run().evaluations) == 1
    with pytest.raises(BiasedGradientError, match="and 49 more"):
        (draw(a) * a).backward()


def test_only_the_last_run_with_draws_is_kept():
    a = scg.parameter(0.2)
    sites = []
    for i in range(4):
        (draw(a * 1.0, i) * 2.0).backward()
        a.zero_grad()
        gc.collect()
        sites.append(sum(issubclass(type(o), scg.site.Site) for o in gc.get_objects()))
    assert sites[3] == sites[1]


def test_a_backward_leaves_nothing_for_the_garbage_collector():
    """What was decided holds the whole graph; a cycle would keep it until the next collection."""
    a = scg.parameter(0.2)

    def step():
        b = draw(a, 1)
        z = scg.Normal(a, 1.0).sample(rng=2)
        ((b - z) ** 2 + scg.cost(b * (z > 0.0))).backward()

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_mark_that_was_not_reached_is_refused_before_anything_moves():
    a = scg.parameter(0.3)
    optimizer = scg.optim.SGD([a], lr=1.0)
    c = scg.cost(1.0 + scg.Bernoulli(logits=a).sample(rng=0))
    (c**2).backward()
    with pytest.raises(GradientError, match="what is computed from it is another cost"):
        optimizer.step()
    assert scg.peek(a) == 0.3


# --- repetitions in episodes ------------------------------------------------------------------


def repeat(a, count):
    """Return the costs of episodes in which something was read, each chosen by its own draw."""
    costs, draws = [], []
    for seed in range(count):
        with scg.episode():
            b = draw(a, seed)
            costs.append(scg.cost((b - 0.45) ** 2 * (2.0 if b else 1.0)))
            draws.append(scg.peek(b))
    return costs, np.array(draws)


def own_score(b):
    p = 1 / (1 + np.exp(-0.3))
    return (b - 0.45) ** 2 * np.where(b, 2.0, 1.0) * (b - p)


def test_a_backward_inside_an_episode_does_not_see_its_siblings():
    """They were read after their backward, to be logged, and decide nothing here."""
    a = scg.parameter(0.3)
    for seed in range(4):
        with scg.episode():
            b = draw(a, seed)
            loss = (b - 0.45) ** 2 * (2.0 if b else 1.0)
            before = 0.0 if a.grad is None else a.grad.copy()
            loss.backward()
            float(loss)
            np.testing.assert_allclose(a.grad - before, own_score(scg.peek(b)), rtol=1e-12)


def test_a_cost_from_before_an_episode_may_have_been_chosen_in_its_siblings():
    def loss(rng, a):
        costs = a * 3.0, scg.exp(a)
        with scg.episode():
            chosen = costs[0] if draw(a, rng) else costs[1]
        with scg.episode():
            draw(a, rng)
            return scg.surrogate(chosen)  # of which the backward is asked for in here

    def once(source):
        a = scg.parameter(0.3)
        return scg.grad(loss(source, a), a, of="value").numpy()

    total = sum(weight * found for weight, found in outcomes(once))
    p = 1 / (1 + np.exp(-0.3))
    truth = 3 * p + (1 - p) * np.exp(0.3) + p * (1 - p) * (0.9 - np.exp(0.3))
    np.testing.assert_allclose(total, truth, rtol=1e-12)


def test_many_episodes_before_one_backward_cost_what_they_hold(monkeypatch):
    """And not the cube of that: of each cost it was asked for every pair of episodes."""
    asked, counts = [0], []
    within = scg._surrogate.origins._within

    def counting(run, order):
        asked[0] += 1
        return within(run, order)

    monkeypatch.setattr(scg._surrogate.origins, "_within", counting)
    for count in (20, 80):
        a, asked[0] = scg.parameter(0.3), 0
        costs, draws = repeat(a, count)
        sum(costs).backward()
        np.testing.assert_allclose(a.grad, own_score(draws).sum(), rtol=1e-12)
        counts.append(asked[0])
        a.zero_grad()
    assert 0 < counts[1] < 5 * counts[0]


def _old_and_new(optimizer, a, b):
    """Return a draw from before an update, and one from after it."""
    old = draw(b)
    (old * b).backward()
    optimizer.step()
    a.zero_grad(), b.zero_grad()
    return old, draw(a)


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_read_of_old_and_new_draws_together_counts_for_the_new_ones(first):
    """Whichever comes first: the score of the new one is in the gradient, or it is refused."""
    a, b = scg.parameter(0.2), scg.parameter(-0.1)
    old, new = _old_and_new(scg.optim.SGD([b], lr=0.1), a, b)
    mixed = old + new if first == "old" else new + old
    cost = 1.0 if float(mixed) > 0.5 else 3.0
    with pytest.raises(BiasedGradientError, match="stale"):
        (cost * scg.exp(a)).backward()


@pytest.mark.filterwarnings("error")
def test_what_is_computed_later_from_old_draws_alone_may_be_read():
    a, b = scg.parameter(0.2), scg.parameter(-0.1)
    old, new = _old_and_new(scg.optim.SGD([b], lr=0.1), a, b)
    assert float(old / 2.0 + 0.0 * old) in (0.0, 0.5)
    (new * a).backward()
    assert a.grad is not None


def test_what_is_computed_later_from_old_noise_and_a_parameter_is_refused():
    """`old` is a number by now, and `a * old` depends on the parameter as it is."""
    a, b = scg.parameter(0.2), scg.parameter(-0.1)
    old = scg.Normal(0.0, 1.0).sample()
    (b**2).backward()
    scg.optim.SGD([b], lr=0.1).step()
    new = draw(a)
    scale = float(a * old)
    with pytest.raises(BiasedGradientError, match=r"float\(\)"):
        (new * scale).backward()


@pytest.mark.filterwarnings("error")
def test_noise_from_before_an_update_is_a_number():
    """A loss that is logged after its step does not make a later jump in a parameter noise."""
    a, b = scg.parameter(0.2), scg.parameter(-0.1)
    loss = b * scg.Normal(0.0, 1.0).sample()
    loss.backward()
    scg.optim.SGD([b], lr=0.1).step()
    assert float(loss) != 0.0
    (scg.where(a > 0.0, 2.0, 1.0) * a).backward()
    assert a.grad == 2.0
