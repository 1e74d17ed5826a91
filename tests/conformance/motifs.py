"""Section A: the five motifs of Schulman et al. 2015 (arXiv 1506.05254, figures 1 and 2)."""

import numpy as np
from conformance.closed import coin, coins, gauss, sigmoid, tosses
from conformance.program import REAL, SIZE, program

import scg


@program(
    "A",
    "parameter to deterministic to draw to cost",
    expected=lambda a: np.tanh(a) ** 2 + 1,
    over=[REAL],
    at=[0.4],
    routes={"x": "pathwise"},
    variance=lambda a: 4 * (1 - np.tanh(a) ** 2) ** 2,
)
def _(a):
    x = scg.Normal(scg.tanh(a), 1.0).sample(name="x")
    return x * x


def score_of_coin(b, p):
    """Return the derivative of log p(b) in the logit."""
    return b - p


@program(
    "A",
    "parameter to deterministic to coin to cost",
    expected=lambda a: coin(sigmoid(2 * a), lambda b: (b - 0.45) ** 2),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (b - 0.45) ** 2 * 2 * score_of_coin(b, sigmoid(2 * a)))
        for p, (b,) in tosses([sigmoid(2 * a)])
    ],
)
def _(a):
    b = scg.Bernoulli(logits=2.0 * a).sample(name="b")
    return (b - 0.45) ** 2


@program(
    "A",
    "parameter to draw to deterministic to cost",
    expected=lambda a: coin(sigmoid(a), lambda b: (np.exp(b / 2) - 1.2) ** 2),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (np.exp(b / 2) - 1.2) ** 2 * score_of_coin(b, sigmoid(a)))
        for p, (b,) in tosses([sigmoid(a)])
    ],
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return (scg.exp(0.5 * b) - 1.2) ** 2


@program(
    "A",
    "parameter to draw to draw to cost",
    expected=lambda a: coin(
        sigmoid(a), lambda b: coin(sigmoid(2 * b - 0.5), lambda c: (c - 0.3) ** 2)
    ),
    over=[REAL],
    at=[0.4],
    routes={"b": "score", "c": "score"},
    estimator=lambda a: [
        (p * q, (c - 0.3) ** 2 * score_of_coin(b, sigmoid(a)))
        for p, (b,) in tosses([sigmoid(a)])
        for q, (c,) in tosses([sigmoid(2 * b - 0.5)])
    ],
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    c = scg.Bernoulli(logits=2.0 * b - 0.5).sample(name="c")
    return (c - 0.3) ** 2


@program(
    "A",
    "parameter to Gaussian to Gaussian to cost",
    expected=lambda a, s: (a**2 + 1) ** 2 - 1 + 4 * a**2 + 2 + s**2 + 1,
    over=[REAL, SIZE],
    at=[0.4, 0.7],
    routes={"x": "pathwise", "y": "pathwise"},
    # With x = a + e, y = x**2 + s d: the slopes are 4 x y and 2 d y.
    variance=lambda a, s: [
        16 * (moment(a, 6) + s**2 * moment(a, 2)) - 16 * moment(a, 3) ** 2,
        4 * (moment(a, 4) + 3 * s**2) - 4 * s**2,
    ],
    examples=2,
)
def _(a, s):
    x = scg.Normal(a, 1.0).sample(name="x")
    y = scg.Normal(x * x, s).sample(name="y")
    return y * y


def moment(loc, order):
    """Return E[x**order] for x ~ N(loc, 1)."""
    return gauss(lambda x: x**order, loc)


@program(
    "A",
    "parameter to draw and directly into one cost",
    expected=lambda a, t: coin(sigmoid(a), lambda b: (b - t) ** 2 * np.exp(a)),
    over=[REAL, REAL],
    at=[0.4, 0.3],
    routes={"b": "score"},
    estimator=lambda a, t: [
        (p, [(b - t) ** 2 * np.exp(a) * (1 + score_of_coin(b, p1)), -2 * (b - t) * np.exp(a)])
        for p1 in [sigmoid(a)]
        for p, (b,) in tosses([p1])
    ],
    wrong={
        "the score term alone": lambda a, t: [
            coin(sigmoid(a), lambda b: (b - t) ** 2 * np.exp(a) * (b - sigmoid(a)))
        ],
        "the direct term alone": lambda a, t: [
            coin(sigmoid(a), lambda b: (b - t) ** 2 * np.exp(a))
        ],
        "the coin as if it were its mean": lambda a, t: [
            (sigmoid(a) - t) ** 2 * np.exp(a)
            + 2 * (sigmoid(a) - t) * sigmoid(a) * (1 - sigmoid(a)) * np.exp(a)
        ],
        "both terms, the score counted twice": lambda a, t: [
            coin(sigmoid(a), lambda b: (b - t) ** 2 * np.exp(a) * (1 + 2 * (b - sigmoid(a))))
        ],
    },
)
def _(a, t):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return (b - t) ** 2 * scg.exp(a)


@program(
    "A",
    "parameter to Gaussian and directly into one cost",
    expected=lambda a: np.sin(a) * ((a + 1) ** 2 + 0.25),
    over=[REAL],
    at=[0.4],
    routes={"x": "pathwise"},
    variance=lambda a: (
        np.cos(a) ** 2 * (gauss(lambda x: x**4, a + 1, 0.5) - ((a + 1) ** 2 + 0.25) ** 2)
        + np.sin(a) ** 2 * 4 * 0.25
        + 2
        * np.cos(a)
        * np.sin(a)
        * (2 * gauss(lambda x: x**3, a + 1, 0.5) - 2 * (a + 1) * ((a + 1) ** 2 + 0.25))
    ),
)
def _(a):
    x = scg.Normal(a + 1.0, 0.5).sample(name="x")
    return x * x * scg.sin(a)


# --- the chain: a cost is never weighted into a later draw ------------------------------------

PRICE = (1.0, -0.6, 1.7)


def walk(a):
    """Yield the probability, coins and success probabilities of the chain below."""
    for b in np.ndindex(2, 2, 2):
        x, p, seen = 0.0, 1.0, []
        for outcome in b:
            q = sigmoid(a * (1 + x) - 0.3 * x)
            seen.append((float(outcome), q, 1 + x))
            p, x = p * (q if outcome else 1 - q), x + outcome
        yield p, seen


def total_price(seen):
    """Return the cost of each step of the chain."""
    heads = np.cumsum([b for b, _, _ in seen])
    return [c * (1 + h) ** 2 for c, h in zip(PRICE, heads, strict=True)]


@program(
    "A",
    "a chain of draws with a cost at each step",
    expected=lambda a: sum(p * sum(total_price(seen)) for p, seen in walk(a)),
    over=[REAL],
    at=[0.4],
    routes={"b0": "score", "b1": "score", "b2": "score"},
    estimator=lambda a: [
        (p, sum(k * (b - q) * sum(total_price(seen)[i:]) for i, (b, q, k) in enumerate(seen)))
        for p, seen in walk(a)
    ],
    wrong={
        "each draw with its own cost only": lambda a: [
            sum(
                p * sum(k * (b - q) * total_price(seen)[i] for i, (b, q, k) in enumerate(seen))
                for p, seen in walk(a)
            )
        ],
        "only the last draw": lambda a: [
            sum(
                p * seen[2][2] * (seen[2][0] - seen[2][1]) * sum(total_price(seen))
                for p, seen in walk(a)
            )
        ],
        "the score in the logit, not in the parameter": lambda a: [
            sum(
                p * sum((b - q) for b, q, _ in seen) * sum(total_price(seen)) for p, seen in walk(a)
            )
        ],
        "each draw with what follows its cost": lambda a: [
            sum(
                p
                * sum(
                    k * (b - q) * sum(total_price(seen)[i + 1 :])
                    for i, (b, q, k) in enumerate(seen)
                )
                for p, seen in walk(a)
            )
        ],
    },
)
def _(a):
    heads, total = 0.0, 0.0
    for i, price in enumerate(PRICE):
        b = scg.Bernoulli(logits=a * (1.0 + heads) - 0.3 * heads).sample(name=f"b{i}")
        heads = heads + b
        total = total + price * (1.0 + heads) ** 2
    return total


@program(
    "A",
    "two independent draws with a cost each",
    expected=lambda a, c: (
        coin(sigmoid(a), lambda b: 3 * b - 1)
        + coins([sigmoid(c), sigmoid(a + c)], lambda x, y: (x - 2 * y) ** 2)
    ),
    over=[REAL, REAL],
    at=[0.4, -0.2],
    routes={"b": "score", "x": "score", "y": "score"},
    # The constant of the first cost depends on no draw, so it weights none.
    estimator=lambda a, c: [
        (
            p,
            [
                3 * b * (b - sigmoid(a)) + (x - 2 * y) ** 2 * (y - sigmoid(a + c)),
                (x - 2 * y) ** 2 * (x - sigmoid(c) + y - sigmoid(a + c)),
            ],
        )
        for p, (b, x, y) in tosses([sigmoid(a), sigmoid(c), sigmoid(a + c)])
    ],
)
def _(a, c):
    b = scg.Bernoulli(logits=a).sample(name="b")
    x = scg.Bernoulli(logits=c).sample(name="x")
    y = scg.Bernoulli(logits=a + c).sample(name="y")
    return 3.0 * b - 1.0 + (x - 2.0 * y) ** 2
