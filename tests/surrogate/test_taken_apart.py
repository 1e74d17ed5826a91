"""Losses taken apart into costs and weighted along axes, in episodes and worlds, to second order.

Truth is the derivative of the exact expectation; the estimate's exact expectation must be that.
"""

import numpy as np
import pytest
from exact import (
    assert_second_derivative,
    assert_unbiased,
    expected_gradient,
    outcomes,
    true_gradient,
)  # fmt: skip

import scg
from scg import estimators

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

VALUES = [0.3, -0.5]


def coin(rng, logits, **options):
    return scg.Bernoulli(logits=logits).sample(rng=rng, **options)


def one_axis(rng, a, b):
    x = coin(rng, scg.stack([a, b, a - b]))
    return ((x - 0.3) ** 2 * scg.tensor([1.0, 2.0, 3.0])).mean()


def reversed_and_shifted(rng, a, b):
    x = coin(rng, scg.stack([a, b]))
    return (x * x[::-1]).sum() + (x[1:] - x[:-1]).sum() * x[0]


def every_second(rng, a, b):
    x = coin(rng, scg.stack([a, b, a * b, a + b]))
    ahead, back = (x[::2] - 0.2) ** 2, scg.exp(x[3:0:-2])
    return (ahead * scg.tensor([1.0, 2.0])).sum() + (back * scg.tensor([3.0, 4.0])).sum()


def transposed(rng, a, b):
    x = coin(rng, scg.stack([scg.stack([a, b]), scg.stack([a - b, b * a])]))
    return (scg.exp(x.T) * scg.tensor([[1.0, 2.0], [3.0, 4.0]])).sum()


def reward_to_go(rng, a, b):
    total, state = 0.0, 0.0
    for t in range(3):
        state = float(coin(rng, a + state * b))
        total = total + scg.cost(state * (t + 1.0) - 0.3)
    return total


def mean_of_a_random_number(rng, a, b):
    costs, state = [], 0.0
    while not state and len(costs) < 3:
        state = float(coin(rng, a + state * b))
        costs.append(scg.cost(state * (len(costs) + 1.0) - 0.3))
    return sum(costs) / float(len(costs))


def scaled_in_one_branch(rng, a, b):
    total = scg.cost(a * a + 1.0)
    return 2.0 * total if coin(rng, b) else total


def dropped_in_one_branch(rng, a, b):
    total = scg.cost(scg.exp(a) * coin(rng, b))
    return -total * 0.0 if coin(rng, b) else -total


def scaled_twice(rng, a, b):
    x = coin(rng, b)
    rewards = [scg.cost((x + 1.0) * a), scg.cost(scg.exp(b))]
    total = scg.stack([*rewards, -0.3 * a]).mean()
    return 1.1 * total if x else total


def a_second_mark(rng, a, b):
    total, k = 0.0, coin(rng, a)
    for _ in range(2):
        stop = coin(rng, 0.2 * b)
        total = total + scg.cost(k)
        if stop:
            break
    return total


def two_episodes(rng, a, b):
    costs = []
    for _ in range(2):
        with scg.episode():
            reward = 2.0 if coin(rng, a) else 0.5
            costs.append(scg.cost(reward * float(coin(rng, b * reward))))
    return (costs[0] + costs[1]) / 2.0


def unmarked_in_episodes(rng, a, b):
    costs = []
    for _ in range(2):
        with scg.episode():
            costs.append(a * 2.0 if coin(rng, a) else scg.exp(b))
    return costs[0] + costs[1]


def made_before_an_episode(rng, a, b):
    total, k = 0.1 * a, coin(rng, a)
    with scg.episode():
        if coin(rng, b):
            total = total + scg.cost((k + 1.0) * a)
    return total


def copies_of_a_world(rng, a, b):
    world = scg.stateless
    x = coin(rng, scg.stack([a, b]))
    first = scg.external(lambda v: 1.0 - v**2 + 0.5 * v, x, aligned=0, world=world)
    y = coin(rng, scg.stack([a, b]) * first)
    return (first + scg.external(lambda v: 3.0 * v, y, aligned=0, world=world)).mean()


class World:
    """A world with a memory."""

    def __init__(self):
        self.total = 0.0

    def step(self, x):
        self.total += float(x)
        return self.total


def a_world_that_remembers(rng, a, b):
    world = World()
    first = scg.external(world.step, coin(rng, a), world=world)
    second = scg.external(world.step, coin(rng, b), world=world)
    return scg.cost(first) + scg.cost(second**2)


def coefficients(rng, a, b):
    x = coin(rng, a)
    return scg.exp(b) * (x - 0.3) ** 2 + a * b * x - b


def baselines(rng, a, b):
    x = coin(rng, a, estimator=estimators.Score(baseline=scg.tensor(0.7)))
    y = coin(rng, b + x, estimator=estimators.Score(baseline=(x * 2.0 - 0.3).detach()))
    return (x - 0.3) ** 2 * (y + 1.0)


def leave_one_out(rng, a, b):
    x = coin(rng, a, estimator=estimators.LeaveOneOut(3))
    return ((x - 0.3) ** 2 * scg.exp(b)).mean()


def leave_one_out_scaled_after_a_read(rng, a, b):
    k = coin(rng, b)
    x = coin(rng, a + k, estimator=estimators.LeaveOneOut(2))
    total = scg.cost(((x - 0.3) ** 2 * scg.exp(b)).mean() - a * x.sum())
    return -0.7 * total if k else total + a


def one_draw_below_two_marks_scaled_after_a_read(rng, a, b):
    x, k = coin(rng, scg.stack([a, b])), coin(rng, a - b)
    total = scg.cost(scg.exp(x).mean() * b) - scg.cost((x * a).sum())
    return 0.5 * total if k else 2.0 * total


def two_routes(rng, a, b):
    x = coin(rng, a)
    z = scg.Normal(b + x, 0.7).sample(rng=rng)
    y = coin(rng, z * a)
    return y * 2.0 + scg.sin(z) * x + z * z + y * x


def drawn_under_no_grad(rng, a, b):
    with scg.no_grad():
        reward = coin(rng, a) * 2.0 - 0.3
    return reward * scg.exp(b)


PROGRAMS = [
    one_axis, reversed_and_shifted, every_second, transposed, reward_to_go,
    mean_of_a_random_number, scaled_in_one_branch, dropped_in_one_branch, scaled_twice,
    a_second_mark, two_episodes, unmarked_in_episodes, made_before_an_episode, copies_of_a_world,
    a_world_that_remembers, coefficients, baselines, leave_one_out,
    leave_one_out_scaled_after_a_read, one_draw_below_two_marks_scaled_after_a_read, two_routes,
    drawn_under_no_grad,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_gradient(program):
    assert_unbiased(program, VALUES)


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p is not drawn_under_no_grad])
def test_the_second_derivative(program):
    assert_second_derivative(program, VALUES)


def test_enumerated_outcomes_count_by_their_probabilities():
    """The recorded value is a plain mean over outcomes, so the truth is that of one draw."""

    def program(rng, a, b, **options):
        x = coin(rng, a, **options)
        y = coin(rng, b * x + a)
        return ((x - 0.3) ** 2 * (y + scg.exp(b)) * a).mean()

    ours = expected_gradient(
        lambda rng, a, b: program(rng, a, b, estimator=estimators.Enumerate()), VALUES
    )
    np.testing.assert_allclose(ours, true_gradient(program, VALUES), rtol=1e-8)


def test_a_repetition_without_update_may_depend_on_what_was_read_before():
    """Its residuals are kept, though backward was called."""

    def total(rng, a):
        value = 0.0
        for _ in range(2):
            logits = scg.tanh(a) * 2.0
            loss = scg.exp(logits) if coin(rng, logits) else logits * 3.0
            if a.is_parameter:
                loss.backward()
            value += scg.peek(loss)
        return value

    def slope(source):
        a = scg.parameter(0.3)
        total(source, a)
        return float(a.grad)

    estimate = sum(weight * g for weight, g in outcomes(slope))
    truth = true_gradient(lambda rng, a: scg.tensor(total(rng, a)), [0.3])[0]
    np.testing.assert_allclose(estimate, truth, rtol=1e-8)


def test_a_gradient_is_not_differentiated_in_a_parameter_that_would_be_refused():
    """`x > theta` is right for mu alone; the derivative of that gradient in theta is not."""
    mu, theta = scg.parameter(0.3), scg.parameter(0.1)
    x = scg.Normal(mu, 1.0).sample(rng=0)
    loss = scg.where(x > theta, x, 0.0)
    with pytest.raises(scg.BiasedGradientError):
        scg.grad(loss, theta)
    slope = scg.grad(loss, mu, create_graph=True)
    with pytest.raises(scg.GradientError, match="greater"):
        scg.grad(slope, theta)


@pytest.mark.parametrize(
    "derive",
    [
        lambda loss, a: loss.backward(),
        scg.grad,
        lambda loss, a: scg.grad(loss, a, create_graph=True),
        lambda loss, a: scg.surrogate(loss),
    ],
)
def test_an_infinite_coefficient_is_an_answer_and_no_warning(derive):
    """Every warning is an error here."""
    a = scg.parameter(0.3)
    with np.errstate(divide="ignore"):
        loss = (scg.Bernoulli(logits=a).sample(rng=0) + 1.0) / scg.tensor(0.0)
    derive(loss, a)
