"""The outside world: what its answers depend on, element by element, and what it remembers."""

import gc
import weakref

import numpy as np
import pytest

import scg
from scg.errors import ShapeError
from scg.tape import Node
from scg.testing import check_unbiased


class Walk:
    """Independent counters; `info` also tells of all of them together."""

    def __init__(self, count):
        self.place = np.arange(float(count))

    def step(self, action):
        self.place = self.place + action
        info = {"total": float(self.place.sum()), "pair": self.place[:2], "names": ["a", "b"]}
        return self.place.copy(), self.place**2, info


def walked(logits, pick):
    """Return a program's loss: one step of a walk, and what `pick` takes of its answer."""
    world = Walk(logits.shape[0])
    action = scg.Bernoulli(logits=logits).sample(name="action")
    return pick(scg.external(world.step, action, aligned=0, world=world))


LOGITS = np.array([0.3, -0.4, 0.8])
PARTS = {
    "an aligned answer": lambda answer: answer[1].mean(),
    "a number of the info": lambda answer: answer[2]["total"] ** 2,
    "an array of another length": lambda answer: (answer[2]["pair"] ** 2).sum(),
    "both": lambda answer: (answer[1] * answer[2]["total"]).sum(),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_the_world_answers_is_scored(name):
    check_unbiased(lambda logits: walked(logits, PARTS[name]), LOGITS)


def weights(loss):
    """Return for every element of the draw the axes on which it and the cost agree."""
    (route,) = scg._surrogate.plan.analyse(loss, np.ones(loss.shape), None).routes
    return [[a is not None for a in axes] for axes in route.scored]


def test_an_info_without_the_axis_depends_on_every_element_and_the_rest_on_its_own():
    logits = scg.parameter(LOGITS)
    assert weights(walked(logits, PARTS["an aligned answer"])) == [[True]]
    assert weights(walked(logits, PARTS["a number of the info"])) == [[False]]
    assert weights(walked(logits, PARTS["an array of another length"])) == [[False]]


def test_what_is_no_number_comes_back_as_it_is():
    answer = walked(scg.parameter(LOGITS), lambda answer: answer)
    assert answer[2]["names"] == ["a", "b"]
    assert isinstance(answer[2]["total"], scg.Tensor)


ANSWERS = {
    "answer has": lambda x: 1.0,
    r"answer\[1\] has": lambda x: (x, float(x.sum()), {"n": 1}),
    r"answer\[0\]\[1\] has": lambda x: [[x, 2.0]],
}


@pytest.mark.parametrize("which", ANSWERS)
def test_an_answer_without_the_axis_is_refused_and_named(which):
    coin = scg.Bernoulli(logits=scg.parameter(LOGITS)).sample(rng=0)
    with pytest.raises(ShapeError, match=rf"aligned=0, but {which} shape \(\)"):
        scg.external(ANSWERS[which], coin, aligned=0)


# --- a vector environment, as people write it --------------------------------------------------


@pytest.fixture
def poles():
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync")
    yield env
    env.close()


def rollout(env, w, steps):
    """Return the rewards of some steps; and what was seen, done, and its logits."""
    obs, _ = scg.external(lambda: env.reset(seed=1), aligned=0, world=env, reset=True)
    rewards, scores = [], []
    for _ in range(steps):
        seen = scg.peek(scg.as_tensor(obs))
        logits = scg.as_tensor(obs) @ w
        action = scg.Categorical(logits=logits).sample()
        obs, reward, ended, cut, _ = scg.external(env.step, action, aligned=0, world=env)
        rewards.append(reward * (1.0 - 0.5 * ended.astype(float) - cut.astype(float)))
        scores.append((seen, scg.peek(action), scg.peek(logits)))
    return rewards, scores


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_vector_cart_pole_is_weighted_by_the_reward_to_go_of_each_copy(poles):
    scg.seed(3)
    rng = np.random.default_rng(5)
    w = scg.parameter(0.5 * rng.standard_normal((4, 2)))
    rewards, scores = rollout(poles, w, 40)
    loss = sum(rewards).mean()
    table = np.stack([scg.peek(r) for r in rewards])
    to_go = np.cumsum(table[::-1], axis=0)[::-1] / 3.0
    assert len(np.unique(table)) > 2  # copies ended, and at different times
    by_hand = np.zeros((4, 2))
    for (seen, action, logits), weight in zip(scores, to_go, strict=True):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        by_hand += seen.T @ ((np.eye(2)[action] - p) * weight[:, None])
    loss.backward()
    np.testing.assert_allclose(w.grad, by_hand, rtol=1e-6, atol=1e-9)


def test_training_against_a_world_that_outlives_its_runs_keeps_no_graph(poles):
    w = scg.parameter(np.zeros((4, 2)))
    optimizer, counts = scg.optim.SGD([w], lr=0.01), []
    scg.external(poles.reset, aligned=0, world=poles, reset=True)
    obs = np.zeros((3, 4))
    for update in range(200):
        total = 0.0
        for _ in range(3):
            action = scg.Categorical(logits=scg.as_tensor(obs) @ w).sample()
            obs, reward, *_ = scg.external(poles.step, action, aligned=0, world=poles)
            total = total + reward.mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        obs = scg.peek(obs)  # what was before the update is given
        if update in (40, 199):
            gc.collect()
            counts.append(sum(issubclass(type(o), Node) for o in gc.get_objects()))
    assert counts[1] <= counts[0] + 5


def test_a_world_is_not_kept_alive():
    world = Walk(3)
    coin = scg.Bernoulli(logits=scg.parameter(LOGITS)).sample(rng=0)
    scg.external(world.step, coin, aligned=0, world=world)
    gone = weakref.ref(world)
    del world
    gc.collect()
    assert gone() is None
