"""Every kind of noise that a distribution may ask for, against closed forms."""

import math

import numpy as np
import pytest
from close import close

import scg
from scg.testing import ExactnessError, exact_expectation, exact_gradient


class Asking(scg.Distribution):
    """A family whose values are what one method of the source returns."""

    def __init__(self, kind, *arguments):
        self.kind = kind
        self.arguments = [np.asarray(a, np.float64) for a in arguments]
        self.parameters = {"first": scg.as_tensor(self.arguments[0])}
        self.batch_shape = self.arguments[0].shape

    def _raw_value(self, source, shape):
        return getattr(source, self.kind)(*[np.broadcast_to(a, shape) for a in self.arguments])


def moments(kind, *arguments):
    def program():
        x = Asking(kind, *arguments).sample()
        return scg.stack([x, x * x, scg.exp(-0.5 * x)])

    return exact_expectation(program)


@pytest.mark.parametrize("rate", [0.01, 1.3, 40.0])
def test_poisson(rate):
    transform = math.exp(rate * (math.exp(-0.5) - 1))
    close(moments("poisson", rate), [rate, rate + rate**2, transform])


@pytest.mark.parametrize("p", [0.05, 0.6, 1.0])
def test_geometric(p):
    mean = (1 - p) / p
    transform = p / (1 - (1 - p) * math.exp(-0.5))
    close(moments("geometric", p), [mean, mean / p + mean**2, transform])


@pytest.mark.parametrize(("n", "p"), [(0, 0.3), (7, 0.0), (7, 1.0), (30, 0.4)])
def test_binomial(n, p):
    transform = (1 - p + p * math.exp(-0.5)) ** n
    close(moments("binomial", n, p), [n * p, n * p * (1 - p) + (n * p) ** 2, transform])


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 4.0, 60.0])
def test_gamma(a):
    close(moments("gamma", a), [a, a + a**2, 1.5**-a])


def test_a_long_tail_exceeds_the_runs():
    with pytest.raises(ExactnessError, match="max_runs"):
        moments("geometric", 1e-4)


def test_gradient_through_the_counts_of_a_loop_of_gammas():
    def program(rate):
        n = 1.0 + Asking("poisson", scg.peek(rate)).sample()
        return n * scg.Gamma(2.0, rate).sample()

    (g,) = exact_gradient(program, 0.8)
    close(g, -2 / 0.8**2)  # of (1 + rate) 2 / rate


def test_arrays_of_noise():
    close(moments("poisson", [[0.5, 1.0]])[0], [[0.5, 1.0]])
