"""Section C: supports, parameters, and what is done with draws."""

import math

import numpy as np
from conformance.closed import coin, density, gauss, integral, sigmoid, tosses
from conformance.program import REAL, SIZE, UNIT, program

import scg

# --- supports that move, implicit reparameterisation ------------------------------------------


@program(
    "C",
    "Uniform(low, high), pathwise",
    expected=lambda a, w: ((a + w) ** 3 - a**3) / (3 * w),
    over=[REAL, SIZE],
    at=[-1.0, 3.0],
    routes={"u": "pathwise"},
    wrong={
        "the score of the density, its ends held": lambda a, w: [
            0.0,
            -((a + w) ** 3 - a**3) / (3 * w**2),
        ],
        "the derivative at the middle": lambda a, w: [2 * a + w, a + w / 2],
        "one end alone": lambda a, w: [((a + w) ** 2) / w, (a + w) ** 2 / w],
        "no derivative": lambda a, w: [0.0, 0.0],
    },
    everywhere=False,
)
def _(low, width):
    u = scg.Uniform(low, low + width).sample(name="u")
    return u * u


@program(
    "C",
    "a shifted draw whose shift is arithmetic",
    expected=lambda a, r: (
        integral(lambda x: np.where(x > 0.6, 1.5, 0.0) * np.exp(-r * x) * r, 0, 60, [0.6])
        * np.exp(a)
    ),
    over=[REAL, SIZE],
    at=[0.4, 0.9],
    routes={"x": "score"},
    examples=3,
)
def _(a, rate):
    x = scg.Exponential(rate).sample(name="x")
    return scg.where(x > 0.6, 1.5, 0.0) * scg.exp(a)


@program(
    "C",
    "Exponential(rate), pathwise",
    expected=lambda r: 2 / r**2,
    over=[SIZE],
    at=[0.9],
    routes={"x": "pathwise"},
    variance=lambda r: 80 / r**6,  # of the slope -2 x**2 / r
    everywhere=False,
    examples=3,
)
def _(rate):
    x = scg.Exponential(rate).sample(name="x")
    return x * x


@program(
    "C",
    "Gamma(concentration, rate), implicit",
    expected=lambda c, r: c * (c + 1) / r**2,
    over=[(1.1, 3.0), SIZE],
    at=[1.7, 0.9],
    routes={"g": "pathwise"},
    examples=2,
)
def _(concentration, rate):
    g = scg.Gamma(concentration, rate).sample(name="g")
    return g * g


# --- draws used twice, together, and again ----------------------------------------------------


@program(
    "C",
    "two draws from one distribution object",
    expected=lambda s: 1.3 * s**2,
    over=[SIZE],
    at=[0.9],
    routes={"x": "pathwise", "y": "pathwise"},
    examples=1,
    variance=lambda s: two_draws(s),
    wrong={
        "one draw for both": lambda s: [2 * s + 2 * s * 1.3],
        "no derivative": lambda s: [0.0],
        "the product alone": lambda s: [2 * s],
        "the square alone, twice": lambda s: [5.2 * s],
    },
)
def _(sigma):
    normal = scg.Normal(0.0, sigma)
    x, y = normal.sample(name="x"), normal.sample(name="y")
    return x * y + 1.3 * x * x


def two_draws(s):
    """Return the variance of 2 s (e d + 1.3 e**2) for independent standard normal e, d."""
    return 4 * s**2 * (1 + 1.3**2 * 2)


@program(
    "C",
    "one draw used twice",
    expected=lambda a: coin(sigmoid(a), lambda b: b * 3 + (b - 0.3) ** 2),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (p, (b * 3 + (b - 0.3) ** 2) * (b - sigmoid(a))) for p, (b,) in tosses([sigmoid(a)])
    ],
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return 3.0 * b + (b - 0.3) ** 2


# --- mixtures: discrete under continuous and the reverse --------------------------------------


@program(
    "C",
    "a mixture of Gaussians",
    expected=lambda a, m: coin(sigmoid(a), lambda b: gauss(np.sin, m + 2 * b - 1, 0.6)),
    over=[REAL, REAL],
    at=[0.4, 0.2],
    routes={"b": "score", "x": "pathwise"},
    # The component pays by its score; the draw in it is pathwise.
    variance=lambda a, m: [
        mixed(lambda x, b: np.sin(x) * (b - sigmoid(a)), a, m),
        mixed(lambda x, b: np.cos(x), a, m),
    ],
)
def _(a, mu):
    b = scg.Bernoulli(logits=a).sample(name="b")
    x = scg.Normal(mu + 2.0 * b - 1.0, 0.6).sample(name="x")
    return scg.sin(x)


def mixed(g, a, m):
    """Return the variance of g(x, b) under the mixture."""
    first, second = (
        coin(sigmoid(a), lambda b, n=n: gauss(lambda x: g(x, b) ** n, m + 2 * b - 1, 0.6))
        for n in (1, 2)
    )
    return second - first**2


@program(
    "C",
    "a pathwise draw in the logits of a coin",
    expected=lambda m, s: gauss(lambda x: sigmoid(x) * 1.7 - x, m, s),
    over=[REAL, SIZE],
    at=[0.3, 0.9],
    routes={"x": "pathwise", "b": "score"},
    variance=lambda m, s: [
        under(lambda x, b: 1.7 * b * (b - sigmoid(x)) - 1, m, s),
        under(lambda x, b: (1.7 * b * (b - sigmoid(x)) - 1) * (x - m) / s, m, s),
    ],
    wrong={
        "the coin alone": lambda m, s: [0.0, 0.0],
        "the direct cost alone": lambda m, s: [-1.0, 0.0],
        "the score of the Gaussian with the coin's cost, and its path": lambda m, s: [
            2 * gauss(lambda x: sigmoid(x) * (1 - sigmoid(x)) * 1.7, m, s) - 1,
            2 * gauss(lambda x: sigmoid(x) * (1 - sigmoid(x)) * 1.7 * (x - m) / s, m, s),
        ],
        "the logits at the mean": lambda m, s: [1.7 * sigmoid(m) * (1 - sigmoid(m)) - 1, 0.0],
    },
)
def _(mu, sigma):
    x = scg.Normal(mu, sigma).sample(name="x")
    b = scg.Bernoulli(logits=x).sample(name="b")
    return 1.7 * b - x


def under(g, m, s):
    """Return the variance of g(x, b) for x ~ N(m, s**2) and b a coin of logit x."""
    first, second = (
        gauss(
            lambda x, n=n: sum(q * g(x, b) ** n for q, b in ((sigmoid(x), 1), (1 - sigmoid(x), 0))),
            m,
            s,
        )
        for n in (1, 2)
    )
    return second - first**2


@program(
    "C",
    "a coin, a Gaussian under it, a coin under that",
    expected=lambda a, m: coin(
        sigmoid(a), lambda b: gauss(lambda x: (sigmoid(x * 2) + 0.5) * np.sin(x), m + b, 0.6)
    ),
    over=[REAL, REAL],
    at=[0.4, 0.2],
    routes={"b": "score", "x": "pathwise", "c": "score"},
)
def _(a, mu):
    b = scg.Bernoulli(logits=a).sample(name="b")
    x = scg.Normal(mu + b, 0.6).sample(name="x")
    c = scg.Bernoulli(logits=2.0 * x).sample(name="c")
    return (c + 0.5) * scg.sin(x)


# --- fixed draws, logging, observed values ----------------------------------------------------


@program(
    "C",
    "a dropout mask",
    expected=lambda a: sum(p * sum(np.array(m) * a * [1, 2, 3]) ** 2 for p, m in tosses([0.5] * 3)),
    over=[REAL],
    at=[0.4],
    routes={"mask": "fixed"},
    estimator=lambda a: [
        (p, 2 * a * sum(np.array(m) * [1, 2, 3]) ** 2) for p, m in tosses([0.5] * 3)
    ],
    everywhere=False,
)
def _(a):
    mask = scg.Bernoulli(0.5).sample(3, name="mask")
    return (mask * a * scg.tensor([1.0, 2.0, 3.0])).sum() ** 2


@program(
    "C",
    "a draw from a fixed prior",
    expected=lambda a: gauss(lambda z: np.tanh(a * z + 0.5), 0.0, 1.0),
    over=[REAL],
    at=[0.4],
    routes={"z": "fixed"},
    variance=lambda a: (
        gauss(lambda z: (z / np.cosh(a * z + 0.5) ** 2) ** 2, 0.0)
        - gauss(lambda z: z / np.cosh(a * z + 0.5) ** 2, 0.0) ** 2
    ),
    everywhere=False,
)
def _(a):
    z = scg.Normal(0.0, 1.0).sample(name="z")
    return scg.tanh(a * z + 0.5)


def two_costs(a):
    p = sigmoid(a)
    for w, (b, c) in tosses([p, p]):
        yield w, (b - 0.3) ** 2, (b + 2 * c) ** 2, b - p, c - p


LOGGED = {
    "expected": lambda a: sum(w * (f + g) for w, f, g, _, _ in two_costs(a)),
    "over": [REAL],
    "at": [0.4],
    "routes": {"b": "score", "c": "score"},
}


@program(
    "C",
    "peek for logging between two costs",
    estimator=lambda a: [(w, (f + g) * s + g * t) for w, f, g, s, t in two_costs(a)],
    **LOGGED,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    first = (b - 0.3) ** 2
    c = scg.Bernoulli(logits=a).sample(name="c")
    log = [scg.peek(first), f"{first}", repr(c)]
    return first + (b + 2.0 * c) ** 2 if log else first


@program(
    "C",
    "float for logging between two costs",
    # What was read may have decided: every draw read pays for the whole loss; unbiased still.
    estimator=lambda a: [(w, (f + g) * (s + t)) for w, f, g, s, t in two_costs(a)],
    **LOGGED,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    first = (b - 0.3) ** 2
    c = scg.Bernoulli(logits=a).sample(name="c")
    log = [float(first), float(c)]
    return first + (b + 2.0 * c) ** 2 if log else first


@program(
    "C",
    "an observed value",
    expected=lambda m: gauss(lambda z: -((0.7 - z) ** 2) / 2 - np.log(2 * np.pi) / 2, m, 0.8),
    over=[REAL],
    at=[0.3],
    routes={"z": "pathwise"},
    variance=lambda m: 0.64,
)
def _(mu):
    z = scg.Normal(mu, 0.8).sample(name="z")
    return scg.Normal(z, 1.0).log_prob(0.7)


@program(
    "C",
    "an ELBO whose likelihood jumps",
    expected=lambda m: (
        (m * m) / 2 + gauss(lambda z: (0.7 - np.where(z > 0, 2.0, -1.0)) ** 2 / 2, m, 1.0, [0.0])
    ),
    over=[REAL],
    at=[0.3],
    routes={"z": "pathwise+score"},
    wrong={
        "pathwise throughout": lambda m: [m],
        "the jump alone": lambda m: [jump_of_likelihood(m)],
        "the jump with the opposite sign": lambda m: [m - jump_of_likelihood(m)],
        "the jump at the prior": lambda m: [m + jump_of_likelihood(0.0)],
    },
)
def _(mu):
    z = scg.Normal(mu, 1.0).sample(name="z")
    log_q, log_prior = -0.5 * (z - mu) ** 2, -0.5 * z * z
    mean = scg.where(z > 0, 2.0, -1.0)
    return log_q - log_prior + 0.5 * (0.7 - mean) ** 2


def jump_of_likelihood(m):
    return (1.3**2 - 1.7**2) / 2 * density(m)


@program(
    "C",
    "an ELBO of a categorical",
    expected=lambda p: p * (np.log(p) - 0.3) + (1 - p) * (np.log(1 - p) + 1.1),
    over=[UNIT],
    at=[0.6],
    routes={"k": "score"},
    estimator=lambda p: [
        (p, 1 / p + (np.log(p) - 0.3) / p),
        (1 - p, -1 / (1 - p) - (np.log(1 - p) + 1.1) / (1 - p)),
    ],
    everywhere=False,
)
def _(p):
    guide = scg.Categorical(scg.stack([p, 1.0 - p]))
    k = guide.sample(name="k")
    log_joint = scg.tensor([0.3, -1.1])[k]
    return guide.log_prob(k) - log_joint


# --- certain and impossible outcomes ----------------------------------------------------------


@program(
    "C",
    "logits of ten thousand",
    expected=lambda a: a * a + 3 * a,
    over=[REAL],
    at=[0.4],
    routes={"b": "score", "c": "score"},
    variance=lambda a: 0.0 * a,
)
def _(a):
    b = scg.Bernoulli(logits=a + 1e4).sample(name="b")
    c = scg.Bernoulli(logits=a - 1e4).sample(name="c")
    return a * a + (3.0 * b + 7.0 * c) * a


@program(
    "C",
    "an impossible class whose probability has no slope",
    expected=lambda p: 5 * p * p - 1 + p * p,
    over=[UNIT],
    at=[0.4],
    routes={"k": "score"},
    estimator=lambda p: [(p * p, 5 * 2 / p), (1 - p * p, -1 * -2 * p / (1 - p * p))],
    everywhere=False,
)
def _(p):
    probs = scg.stack([0.0 * p, p * p, scg.tensor(0.0), 1.0 - p * p])
    k = scg.Categorical(probs).sample(name="k")
    return scg.tensor([9.0, 5.0, 7.0, -1.0])[k]


# --- estimators -------------------------------------------------------------------------------


@program(
    "C",
    "enumeration",
    expected=lambda a: coin(sigmoid(a), lambda b: (b - 0.45) ** 2 * np.exp(a)),
    over=[REAL],
    at=[0.4],
    routes={"b": "enumerate"},
    variance=lambda a: 0.0 * a,
    everywhere=False,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Enumerate(), name="b")
    return ((b - 0.45) ** 2 * scg.exp(a)).mean()


def loo(a):
    p = sigmoid(a)
    for w, b in tosses([p] * 3):
        f = (np.array(b) - 0.45) ** 2
        others = (f.sum() - f) / 2
        yield w, sum((f - others) * (np.array(b) - p)) / 3


@program(
    "C",
    "a leave-one-out baseline",
    expected=lambda a: coin(sigmoid(a), lambda b: (b - 0.45) ** 2),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: list(loo(a)),
    everywhere=False,
    wrong={
        "the mean of all as a baseline": lambda a: [
            2 / 3 * coin(sigmoid(a), lambda b: (b - 0.45) ** 2 * (b - sigmoid(a)))
        ],
        "the sum, not the mean": lambda a: [
            3 * coin(sigmoid(a), lambda b: (b - 0.45) ** 2 * (b - sigmoid(a)))
        ],
        "one of the three": lambda a: [
            coin(sigmoid(a), lambda b: (b - 0.45) ** 2 * (b - sigmoid(a))) / 3
        ],
        "the coin as if it were its mean": lambda a: [
            2 * (sigmoid(a) - 0.45) * sigmoid(a) * (1 - sigmoid(a))
        ],
    },
)
def _(a):
    loo = scg.estimators.LeaveOneOut(3)
    b = scg.Bernoulli(logits=a).sample(estimator=loo, name="b")
    return ((b - 0.45) ** 2).mean()


@program(
    "C",
    "a constant baseline",
    expected=lambda a: coin(sigmoid(a), lambda b: (b - 0.45) ** 2),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (p, ((b - 0.45) ** 2 - 0.25) * (b - sigmoid(a))) for p, (b,) in tosses([sigmoid(a)])
    ],
)
def _(a):
    score = scg.estimators.Score(baseline=0.25)
    b = scg.Bernoulli(logits=a).sample(estimator=score, name="b")
    return (b - 0.45) ** 2


@program(
    "C",
    "a baseline from before the draw",
    expected=lambda a: coin(sigmoid(a), lambda b: (b - 0.45) ** 2 * np.exp(a)),
    over=[REAL],
    at=[0.4],
    routes={"b": "score"},
    estimator=lambda a: [
        (
            p,
            (b - 0.45) ** 2 * np.exp(a) * (1 + b - sigmoid(a))
            - 0.25 * np.exp(a) * (b - sigmoid(a)),
        )
        for p, (b,) in tosses([sigmoid(a)])
    ],
)
def _(a):
    guess = 0.25 * scg.exp(a)
    b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=guess), name="b")
    return (b - 0.45) ** 2 * scg.exp(a)


@program(
    "C",
    "Binomial(n, probs)",
    expected=lambda p: sum(
        math.comb(4, k) * p**k * (1 - p) ** (4 - k) * np.cos(k) for k in range(5)
    ),
    over=[UNIT],
    at=[0.4],
    routes={"k": "score"},
    estimator=lambda p: [
        (math.comb(4, k) * p**k * (1 - p) ** (4 - k), np.cos(k) * (k / p - (4 - k) / (1 - p)))
        for k in range(5)
    ],
)
def _(p):
    k = scg.Binomial(4, p).sample(name="k")
    return scg.cos(k)


@program(
    "C",
    "Binomial with a drawn total count",
    expected=lambda a, p: coin(
        sigmoid(a),
        lambda b: sum(
            math.comb(int(1 + 2 * b), k) * p**k * (1 - p) ** (1 + 2 * b - k) * np.cos(k)
            for k in range(int(2 + 2 * b))
        ),
    ),
    over=[REAL, UNIT],
    at=[0.4, 0.3],
    routes={"b": "score", "k": "score"},
)
def _(a, p):
    b = scg.Bernoulli(logits=a).sample(name="b")
    k = scg.Binomial(1.0 + 2.0 * b, p).sample(name="k")
    return scg.cos(k)


@program(
    "C",
    "Poisson(rate)",
    expected=lambda r: sum(np.exp(-r) * r**k / math.factorial(k) * np.cos(k) for k in range(60)),
    over=[SIZE],
    at=[0.9],
    routes={"k": "score"},
    examples=3,
    estimator=lambda r: [
        (np.exp(-r) * r**k / math.factorial(k), np.cos(k) * (k / r - 1)) for k in range(60)
    ],
)
def _(rate):
    return scg.cos(scg.Poisson(rate).sample(name="k"))


@program(
    "C",
    "Geometric(probs)",
    expected=lambda p: sum(p * (1 - p) ** k * np.cos(k) for k in range(400)),
    over=[(0.3, 0.85)],
    at=[0.4],
    routes={"k": "score"},
    examples=3,
    estimator=lambda p: [(p * (1 - p) ** k, np.cos(k) * (1 / p - k / (1 - p))) for k in range(400)],
)
def _(p):
    return scg.cos(scg.Geometric(p).sample(name="k"))


@program(
    "C",
    "a jump of Uniform(low, high), the ends not asked for",
    expected=lambda w: 0.6 * w * w + 0.4 * w,
    over=[REAL],
    at=[0.3],
    routes={"u": "score"},
    variance=lambda w: [0.24 * (2 * w - 1) ** 2],
    everywhere=False,
)
def _(w):
    low = scg.parameter(-1.0)
    u = scg.Uniform(low, 2.0).sample(name="u")
    return scg.where(u > 0.2, w * w, w)
