"""The REINFORCE example: what the loss weights an action by, and what goes wrong outside."""

import json
import signal

import gymnasium
import numpy as np
import pytest

import scg
from scg import experiment
from scg.errors import ExternalError, OptionError


def run(reinforce, *arguments, task=None):
    with pytest.raises(SystemExit) as end:
        experiment.run(task or reinforce.Reinforce, list(map(str, arguments)))
    return end.value.code


def task_of(reinforce, **changes):
    options = dict(env="CartPole-v1", batch_size=3, seed=0, steps=7, hidden=[4], epochs=1, lr=0.01,
                   gamma=0.9, entropy=0.0, scale=1.0, window=None, baseline="none", compare=[],
                   gif=None)  # fmt: skip
    return reinforce.Reinforce(experiment.Options(**{**options, **changes}))


def remembered(task, monkeypatch):
    """Return the list that the actions of a rollout go to."""
    actions = []

    def step(action, step=task.world.step):
        actions.append(action.copy())
        return step(action)

    monkeypatch.setattr(task.world, "step", step)
    return actions


def by_hand(task, states, actions, rewards, alive):
    """Return the textbook gradient: each action's score times the later rewards of its own copy."""
    discount = task.options.gamma ** np.arange(len(rewards))[:, None]
    later = np.cumsum((discount * alive * rewards)[::-1], axis=0)[::-1]
    score = task.policy(scg.tensor(states.astype(np.float32))).log_prob(actions)
    loss = -(score.reshape(*later.shape, -1).sum(axis=-1) * later).sum()
    return scg.grad(loss, task.policy.parameters(), of="value")


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_an_action_is_weighted_by_the_later_rewards_of_its_own_copy(reinforce, monkeypatch, env):
    task = task_of(reinforce, env=env)
    actions = remembered(task, monkeypatch)
    loss, (states, rewards, _, alive), _ = task.rollout()
    found = scg.grad(loss, task.policy.parameters())
    expected = by_hand(task, states, np.array(actions), rewards, alive)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(scg.peek(ours), scg.peek(theirs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("steps", "window"), [(7, 3), (300, 200)])
def test_the_value_judges_what_a_window_or_a_limit_cuts_off(reinforce, steps, window):
    task = task_of(reinforce, env="Pendulum-v1", steps=steps, window=window, scale=0.1)
    _, (_, rewards, earned, _), (last, _) = task.rollout()
    rest = scg.peek(task.value(last.astype(np.float32)))[:, 0]
    np.testing.assert_allclose(earned[:-1], 0.1 * rewards[:-1], rtol=1e-5)
    np.testing.assert_allclose(earned[-1], 0.1 * rewards[-1] + 0.9 * rest, rtol=1e-5)


def test_the_entropy_bonus_is_differentiated_where_it_stands(reinforce):
    """No action comes before the first step, so that only the bonus itself has a derivative."""
    gradients = []
    for entropy in (0.5, 0.0):
        task = task_of(reinforce, steps=1, entropy=entropy)
        loss, (states, *_), _ = task.rollout()
        gradients.append(scg.grad(loss, task.policy.parameters()))
    bonus = -0.5 * task.policy(scg.tensor(states[0].astype(np.float32))).entropy().sum()
    expected = scg.grad(bonus, task.policy.parameters(), of="value")
    for with_bonus, without, ours in zip(*gradients, expected, strict=True):
        difference = scg.peek(with_bonus) - scg.peek(without)
        np.testing.assert_allclose(difference, scg.peek(ours), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["none", "batch", "value"])
@pytest.mark.parametrize("env", ["CartPole-v1", "Acrobot-v1", "Pendulum-v1"])
def test_every_kind_of_environment_takes_a_step(reinforce, env, baseline):
    task = task_of(reinforce, env=env, baseline=baseline, entropy=0.01)
    assert np.isfinite(list(task.step(None).values())).all()
    assert np.isfinite(list(task.evaluate().values())).all()


class Strict(gymnasium.Env):
    """Raises an error at an action that lies outside of its bounds."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))

    def __init__(self, actions):
        self.action_space = actions

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        if not self.action_space.contains(action):
            raise ValueError(f"{action} is not allowed")
        return np.zeros(2, np.float32), 1.0, False, False, {}


@pytest.fixture
def register():
    """Return a function that registers an environment of certain actions."""
    made = []

    def add(actions):
        made.append(f"Strict{len(made)}-v0")
        gymnasium.register(made[-1], lambda: Strict(actions), max_episode_steps=3)
        return made[-1]

    yield add
    for name in made:
        del gymnasium.registry[name]


Box, Discrete = gymnasium.spaces.Box, gymnasium.spaces.Discrete


@pytest.mark.parametrize(
    "actions",
    [
        Box(np.float32([2, 10]), np.float32([2.5, 11])),
        Box(-np.inf, np.inf, (2,)),
        Discrete(3, start=5),
    ],
)
def test_actions_stay_within_their_bounds(reinforce, register, actions):
    task = task_of(reinforce, env=register(actions), batch_size=20, baseline="value")
    assert np.isfinite(list(task.step(None).values())).all()


def test_a_policy_starts_in_the_middle_of_the_bounds(reinforce, register):
    low, high = np.float32([2, 10]), np.float32([2.5, 11])
    policy = task_of(reinforce, env=register(Box(low, high))).policy
    np.testing.assert_allclose(policy.centre, [2.25, 10.5])
    np.testing.assert_allclose(policy.half, [0.25, 0.5])


def test_spaces_that_are_no_vectors_are_refused(reinforce, register):
    with pytest.raises(OptionError, match="MultiDiscrete"):
        task_of(reinforce, env=register(gymnasium.spaces.MultiDiscrete([2, 2])))


def test_an_unknown_environment_is_one_sentence(reinforce, capsys):
    assert run(reinforce, "--env", "CardPole-v9") == 2
    error = capsys.readouterr().err
    assert "--env CardPole-v9" in error
    assert "Traceback" not in error


def test_an_environment_that_fails_leaves_the_checkpoint_of_the_last_epoch(
    reinforce, tmp_path, capsys
):
    class Breaking(reinforce.Reinforce):
        def rollout(self, *start):
            if self.actor.steps == 12:
                self.world.env.step = lambda action: 1 / 0
            return super().rollout(*start)

    assert run(reinforce, "--smoke", "--out", tmp_path, task=Breaking) == 2
    error = capsys.readouterr().err
    assert "CartPole-v1 failed with ZeroDivisionError" in error
    assert "Traceback" not in error
    assert run(reinforce, "--resume", "--out", tmp_path) == 0


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_an_interrupted_run_goes_on_bitwise(reinforce, tmp_path, env):
    class Interrupted(reinforce.Reinforce):
        def step(self, batch):
            if self.actor.steps == 13:
                signal.raise_signal(signal.SIGINT)
            return super().step(batch)

    def results(folder):
        rows = json.loads((folder / "metrics.json").read_text())["history"]
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    small = ["--env", env, "--smoke", "--batch-size", 2, "--steps", 5]
    assert run(reinforce, *small, "--out", tmp_path / "a") == 0
    assert run(reinforce, *small, "--out", tmp_path / "b", task=Interrupted) == 130
    assert run(reinforce, "--resume", "--out", tmp_path / "b") == 0
    assert results(tmp_path / "a") == results(tmp_path / "b")


def test_a_finished_run_is_drawn_with_others(reinforce, tmp_path):
    for seed in (0, 1):
        assert run(reinforce, "--smoke", "--seed", seed, "--out", tmp_path / str(seed)) == 0
    alone = (tmp_path / "1" / "returns.png").read_bytes()
    compared = ["--resume", "--out", tmp_path / "1", "--compare", tmp_path / "0"]
    assert run(reinforce, *compared) == 0
    assert (tmp_path / "1" / "returns.png").read_bytes() != alone


def test_a_run_to_compare_with_is_missed_before_the_training(reinforce, tmp_path):
    with pytest.raises(OptionError, match=r"metrics\.json cannot be read"):
        task_of(reinforce, compare=[tmp_path])


class Painted(Strict):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}

    def __init__(self, render_mode=None):
        super().__init__(Discrete(2))
        self.render_mode = render_mode

    def render(self):
        return np.full((8, 8, 3), 100, np.uint8)


def test_the_policy_is_filmed(reinforce, tmp_path):
    gymnasium.register("Painted-v0", Painted, max_episode_steps=3)
    try:
        options = ["--env", "Painted-v0", "--smoke", "--out", tmp_path, "--gif", tmp_path / "a.gif"]
        assert run(reinforce, *options) == 0
    finally:
        del gymnasium.registry["Painted-v0"]
    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF89a")


def test_a_camera_that_fails_is_missed_before_the_training(reinforce, tmp_path, monkeypatch):
    def render(self):
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    monkeypatch.setattr(gymnasium.vector.SyncVectorEnv, "render", render)
    with pytest.raises(ExternalError, match="pygame is not installed"):
        task_of(reinforce, gif=tmp_path / "a.gif")
