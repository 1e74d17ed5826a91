"""Programs that have no unbiased gradient here: they are refused, in the user's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from conformance.closed import coin, density, gauss, ndtr, sigmoid

import scg

REFUSALS: dict[str, Refusal] = {}


@dataclass(frozen=True)
class Refusal:
    """A program that must be refused.

    Attributes
    ----------
    section : str
        As of `Program`.
    fn : callable
        Takes parameters, returns the loss.
    at : sequence
        The parameters.
    error : type
        What is raised.
    op, draw, remedy : str
        What the message names; an empty draw means that no draw takes part.
    expected : callable, optional
        The expectation all the same, to show that what others return is wrong.
    wrong : mapping of str to callable
        What others return.
    cost : bool
        A cost takes part, and is named.
    """

    section: str
    name: str
    fn: Callable[..., Any]
    at: Any
    op: str
    draw: str
    remedy: str
    error: type[Exception] = scg.BiasedGradientError
    expected: Callable[..., Any] | None = None
    wrong: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    cost: bool = True


def refused(section: str, name: str, **known: Any) -> Callable[[Any], Any]:
    """Enter the decorated function into the list."""

    def enter(fn: Callable[..., Any]) -> Callable[..., Any]:
        REFUSALS[name] = Refusal(section, name, fn, **known)
        return fn

    return enter


# --- asked for pathwise -----------------------------------------------------------------------

PATHWISE = {
    "a step": ("greater", lambda x: scg.where(x > 0.2, 1.5, 0.3)),
    "sign": ("sign", lambda x: scg.sign(x) * x),
    "round": ("round", lambda x: scg.round(x) * 1.0),
    "floor": ("floor", lambda x: scg.floor(x) * 1.0),
    "ceil": ("ceil", lambda x: scg.ceil(x) * 1.0),
    "modulo": ("mod", lambda x: x % 0.7),
    "floor division": ("floor_divide", lambda x: x // 0.5),
    "cast to int": ("astype", lambda x: x.astype(int) * 1.5),
    "cast to bool": ("astype", lambda x: x.astype(bool) * 1.5),
    "argmax": ("argmax", lambda x: scg.argmax(scg.stack([x, scg.tensor(0.4)])) * 1.5),
    "argmin": ("argmin", lambda x: scg.argmin(scg.stack([x, scg.tensor(0.4)])) * 1.5),
    "top-k index": (
        "topk",
        lambda x: scg.topk(scg.stack([x, scg.tensor(0.4)]), 1).indices.sum() * 1.5,
    ),
    "argsort": ("argsort", lambda x: scg.argsort(scg.stack([x, scg.tensor(0.4)]))[0] * 2.0),
    "one-hot": ("astype", lambda x: scg.one_hot((x * 0.1).astype(int), 2).sum() * x.astype(int)),
    "a table indexed by the draw": (
        "astype",
        lambda x: scg.tensor([3.5, 5.2])[scg.clip(x, 0.0, 1.0).astype(int)],
    ),
    "where without the assertion": ("greater", lambda x: scg.where(x > 0, x, 0.0)),
    "x / abs(x)": ("divide", lambda x: x / abs(x)),
    "arctan(1 / x)": ("divide", lambda x: scg.arctan(1.0 / x)),
    "log(x * x)": ("log", lambda x: scg.log(x * x)),
    "detach": ("detach", lambda x: x * x.detach()),
    "a raw read": ("float", lambda x: x * float(x)),
    "a branch": ("greater", lambda x: x if x > 0.2 else -x),
}


def _pathwise(kind: str, function: Callable[..., Any]) -> None:
    op, change = function

    @refused("B", f"explicit pathwise: {kind}", at=[0.3], op=op, draw="x", remedy="smooth")
    def _(mu):
        x = scg.Normal(mu, 1.0).sample(estimator="pathwise", name="x")
        return change(x)


for _kind, _function in PATHWISE.items():
    _pathwise(_kind, _function)

# --- the draw is fixed, the parameter moves against it ----------------------------------------


@refused(
    "S",
    "u < p",
    at=[0.4],
    op="less",
    draw="u",
    remedy="scg.Bernoulli(p)",
    expected=lambda p: p,
    wrong={
        "the derivative of the recorded value": lambda p: [0.0],
        "the score of the noise": lambda p: [0.0],
        "straight through": lambda p: [p],
        "half": lambda p: [0.5],
    },
)
def _(p):
    u = scg.Uniform(0.0, 1.0).sample(name="u")
    return scg.where(u < p, 1.0, 0.0)


@refused(
    "B",
    "where(mu + eps > 0, 1, 0)",
    at=[0.3],
    op="greater",
    draw="eps",
    remedy="scg.Normal(theta, s)",
    expected=ndtr,
    wrong={
        "the derivative of the recorded value": lambda m: [0.0],
        "the density at the mean": lambda m: [density(0.0)],
        "of the opposite sign": lambda m: [-density(m)],
        "twice": lambda m: [2 * density(m)],
    },
)
def _(mu):
    eps = scg.Normal(0.0, 1.0).sample(name="eps")
    return scg.where(mu + eps > 0, 1.0, 0.0)


@refused(
    "S",
    "Gumbel-argmax by hand",
    at=[0.3],
    op="argmax",
    draw="u",
    remedy="scg.Categorical(logits=logits)",
    expected=lambda a: coin(sigmoid(a), lambda b: 3 - 2 * b),
    wrong={
        "the derivative of the recorded value": lambda a: [0.0],
        "one of the two logits": lambda a: [-sigmoid(a)],
        "of the opposite sign": lambda a: [2 * sigmoid(a) * (1 - sigmoid(a))],
        "without the difference of the costs": lambda a: [-sigmoid(a) * (1 - sigmoid(a))],
    },
)
def _(a):
    u = scg.Uniform(0.0, 1.0).sample(2, name="u")
    gumbel = -scg.log(-scg.log(u))
    k = scg.argmax(scg.stack([a, 0.0 * a]) + gumbel)
    return 1.0 + 2.0 * k


@refused(
    "S",
    "if mu + eps > 0",
    at=[0.3],
    op="greater",
    draw="eps",
    remedy="scg.Normal(theta, s)",
    expected=lambda m: 2 * ndtr(m) - 1 + m,
    wrong={
        "the derivative of the recorded value": lambda m: [1.0],
        "the jump alone": lambda m: [2 * density(m)],
        "half the jump": lambda m: [1 + density(m)],
        "the jump at the mean": lambda m: [1 + 2 * density(0.0)],
    },
)
def _(mu):
    eps = scg.Normal(0.0, 1.0).sample(name="eps")
    if mu + eps > 0:
        return mu + 1.0
    return mu - 1.0


@refused(
    "S",
    "x > theta",
    at=[0.3, 0.1],
    op="greater",
    draw="x",
    remedy="scg.Normal(loc - theta, scale)",
    expected=lambda m, t: ndtr(m - t),
    wrong={
        "the score alone": lambda m, t: [density(m - t), 0.0],
        "the derivative of the recorded value": lambda m, t: [0.0, 0.0],
        "the score, and minus it": lambda m, t: [density(m - t) / 2, -density(m - t) / 2],
        "the density at the mean": lambda m, t: [density(m - t), -density(0.0)],
    },
)
def _(mu, theta):
    x = scg.Normal(mu, 1.0).sample(name="x")
    return scg.where(x > theta, 1.0, 0.0)


# --- through the outside world ----------------------------------------------------------------


@refused(
    "S",
    "env.step((net(s) + 0.1 * eps).numpy())",
    at=[0.3],
    op="numpy",
    draw="eps",
    remedy="scg.Normal(theta, s)",
    expected=lambda w: gauss(np.tanh, 0.8 * w, 0.1),
    wrong={
        "no derivative": lambda w: [0.0],
        "one, as of the identity": lambda w: [0.8],
        "of the mean action": lambda w: [0.8 / np.cosh(0.8 * w) ** 2],
        "without the network": lambda w: [1 / np.cosh(0.8 * w) ** 2],
    },
)
def _(w):
    eps = scg.Normal(0.0, 1.0).sample(name="eps")
    action = w * 0.8 + 0.1 * eps
    return scg.tensor(np.tanh(action.numpy())) + 0.0 * w


@refused(
    "S",
    "f(float(theta))",
    at=[0.3],
    op="float",
    draw="",
    remedy="with the tensor",
    expected=lambda t: coin(sigmoid(t), lambda b: b * np.exp(t)),
    wrong={
        "without the direct term": lambda t: [sigmoid(t) * (1 - sigmoid(t)) * np.exp(t)],
        "the direct term alone": lambda t: [sigmoid(t) * np.exp(t)],
        "no derivative": lambda t: [0.0],
        "the logit of the mean": lambda t: [np.exp(t)],
    },
)
def _(theta):
    b = scg.Bernoulli(logits=theta).sample(name="b")
    return b * np.exp(float(theta))


# --- supports and scores ----------------------------------------------------------------------


@refused(
    "C",
    "the score of Uniform(low, high)",
    at=[-1.0, 2.0],
    op="",
    draw="u",
    remedy='estimator="auto"',
    error=scg.SupportError,
    expected=lambda a, b: (a * a + a * b + b * b) / 3,
    wrong={
        "the score of the density": lambda a, b: (
            np.array([1, -1]) * (a * a + a * b + b * b) / 3 / (b - a)
        ),
        "no derivative": lambda a, b: [0.0, 0.0],
        "the ends exchanged": lambda a, b: [(a + 2 * b) / 3, (2 * a + b) / 3],
        "the ends alone": lambda a, b: [-a * a / (b - a), b * b / (b - a)],
    },
)
def _(low, high):
    u = scg.Uniform(low, high).sample(estimator="score", name="u")
    return u * u


@refused(
    "C",
    "a jump of Uniform(low, high)",
    at=[-1.0, 2.0],
    op="",
    draw="u",
    remedy="the step smooth",
    error=scg.SupportError,
    expected=lambda a, b: (b - 0.2) / (b - a),
    wrong={
        "the derivative of the recorded value": lambda a, b: [0.0, 0.0],
        "the score of the density": lambda a, b: np.array([1, -1]) * (b - 0.2) / (b - a) ** 2,
        "one end alone": lambda a, b: [(b - 0.2) / (b - a) ** 2, 0.0],
        "the ends exchanged": lambda a, b: [(0.2 - a) / (b - a) ** 2, (b - 0.2) / (b - a) ** 2],
    },
)
def _(low, high):
    u = scg.Uniform(low, high).sample(name="u")
    return scg.where(u > 0.2, 1.0, 0.0)


@refused("C", "a pathwise Bernoulli", cost=False, at=[0.3], op="", draw="", remedy="score")
def _(p):
    return scg.Bernoulli(p).sample(estimator="pathwise", name="b") * 2.0


@refused(
    "C",
    "the total_count of a Binomial",
    cost=False,
    at=[3.0],
    op="total_count",
    draw="",
    remedy="detach",
    error=scg.GradientError,
)
def _(n):
    return scg.Binomial(n, 0.4).sample(name="k") ** 2


# --- baselines --------------------------------------------------------------------------------


@refused(
    "C",
    "a baseline that is the cost itself",
    cost=False,
    at=[0.3],
    op="",
    draw="b",
    remedy="RunningMean",
)
def _(a):
    seen = {}
    score = scg.estimators.Score(baseline=lambda: seen["cost"])
    b = scg.Bernoulli(logits=a).sample(estimator=score, name="b")
    seen["cost"] = (b - 0.45) ** 2
    return seen["cost"]


@refused(
    "C",
    "a baseline computed from what was read",
    cost=False,
    at=[0.3],
    op="",
    draw="b",
    remedy="RunningMean",
)
def _(a):
    seen = {}
    score = scg.estimators.Score(baseline=lambda: seen["mean"])
    b = scg.Bernoulli(logits=a).sample(4, estimator=score, name="b")
    costs = (b - 0.45) ** 2
    seen["mean"] = scg.peek(costs).mean()  # of all four, this one included
    return costs.mean()


@refused("C", "a batch mean across mixed elements", at=[0.3], op="", draw="b", remedy="RunningMean")
def _(a):
    score = scg.estimators.Score(baseline=scg.estimators.BatchMean())
    b = scg.Bernoulli(logits=a).sample(3, estimator=score, name="b")
    return b.sum() ** 2


# --- coupled noise, stale draws ---------------------------------------------------------------


@refused("B", "antithetic draws mixed in one cost", at=[0.3], op="", draw="x", remedy="")
def _(mu):
    source = scg.noise.AntitheticSource(0)
    x = scg.Normal(mu, 1.0).sample(2, estimator="score", rng=source, name="x")
    return x[0] * x[1]


@refused("C", "two draws from generators in one state", at=[0.3], op="", draw="b", remedy="")
def _(p):
    b = scg.Bernoulli(p).sample(rng=7, name="b")
    c = scg.Bernoulli(p).sample(rng=7, name="c")
    return (b - 2.0 * c) ** 2


@refused(
    "C",
    "a draw whose parameter was updated since",
    at=[0.3],
    op="",
    draw="b",
    remedy="raw again",
    error=scg.BiasedGradientError,
    cost=False,
)
def _(a):
    b = scg.Bernoulli(logits=a).sample(name="b")
    a.assign(0.5)
    return b * 2.0


@refused(
    "C",
    "certain outcomes: p = 1",
    at=[1.0],
    op="",
    draw="b",
    remedy="logits=",
    error=scg.SupportError,
    cost=False,
    expected=lambda p: coin(p, lambda b: (b - 0.45) ** 2),
    wrong={
        "the score of the certain outcome": lambda p: [0.55**2],
        "no derivative, the outcome being certain": lambda p: [0.0],
        "of the outcome that is never drawn": lambda p: [-(0.45**2)],
        "the coin as if it were its mean": lambda p: [2 * (p - 0.45)],
    },
)
def _(p):
    b = scg.Bernoulli(p).sample(name="b")
    return (b - 0.45) ** 2


@refused(
    "C",
    "a class of probability 0 with a slope",
    at=[0.0],
    op="",
    draw="k",
    remedy="logits=",
    error=scg.SupportError,
    cost=False,
    expected=lambda p: 0.4 + 5 * p - (0.6 - p),
    wrong={
        "the score of what is drawn": lambda p: [1.0],
        "the class alone": lambda p: [5.0],
        "no derivative": lambda p: [0.0],
        "the score of one run": lambda p: [5 / 3],
    },
)
def _(p):
    k = scg.Categorical(scg.stack([0.4 + 0.0 * p, p, 0.6 - p])).sample(name="k")
    return scg.tensor([1.0, 5.0, -1.0])[k]
