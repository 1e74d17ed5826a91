"""Runs, episodes, threads and outside worlds: programs that decide across their borders."""

import threading

import numpy as np
from conformance.closed import coin, density, ndtr, sigmoid, tosses
from conformance.control import World
from conformance.program import REAL, program

import scg

ONE = {"over": [REAL], "at": [0.4]}


def flip(a, name):
    return scg.Bernoulli(logits=a).sample(name=name)


@program(
    "B",
    "two backwards in one run",
    expected=lambda a: coin(sigmoid(a), lambda b: 3.0 * a if b else np.exp(a)),
    routes={"b": "score"},
    estimator=lambda a: [
        (p, 3.0 + 3.0 * a * (b - sigmoid(a)) if b else np.exp(a) * (1.0 + b - sigmoid(a)))
        for p, (b,) in tosses([sigmoid(a)])
    ],
    **ONE,
)
def _(a):
    b = flip(a, "b")
    first, second = (b - 0.45) ** 2, (3.0 * a if b else scg.exp(a))
    scg.grad(first, a)
    return second


def goal_met(p):
    return -0.5 + 2 * (p * p + (1 - p) ** 2)


@program(
    "B",
    "a goal drawn outside an episode",
    expected=lambda a: 2 * goal_met(sigmoid(a)),
    routes={"goal": "score", "action": "score"},
    estimator=lambda a: [
        (w, sum((1.5 if x == g else -0.5) * (x + g - 2 * sigmoid(a)) for x in (b, c)))
        for w, (g, b, c) in tosses([sigmoid(a)] * 3)
    ],
    **ONE,
)
def _(a):
    goal = int(flip(a, "goal"))
    losses = []
    for _ in range(2):
        with scg.episode():
            action = int(flip(a, "action"))
            losses.append(scg.cost(1.5 if action == goal else -0.5))
    return sum(losses)


@program(
    "B",
    "siblings that do not pay for each other",
    expected=lambda a: 2 * coin(sigmoid(a), lambda b: 3 * b - 1),
    routes={"action": "score"},
    estimator=lambda a: [
        (w, sum((3 * x - 1) * (x - sigmoid(a)) for x in (b, c)))
        for w, (b, c) in tosses([sigmoid(a)] * 2)
    ],
    **ONE,
)
def _(a):
    losses = []
    for _ in range(2):
        with scg.episode():
            losses.append(scg.cost(2.0 if int(flip(a, "action")) else -1.0))
    return sum(losses)


@program(
    "B",
    "two training iterations that share no draw",
    expected=lambda a: coin(sigmoid(a), lambda b: 3 * b - 1),
    routes={"action": "score"},
    estimator=lambda a: [(p, (3 * b - 1) * (b - sigmoid(a))) for p, (b,) in tosses([sigmoid(a)])],
    everywhere=False,
    **ONE,
)
def _(a):
    optimizer = scg.optim.SGD([scg.parameter(0.0)], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = scg.cost(2.0 if int(flip(a, "action")) else -1.0)
        if _ == 0:
            loss.backward()
            optimizer.step()
            a.zero_grad()
    return loss


@program(
    "B",
    "a raw read in a worker thread",
    expected=lambda a: a * coin(sigmoid(a), lambda b: 4 * b - 1),
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (4 * b - 1) * (1 + a * (b - sigmoid(a)))) for p, (b,) in tosses([sigmoid(a)])
    ],
    wrong={"the edges of the graph alone": lambda a: [coin(sigmoid(a), lambda b: 4 * b - 1)]},
    **ONE,
)
def _(a):
    b, answers = flip(a, "b"), []
    worker = threading.Thread(target=lambda: answers.append(3.0 if b else -1.0))
    worker.start()
    worker.join()
    return a * answers[0]


@program(
    "B",
    "external calls with one shared world",
    expected=lambda a: 2 * sigmoid(a) ** 2 - 0.3,
    routes={"first": "score", "second": "score"},
    estimator=lambda a: [
        (w, (2 * b * c - 0.3) * (b + c - 2 * sigmoid(a))) for w, (b, c) in tosses([sigmoid(a)] * 2)
    ],
    wrong={
        "the last action alone": lambda a: [2 * sigmoid(a) ** 2 * (1 - sigmoid(a))],
        "no derivative": lambda a: [0.0],
    },
    **ONE,
)
def _(a):
    memory = []
    scg.external(lambda x: memory.append(float(x)) or 0.0, flip(a, "first"))
    return scg.external(lambda x: 2.0 * memory[0] * float(x) - 0.3, flip(a, "second"))


@program(
    "B",
    "external calls to a world without memory",
    expected=lambda a: 3 + sigmoid(a),
    routes={"first": "score", "second": "score"},
    estimator=lambda a: [
        (w, 2 * b * (b - sigmoid(a)) + (3 - c) * (c - sigmoid(a)))
        for w, (b, c) in tosses([sigmoid(a)] * 2)
    ],
    **ONE,
)
def _(a):
    known = {"aligned": 0, "world": scg.stateless}
    first = scg.external(lambda x: 2.0 * x, flip(a[None], "first"), **known)
    second = scg.external(lambda x: 3.0 - x, flip(a[None], "second"), **known)
    return (first + second).sum()


def two_visits(p, reset):
    """Yield the probability, the actions and the rewards of two visits to one world."""
    for w, (b, c) in tosses([p, p]):
        world = World()
        first = world.step(b)[1]
        world.state = 0.0 if reset else world.state
        yield w, (b, c), (first, world.step(c)[1])


def _visits(name, reset):
    def estimator(a):
        for w, (b, c), (f, g) in two_visits(sigmoid(a), reset):
            score_b, score_c = b - sigmoid(a), c - sigmoid(a)
            yield w, score_b * (f + (0 if reset else g)) + score_c * g

    @program(
        "B",
        name,
        expected=lambda a: sum(w * sum(r) for w, _, r in two_visits(sigmoid(a), reset)),
        routes={"action": "score"},
        estimator=estimator,
        **ONE,
    )
    def _(a):
        world, losses = World(), []
        for _ in range(2):
            with scg.episode():
                world.state = 0.0 if reset else world.state
                action = flip(a[None], "action")
                _, reward = scg.external(world.step, action, aligned=0, world=world, reset=reset)
                losses.append(reward.sum())
        return sum(losses)


_visits("a world that remembers across episodes", reset=False)
_visits("a world that is reset between episodes", reset=True)


@program(
    "B",
    "mu alone asked for beside x > theta",
    expected=lambda mu: ndtr(mu - 0.1),
    routes={"x": "score"},
    variance=lambda mu: [ndtr(mu - 0.1) + (0.1 - mu) * density(mu - 0.1) - density(mu - 0.1) ** 2],
    wrong={"no derivative": lambda mu: [0.0]},
    **ONE,
)
def _(mu):
    theta = scg.parameter(0.1)
    x = scg.Normal(mu, 1.0).sample(name="x")
    return scg.where(x > theta, 1.0, 0.0)


@program(
    "C",
    'REINFORCE by hand, of="value"',
    of="value",
    expected=lambda a: coin(sigmoid(a), lambda b: (b - 0.45) ** 2),
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (b - 0.45) ** 2 * (b - sigmoid(a))) for p, (b,) in tosses([sigmoid(a)])
    ],
    everywhere=False,
    **ONE,
)
def _(a):
    policy = scg.Bernoulli(logits=a)
    b = policy.sample(name="b")
    return policy.log_prob(b) * (b - 0.45) ** 2
