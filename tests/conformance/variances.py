"""Section E: variances with known answers.

The three test integrands of Mohamed, Rosca, Figurnov and Mnih (2020, arXiv 1906.10652) under a
Gaussian, for its mean and its scale, and the Bernoulli toy problem of Tucker et al. (2017).
"""

import numpy as np
from conformance.closed import coin, gauss, sigmoid, tosses
from conformance.program import REAL, SIZE, program

import scg

INTEGRANDS = {  # the function, its first and second derivative, and the function for tensors
    "square": (lambda x: (x - 0.7) ** 2, lambda x: 2 * (x - 0.7), lambda x: 2 + 0 * x,
               lambda x: (x - 0.7) ** 2),
    "exponential": (lambda x: np.exp(-0.3 * x * x), lambda x: -0.6 * x * np.exp(-0.3 * x * x),
                    lambda x: (0.36 * x * x - 0.6) * np.exp(-0.3 * x * x),
                    lambda x: scg.exp(-0.3 * x * x)),
    "cosine": (lambda x: np.cos(1.3 * x), lambda x: -1.3 * np.sin(1.3 * x),
               lambda x: -1.69 * np.cos(1.3 * x), lambda x: scg.cos(1.3 * x)),
}  # fmt: skip


def variances(slopes):
    """Return the variance of slopes `g(x, mu, sigma)` in the mean and in the scale."""

    def power(n, mu, sigma):
        return np.array([gauss(lambda x, g=g: g(x, mu, sigma) ** n, mu, sigma) for g in slopes])

    def exact(mu, sigma):
        return power(2, mu, sigma) - power(1, mu, sigma) ** 2

    return exact


def by_score(f, baseline=0.0):
    return [
        lambda x, m, s: (f(x) - baseline) * (x - m) / s**2,
        lambda x, m, s: (f(x) - baseline) * ((x - m) ** 2 / s**2 - 1) / s,
    ]


def by_path(slope):
    return [lambda x, m, s: slope(x), lambda x, m, s: slope(x) * (x - m) / s]


def by_curvature(slope, curvature):
    """Bonnet (1964) for the mean, Price (1958) for the scale."""
    return [lambda x, m, s: slope(x), lambda x, m, s: s * curvature(x)]


def integrand(name):
    f, slope, curvature, fn = INTEGRANDS[name]
    known = {
        "expected": lambda mu, sigma: gauss(f, mu, sigma),
        "over": [REAL, SIZE], "at": [0.3, 0.9], "everywhere": False, "examples": 3,
    }  # fmt: skip

    def drawn(estimator):
        return lambda mu, sigma: fn(scg.Normal(mu, sigma).sample(estimator=estimator, name="x"))

    program("E", f"{name} of a Gaussian, pathwise", routes={"x": "pathwise"},
            variance=variances(by_path(slope)), **known)(drawn("pathwise"))  # fmt: skip
    program("E", f"{name} of a Gaussian, score", routes={"x": "score"},
            variance=variances(by_score(f)), **known)(drawn("score"))  # fmt: skip
    program("E", f"{name} of a Gaussian, Bonnet and Price by Hessians", routes={"x": "pathwise"},
            variance=variances(by_curvature(slope, curvature)), **known)(
        drawn(scg.estimators.GaussianHessian())
    )  # fmt: skip
    best = optimal(f, 0.3, 0.9)
    program("E", f"{name} of a Gaussian, score with a baseline", routes={"x": "score"},
            variance=variances(by_score(f, best)), **known)(
        drawn(scg.estimators.Score(baseline=best))
    )  # fmt: skip


def optimal(f, mu, sigma):
    """Return the constant baseline of least variance in the mean: E[f s^2] / E[s^2]."""
    score = lambda x: (x - mu) / sigma**2  # noqa: E731
    weighted = gauss(lambda x: f(x) * score(x) ** 2, mu, sigma)
    return float(weighted / gauss(lambda x: score(x) ** 2, mu, sigma))


for _name in INTEGRANDS:
    integrand(_name)


def toy(t):
    def cost(b):
        return (b - t) ** 2

    known = {
        "expected": lambda a: coin(sigmoid(a), cost), "over": [REAL], "at": [0.4],
        "routes": {"b": "score"}, "everywhere": False,
    }  # fmt: skip

    def plain(a):
        return [(p, cost(b) * (b - sigmoid(a))) for p, (b,) in tosses([sigmoid(a)])]

    def pair(a):
        p = sigmoid(a)
        return [(w, (cost(b) - cost(c)) * (b - c) / 2) for w, (b, c) in tosses([p, p])]

    @program("E", f"(b - {t}) ** 2, score", estimator=plain, **known)
    def _(a):
        return cost(scg.Bernoulli(logits=a).sample(name="b", estimator="score"))

    @program("E", f"(b - {t}) ** 2, leave-one-out of two", estimator=pair, **known)
    def _(a):
        two = scg.estimators.LeaveOneOut(2)
        return cost(scg.Bernoulli(logits=a).sample(name="b", estimator=two)).mean()


for _t in (0.45, 0.49, 0.499):
    toy(_t)
