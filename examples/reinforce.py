"""REINFORCE: learns to act by trying, with the score function.

Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", eq. 11, and Schulman, Heess, Weber and Abbeel (2015), "Gradient Estimation Using
Stochastic Computation Graphs", arXiv 1506.05254, section 4. The loss is what copies of an
environment did not earn. That an action is weighted by the later rewards of its own copy alone
follows from what the environment was told (`scg.external`) and when they were earned (`scg.cost`).
A baseline is subtracted from that weight: none, the mean of the other copies, or a learned value of
the state. An entropy bonus is part of the cost: differentiated where it stands, and scored for how
one came there. CartPole-v1, solved at a mean return of 475, takes a minute. Pendulum-v1 learns many
times an episode: a value judges the rest. Writes metrics.json, returns.png and a checkpoint.
"""

from pathlib import Path

import scg
from scg import data, errors, estimators, experiment, nn, optim

import numpy as np

UPDATES, TEST_EPISODES, FITS = 10, 100, 10  # updates an epoch; fits of the value an update


class World:
    """Copies of an environment, from a vector to a choice or a vector."""

    def __init__(self, name, copies, **how):
        from gymnasium import make_vec, spaces  # here, for the runner tells what is not installed

        self.name = name
        self.env = self.ask(make_vec, name, copies, **how)
        self.states, self.actions = self.env.single_observation_space, self.env.single_action_space
        self.discrete = isinstance(self.actions, spaces.Discrete)
        vectors = [self.states] if self.discrete else [self.states, self.actions]
        if not all(isinstance(space, spaces.Box) and len(space.shape) == 1 for space in vectors):
            raise errors.OptionError(f"--env {name}: {self.states} to {self.actions}, no vectors")

    def ask(self, method, *args, **kwargs):
        """Return what the environment answers; its mistakes are not this script's."""
        with experiment.outside(f"--env {self.name}"):
            return method(*args, **kwargs)

    def reset(self, seed):
        """Return the first states, and that every copy is alive."""
        return self.ask(self.env.reset, seed=seed)[0], np.ones(self.env.num_envs, bool)

    def step(self, action):
        """Return the states after a clipped action, rewards, who ended and who is cut."""
        kind = self.actions
        action = kind.start + action if self.discrete else np.clip(action, kind.low, kind.high)
        state, reward, ended, cut, _ = self.ask(self.env.step, action)
        return state, reward, ended, cut


class Policy(nn.Module):
    """From a state to a distribution over actions: a choice, or normal variables."""

    def __init__(self, world, hidden, rng):
        self.discrete, actions = world.discrete, world.actions
        outputs = int(actions.n) if self.discrete else actions.shape[0]
        self.body = nn.MLP([world.states.shape[0], *hidden, outputs], activation="tanh", rng=rng)
        if not self.discrete:
            self.log_scale = scg.parameter(np.full(outputs, -0.5, np.float32))
            bounded = np.isfinite(actions.low) & np.isfinite(actions.high)
            low, high = np.where(bounded, [actions.low, actions.high], [[-1.0], [1.0]])
            self.centre, self.half = np.float32((high + low) / 2), np.float32((high - low) / 2)

    def __call__(self, state):
        out = self.body(state)
        if self.discrete:
            return scg.Categorical(logits=out)
        return scg.Normal(self.centre + self.half * out, self.half * np.exp(self.log_scale))


class Reinforce(experiment.Task):
    __doc__ = __doc__
    name = "reinforce"
    defaults = {"epochs": 7, "batch_size": 16}
    acrobot = dict(baseline="batch", entropy=0.1, epochs=6)
    pendulum = dict(window=10, gamma=0.95, scale=0.1, lr=0.002, batch_size=64, epochs=18)
    presets = {"env": {"Acrobot-v1": acrobot, "Pendulum-v1": pendulum}}
    smoke = {"epochs": 2, "batch_size": 2, "steps": 20}
    saved = ("policy", "value", "actor", "critic", "rng")
    free = ("compare", "gif")

    @staticmethod
    def add_options(parser):
        add, number = parser.add_argument, experiment.positive_float
        add("--env", default="CartPole-v1", help="an environment of gymnasium, many at a time")
        add("--baseline", default="value", choices=["none", "batch", "value"], help="of rewards")
        add("--hidden", type=experiment.sizes, default=[64], help="widths of hidden layers")
        add("--lr", type=number, default=0.01, help="first step size of Adam; it falls to 0")
        add("--gamma", type=number, default=1.0, help="discount of a reward for each step")
        add("--entropy", type=experiment.nonnegative_float, default=0.01, help="reward for a nat")
        add("--steps", type=experiment.positive, help="of an episode, if fewer than its own limit")
        add("--scale", type=number, default=1.0, help="of rewards, for a value near 1")
        add("--window", type=experiment.positive, help="steps of an update, if not all")
        add("--gif", type=Path, help="film the policy (gymnasium[classic-control])")
        add("--compare", type=Path, nargs="+", default=[], help="other runs, for returns.png")

    def __init__(self, options):
        self.options, self.rng = options, np.random.default_rng(options.seed)
        self.others = [experiment.history(run, "mean_return") for run in options.compare]
        self.world = World(options.env, options.batch_size)
        self.tests = World(options.env, TEST_EPISODES)
        self.steps = options.steps or self.world.env.spec.max_episode_steps or 1000
        self.window = min(options.window or self.steps, self.steps)
        self.policy = Policy(self.world, options.hidden, self.rng)
        sizes = [self.world.states.shape[0], *options.hidden, 1]
        self.value = nn.MLP(sizes, activation="tanh", rng=self.rng)
        total = options.epochs * UPDATES * -(-self.steps // self.window)
        self.actor = optim.Adam(self.policy, lr=optim.cosine(options.lr, total))
        self.critic = optim.Adam(self.value, lr=options.lr)
        self.batches = data.minibatches(np.arange(UPDATES), 1, rng=self.rng)
        if options.gif is not None:  # what drawing needs is missed now, not after the training
            self.camera = World(options.env, 1, vectorization_mode="sync", render_mode="rgb_array")
            self.camera.reset(0), self.camera.ask(self.camera.env.render)

    def estimator(self, state, alive, discount):
        """Return the estimator of the actions in a state."""
        if (kind := self.options.baseline) != "value":
            return "score" if kind == "none" else estimators.Score(baseline=estimators.BatchMean())
        value = -discount * alive * self.value(state)[:, 0]  # as a cost, in the units of the loss
        return estimators.Score(baseline=value if self.policy.discrete else value[:, None])

    def rollout(self, start=None):
        """Return the cost of a window of every copy; and states, rewards, alive at each step."""
        first, alive = start or self.world.reset(int(self.rng.integers(2**31)))
        alive, told, costs, steps = np.float32(alive), {"world": self.world, "aligned": 0}, [], []
        state = scg.external(lambda: first, **told, reset=True)
        for t in range(self.window):
            discount, chances = self.options.gamma**t, self.policy(state)
            estimator = self.estimator(state, alive, discount)
            action = chances.sample(estimator=estimator, rng=self.rng, name="action")
            after, reward, ended, cut = scg.external(self.world.step, action, **told)
            surprise = chances.entropy().reshape(len(alive), -1).sum(axis=-1)
            earned = alive * (self.options.scale * reward + self.options.entropy * surprise)
            if self.options.window and t == self.window - 1:  # what the rest would earn, uncut
                earned += self.options.gamma * alive * (1.0 - ended) * self.value(after)[:, 0]
            costs.append(scg.cost(-discount * earned))
            steps.append([scg.peek(part) for part in (state, reward, earned, alive)])
            state, alive = after, alive * (1.0 - (ended | cut))
            if not np.any(scg.peek(alive)):  # only a look: what would follow costs nothing
                break
        steps = [np.array(parts) for parts in zip(*steps, strict=True)]
        return sum(costs).sum(), steps, (scg.peek(state), scg.peek(alive))

    def loss(self, batch):
        return self.rollout()[0]

    def step(self, batch):
        start, earnings = None, []
        for _ in range(0, self.steps, self.window):
            loss, (states, rewards, earned, alive), start = self.rollout(start)
            self.actor.zero_grad(), loss.backward(), self.actor.step()
            if self.options.baseline == "value" or self.options.window:
                self.fit(states, earned, alive)
            earnings.append([(rewards * alive).sum(), alive.sum()])
            if not np.any(start[1]):
                break
        return dict(zip(("return", "length"), np.sum(earnings, 0) / len(alive[0]), strict=True))

    def fit(self, states, earned, alive):
        """Move the value of each state towards what was earned from there on."""
        later = earned.copy()
        for t in reversed(range(len(later) - 1)):
            later[t] += self.options.gamma * later[t + 1]
        x, y = states[alive > 0].astype(np.float32), later[alive > 0].astype(np.float32)
        for _ in range(FITS):
            loss = ((self.value(x)[:, 0] - y) ** 2).mean()
            self.critic.zero_grad(), loss.backward(), self.critic.step()

    def play(self, world, number, look=lambda: None):
        """Return what each copy earns in an episode without learning."""
        rng = np.random.default_rng([self.options.seed, number])
        (state, alive), total, steps = world.reset(self.options.seed), 0.0, 0
        while np.any(alive) and steps < self.steps:
            look()
            with scg.no_grad():
                action = scg.peek(self.policy(state).sample(rng=rng))
            state, reward, ended, cut = world.step(action)
            total, alive, steps = total + alive * reward, alive & ~(ended | cut), steps + 1
        return total

    def evaluate(self):
        return {"mean_return": self.play(self.tests, self.batches.epoch).mean()}

    def pictures(self, out, history):
        title, runs = f"{self.options.env}, {TEST_EPISODES} test episodes", [history, *self.others]
        files = [experiment.band(out / "returns.png", runs, "mean_return", title=title)]
        if self.options.gif is not None:
            camera, frames = self.camera, []
            self.play(camera, 0, look=lambda: frames.append(camera.ask(camera.env.render)[0]))
            files.append(experiment.film(self.options.gif, frames))
        return files


if __name__ == "__main__":
    experiment.run(Reinforce)
