"""Observations carried across an update: numbers by then, unless a draw still stands behind them.

The truth of an iteration is the derivative of its expected loss given what it began with, averaged
over that; learning rates are 0, so that all parameters keep their values and only get new versions.
"""

import gc
import itertools

import numpy as np
import pytest

import scg
from scg.errors import BiasedGradientError, GradientError
from scg.testing import exact_expectation

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

A, W, STEPS = 0.4, -0.7, 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class World:
    """Pays by action and state; the next observation is the state."""

    def __init__(self):
        self.state = 0.5

    def step(self, action):
        action = np.asarray(action, float)
        reward = (action - 0.3) * (1.0 + self.state) - 0.5 * self.state
        self.state = 0.5 * self.state + action
        return self.state, reward


def iteration(world, obs, logits):
    """Return the last observation and the loss of a few steps of the policy."""
    total = 0.0
    for _ in range(STEPS):
        action = scg.Bernoulli(logits=logits(obs)).sample()
        obs, reward = scg.external(world.step, action, world=world)
        total = total + scg.cost(reward)
    return obs, total


CARRIED = {
    "as it is": lambda obs: obs,
    "detached": lambda obs: obs.detach(),
    "normalised": lambda obs: (obs - 0.0) / 1.0,
    "read raw": lambda obs: obs.numpy(),
    "by peek": scg.peek,
}


def learn(a, w, carry, iterations=2):
    """Return the gradient of the last of some iterations, as a person from PyTorch writes them."""
    optimizer = scg.optim.SGD([a, w], lr=0.0)
    world, obs = World(), scg.tensor(0.5)
    for _ in range(iterations):
        obs, loss = iteration(world, carry(obs), lambda o: a + w * o)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array([a.grad, w.grad])


def paths(a, w, state, steps):
    """Yield probability, last state and loss of every run of some steps."""
    for actions in itertools.product((0.0, 1.0), repeat=steps):
        world, p, total = World(), 1.0, 0.0
        world.state = state
        for action in actions:
            q = sigmoid(a + w * world.state)
            p = p * (q if action else 1 - q)
            total += world.step(action)[1]
        yield p, world.state, total


def slope(mean):
    """Differentiate a function of both parameters."""
    h = 1e-30j
    return np.array([np.imag(mean(A + h, W)), np.imag(mean(A, W + h))]) / 1e-30


def of_one_iteration(state):
    return slope(lambda a, w: sum(p * t for p, _, t in paths(a, w, state, STEPS)))


def given_the_past(iterations):
    """Return the mean of the derivative of the last iteration given what it began with."""
    before = paths(A, W, 0.5, STEPS * (iterations - 1))
    return sum(p * of_one_iteration(state) for p, state, _ in before)


def fresh():
    return scg.parameter(A), scg.parameter(W)


def expected(run, *leaves):
    """Return the exact expectation of the gradients that a run returns."""

    def once():
        for leaf in leaves:
            leaf.grad = None
        return np.array(run(*leaves))

    return exact_expectation(once)


@pytest.mark.parametrize("name", CARRIED)
def test_an_observation_of_the_iteration_before_is_a_constant(name):
    found = expected(lambda a, w: learn(a, w, CARRIED[name]), *fresh())
    np.testing.assert_allclose(found, given_the_past(2), rtol=1e-10)


def test_so_are_those_of_all_iterations_before():
    found = expected(lambda a, w: learn(a, w, CARRIED["as it is"], 3), *fresh())
    np.testing.assert_allclose(found, given_the_past(3), rtol=1e-10)


def test_wrong_readings_of_the_loop_are_something_else():
    """The draws of the past scored too; the last observation forgotten, or that of no draw."""
    both = slope(lambda a, w: sum(p * t for p, _, t in paths(a, w, 0.5, 2 * STEPS)))
    first = slope(lambda a, w: sum(p * t for p, _, t in paths(a, w, 0.5, STEPS)))
    for wrong in (both, both - first, first, of_one_iteration(0.0)):
        assert np.max(np.abs(wrong - given_the_past(2))) > 1e-3


def test_an_observation_made_under_no_grad_is_a_constant_too():
    """The recorded action reaches it; after the update nothing does."""

    def run(a, w):
        optimizer = scg.optim.SGD([a, w], lr=0.0)
        first = scg.Bernoulli(logits=a * 1.0).sample()
        with scg.no_grad():
            obs = 0.25 + first
        (first * a * w).backward()
        optimizer.step()
        a.grad = w.grad = None
        second = scg.Bernoulli(logits=a + w * obs).sample()
        ((second + 1.0) * obs).backward()
        return a.grad, w.grad

    def mean(a, w):
        ends = ((1 - sigmoid(A), 0.25), (sigmoid(A), 1.25))
        return sum(p * obs * (sigmoid(a + w * obs) + 1.0) for p, obs in ends)

    np.testing.assert_allclose(expected(run, *fresh()), slope(mean), rtol=1e-10)


def test_a_hidden_state_is_carried_by_detach():
    """As in truncated backpropagation through time, with a pathwise draw in the state."""

    def run(a, w):
        optimizer = scg.optim.SGD([a, w], lr=0.0)
        h = scg.tensor(0.2)
        for _ in range(2):
            a.grad = w.grad = None
            h = scg.tanh(a * h.detach() + scg.Normal(w, 0.5).sample())
            (h * h).backward()
            optimizer.step()
        return a.grad, w.grad

    x, p = np.polynomial.hermite_e.hermegauss(60)
    x, p = w_of(x), p / p.sum()
    state = np.tanh(0.2 * A + x)

    def mean(a, w):
        return sum(
            q * np.sum(p * np.tanh(a * h + x - W + w) ** 2) for q, h in zip(p, state, strict=True)
        )

    np.testing.assert_allclose(expected(run, *fresh()), slope(mean), rtol=1e-7)


def w_of(x):
    return W + 0.5 * x


def test_what_the_world_made_of_a_parameter_is_a_constant_after_its_update():
    a, w = fresh()
    target = scg.external(lambda v: 2.0 * v, a, world=scg.stateless)
    b = scg.Bernoulli(logits=w).sample(rng=0)
    with pytest.raises(BiasedGradientError, match="external"):
        (target * a * b).backward()
    scg.optim.SGD([a], lr=0.0).step()  # no gradient, no update
    with pytest.raises(BiasedGradientError, match="external"):
        (target * a * scg.Bernoulli(logits=w).sample(rng=0)).backward()
    a.assign(A)
    scg.grad(target * a, a)
    assert scg.grad(target * a, a).numpy() == 2.0 * A


def test_a_running_average_of_tensors_is_a_constant_by_then():
    """A baseline or coefficient from earlier iterations, written without peek."""

    def run(a):
        optimizer, average = scg.optim.SGD([a], lr=0.0), scg.tensor(1.0)
        for _ in range(3):
            a.grad = None
            b = scg.Bernoulli(logits=a).sample()
            loss = average * (b - 0.45) ** 2
            loss.backward()
            average = 0.5 * average + 0.5 * b.detach()
            optimizer.step()
        return a.grad

    p = sigmoid(A)
    weight = 0.25 + 0.75 * p
    found = expected(run, scg.parameter(A))
    np.testing.assert_allclose(found, weight * p * (1 - p) * (0.55**2 - 0.45**2), rtol=1e-10)


# --- a draw still stands behind it ------------------------------------------------------------


def _under_no_grad(b):
    with scg.no_grad():
        return b * 1.0


CARRY_WITHIN = {
    "external": lambda b: scg.external(lambda x: x, b, world=scg.stateless),
    "detach": lambda b: b.detach(),
    "no_grad": _under_no_grad,
    "late detach": lambda b: b,
    "the draw itself": lambda b: b,
}


@pytest.mark.parametrize("how", CARRY_WITHIN)
def test_an_observation_of_a_draw_whose_parameters_are_as_they_were_is_scored(how):
    """A step of the critic ends the run, and the actor's draw still has its score.

    Refused is what was computed from it alone: that keeps no way to the draw, or a running average
    would keep every run; and what is multiplied with draws of the next run.
    """

    def once(a, w):
        critic = scg.optim.SGD([w], lr=0.0)
        b = scg.Bernoulli(logits=a).sample()
        obs = CARRY_WITHIN[how](b)
        ((w - 1.0) ** 2).backward()
        critic.step()
        obs = obs.detach() if how == "late detach" else obs
        computed = scg.Bernoulli(logits=a * (obs + 0.5)).sample()
        with pytest.raises(BiasedGradientError, match="stale"):
            scg.grad(computed, a)
        second = scg.Bernoulli(logits=a * obs).sample()
        with pytest.raises(BiasedGradientError, match="stale"):
            scg.grad(second * (1.0 + 2.0 * obs), a)
        return scg.grad(second, a).numpy()

    def mean(a, w):
        p = sigmoid(a)
        return p * sigmoid(a) + (1 - p) * 0.5

    found = expected(once, *fresh())
    np.testing.assert_allclose(found, slope(mean)[0], rtol=1e-10)


def test_an_observation_of_draws_some_of_whose_parameters_were_updated_is_refused():
    a, w = fresh()
    b = scg.Bernoulli(logits=a + w).sample(rng=0)
    obs = scg.external(lambda x: x + 1.0, b, world=scg.stateless)
    (w * w).backward()
    scg.optim.SGD([w], lr=0.0).step()
    for target in (a, w):
        with pytest.raises(GradientError, match=r"stale|updated after"):
            scg.grad(scg.Bernoulli(logits=a * obs).sample(rng=1) * w, target)


def test_a_draw_itself_is_stale_and_the_remedy_is_named():
    """Of a draw taken from a buffer the expectation may be meant; of what is detached it is not."""
    a, _ = fresh()
    b = scg.Bernoulli(logits=a).sample(rng=0)
    a.assign(A)
    with pytest.raises(GradientError, match=r"stale.*x\.detach\(\)"):
        (b * a).backward()
    (b.detach() * a).backward()
    assert a.grad == scg.peek(b)


def test_memory_is_flat_when_observations_are_carried():
    a, w = fresh()
    optimizer = scg.optim.SGD([a, w], lr=0.0)
    world, obs, counts = World(), scg.tensor(0.5), []
    for i in range(60):
        obs, loss = iteration(world, obs, lambda o: a + w * o)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i in (20, 59):
            gc.collect()
            counts.append(sum(issubclass(type(o), scg.tape.Node) for o in gc.get_objects()))
    assert counts[1] <= counts[0] + 5
