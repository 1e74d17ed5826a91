"""Long chains, deep diamonds and long runs: time that grows with the program, memory that stays."""

import gc
import time

import numpy as np
import pytest

import scg
from scg.tape import Node


def walk(a, count):
    """Draw and pay in a chain: every draw weights the costs that follow it."""
    heads, total = 0.0, 0.0
    for _ in range(count):
        b = scg.Bernoulli(logits=a - 0.1 * heads).sample()
        heads = 0.9 * heads + b
        total = total + scg.cost(heads * heads)
    return total


def seconds(count):
    """Return the shortest of three times, the garbage collector held off."""
    a, best = scg.parameter(0.2), np.inf
    for _ in range(3):
        gc.collect()
        gc.disable()
        start = time.process_time()
        walk(a, count).backward()
        best = min(best, time.process_time() - start)
        gc.enable()
        a.zero_grad()
    return best


def test_ten_thousand_draws_and_costs_in_a_chain():
    """Four times the draws take about four times as long, not sixteen.

    The masks of 10,000 costs are 1,250 bytes each: some growth above linear is theirs.
    """
    small, large = seconds(2_500), seconds(10_000)
    assert large < 8 * small, (small, large)


def test_a_chain_of_thousands_has_the_weights_of_reward_to_go():
    """Against sums from the end, by hand."""
    count = 3000
    a = scg.parameter(0.2)
    scg.seed(1)
    heads, total, scores, costs = 0.0, 0.0, [], []
    for _ in range(count):
        b = scg.Bernoulli(logits=a).sample()
        heads = 0.9 * heads + b
        total = total + heads * heads
        scores.append(float(scg.peek(b)) - 1 / (1 + np.exp(-0.2)))
        costs.append(float(scg.peek(heads)) ** 2)
    total.backward()
    to_go = np.cumsum(costs[::-1])[::-1]
    np.testing.assert_allclose(a.grad, np.dot(scores, to_go), rtol=1e-10)


@pytest.mark.parametrize("depth", [30, 3000])
def test_a_diamond_of_two_to_the_n_paths(depth):
    """Every path counts, none is walked by itself."""
    a = scg.parameter(0.3)
    b = scg.Bernoulli(logits=a).sample(rng=0)
    x = b * 1.0 + a * 0.0
    for _ in range(depth):
        x = 0.5 * scg.sin(x) + 0.5 * x
    (x * x).backward()
    value = scg.peek(x) ** 2
    score = scg.peek(b) - 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(a.grad, value * score, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("depth", [30, 3000])
def test_a_pathwise_diamond(depth):
    a = scg.parameter(0.3)
    x = scg.Normal(a, 1.0).sample(rng=0)
    for _ in range(depth):
        x = 0.5 * x + 0.5 * x
    x.backward()
    np.testing.assert_allclose(a.grad, 1.0)


@pytest.mark.filterwarnings("ignore::scg.EscapeWarning")
@pytest.mark.parametrize("iterations", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_flat_over_iterations(iterations):
    """Draws, raw reads, marked costs, episodes and a running mean, with an update each time."""
    a = scg.parameter(0.2)
    optimizer = scg.optim.SGD([a], lr=0.0)
    mean = scg.estimators.RunningMean()
    counts = []
    for i in range(iterations):
        score = scg.estimators.Score(baseline=mean)
        with scg.episode():
            b = scg.Bernoulli(logits=a).sample(estimator=score)
            loss = scg.cost(2.0 if int(b) else -1.0)
        x = scg.Normal(a, 1.0).sample()
        loss = loss + x * x
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i in (iterations // 10, iterations - 1):
            gc.collect()
            counts.append(
                (sum(isinstance(o, Node) for o in gc.get_objects()), len(gc.get_objects()))
            )
    assert counts[1][0] <= counts[0][0] + 5
    assert counts[1][1] <= counts[0][1] + 200


@pytest.mark.filterwarnings("ignore::scg.EscapeWarning")
def test_memory_is_flat_without_an_update():
    """A Monte Carlo loop in episodes that only accumulates."""
    a = scg.parameter(0.2)
    counts = []
    for i in range(1000):
        with scg.episode():
            b = scg.Bernoulli(logits=a).sample()
            scg.cost(2.0 if int(b) else -1.0).backward()
        if i in (100, 999):
            gc.collect()
            counts.append(sum(isinstance(o, Node) for o in gc.get_objects()))
    assert counts[1] <= counts[0] + 5
