"""Section D: second derivatives through mixed graphs, and objectives that are no expectations."""

import itertools

import numpy as np
from conformance.closed import coin, gauss, sigmoid
from conformance.program import REAL, SIZE, program

import scg

# --- Hessians -------------------------------------------------------------------------------------


def coin_and_gaussian(a, s):
    b = scg.Bernoulli(logits=a).sample(name="b")
    z = scg.Normal(a * b, s).sample(name="z")
    return scg.exp(0.3 * z) * (b + 0.5)


def jumpy(a, s):
    z = scg.Normal(a, s).sample(name="z")
    return scg.where(z > 0.2, z, 0.0) + scg.sin(z) * a


def baselined(a, s):
    score = scg.estimators.Score(baseline=0.7)
    b = scg.Bernoulli(logits=a * s).sample(estimator=score, name="b")
    c = scg.Bernoulli(logits=b * a - s).sample(estimator=score, name="c")
    return (b + 2.0 * c - 0.3) ** 2 * scg.exp(s)


def leave_one_out(a, s):
    loo = scg.estimators.LeaveOneOut(2)
    b = scg.Bernoulli(logits=a * s).sample(estimator=loo, name="b")
    return ((b - 0.45) ** 2 * scg.exp(a)).mean()


def chosen(a, s):
    b = scg.Bernoulli(logits=a).sample(name="b")
    return a * a * s if b else scg.exp(a * s)


def enumerated(a, s):
    each = scg.estimators.Enumerate()
    b = scg.Bernoulli(logits=a * s).sample(estimator=each, name="b")
    return ((b - 0.45) ** 2 * scg.exp(a)).mean()


def two_coins(a, s):
    p = sigmoid(a * s)
    return coin(p, lambda b: coin(sigmoid(b * a - s), lambda c: (b + 2 * c - 0.3) ** 2 * np.exp(s)))


def toy(a, s):
    return coin(sigmoid(a * s), lambda b: (b - 0.45) ** 2) * np.exp(a)


MIXED = {
    "a coin, then a Gaussian": (
        coin_and_gaussian,
        lambda a, s: coin(sigmoid(a), lambda b: np.exp(0.3 * a * b + 0.045 * s * s) * (b + 0.5)),
    ),
    "a smooth and a jumpy cost": (
        jumpy,
        lambda a, s: gauss(lambda z: np.where(z > 0.2, z, 0) + np.sin(z) * a, a, s, [0.2]),
    ),
    "constant baselines": (baselined, two_coins),
    "leave-one-out": (leave_one_out, toy),
    "a loss chosen by a coin": (
        chosen, lambda a, s: coin(sigmoid(a), lambda b: a * a * s if b else np.exp(a * s)),
    ),
    "enumeration": (enumerated, toy),
}  # fmt: skip
ROUTES = {
    "a coin, then a Gaussian": {"b": "score", "z": "pathwise"},
    "a smooth and a jumpy cost": {"z": "pathwise+score"},
    "constant baselines": {"b": "score", "c": "score"},
    "leave-one-out": {"b": "score"},
    "a loss chosen by a coin": {"b": "score"},
    "enumeration": {"b": "enumerate"},
}
for _name, (_fn, _expected) in MIXED.items():
    program(
        "D", f"Hessian: {_name}", order=2, expected=_expected, over=[REAL, SIZE], at=[0.4, 0.9],
        routes=ROUTES[_name], everywhere=False, examples=3,
    )(_fn)  # fmt: skip


# --- what is good for one derivative --------------------------------------------------------------

# The program, and for the truth its function of the draw with the places of its kinks.
KINKS = {
    "abs": (abs, np.abs, [0.0]),
    "relu": (scg.relu, lambda x: np.maximum(x, 0), [0.0]),
    "maximum": (lambda x: scg.maximum(x, 0.4), lambda x: np.maximum(x, 0.4), [0.4]),
    "minimum": (lambda x: scg.minimum(x, 0.4), lambda x: np.minimum(x, 0.4), [0.4]),
    "clip": (lambda x: scg.clip(x, -0.5, 0.6), lambda x: np.clip(x, -0.5, 0.6), [-0.5, 0.6]),
    "norm": (lambda x: scg.norm(scg.stack([x, 2.0 * x])), lambda x: np.sqrt(5) * np.abs(x), [0.0]),
    "sort": (lambda x: (scg.sort(scg.stack([x, scg.tensor(0.4)])) * [1.0, 3.0]).sum(),
             lambda x: np.minimum(x, 0.4) + 3 * np.maximum(x, 0.4), [0.4]),
}  # fmt: skip

# --- functions of an expectation ------------------------------------------------------------------

# Of 8 samples: `backward` differentiates what is written, and the audit asks whether it is meant.
FLAGGED = {
    "log E": lambda x: scg.log(scg.exp(x).mean()),
    "E / E": lambda x: (x * x).mean() / scg.exp(x).mean(),
    "max over means": lambda x: scg.maximum((x * x).mean(), scg.exp(x).mean()),
}

# --- the iterated prisoner's dilemma, Foerster et al. (2018) --------------------------------------

PAYOFF = np.array([[-1.0, -3.0], [0.0, -2.0]])  # of the first player: rows are its own action
DISCOUNT = 0.96
STEPS = 3


def returns(actions):
    """Return the discounted return of the first player; 1 is to defect."""
    return sum(DISCOUNT**t * PAYOFF[i, j] for t, (i, j) in enumerate(actions))


def expected_return(*theta):
    """Enumerate the 64 paths; each player has a logit for the start and one for each outcome."""
    first, second = theta[:5], theta[5:]
    total = 0.0
    for path in itertools.product(itertools.product((0, 1), repeat=2), repeat=STEPS):
        probability, state = 1.0, 0
        for i, j in path:
            p, q = sigmoid(first[state]), sigmoid(second[state])
            probability = probability * (p if i else 1 - p) * (q if j else 1 - q)
            state = 1 + 2 * i + j
        total = total + probability * returns(path)
    return total


def play(first, second):
    """Play one game; the policies depend on the last outcome."""
    state, total = 0, 0.0
    for t in range(STEPS):
        i = scg.Bernoulli(logits=first[state]).sample(name="first")
        j = scg.Bernoulli(logits=second[state]).sample(name="second")
        reward = PAYOFF[int(i), int(j)]
        total = total + scg.cost(DISCOUNT**t * reward)
        state = 1 + 2 * int(i) + int(j)
    return total


THETA = np.array([0.3, -0.4, 0.2, 0.6, -0.1, -0.2, 0.5, 0.1, -0.6, 0.4])
DILEMMA = {
    "expected": lambda theta: expected_return(*theta),
    "over": [REAL], "at": [THETA], "routes": {"first": "score", "second": "score"}, "examples": 2,
}  # fmt: skip


@program("D", "iterated prisoner's dilemma, gradient", **DILEMMA)
def _(theta):
    return play(theta[:5], theta[5:])


@program("D", "iterated prisoner's dilemma, Hessian", order=2, everywhere=False, **DILEMMA)
def _(theta):
    return play(theta[:5], theta[5:])
