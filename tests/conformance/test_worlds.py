"""Runs, episodes, threads, outside worlds and marked costs: what one gradient may not see."""

import threading

import numpy as np
import pytest
from conformance.closed import density, sigmoid, tosses
from conformance.control import World

import scg
from scg._run import fresh_run
from scg.testing import exact_expectation

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

A = 0.4
P = sigmoid(A)


def coin(a, name=None):
    return scg.Bernoulli(logits=a).sample(name=name)


def close(found, truth):
    np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-12)


def expected(run):
    """Return the exact expectation of the arrays that `run(a)` returns."""
    a = scg.parameter(A)

    def once():
        a.zero_grad()
        return np.stack(run(a))

    return exact_expectation(once)


def slope(cost):
    """Return the derivative in the logit of E[cost(b)]."""
    return P * (1 - P) * (cost(1.0) - cost(0.0))


def test_two_backwards_in_one_run():
    """The second loss was chosen by the same draw, with no edge to it."""

    def run(a):
        b = coin(a)
        first, second = (b - 0.45) ** 2, (3.0 * a if b else scg.exp(a))
        first.backward()
        one = a.grad.copy()
        a.zero_grad()
        second.backward()
        return one, a.grad

    found = expected(run)
    close(found[0], slope(lambda b: (b - 0.45) ** 2))
    value = P * 3 + (1 - P) * np.exp(A) + P * (1 - P) * (3 * A - np.exp(A))
    close(found[1], value)


def test_gradients_accumulate_over_repetitions_without_an_update():
    def run(a):
        for _ in range(3):
            ((coin(a) - 0.45) ** 2).backward()
        return (a.grad,)

    close(expected(run), [3 * slope(lambda b: (b - 0.45) ** 2)])


def test_a_goal_drawn_outside_an_episode():
    """What was decided before an episode counts in it."""

    def run(a):
        goal = int(coin(a))
        losses = []
        for _ in range(2):
            with scg.episode():
                action = int(coin(a))
                losses.append(scg.cost(1.5 if action == goal else -0.5))
        sum(losses).backward()
        return (a.grad,)

    def mean(a):
        p = sigmoid(a)
        return 2 * (-0.5 + 2 * (p * p + (1 - p) ** 2))

    close(expected(run), [np.imag(mean(A + 1e-30j)) / 1e-30])


def test_siblings_do_not_pay_for_each_other():
    """Of two episodes, neither's action is weighted by the other's cost."""

    def run(a):
        losses = []
        for _ in range(2):
            with scg.episode():
                action = int(coin(a))
                losses.append(scg.cost(2.0 if action else -1.0))
        sum(losses).backward()
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, (2.0 if b else -1.0) * (b - P)) for p, (b,) in tosses([P])]
    variance = sum(p * g * g for p, g in each) - sum(p * g for p, g in each) ** 2
    close(second - mean**2, 2 * variance)


@pytest.mark.parametrize("inside", [True, False])
def test_a_fresh_episode_inherits_nothing(inside):
    """The user's promise that nothing outside matters; it holds wherever backward is called."""

    def run(a):
        int(coin(a))
        with scg.episode(fresh=True):
            loss = scg.cost(2.0 if int(coin(a)) else -1.0)
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, (2.0 if b else -1.0) * (b - P)) for p, (b,) in tosses([P])]
    close(mean, sum(p * g for p, g in each))
    close(second, sum(p * g * g for p, g in each))


def test_two_training_iterations_never_share_a_draw():
    """The second iteration's loss is weighted into none of the first iteration's draws."""

    def run(a):
        optimizer = scg.optim.SGD([a], lr=0.0)
        for _ in range(2):
            action = int(coin(a))
            loss = scg.cost(2.0 if action else -1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, (2.0 if b else -1.0) * (b - P)) for p, (b,) in tosses([P])]
    close(mean, sum(p * g for p, g in each))
    close(second, sum(p * g * g for p, g in each))


def test_an_escape_in_a_worker_thread():
    """The run that owns the tensor counts it, whichever thread reads."""

    def run(a):
        b = coin(a)
        answers = []
        worker = threading.Thread(target=lambda: answers.append(3.0 if b else -1.0))
        worker.start()
        worker.join()
        (a * answers[0]).backward()
        return (a.grad,)

    close(expected(run), [P * 3 - (1 - P) + P * (1 - P) * A * 4])


def test_external_calls_with_one_shared_world():
    """Without `world=` a later call may remember what an earlier one saw."""

    def run(a):
        memory = []
        scg.external(lambda x: memory.append(float(x)) or 0.0, coin(a))
        reward = scg.external(lambda x: 2.0 * memory[0] * float(x) - 0.3, coin(a))
        reward.backward()
        return (a.grad,)

    close(expected(run), [2 * 2 * P * P * (1 - P)])


def test_a_world_declared_stateless_prunes():
    def run(a):
        first = scg.external(lambda x: 2.0 * x, scg.stack([coin(a)]), aligned=0,
                             world=scg.stateless)  # fmt: skip
        second = scg.external(lambda x: 3.0 - x, scg.stack([coin(a)]), aligned=0,
                              world=scg.stateless)  # fmt: skip
        (first + second).sum().backward()
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, 2 * b * (b - P) + (3 - c) * (c - P)) for p, (b, c) in tosses([P, P])]
    close(mean, sum(p * g for p, g in each))
    close(second, sum(p * g * g for p, g in each))


def test_a_world_that_remembers_across_episodes_until_it_is_reset():
    def run(a, reset):
        world = World()
        losses = []
        for _ in range(2):
            with scg.episode():
                if reset:
                    world.state = 0.0
                action = scg.stack([coin(a)])
                _, reward = scg.external(world.step, action, aligned=0, world=world, reset=reset)
                losses.append(reward.sum())
        sum(losses).backward()
        return a.grad, a.grad**2

    def pair(b, c, reset):
        world = World()
        first = world.step(b)[1]
        if reset:
            world.state = 0.0
        return first, world.step(c)[1]

    for reset in (False, True):
        mean, second = expected(lambda a, r=reset: run(a, r))
        each = []
        for p, (b, c) in tosses([P, P]):
            f, g = pair(b, c, reset)
            each.append((p, (b - P) * (f + g * (not reset)) + (c - P) * g))
        close(mean, sum(p * g for p, g in each))
        close(second, sum(p * g * g for p, g in each))


def test_antithetic_draws_that_are_kept_apart_are_fine():
    """A mean over one cost per element; each element's own score only."""
    a = scg.parameter(0.3)
    x = scg.Normal(a, 1.0).sample(4, estimator="score", rng=scg.noise.AntitheticSource(0))
    (scg.floor(x) * 1.0).mean().backward()
    value = scg.peek(x)
    close(a.grad, np.mean(np.floor(value) * (value - 0.3)))


def test_only_what_is_asked_for_is_judged():
    """X > theta is refused in theta; asked for mu alone it is an ordinary score."""
    mu, theta = scg.parameter(0.3), scg.parameter(0.1)

    def once():
        x = scg.Normal(mu, 1.0).sample()
        return scg.grad(scg.where(x > theta, 1.0, 0.0), mu).numpy()

    close(exact_expectation(once), density(0.2))
    x = scg.Normal(mu, 1.0).sample(rng=0)
    with pytest.raises(scg.BiasedGradientError, match="greater"):
        scg.grad(scg.where(x > theta, 1.0, 0.0), theta)


def test_a_biased_estimator_tags_its_gradient():
    """Gumbel-softmax is the user's word: the gradient is wrong, and says so."""
    a = scg.parameter([0.3, 0.0])
    soft = scg.estimators.GumbelSoftmax(temperature=0.5)
    k = scg.OneHotCategorical(logits=a).sample(estimator=soft, rng=0)
    (g,) = scg.grad(((k * scg.tensor([1.0, 3.0])).sum() - 2.0) ** 3, [a])
    assert any(tag.kind == "BIASED" for tag in g.tags)
    with scg.strict(), pytest.raises(scg.BiasedGradientError, match="BIASED"):
        k = scg.OneHotCategorical(logits=a).sample(estimator=soft, rng=0)
        k.sum().backward()


def test_a_running_mean_never_sees_its_own_run():
    """Exact over pairs of runs: the second run's baseline is the first one's weight."""

    def run(a):
        mean = scg.estimators.RunningMean()
        optimizer = scg.optim.SGD([a], lr=0.0)
        for _ in range(2):
            optimizer.zero_grad()
            b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=mean))
            ((b - 0.45) ** 2).backward()
            optimizer.step()
        return a.grad, a.grad**2

    mean, second = expected(run)
    cost = lambda b: (b - 0.45) ** 2  # noqa: E731
    each = [(p, (cost(c) - cost(b)) * (c - P)) for p, (b, c) in tosses([P, P])]
    close(mean, slope(cost))
    close(second, sum(p * g * g for p, g in each))


@pytest.mark.parametrize(
    "loss",
    [
        lambda p, b: p * p.detach(),
        lambda p, b: p * p.detach() + b,
        lambda p, b: b * p * p.detach(),
    ],
    ids=["alone", "beside a draw", "times a draw"],
)
def test_a_detached_parameter_is_the_users_word_and_tagged(loss):
    p = scg.parameter(0.4)
    b = scg.Bernoulli(logits=scg.parameter(0.3)).sample(rng=1)
    (g,) = scg.grad(loss(p, b), [p])
    assert {(tag.kind, tag.reason) for tag in g.tags} == {("BIASED", "detach")}


# --- what the audit says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "objective",
    [
        lambda x: scg.log(scg.exp(x).mean()),
        lambda x: (x * x).mean() / scg.exp(x).mean(),
        lambda x: scg.maximum((x * x).mean(), scg.exp(x).mean()),
    ],
    ids=["log E", "E / E", "max over means"],
)
def test_a_function_of_an_expectation_is_flagged(objective):
    x = scg.Normal(scg.parameter(0.3), 1.0).sample(8, rng=0)
    assert "sample axis" in {a.kind for a in scg.audit(objective(x)).assumptions}
    assert "sample axis" not in {a.kind for a in scg.audit((x * x).mean()).assumptions}


@pytest.mark.parametrize(("above", "verdict"), [(0.0, "passed"), (1.0, "failed")])
def test_the_assertion_of_continuity_is_verified(above, verdict):
    def program(mu):
        x = scg.Normal(mu, 1.0).sample()
        return scg.where(x > 0, x + above, 0.0, continuous=True)

    found = scg.audit(program, scg.parameter(0.3))
    assert {c.name: c.verdict for c in found.checks}["continuous=True"] == verdict


# --- marked costs -----------------------------------------------------------------------------


def test_a_number_with_nothing_to_depend_on_is_no_cost():
    with pytest.raises(
        scg.GradientError, match=r"scg.cost was given a plain number.*int\(action\)"
    ):
        scg.cost(1.5)


def test_a_marked_cost_that_no_backward_reached_raises_when_the_run_ends():
    a = scg.parameter(A)
    optimizer = scg.optim.SGD([a], lr=0.1)
    b = coin(a)
    loss = scg.cost((b - 0.45) ** 2)
    scg.cost(2.0 * b)  # forgotten
    loss.backward()
    with pytest.raises(scg.GradientError, match=r"test_worlds\.py:\d+"):
        optimizer.step()
    fresh_run()


def test_a_mean_above_a_mark_counts_what_was_read_before_it():
    """The divisor was decided by draws that came after the first mark."""

    def run(a):
        total, count = 0.0, 0
        while count < 2 and coin(a):
            total = total + scg.cost(1.0 + a)
            count += 1
        ((total + scg.cost(a)) / (count + 1)).backward()
        return (a.grad,)

    def mean(a):
        p = sigmoid(a)
        n = np.array([1 - p, p * (1 - p), p * p])
        return sum(q * (k * (1 + a) + a) / (k + 1) for k, q in enumerate(n))

    close(expected(run), [np.imag(mean(A + 1e-30j)) / 1e-30])


# --- surrogates by hand -----------------------------------------------------------------------


def reinforce(a):
    policy = scg.Bernoulli(logits=a)
    action = policy.sample()
    return policy.log_prob(action) * (action - 0.45) ** 2


def test_reinforce_by_hand_differentiated_as_a_value_is_the_textbook_estimator():
    def run(a):
        loss = reinforce(a)
        loss.backward(of="value")
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, (b - P) * (b - 0.45) ** 2) for p, (b,) in tosses([P])]
    close(mean, slope(lambda b: (b - 0.45) ** 2))
    close(second, sum(p * g * g for p, g in each))


def test_reinforce_by_hand_warns():
    with pytest.warns(scg.HandmadeSurrogateWarning, match='of="value"'):
        reinforce(scg.parameter(A)).backward()


def test_reinforce_with_the_reward_of_an_environment_warns():
    """As it is written in PyTorch: the reward is a plain number."""
    policy = scg.Bernoulli(logits=scg.parameter(A))
    action = policy.sample()
    reward = 2.0 if int(action) else -1.0
    with pytest.warns(scg.HandmadeSurrogateWarning, match='of="value"'):
        (-policy.log_prob(action) * reward).backward()


def test_a_negative_elbo_does_not_warn():
    """The log-probability of a draw is a cost there, not a score."""
    a = scg.parameter(A)
    guide = scg.Bernoulli(logits=a)
    b = guide.sample()
    (guide.log_prob(b) - scg.Bernoulli(0.3).log_prob(b)).backward()
