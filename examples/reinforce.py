"""REINFORCE: learns to act by trying, with the score function.

Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", eq. 11, and Schulman, Heess, Weber and Abbeel (2015), "Gradient Estimation Using
Stochastic Computation Graphs", arXiv 1506.05254, section 4. Copies of an environment act side by
side, and the loss is the sum of what they did not earn. The policy needs no returns: that an
action is weighted by the later rewards of its own copy, and by no others, follows from what the
environment was told (`scg.external`) and from when a reward was earned (`scg.cost`).

A baseline is subtracted from that weight: none, the mean of the other copies, or a learned value of
the state. An entropy bonus is part of the cost: it is differentiated where it stands, and scored
for how one came there.

CartPole-v1 counts as solved at a mean return of 475 over 100 test episodes (`mean_return`).
Writes metrics.json, returns.png, a checkpoint, and with --gif the policy at work;
--compare DIR DIR ... adds the curves of other seeds, as their mean and a band.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import scg
from scg import data, errors, estimators, experiment, nn, optim

import numpy as np

UPDATES, TEST_EPISODES, FITS = 10, 100, 10  # updates an epoch; fits of the value an update


class Policy(nn.Module):
    """From a state to a distribution over actions: a choice, or normal variables."""

    def __init__(self, env, hidden, rng):
        states, actions = env.single_observation_space, env.single_action_space
        self.discrete = hasattr(actions, "n")
        outputs = int(actions.n) if self.discrete else actions.shape[0]
        self.body = nn.MLP([states.shape[0], *hidden, outputs], activation="tanh", rng=rng)
        if not self.discrete:
            self.log_scale = scg.parameter(np.full(outputs, -0.5, np.float32))
            self.centre, self.half = (actions.high + actions.low) / 2, actions.high

    def __call__(self, state):
        out = self.body(state)
        if self.discrete:
            return scg.Categorical(logits=out)
        return scg.Normal(self.centre + self.half * out, self.half * np.exp(self.log_scale))

    def choose(self, state, rng):
        """Return actions for a test."""
        with scg.no_grad():
            return scg.peek(self(state).sample(rng=rng))


class Reinforce(experiment.Task):
    __doc__ = __doc__
    name = "reinforce"
    defaults = {"epochs": 6, "batch_size": 16}
    smoke = {"epochs": 2, "batch_size": 2, "steps": 20}
    saved = ("policy", "value", "actor", "critic", "rng")

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        add, number = parser.add_argument, experiment.positive_float
        kinds = ["none", "batch", "value"]
        add("--env", default="CartPole-v1", help="an environment of gymnasium, many at a time")
        add("--baseline", default="value", choices=kinds, help="less weight for what is usual")
        add("--hidden", type=experiment.sizes, default=[64], help="widths of hidden layers")
        add("--lr", type=number, default=0.01, help="first step size of Adam; it falls to 0")
        add("--gamma", type=number, default=1.0, help="discount of a reward for each step")
        add("--entropy", type=experiment.nonnegative_float, default=0.01, help="reward for a nat")
        add("--steps", type=experiment.positive, help="of an episode, if fewer than its own limit")
        add("--gif", type=Path, help="film the policy at the end")
        add("--compare", type=Path, nargs="+", default=[], help="other runs, for returns.png")

    def __init__(self, options: experiment.Options) -> None:
        self.options, self.rng = options, np.random.default_rng(options.seed)
        self.env, self.tests = self.make(options.batch_size), self.make(TEST_EPISODES)
        self.steps = options.steps or self.env.spec.max_episode_steps or 1000
        self.policy = Policy(self.env, options.hidden, self.rng)
        sizes = [self.env.single_observation_space.shape[0], *options.hidden, 1]
        self.value = nn.MLP(sizes, activation="tanh", rng=self.rng)
        lr = optim.cosine(options.lr, options.epochs * UPDATES)
        self.actor = optim.Adam(self.policy, lr=lr)
        self.critic = optim.Adam(self.value, lr=options.lr)
        self.batches = data.minibatches(np.arange(UPDATES), 1, rng=self.rng)

    def make(self, copies):
        """Return copies of the environment that step together."""
        import gymnasium  # here, for a missing package is reported by the runner

        try:
            return gymnasium.make_vec(self.options.env, copies)
        except (gymnasium.error.Error, ModuleNotFoundError) as error:
            raise errors.OptionError(f"--env {self.options.env}: {error}") from error

    def act(self, action):
        """Let the environment go on; what it throws is its own mistake, and not this script's."""
        try:
            return self.env.step(action)
        except Exception as error:
            raise errors.ExternalError(
                f"{self.options.env} failed with {type(error).__name__}: {error}"
            ) from error

    def estimator(self, state, alive, discount):
        """Return the estimator of the actions in a state."""
        if self.options.baseline == "none":
            return "score"
        if self.options.baseline == "batch":
            return estimators.Score(baseline=estimators.BatchMean())
        value = -discount * alive * self.value(state)[:, 0]  # as a cost, in the units of the loss
        return estimators.Score(baseline=value if self.policy.discrete else value[:, None])

    def rollout(self):
        """Return the costs of one episode of every copy; and state, reward, alive at each step."""
        seed, world = int(self.rng.integers(2**31)), {"world": self.env, "aligned": 0}
        state, _ = scg.external(lambda: self.env.reset(seed=seed), **world, reset=True)
        alive, costs, steps = np.ones(self.options.batch_size, np.float32), [], []
        for t in range(self.steps):
            discount, chances = self.options.gamma**t, self.policy(state)
            action = chances.sample(
                estimator=self.estimator(state, alive, discount), rng=self.rng, name="action"
            )
            after, reward, ended, cut, _ = scg.external(self.act, action, **world)
            surprise = chances.entropy().reshape(len(alive), -1).sum(axis=-1)
            earned = alive * (reward + self.options.entropy * surprise)
            costs.append(scg.cost(-discount * earned))
            steps.append([scg.peek(part) for part in (state, reward, earned, alive)])
            state, alive = after, alive * (1.0 - (ended | cut))
            # Only a look: what would follow costs nothing.
            if not np.any(scg.peek(alive)):
                break
        return costs, [np.array(parts) for parts in zip(*steps, strict=True)]

    def loss(self, batch):
        costs, _ = self.rollout()
        return sum(costs).sum()

    def step(self, batch):
        costs, (states, rewards, earned, alive) = self.rollout()
        self.actor.zero_grad()
        sum(costs).sum().backward()
        self.actor.step()
        if self.options.baseline == "value":
            self.fit(states, earned, alive)
        return {"return": (rewards * alive).sum() / len(alive[0]), "length": alive.sum(0).mean()}

    def fit(self, states, earned, alive):
        """Move the value of each state towards what was earned from there on."""
        later = np.zeros_like(earned)
        for t in reversed(range(len(earned))):
            later[t] = earned[t] + (self.options.gamma * later[t + 1] if t + 1 < len(earned) else 0)
        x, y = states[alive > 0].astype(np.float32), later[alive > 0].astype(np.float32)
        for _ in range(FITS):
            self.critic.zero_grad()
            ((self.value(x)[:, 0] - y) ** 2).mean().backward()
            self.critic.step()

    def evaluate(self):
        rng = np.random.default_rng([self.options.seed, self.batches.epoch])
        state, _ = self.tests.reset(seed=self.options.seed)
        alive, total = np.ones(TEST_EPISODES, bool), np.zeros(TEST_EPISODES)
        for _ in range(self.steps):
            state, reward, ended, cut, _ = self.tests.step(self.policy.choose(state, rng))
            total += alive * reward
            alive &= ~(ended | cut)
        return {"mean_return": total.mean()}

    def pictures(self, out, history):
        runs = [history, *(experiment.history(folder) for folder in self.options.compare)]
        title = f"{self.options.env}, {TEST_EPISODES} test episodes"
        files = [experiment.band(out / "returns.png", runs, "mean_return", title=title)]
        return files if self.options.gif is None else [*files, self.film(self.options.gif)]

    def film(self, path):
        """Write one episode of the policy as a GIF."""
        import gymnasium

        try:
            env = gymnasium.make(self.options.env, render_mode="rgb_array")
            rng, (state, _) = np.random.default_rng(0), env.reset(seed=self.options.seed)
            frames, over = [env.render()], False
        except gymnasium.error.DependencyNotInstalled as error:
            raise errors.OptionError(f"--gif: {error}") from error
        while not over and len(frames) <= self.steps:
            state, _, ended, cut, _ = env.step(self.policy.choose(state[None], rng)[0])
            frames.append(env.render())
            over = ended or cut
        return experiment.film(path, frames)


if __name__ == "__main__":
    experiment.run(Reinforce)
