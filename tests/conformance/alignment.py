"""Which elements of a draw weight which elements of a cost, axis by axis."""

import numpy as np
from conformance.closed import sigmoid, tosses
from conformance.program import REAL, program

import scg

THREE = {"over": [REAL], "at": [np.array([0.4, -0.3, 0.8])], "routes": {"b": "score"}}
W = np.array([1.0, -2.0, 0.5])


def whole(loss):
    """Return the estimator that weights every element by the whole loss, times its derivative."""
    return lambda a: [(p, sum(loss(b)) * (b - sigmoid(a))) for p, b in vectors(a)]


def own(loss, to=(0, 1, 2)):
    """Return the estimator that weights element i by the cost of element `to[i]` alone."""
    return lambda a: [
        (p, np.array([loss(b)[j] for j in to]) * (b - sigmoid(a))) for p, b in vectors(a)
    ]


def vectors(a):
    for p, b in tosses(list(np.atleast_1d(sigmoid(a)))):
        yield p, np.array(b)


def average(estimator):
    """Return the expectation of an estimator, as a wrong gradient."""
    return lambda a: [sum(p * g for p, g in estimator(a))]


def enter(name, fn, loss, estimator, wrong, section="S"):
    """Enter a program of three coins with the elementwise costs `loss(b)`."""

    def run(a):
        return fn(scg.Bernoulli(logits=a).sample(name="b")).sum()

    program(
        section,
        name,
        expected=lambda a: sum(p * sum(loss(b)) for p, b in vectors(a)),
        estimator=estimator,
        wrong={k: average(w) for k, w in wrong.items()},
        **THREE,
    )(run)


def roll(b):
    return (W * (b - np.roll(b, 1))) ** 2


def neighbours(b):
    return (W[1:] * (b[1:] - b[:-1])) ** 2


def others(b):
    return np.ravel(W[:, None] * (b[:, None] - b[None, :] - 0.3) ** 2)


def both(loss, first, second):
    """Weight element i by the sum of two cost elements, if they exist."""

    def at(b, i, where):
        j = where(i)
        return loss(b)[j] if 0 <= j < len(loss(b)) else 0.0

    return lambda a: [
        (p, np.array([at(b, i, first) + at(b, i, second) for i in range(3)]) * (b - sigmoid(a)))
        for p, b in vectors(a)
    ]


def fraction(loss, part):
    return lambda a: [(p, part * sum(loss(b)) * (b - sigmoid(a))) for p, b in vectors(a)]


enter(
    "(b - roll(b, 1)) ** 2",
    lambda b: (scg.tensor(W) * (b - scg.roll(b, 1))) ** 2,
    roll,
    whole(roll),
    {
        "each its own element": own(roll),
        "each the element it is rolled to": own(roll, (1, 2, 0)),
        "each the element it is rolled from": own(roll, (2, 0, 1)),
        "each a third of the whole": fraction(roll, 1 / 3),
    },
)
enter(
    "b[::-1]",
    lambda b: (b[::-1] * W - 0.4) ** 2,
    lambda b: (b[::-1] * W - 0.4) ** 2,
    own(lambda b: (b[::-1] * W - 0.4) ** 2, (2, 1, 0)),
    {
        "each its own element": own(lambda b: (b[::-1] * W - 0.4) ** 2),
        "each the next": own(lambda b: (b[::-1] * W - 0.4) ** 2, (1, 2, 0)),
        "each the mean": fraction(lambda b: (b[::-1] * W - 0.4) ** 2, 1 / 3),
        "the order of the weights reversed": own(lambda b: (b * W - 0.4) ** 2),
    },
)
enter(
    "b[1:] - b[:-1]",
    lambda b: (scg.tensor(W[1:]) * (b[1:] - b[:-1])) ** 2,
    neighbours,
    whole(neighbours),
    {
        "each the difference below it": both(neighbours, lambda i: i - 1, lambda i: -1),
        "each the difference above it": both(neighbours, lambda i: i, lambda i: -1),
        "each the first difference": own(neighbours, (0, 0, 0)),
        "each half of both": fraction(neighbours, 0.5),
    },
)
enter(
    "b[:, None] - b[None, :]",
    lambda b: scg.tensor(W)[:, None] * (b[:, None] - b[None, :] - 0.3) ** 2,
    others,
    whole(others),
    {
        "each its row": lambda a: [
            (p, others(b).reshape(3, 3).sum(1) * (b - sigmoid(a))) for p, b in vectors(a)
        ],
        "each its column": lambda a: [
            (p, others(b).reshape(3, 3).sum(0) * (b - sigmoid(a))) for p, b in vectors(a)
        ],
        "each a third of the whole": fraction(others, 1 / 3),
        "each the diagonal": lambda a: [
            (p, np.diag(others(b).reshape(3, 3)) * (b - sigmoid(a))) for p, b in vectors(a)
        ],
    },
)


def squares(b):
    return (b - W) ** 2


HALVED = {
    "the whole loss, divided twice": fraction(squares, 1 / 9),
    "each the next": own(lambda b: squares(b) / 3, (1, 2, 0)),
    "each the first": own(lambda b: squares(b) / 3, (0, 0, 0)),
    "each its own element, not divided": own(squares),
}
enter(
    "the mean over a batch of costs",
    lambda b: ((b - W) ** 2).mean(),
    lambda b: squares(b) / 3,
    own(lambda b: squares(b) / 3),
    HALVED,
    "C",
)
enter(
    "an outer axis in front",
    lambda b: (scg.stack([b, 2.0 * b]) - W) ** 2,
    lambda b: np.ravel((np.stack([b, 2 * b]) - W) ** 2),
    own(lambda b: np.sum((np.stack([b, 2 * b]) - W) ** 2, axis=0)),
    {},
    "C",
)
enter(
    "a sum over the batch inside a square",
    lambda b: (b * W).sum() ** 2,
    lambda b: [sum(b * W) ** 2],
    whole(lambda b: [sum(b * W) ** 2]),
    {},
    "C",
)


@program(
    "B",
    "gather with duplicates",
    expected=lambda a: sum(p * sum((b[[0, 0, 2]] - W) ** 2) for p, b in vectors(a)),
    # The gathered axis counts as mixed: every element pays for the whole loss.
    estimator=lambda a: [
        (p, sum((b[[0, 0, 2]] - W) ** 2) * (b - sigmoid(a))) for p, b in vectors(a)
    ],
    wrong={
        "each its own element": average(own(lambda b: (b[[0, 0, 2]] - W) ** 2)),
        "each duplicate once": average(
            lambda a: [
                (p, np.array([1, 0, 1]) * ((b - W) ** 2) * (b - sigmoid(a))) for p, b in vectors(a)
            ]
        ),
        "the last of the duplicates": average(
            lambda a: [
                (p, np.array([(b[0] - W[1]) ** 2, 0, (b[2] - W[2]) ** 2]) * (b - sigmoid(a)))
                for p, b in vectors(a)
            ]
        ),
        "what was gathered, not from where": average(own(lambda b: squares(b), (0, 0, 2))),
    },
    **THREE,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return ((b[[0, 0, 2]] - W) ** 2).sum()


@program(
    "B",
    "a cumulative sum",
    expected=lambda a: sum(p * sum((np.cumsum(b) - W) ** 2) for p, b in vectors(a)),
    estimator=lambda a: [
        (p, sum((np.cumsum(b) - W) ** 2) * (b - sigmoid(a))) for p, b in vectors(a)
    ],
    wrong={
        "each its own element": average(own(lambda b: (np.cumsum(b) - W) ** 2)),
        "each the last": average(own(lambda b: (np.cumsum(b) - W) ** 2, (2, 2, 2))),
        "each what comes before": average(
            lambda a: [
                (p, np.cumsum((np.cumsum(b) - W) ** 2) * (b - sigmoid(a))) for p, b in vectors(a)
            ]
        ),
        "each what comes strictly after": average(
            lambda a: [
                (
                    p,
                    (sum((np.cumsum(b) - W) ** 2) - np.cumsum((np.cumsum(b) - W) ** 2))
                    * (b - sigmoid(a)),
                )
                for p, b in vectors(a)
            ]
        ),
    },
    **THREE,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return ((scg.cumsum(b) - W) ** 2).sum()


@program(
    "C",
    "one draw shared by a batch",
    expected=lambda a, c: sum(
        p * sum((b[0] * np.arange(1, 4) - b[1:]) ** 2)
        for p, b in map(np_outcome, tosses([sigmoid(a), *sigmoid(c)]))
    ),
    over=[REAL, REAL],
    at=[0.4, np.array([-0.3, 0.8, 0.1])],
    routes={"s": "score", "b": "score"},
    # The shared draw pays for the whole batch, each other draw for its own element.
    estimator=lambda a, c: [
        (
            p,
            np.concatenate(
                [
                    [sum((b[0] * np.arange(1, 4) - b[1:]) ** 2) * (b[0] - sigmoid(a))],
                    (b[0] * np.arange(1, 4) - b[1:]) ** 2 * (b[1:] - sigmoid(c)),
                ]
            ),
        )
        for p, b in map(np_outcome, tosses([sigmoid(a), *sigmoid(c)]))
    ],
)
def _(a, c):
    s = scg.Bernoulli(logits=a).sample(name="s")
    b = scg.Bernoulli(logits=c).sample(name="b")
    return ((s * np.arange(1.0, 4.0) - b) ** 2).sum()


def np_outcome(pair):
    return pair[0], np.array(pair[1])


@program(
    "C",
    "a broadcast parameter",
    expected=lambda a: sum(p * sum((b - W) ** 2) for p, b in vectors(a + np.zeros(3))),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (p, sum((b - W) ** 2 * (b - sigmoid(a)))) for p, b in vectors(a + np.zeros(3))
    ],
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(3, name="b")
    return ((b - W) ** 2).sum()


@program(
    "C",
    "an event axis: one score for the vector",
    expected=lambda a: sum(q * k for q, k in zip(soft(a), (1.0, 4.0, 0.5), strict=True)),
    over=[REAL],
    at=[np.array([0.4, -0.3, 0.8])],
    routes={"k": "score"},
    estimator=lambda a: [
        (q, k * (np.eye(3)[i] - soft(a)))
        for i, (q, k) in enumerate(zip(soft(a), (1.0, 4.0, 0.5), strict=True))
    ],
)
def _(a):
    k = scg.OneHotCategorical(logits=a).sample(name="k")
    return (k * scg.tensor([1.0, 4.0, 0.5])).sum()


def soft(a):
    return np.exp(a) / np.sum(np.exp(a))
