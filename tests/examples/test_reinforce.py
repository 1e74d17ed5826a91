"""The REINFORCE example: what the loss weights an action by, and what goes wrong outside."""

import numpy as np
import pytest

import scg
from scg import experiment


def run(reinforce, *arguments, task=None):
    with pytest.raises(SystemExit) as end:
        experiment.run(task or reinforce.Reinforce, list(map(str, arguments)))
    return end.value.code


def task_of(reinforce, **changes):
    parser_options = dict(env="CartPole-v1", batch_size=3, seed=0, steps=7, hidden=[4], epochs=1,
                          lr=0.01, gamma=0.9, entropy=0.0, baseline="none")  # fmt: skip
    return reinforce.Reinforce(experiment.Options(**{**parser_options, **changes}))


def by_hand(task, states, actions, rewards, alive):
    """Return the textbook gradient: each action's score times the later rewards of its own copy."""
    discount = task.options.gamma ** np.arange(len(rewards))[:, None]
    later = np.cumsum((discount * alive * rewards)[::-1], axis=0)[::-1]
    chosen = scg.Categorical(logits=task.policy.body(states.astype(np.float32)))
    loss = -(chosen.log_prob(actions.astype(np.int64)) * later).sum()
    return scg.grad(loss, task.policy.parameters(), of="value")


def test_an_action_is_weighted_by_the_later_rewards_of_its_own_copy(reinforce, monkeypatch):
    task, actions = task_of(reinforce), []

    def remembered(action, step=task.env.step):
        actions.append(action.copy())
        return step(action)

    monkeypatch.setattr(task.env, "step", remembered)
    costs, (states, rewards, _, alive) = task.rollout()
    found = scg.grad(sum(costs).sum(), task.policy.parameters())
    expected = by_hand(task, states, np.array(actions), rewards, alive)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(scg.peek(ours), scg.peek(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["batch", "value"])
@pytest.mark.parametrize("env", ["CartPole-v1", "Acrobot-v1", "Pendulum-v1"])
def test_every_kind_of_environment_takes_a_step(reinforce, env, baseline):
    task = task_of(reinforce, env=env, baseline=baseline, entropy=0.01)
    assert np.isfinite(list(task.step(None).values())).all()
    assert np.isfinite(list(task.evaluate().values())).all()


def test_an_unknown_environment_is_one_sentence(reinforce, capsys):
    assert run(reinforce, "--env", "CardPole-v9") == 2
    error = capsys.readouterr().err
    assert "--env CardPole-v9" in error
    assert "Traceback" not in error


def test_an_environment_that_fails_leaves_the_checkpoint_of_the_last_epoch(
    reinforce, tmp_path, capsys
):
    class Breaking(reinforce.Reinforce):
        def act(self, action):
            if self.actor.steps == 12:
                self.env.step = lambda action: 1 / 0
            return super().act(action)

    assert run(reinforce, "--smoke", "--out", tmp_path, task=Breaking) == 2
    error = capsys.readouterr().err
    assert "CartPole-v1 failed with ZeroDivisionError" in error
    assert "Traceback" not in error
    assert run(reinforce, "--resume", "--out", tmp_path) == 0
