"""What the tests of every estimator share: programs, exact moments, and the toy's closed forms."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import scg
from scg import estimators as E
from scg.testing import exact_expectation, exact_gradient, expected_estimate

A = 0.3  # the logit of the toy coin
P = 1 / (1 + np.exp(-A))
TARGETS = (0.45, 0.49)


@dataclass(frozen=True)
class Entry:
    """An estimator, and how to tell that it is right.

    `make` returns a fresh one for every run of the program. With `axis` its draws have a leading
    axis, whose mean is taken, and the truth is that of the program without it. `orders` is how many
    derivatives it is good for, up to two.
    """

    make: Callable[[], object]
    family: Callable[[scg.Tensor], scg.Distribution] = lambda a: scg.Bernoulli(logits=a)
    axis: bool = False
    biased: bool = False
    orders: int = 2


def score(baseline):
    return lambda: E.Score(baseline=baseline)


# One line at least for every file of scg/estimators that defines an estimator or a baseline.
ESTIMATORS = {
    "pathwise": Entry(E.Pathwise, lambda a: scg.Normal(a, 0.8)),
    "score": Entry(E.Score),
    "score, continuous": Entry(E.Score, lambda a: scg.Normal(a, 0.8)),
    "score, constant": Entry(score(0.25)),
    "running_mean": Entry(lambda: E.Score(baseline=E.RunningMean())),
    "leave_one_out": Entry(lambda: E.LeaveOneOut(2), axis=True),
    "leave_one_out, three": Entry(lambda: E.LeaveOneOut(3), axis=True),
    "enumerate": Entry(E.Enumerate, axis=True),
    "enumerate, binomial": Entry(E.Enumerate, lambda a: scg.Binomial(2, logits=a), axis=True),
    "gaussian_hessian": Entry(E.GaussianHessian, lambda a: scg.Normal(a, scg.exp(a)), orders=1),
    "gaussian_hessian, probes": Entry(
        lambda: E.GaussianHessian(probes=1), lambda a: scg.Normal(a, scg.exp(a)), orders=1
    ),
    "gumbel_softmax": Entry(lambda: E.GumbelSoftmax(0.5), biased=True),
}


def cost(x, a):
    """Return a cost of the draw and of its parameter, smooth in both."""
    return (x - 0.45) ** 2 * scg.exp(0.5 * a) + x * a


def programs(entry):
    """Return the program with the estimator, and the plain one."""

    def estimated(a):
        x = entry.family(a).sample(estimator=entry.make())
        c = cost(x, a)
        return c.mean(axis=0) if entry.axis else c

    def plain(a):
        return cost(entry.family(a).sample(), a)

    return estimated, plain


def toy(estimator, t, axis=False):
    """Return E[(b - t)**2] of Tucker et al. 2017 with an estimator that `estimator()` makes."""

    def program(a):
        c = (scg.Bernoulli(logits=a).sample(estimator=estimator()) - t) ** 2
        return c.mean(axis=0) if axis else c

    return program


def moments(program, at=A):
    """Return the exact mean and variance of the gradient estimate."""
    found = expected_estimate(program, at)
    return found.mean[0], found.variance[0]


def slope_of_toy(t):
    return P * (1 - P) * ((1 - t) ** 2 - t**2)


def assert_right(program, plain, at):
    """Compare the exact mean of the estimate with the derivative of the plain program's mean."""
    (ours,), (truth,) = expected_estimate(program, at).mean, exact_gradient(plain, at)
    error = np.max(np.abs(ours - truth) / np.maximum(1.0, np.abs(truth)))
    assert error < 1e-8, (ours, truth)


def second_derivative(program, by_surrogate):
    """Return the exact mean of the estimated second derivative."""
    a = scg.parameter(A)

    def once():
        loss = program(a)
        if by_surrogate:
            g = scg.grad(scg.surrogate(loss), a, create_graph=True, of="value")
            return scg.grad(g, a, of="value").numpy()
        return scg.grad(scg.grad(loss, a, create_graph=True), a).numpy()

    return exact_expectation(once)
