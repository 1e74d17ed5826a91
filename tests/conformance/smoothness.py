"""Section B, the smoothness of a program in a Gaussian draw, and what follows for its route."""

import numpy as np
from conformance.closed import density, gauss, ndtr, sigmoid, tosses
from conformance.program import REAL, SIZE, program

import scg

GAUSS = {"over": [REAL, SIZE], "at": [0.3, 0.9]}
WHOLE = np.arange(-20.0, 21.0)
TABLE = np.array([3.5, 5.2, 8.4])


EXAMPLES_OF_MANY_JUMPS = 2


def scored(name, fn, f, breaks, **known):
    """Enter a program that a Gaussian draw must take by its score: `f` in NumPy, its breaks."""

    def run(mu, sigma):
        return fn(scg.Normal(mu, sigma).sample(name="x"))

    def second(mu, sigma, slope):
        return gauss(lambda x: (f(x) * slope((x - mu) / sigma) / sigma) ** 2, mu, sigma, breaks)

    def expected(mu, sigma):
        return gauss(f, mu, sigma, breaks)

    def mean(mu, sigma, slope):
        return gauss(lambda x: f(x) * slope((x - mu) / sigma) / sigma, mu, sigma, breaks)

    slopes = [lambda z: z, lambda z: z * z - 1]
    if len(breaks) > 2:
        known = {"examples": EXAMPLES_OF_MANY_JUMPS} | known
    program(
        "B",
        name,
        expected=expected,
        routes={"x": "score"},
        variance=lambda m, s: [second(m, s, k) - mean(m, s, k) ** 2 for k in slopes],
        **GAUSS | known,
    )(run)


def smooth(name, fn, f, slope, breaks=(), **known):
    """Enter a program that stays pathwise: `slope` is the derivative of `f` in the draw."""

    def run(mu, sigma):
        return fn(scg.Normal(mu, sigma).sample(name="x"))

    def variance(mu, sigma):
        parts = [lambda x: slope(x), lambda x: slope(x) * (x - mu) / sigma]
        return [
            gauss(lambda x, g=g: g(x) ** 2, mu, sigma, breaks) - gauss(g, mu, sigma, breaks) ** 2
            for g in parts
        ]

    program(
        "B",
        name,
        expected=lambda mu, sigma: gauss(f, mu, sigma, breaks),
        routes={"x": "pathwise"},
        variance=variance,
        **GAUSS | known,
    )(run)


# --- jumps: by the score function -------------------------------------------------------------

STEP = {
    "wrong": {
        "the derivative of the recorded value": lambda m, s: [0.0, 0.0],
        "the jump without its height": lambda m, s: (
            density((0.2 - m) / s) / s * np.array([1.0, (0.2 - m) / s])
        ),
        "with the opposite sign": lambda m, s: (
            -1.2 * density((0.2 - m) / s) / s * np.array([1.0, (0.2 - m) / s])
        ),
        "the score without the parameter's scale": lambda m, s: (
            1.2 * density((0.2 - m) / s) * np.array([1.0, (0.2 - m) / s])
        ),
    }
}
scored(
    "a step",
    lambda x: scg.where(x > 0.2, 1.5, 0.3),
    lambda x: np.where(x > 0.2, 1.5, 0.3),
    [0.2],
    **STEP,
)
scored("sign", lambda x: scg.sign(x) * x, lambda x: np.sign(x) * x, [0.0])
scored("round", scg.round, np.rint, WHOLE + 0.5)
scored("floor", scg.floor, np.floor, WHOLE)
scored("ceil", scg.ceil, np.ceil, WHOLE)
scored("modulo", lambda x: x % 0.7, lambda x: x % 0.7, 0.7 * WHOLE)
scored("floor division", lambda x: x // 0.5, lambda x: x // 0.5, 0.5 * WHOLE)
scored("cast to int", lambda x: x.astype(int) * 1.5, lambda x: np.trunc(x) * 1.5, WHOLE)
scored("cast to bool", lambda x: scg.relu(x).astype(bool) * 1.5, lambda x: (x > 0) * 1.5, [0.0])


def index(choose, f):
    """Return a program that compares with a constant through an index, and its NumPy twin."""
    return (lambda x: choose(scg.stack([x, scg.tensor(0.4)])), f, [0.4])


scored("argmax", *index(lambda v: scg.argmax(v) * 1.5, lambda x: (x < 0.4) * 1.5))
scored("argmin", *index(lambda v: scg.argmin(v) * 1.5, lambda x: (x > 0.4) * 1.5))
scored(
    "top-k index", *index(lambda v: scg.topk(v, 1).indices.sum() * 1.5, lambda x: (x < 0.4) * 1.5)
)
scored("argsort", *index(lambda v: scg.argsort(v)[0] * 2.0, lambda x: (x > 0.4) * 2.0))
scored(
    "one-hot of an argmax",
    *index(
        lambda v: (scg.one_hot(scg.argmax(v), 2) * scg.tensor([3.5, 5.2])).sum(),
        lambda x: np.where(x > 0.4, 3.5, 5.2),
    ),
)
scored(
    "a table indexed by the draw",
    lambda x: scg.tensor(TABLE)[scg.clip(scg.floor(x) + 1.0, 0.0, 2.0).astype(int)],
    lambda x: TABLE[np.clip(np.floor(x) + 1, 0, 2).astype(int)],
    WHOLE,
)
scored(
    "where(x > 0, x, 0)", lambda x: scg.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0), [0.0]
)


# --- poles ------------------------------------------------------------------------------------

scored(
    "x / abs(x)",
    lambda x: x / abs(x),
    np.sign,
    [0.0],
    wrong={
        "the derivative of the recorded value": lambda m, s: [0.0, 0.0],
        "half the jump": lambda m, s: density(m / s) / s * np.array([1.0, -m / s]),
        "the jump at the mean": lambda m, s: [2 * density(0.0) / s, 0.0],
        "with the opposite sign": lambda m, s: -2 * density(m / s) / s * np.array([1.0, -m / s]),
    },
)
scored(
    "arctan(1 / x)",
    lambda x: scg.arctan(1.0 / x),
    lambda x: np.arctan(1 / x),
    [0.0],
    wrong={
        "the derivative of the recorded value": lambda m, s: smooth_part(m, s),
        "the jump alone": lambda m, s: np.pi * density(m / s) / s * np.array([1.0, -m / s]),
        "the jump with the opposite sign": lambda m, s: (
            smooth_part(m, s) - np.pi * density(m / s) / s * np.array([1.0, -m / s])
        ),
        "the jump of x / abs(x)": lambda m, s: (
            smooth_part(m, s) + 2 * density(m / s) / s * np.array([1.0, -m / s])
        ),
    },
)
NEAR_ZERO = [0.0, *(sign * 0.2**k for k in range(12) for sign in (-1, 1))]
scored(
    "log(x * x)",
    lambda x: scg.log(x * x),
    lambda x: np.log(x * x),
    NEAR_ZERO,
    cuts=lambda mu, sigma: [(x - mu) / sigma for x in NEAR_ZERO],
)
scored(
    "arctan2 across its cut",
    lambda x: scg.arctan2(x, scg.tensor(-1.0)),
    lambda x: np.arctan2(x, -1.0),
    [0.0],
)


def smooth_part(mu, sigma):
    """Return what is left of the slope of arctan(1 / x) without its jump."""
    slope = lambda x: -1 / (1 + x * x)  # noqa: E731
    return np.array(
        [gauss(slope, mu, sigma), gauss(lambda x: slope(x) * (x - mu) / sigma, mu, sigma)]
    )


# --- smooth and kinked: pathwise --------------------------------------------------------------

smooth(
    "softplus by hand", lambda x: scg.log(scg.exp(x) + 1.0), lambda x: np.log1p(np.exp(x)), sigmoid
)
smooth(
    "1 / (1 + x * x)",
    lambda x: 1.0 / (1.0 + x * x),
    lambda x: 1 / (1 + x * x),
    lambda x: -2 * x / (1 + x * x) ** 2,
)
smooth(
    "square root of a square plus one",
    lambda x: scg.sqrt(x * x + 1.0),
    lambda x: np.sqrt(x * x + 1),
    lambda x: x / np.sqrt(x * x + 1),
)
smooth(
    "x / (|x| + 1)",
    lambda x: x / (abs(x) + 1.0),
    lambda x: x / (abs(x) + 1),
    lambda x: 1 / (abs(x) + 1) ** 2,
    [0.0],
)
smooth("abs", abs, np.abs, np.sign, [0.0])
smooth("relu", scg.relu, lambda x: np.maximum(x, 0), lambda x: x > 0, [0.0])
smooth(
    "maximum", lambda x: scg.maximum(x, 0.4), lambda x: np.maximum(x, 0.4), lambda x: x > 0.4, [0.4]
)
smooth(
    "minimum", lambda x: scg.minimum(x, 0.4), lambda x: np.minimum(x, 0.4), lambda x: x < 0.4, [0.4]
)
smooth(
    "clip",
    lambda x: scg.clip(x, -0.5, 0.6),
    lambda x: np.clip(x, -0.5, 0.6),
    lambda x: (x > -0.5) & (x < 0.6),
    [-0.5, 0.6],
)
smooth(
    "sorted values",
    lambda x: (scg.sort(scg.stack([x, scg.tensor(0.4)])) * [1.0, 3.0]).sum(),
    lambda x: np.minimum(x, 0.4) + 3 * np.maximum(x, 0.4),
    lambda x: np.where(x > 0.4, 3, 1),
    [0.4],
)
smooth(
    "norm",
    lambda x: scg.norm(scg.stack([x, 2.0 * x])),
    lambda x: np.sqrt(5) * np.abs(x),
    lambda x: np.sqrt(5) * np.sign(x),
    [0.0],
)
smooth(
    "median of three by max and min",
    lambda x: scg.maximum(scg.minimum(x, 0.7), scg.minimum(scg.maximum(x, 0.7), -0.2)),
    lambda x: np.clip(x, -0.2, 0.7),
    lambda x: (x > -0.2) & (x < 0.7),
    [-0.2, 0.7],
)
smooth(
    "where(x > 0, x, 0), asserted continuous",
    lambda x: scg.where(x > 0, x, 0.0, continuous=True),
    lambda x: np.maximum(x, 0),
    lambda x: x > 0,
    [0.0],
)

# --- one draw, several costs ------------------------------------------------------------------


@program(
    "B",
    "a smooth and a jumpy cost of one draw",
    expected=lambda m, s: m**2 + s**2 + 3 * ndtr((m - 0.2) / s),
    routes={"x": "pathwise+score"},
    variance=lambda m, s: [
        gauss(lambda x, g=g: g(x) ** 2, m, s, [0.2]) - gauss(g, m, s, [0.2]) ** 2
        for g in (
            lambda x: 2 * x + 3 * (x > 0.2) * (x - m) / s**2,
            lambda x: 2 * x * (x - m) / s + 3 * (x > 0.2) * (((x - m) / s) ** 2 - 1) / s,
        )
    ],
    wrong={
        "pathwise for both": lambda m, s: [2 * m, 2 * s],
        "the jump alone": lambda m, s: (
            3 * density((0.2 - m) / s) / s * np.array([1, (0.2 - m) / s])
        ),
        "score and pathwise for both": lambda m, s: (
            np.array([4 * m, 4 * s]) + 3 * density((0.2 - m) / s) / s * np.array([1, (0.2 - m) / s])
        ),
        "the jump's share halved": lambda m, s: (
            np.array([2 * m, 2 * s])
            + 1.5 * density((0.2 - m) / s) / s * np.array([1, (0.2 - m) / s])
        ),
    },
    **GAUSS,
)
def _(mu, sigma):
    x = scg.Normal(mu, sigma).sample(name="x")
    return x * x + scg.where(x > 0.2, 3.0, 0.0)


@program(
    "S",
    "z open for b, cut for b * (z > 0)",
    expected=lambda m, c: gauss(lambda z: sigmoid(z + c) * (2 + (z > 0)), m, 1.0, [0.0]),
    over=[REAL, REAL],
    at=[0.3, -0.4],
    routes={"z": "pathwise+score", "b": "score"},
    # z's slope of log p(b) is b - q; by its score z pays for the jumpy cost only.
    variance=lambda m, c: [
        variance_of(lambda z, b, q: (b - q) * 2 * b + (z - m) * b * (z > 0), m, c),
        variance_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
    ],
    wrong={
        "open for both": lambda m, c: [
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
        ],
        "open for both, and scored for the jump": lambda m, c: [
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)) + (z - m) * b * (z > 0), m, c),
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
        ],
        "cut without a score": lambda m, c: [
            mean_of(lambda z, b, q: (b - q) * 2 * b, m, c),
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
        ],
        "cut for both, scored for the jump": lambda m, c: [
            mean_of(lambda z, b, q: (z - m) * b * (z > 0), m, c),
            mean_of(lambda z, b, q: (b - q) * b * (2 + (z > 0)), m, c),
        ],
    },
)
def _(mu, c):
    z = scg.Normal(mu, 1.0).sample(name="z")
    b = scg.Bernoulli(logits=z + c).sample(name="b")
    return 2.0 * b + b * (z > 0)


def mean_of(g, mu, c):
    """Return E[g(z, b, q)] for z ~ N(mu, 1) and b ~ Bernoulli(q) with q = sigmoid(z + c)."""
    return gauss(
        lambda z: sum(p * g(z, b, q) for q in [sigmoid(z + c)] for p, (b,) in tosses([q])),
        mu,
        1.0,
        [0.0],
    )


def variance_of(g, mu, c):
    return mean_of(lambda *x: g(*x) ** 2, mu, c) - mean_of(g, mu, c) ** 2


# --- between two draws, and against fixed noise -----------------------------------------------


@program(
    "B",
    "a comparison between two draws",
    expected=lambda a, c: 1.5 * ndtr((a - c) / np.sqrt(1.64)),
    over=[REAL, REAL],
    at=[0.3, -0.2],
    routes={"x": "score", "y": "score"},
    examples=1,
)
def _(a, c):
    x = scg.Normal(a, 1.0).sample(name="x")
    y = scg.Normal(c, 0.8).sample(name="y")
    return scg.where(x > y, 1.5, 0.0)


@program(
    "B",
    "a draw compared with fixed noise",
    expected=lambda a: 1.5 * ndtr(a / np.sqrt(2)),
    over=[REAL],
    at=[0.3],
    routes={"x": "score", "y": "fixed"},
    examples=1,
    everywhere=False,
)
def _(a):
    x = scg.Normal(a, 1.0).sample(name="x")
    y = scg.Normal(0.0, 1.0).sample(name="y")
    return scg.where(x > y, 1.5, 0.0)


@program(
    "B",
    "table[argmax] between a draw and fixed noise",
    expected=lambda a: 5.2 - 1.7 * ndtr(a / np.sqrt(2)),
    over=[REAL],
    at=[0.3],
    routes={"x": "score", "e": "fixed"},
    examples=1,
    everywhere=False,
)
def _(a):
    x = scg.Normal(a, 1.0).sample(name="x")
    e = scg.Normal(0.0, 1.0).sample(name="e")
    return scg.tensor([3.5, 5.2])[scg.argmax(scg.stack([x, e]))]


@program(
    "B",
    "a jump in a parameter alone",
    expected=lambda a: np.where(np.real(a) > 0.2, a * a, -a) * (1 + a * 0),
    over=[(0.3, 1.0)],
    at=[0.6],
    routes={"x": "pathwise"},
    variance=lambda a: 0.0 * a,
    everywhere=False,
)
def _(a):
    x = scg.Normal(a, 1.0).sample(name="x")
    return scg.where(a > 0.2, a * a, -a) + 0.0 * x


@program(
    "B",
    "a jump in a parameter against a coin",
    expected=lambda a: 0.3 * a * a + 0.7 * np.sin(a),
    over=[(0.3, 0.9)],
    at=[0.6],
    routes={},
    estimator=lambda a: [(0.3, 2 * a), (0.7, np.cos(a))],
    everywhere=False,
)
def _(a):
    b = scg.Bernoulli(0.3).sample(name="b")
    return scg.where(a < b, a * a, scg.sin(a))


@program(
    "B",
    "Uniform(0, exp(x)) > 1",
    expected=lambda m: gauss(lambda x: np.where(x > 0, 1 - np.exp(-x), 0.0), m, 1.0, [0.0]),
    over=[(0.2, 1.2)],
    at=[0.3],
    routes={"x": "score", "u": "score"},
    examples=1,
    everywhere=False,
)
def _(mu):
    x = scg.Normal(mu, 1.0).sample(name="x")
    u = scg.Uniform(0.0, scg.exp(x)).sample(name="u")
    return scg.where(u > 1.0, 1.0, 0.0)


# --- what hides its derivative ----------------------------------------------------------------


@program(
    "B",
    "detach on the way of a pathwise draw",
    expected=lambda m, s: m**2 + s**2,
    routes={"x": "score"},
    variance=lambda m, s: [
        gauss(lambda x, g=g: (x * x * g(x)) ** 2, m, s)
        - gauss(lambda x, g=g: x * x * g(x), m, s) ** 2
        for g in (lambda x: (x - m) / s**2, lambda x: ((x - m) ** 2 / s**2 - 1) / s)
    ],
    **GAUSS,
)
def _(mu, sigma):
    x = scg.Normal(mu, sigma).sample(name="x")
    return x * x.detach()


@program(
    "B",
    "a NumPy callback",
    expected=lambda m, s: gauss(np.sin, m, s),
    routes={"x": "score"},
    everywhere=False,
    **GAUSS,
)
def _(mu, sigma):
    x = scg.Normal(mu, sigma).sample(name="x")
    return scg.tensor(np.sin(x.numpy()))


@program(
    "B",
    "a reward from an environment",
    expected=lambda m, s: gauss(lambda x: np.where(x > 0.5, 2.0, x), m, s, [0.5]),
    routes={"x": "score"},
    everywhere=False,
    cuts=lambda m, s: [(0.5 - m) / s],
    **GAUSS,
)
def _(mu, sigma):
    x = scg.Normal(mu, sigma).sample(name="x")
    return scg.external(lambda v: np.where(v > 0.5, 2.0, v), x, world=scg.stateless)
