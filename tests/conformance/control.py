"""Programs that decide by what they drew: the weight of a draw includes what it only decided."""

import numpy as np
from conformance.closed import coin, density, gauss, ndtr, sigmoid, tosses
from conformance.program import REAL, UNIT, program

import scg

ONE = {"over": [REAL], "at": [0.4]}


def scored(paths):
    """Return the estimator of a program of one logit: the slope plus the cost times the scores.

    `paths(a)` yields (probability, loss, slope of the loss, sum of the scores).
    """
    return lambda a: [(p, slope + loss * score) for p, loss, slope, score in paths(a)]


def mean(part):
    """Return a wrong gradient of one logit: the mean of `part(loss, slope, score)` over paths."""
    return lambda paths: lambda a: [sum(p * part(*x) for p, *x in paths(a))]


SLOPE, SCORE = mean(lambda loss, slope, score: slope), mean(lambda loss, slope, score: loss * score)
TWICE = mean(lambda loss, slope, score: slope + 2 * loss * score)
MINUS = mean(lambda loss, slope, score: slope - loss * score)


def misread(paths):
    """Return the usual wrong readings of a program of one logit."""
    return {
        "the edges of the graph alone": SLOPE(paths),
        "the decision alone": SCORE(paths),
        "the decision counted twice": TWICE(paths),
        "the decision with the opposite sign": MINUS(paths),
    }


def enter(section, name, paths, routes, fn, **known):
    """Enter a program of one logit by its paths."""

    def expected(a):
        return sum(p * loss for p, loss, _, _ in paths(a))

    options = {"estimator": scored(paths), "wrong": misread(paths)} | ONE | known
    program(section, name, expected=expected, routes=routes, **options)(fn)


# --- a loss chosen, and costs picked ----------------------------------------------------------


def choice(a):
    p = sigmoid(a)
    yield p, 3 * a, 3, 1 - p
    yield 1 - p, np.exp(a), np.exp(a), -p


def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    c1, c2 = 3.0 * a, scg.exp(a)
    loss = c1 if b else c2
    return loss


enter("S", "loss = c1 if b else c2", choice, {"b": "score"}, _)


def _(a):
    costs = [scg.exp(a), 3.0 * a]
    b = scg.Bernoulli(logits=a).sample(name="b")
    return costs[int(b)]


enter("S", "costs[int(b)], made before the draw", choice, {"b": "score"}, _)


def average(a):
    p = sigmoid(a)
    c = [a * a, a * a / 2 + a, a * a / 4 + 1.5 * a]
    d = [2 * a, a + 1, a / 2 + 1.5]
    yield 1 - p, c[0], d[0], -p
    yield p * (1 - p), sum(c[:2]) / 2, sum(d[:2]) / 2, 1 - 2 * p
    yield p * p, sum(c) / 3, sum(d) / 3, 2 - 2 * p


def _(a):
    cs = [a * a]
    while len(cs) < 3 and scg.Bernoulli(logits=a).sample(name="more"):
        cs.append(0.5 * cs[-1] + a)
    return sum(cs) / len(cs)


enter(
    "S",
    "sum(cs) / len(cs), a random number of terms",
    average,
    {"more": "score"},
    _,
    over=[(0.2, 1.2)],
    at=[0.6],
)


def stopping(a):
    p = sigmoid(a)
    for t in range(3):
        scale = 0.8**t * np.exp(0.3 * a)
        yield p * (1 - p) ** t, 2.5 * scale, 0.3 * 2.5 * scale, 1 - p - t * p
    yield (1 - p) ** 3, 0.5 * scale, 0.15 * scale, -3 * p


def _(a):
    for t in range(3):
        offer = scg.Bernoulli(logits=a).sample(name="offer")
        value = (2.0 * offer + 0.5) * 0.8**t * scg.exp(0.3 * a)
        if offer:
            break
    return value


enter("S", "optimal stopping", stopping, {"offer": "score"}, _)


def under_no_grad(a):
    p = sigmoid(a)
    yield p, 2 * np.exp(a), 2 * np.exp(a), 1 - p
    yield 1 - p, -np.exp(a), -np.exp(a), -p


def _(a):
    action = scg.Bernoulli(logits=a).sample(name="action")
    with scg.no_grad():
        reward = [-1.0, 2.0][int(action)]
    return reward * scg.exp(a)


enter("S", "with no_grad(): env.step(int(a))", under_no_grad, {"action": "score"}, _)


def larger(a):
    p = sigmoid(a)
    yield p, 1.4, 0, 1 - p
    yield 1 - p, a, 1, -p


def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return max(1.4 * b, a)


enter("B", "max(c1, c2) by Python", larger, {"b": "score"}, _, over=[(0.1, 1.2)])


def added(a):
    p = sigmoid(a)
    yield p, a * a + np.exp(a), 2 * a + np.exp(a), 1 - p
    yield 1 - p, a * a, 2 * a, -p


def _(a):
    total, c2 = a * a, scg.exp(a)
    if scg.Bernoulli(logits=a).sample(name="b"):
        total = total + c2
    return total


enter("B", "if b: total = total + c2", added, {"b": "score"}, _)


@program(
    "B",
    "ADEV's figure 2, written with if",
    expected=lambda t: (1 - t) * (-t / 2),
    over=[UNIT],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda t: [(t, 0.0), (1 - t, -0.5 + t / 2 / (1 - t))],
    wrong={
        "the edges of the graph alone": lambda t: [-(1 - t) / 2],
        "the decision alone": lambda t: [t / 2],
        "the decision counted twice": lambda t: [-(1 - t) / 2 + t],
        "the branch not taken": lambda t: [-t / 2],
    },
)
def _(theta):
    if scg.Bernoulli(theta).sample(name="b"):
        return 0.0 * theta
    return -theta / 2.0


# --- loops, recursion, draws in branches ------------------------------------------------------


def geometric(a):
    p = sigmoid(a)
    for n in range(400):
        yield p**n * (1 - p), n, 0, n * (1 - p) - p


def _(a):
    count = 0
    while scg.Bernoulli(logits=a).sample(name="again"):
        count += 1
    return scg.cost(count)


enter(
    "B",
    "a stopping time",
    geometric,
    {"again": "score"},
    _,
    over=[(-1.5, 0.0)],
    at=[-0.4],
    wrong={},
    examples=2,
)


def counted(a):
    p = np.exp([0, a, -a]) / np.sum(np.exp([0, a, -a]))
    slope = p[1] - p[2]
    for n, score in enumerate(np.array([0, 1, -1]) - slope):
        yield p[n], n * np.exp(0.2 * a), 0.2 * n * np.exp(0.2 * a), score


def _(a):
    n = scg.Categorical(logits=scg.stack([0.0 * a, a, -a])).sample(name="n")
    total = 0.0 * a
    for _ in range(int(n)):
        total = total + scg.exp(0.2 * a)
    return total


enter("B", "for _ in range(int(n))", counted, {"n": "score"}, _)


def deep(a):
    p = sigmoid(a)
    for n in range(4):
        yield p**n * (1 - p), (1 + n) ** 2 * a, (1 + n) ** 2, n * (1 - p) - p
    yield p**4, 25 * a, 25, 4 * (1 - p)


def _(a):
    def depth(limit):
        if limit and scg.Bernoulli(logits=a).sample(name="deeper"):
            return 1.0 + depth(limit - 1)
        return 1.0

    return depth(4) ** 2 * a


enter("B", "recursion of random depth", deep, {"deeper": "score"}, _)


@program(
    "B",
    "if x > 0.2, of a Gaussian",
    expected=lambda m: gauss(lambda x: np.where(x > 0.2, x * m, -1.0), m, 1.0, [0.2]),
    over=[REAL],
    at=[0.4],
    routes={"x": "score"},
    variance=lambda m: (
        gauss(lambda x: branch(x, m) ** 2, m, 1.0, [0.2])
        - gauss(lambda x: branch(x, m), m, 1.0, [0.2]) ** 2
    ),
    wrong={
        "pathwise in the branch taken": lambda m: [
            gauss(lambda x: (x > 0.2) * (m + x), m, 1.0, [0.2])
        ],
        "the jump alone": lambda m: [(0.2 * m + 1) * density(0.2 - m)],
        "the decision alone": lambda m: [
            gauss(lambda x: np.where(x > 0.2, x * m, -1.0) * (x - m), m, 1.0, [0.2])
        ],
        "path and score": lambda m: [gauss(lambda x: branch(x, m) + (x > 0.2) * m, m, 1.0, [0.2])],
    },
)
def _(mu):
    x = scg.Normal(mu, 1.0).sample(name="x")
    if x > 0.2:
        return x * mu
    return -1.0 + 0.0 * mu


def branch(x, m):
    return np.where(x > 0.2, x * m * (x - m) + x, m - x)


@program(
    "B",
    "a branch decided under no_grad",
    expected=lambda m: ndtr(m) * 1.0 + m,
    over=[REAL],
    at=[0.4],
    routes={"x": "score"},
    variance=lambda m: (
        gauss(lambda x: (1 + (m + (x > 0)) * (x - m)) ** 2, m, 1.0, [0.0])
        - gauss(lambda x: 1 + (m + (x > 0)) * (x - m), m, 1.0, [0.0]) ** 2
    ),
)
def _(mu):
    x = scg.Normal(mu, 1.0).sample(name="x")
    with scg.no_grad():
        positive = bool(x > 0)
    return mu + 1.0 if positive else mu + 0.0


def inside(p):
    """Yield what a coin that decides which coin is thrown may give."""
    for q, first in ((p, 1), (1 - p, 0)):
        second = p if first else 0.3
        for r, b in ((second, 1), (1 - second, 0)):
            yield first, b, q * r


@program(
    "C",
    "a draw made inside a branch and used after it",
    expected=lambda p: sum(w * (b - 3) ** 2 for _, b, w in inside(p)),
    over=[UNIT],
    at=[0.4],
    routes={"a": "score", "b": "score"},
    estimator=lambda p: [
        (
            w,
            (b - 3) ** 2
            * ((1 / p if first else -1 / (1 - p)) + first * (1 / p if b else -1 / (1 - p))),
        )
        for first, b, w in inside(p)
    ],
    wrong={
        "the inner draw alone": lambda p: [
            sum(
                w * (b - 3) ** 2 * first * (1 / p if b else -1 / (1 - p))
                for first, b, w in inside(p)
            )
        ],
        "the outer draw alone": lambda p: [
            sum(w * (b - 3) ** 2 * (1 / p if first else -1 / (1 - p)) for first, b, w in inside(p))
        ],
        "the continuation left out of the branch": lambda p: [-5 * p - 0.3 * 2],
        "the same branch for both": lambda p: [-5.0],
    },
)
def _(p):
    if scg.Bernoulli(p).sample(name="a"):
        b = scg.Bernoulli(p).sample(name="b")
    else:
        b = scg.Bernoulli(0.3).sample(name="b")
    return (b - 3.0) ** 2


def three(p):
    for w, b in tosses([p] * 3):
        yield w, b, sum(1 / p if x else -1 / (1 - p) for x in b)


@program(
    "C",
    "draws made in a comprehension",
    expected=lambda p: sum(w * sum(b) ** 2 for w, b, _ in three(p)),
    over=[UNIT],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda p: [(w, sum(b) ** 2 * score) for w, b, score in three(p)],
    wrong={
        "no derivative, the loop being hidden": lambda p: [0.0],
        "only the last draw": lambda p: [
            sum(w * sum(b) ** 2 * (1 / p if b[2] else -1 / (1 - p)) for w, b, _ in three(p))
        ],
        "the square of the mean": lambda p: [18 * p],
        "one draw used three times": lambda p: [9.0],
    },
)
def _(p):
    return sum([scg.Bernoulli(p).sample(name="b") for _ in range(3)]) ** 2


@program(
    "C",
    "pathwise draws made in a loop",
    expected=lambda m: 4 * m * m + 2,
    over=[REAL],
    at=[0.4],
    routes={"x": "pathwise"},
    variance=lambda m: 32.0,
    examples=2,
)
def _(mu):
    total = 0.0
    for _ in range(2):
        total = total + scg.Normal(mu, 1.0).sample(name="x")
    return total * total


# --- reward-to-go -----------------------------------------------------------------------------


class World:
    """A little environment: pays by action and state, and remembers."""

    def __init__(self):
        self.state = 0.0

    def step(self, action):
        reward = (action - 0.3) * (1 + self.state) - 0.5 * self.state
        self.state = 0.5 * self.state + action
        return self.state, reward


def episode(a, steps=3):
    """Yield the probability, scores and rewards of every episode of the policy below."""
    for actions in np.ndindex(*(2,) * steps):
        world, p, scores, rewards, state = World(), 1.0, [], [], 0.0
        for action in actions:
            q = sigmoid(a - 0.7 * state)
            p, scores = p * (q if action else 1 - q), [*scores, action - q]
            state, reward = world.step(float(action))
            rewards.append(reward)
        yield p, scores, rewards


def to_go(a):
    return [(p, sum(s * sum(r[t:]) for t, s in enumerate(scores))) for p, scores, r in episode(a)]


def whole_return(a):
    return [(p, sum(scores) * sum(r)) for p, scores, r in episode(a)]


REWARDS = {
    "expected": lambda a: sum(p * sum(r) for p, _, r in episode(a)),
    "routes": {"action": "score"},
    "wrong": {
        "the edges of the graph alone": lambda a: [0.0],
        "each action with its own reward": lambda a: [
            sum(
                p * sum(s * x for s, x in zip(scores, r, strict=True))
                for p, scores, r in episode(a)
            )
        ],
        "each action with what follows its reward": lambda a: [
            sum(
                p * sum(s * sum(r[t + 1 :]) for t, s in enumerate(scores))
                for p, scores, r in episode(a)
            )
        ],
        "the last action with everything": lambda a: [
            sum(p * scores[-1] * sum(r) for p, scores, r in episode(a))
        ],
    },
}


@program("B", "reward-to-go by scg.cost", estimator=to_go, **REWARDS, **ONE)
def _(a):
    world, state, total = World(), 0.0, 0.0
    for _ in range(3):
        action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
        state, reward = world.step(int(action))
        total = total + scg.cost(reward)
    return total


@program("B", "rewards that are not marked", estimator=whole_return, **REWARDS, **ONE)
def _(a):
    world, state, total = World(), 0.0, 0.0 * a
    for _ in range(3):
        action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
        state, reward = world.step(int(action))
        total = total + reward
    return total


@program("B", "reward-to-go by scg.external", estimator=to_go, **REWARDS, **ONE)
def _(a):
    world, state, total = World(), scg.tensor([0.0]), 0.0
    for _ in range(3):
        action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
        state, reward = scg.external(world.step, action, aligned=0, world=world)
        total = total + reward.sum()
    return total


class Copies(World):
    """Independent copies of the environment."""

    def __init__(self, count):
        self.state = np.zeros(count)


def pairs(a, steps=2):
    """Yield two independent episodes side by side."""
    for p, s, r in episode(a, steps):
        for q, u, v in episode(a, steps):
            yield p * q, (s, u), (r, v)


@program(
    "B",
    "a vectorised environment",
    expected=lambda a: 2 * sum(p * sum(r) for p, _, r in episode(a, 2)),
    routes={"action": "score"},
    estimator=lambda a: [
        (p, sum(x[t] * sum(r[t:]) for x, r in zip(s, rewards, strict=True) for t in range(2)))
        for p, s, rewards in pairs(a)
    ],
    wrong={
        "half of the copies": lambda a: [
            sum(p * sum(s[0][t] * sum(r[0][t:]) for t in range(2)) for p, s, r in pairs(a))
        ],
        "each action with its own reward": lambda a: [
            sum(
                p * sum(x[t] * w[t] for x, w in zip(s, r, strict=True) for t in range(2))
                for p, s, r in pairs(a)
            )
        ],
        "each action with the other copy's rewards": lambda a: [
            sum(
                p
                * sum(x[t] * sum(w[t:]) for x, w in zip(s, r[::-1], strict=True) for t in range(2))
                for p, s, r in pairs(a)
            )
        ],
        "the mean over the copies": lambda a: [
            sum(p * sum(x) * sum(w) for p, x, w in episode(a, 2))
        ],
    },
    **ONE,
)
def _(a):
    world, state, total = Copies(2), scg.tensor(np.zeros(2)), 0.0
    for _ in range(2):
        action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
        state, reward = scg.external(world.step, action, aligned=0, world=world)
        total = total + reward.sum()
    return total


@program(
    "B",
    "several episodes before one backward",
    expected=lambda a: 2 * sum(p * sum(r) for p, _, r in episode(a, 2)),
    routes={"action": "score"},
    estimator=lambda a: [
        (p, sum(sum(x) * sum(r) for x, r in zip(s, rewards, strict=True)))
        for p, s, rewards in pairs(a)
    ],
    **ONE,
)
def _(a):
    losses = []
    for _ in range(2):
        with scg.episode():
            world, state, total = World(), 0.0, 0.0
            for _ in range(2):
                action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
                state, reward = world.step(int(action))
                total = total + reward
            losses.append(scg.cost(total))
    return sum(losses)


@program(
    "B",
    "the same without episodes",
    expected=lambda a: 2 * sum(p * sum(r) for p, _, r in episode(a, 2)),
    routes={"action": "score"},
    estimator=lambda a: [
        (p, sum(s[0]) * (sum(r[0]) + sum(r[1])) + sum(s[1]) * sum(r[1])) for p, s, r in pairs(a)
    ],
    **ONE,
)
def _(a):
    losses = []
    for _ in range(2):
        world, state, total = World(), 0.0, 0.0
        for _ in range(2):
            action = scg.Bernoulli(logits=a - 0.7 * state).sample(name="action")
            state, reward = world.step(int(action))
            total = total + reward
        losses.append(scg.cost(total))
    return sum(losses)


@program(
    "S",
    "critic step, then actor cost",
    expected=lambda a: coin(sigmoid(a), lambda b: (b * 2 - 0.5) * np.exp(0.3 * a)),
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (b * 2 - 0.5) * np.exp(0.3 * a) * (0.3 + b - sigmoid(a)))
        for p, (b,) in tosses([sigmoid(a)])
    ],
    wrong={
        "the edges of the graph alone": lambda a: [
            0.3 * coin(sigmoid(a), lambda b: (b * 2 - 0.5) * np.exp(0.3 * a))
        ],
        "the decision alone": lambda a: [
            coin(sigmoid(a), lambda b: (b * 2 - 0.5) * np.exp(0.3 * a) * (b - sigmoid(a)))
        ],
        "nothing, the run being over": lambda a: [0.0],
        "the value of the critic": lambda a: [
            coin(sigmoid(a), lambda b: (b * 2 - 0.5) ** 2 * (b - sigmoid(a)))
        ],
    },
    everywhere=False,
    **ONE,
)
def _(a):
    value = scg.parameter(0.1)
    critic = scg.optim.SGD([value], lr=0.1)
    b = scg.Bernoulli(logits=a).sample(name="b")
    reward = 1.5 if b else -0.5
    cost = reward * scg.exp(0.3 * a)
    ((value - reward) ** 2).backward()
    critic.step()
    critic.zero_grad()
    return cost
