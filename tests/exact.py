"""Exact expectations of an estimator: discrete noise by outcomes, continuous by quadrature."""

from __future__ import annotations

import numpy as np
from scipy import stats

import scg
from scg._run import fresh_run

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def _on_unit_interval(count):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1), 0.5 * weights


UNIFORM = _on_unit_interval(16)
EXPONENTIAL = np.polynomial.laguerre.laggauss(16)


class Replay:
    """A noise source that follows a script of outcomes and extends it depth first.

    Each scalar choice has a list of (value, probability); `path` says which was taken.
    """

    def __init__(self, path):
        self.path = list(path)
        self.sizes = []
        self.weight = 1.0

    def _choose(self, values, probabilities):
        possible = np.flatnonzero(np.greater(probabilities, 0))
        values, probabilities = np.take(values, possible), np.take(probabilities, possible)
        depth = len(self.sizes)
        if depth == len(self.path):
            self.path.append(0)
        self.sizes.append(len(values))
        self.weight *= probabilities[self.path[depth]]
        return values[self.path[depth]]

    def _array(self, shape, dtype, nodes, weights):
        size = int(np.prod(shape))
        return np.array([self._choose(nodes, weights) for _ in range(size)], dtype).reshape(shape)

    def normal(self, shape, dtype):
        return self._array(shape, dtype, NODES, WEIGHTS)

    def uniform(self, shape, dtype):
        return self._array(shape, dtype, *UNIFORM)

    def exponential(self, shape, dtype):
        return self._array(shape, dtype, *EXPONENTIAL)

    def bernoulli(self, probs):
        chosen = [self._choose((0.0, 1.0), (1 - p, p)) for p in np.ravel(probs)]
        return np.array(chosen, probs.dtype).reshape(probs.shape)

    def _counts(self, like, laws):
        """Choose a count per element, leaving out what is rarer than 1e-17."""
        k = np.arange(128)
        tables = [np.where(law.pmf(k) > 1e-17, law.pmf(k), 0.0) for law in laws]
        chosen = [self._choose(k, table) for table in tables]
        return np.array(chosen, like.dtype).reshape(like.shape)

    def poisson(self, rate):
        return self._counts(rate, [stats.poisson(r) for r in np.ravel(rate)])

    def geometric(self, probs):
        return self._counts(probs, [stats.geom(p, loc=-1) for p in np.ravel(probs)])

    def binomial(self, count, probs):
        laws = [stats.binom(n, p) for n, p in zip(np.ravel(count), np.ravel(probs), strict=True)]
        return self._counts(probs, laws)

    def categorical(self, probs):
        rows = probs.reshape(-1, probs.shape[-1])
        chosen = [self._choose(np.arange(len(p)), p / p.sum()) for p in rows]
        return np.array(chosen, np.int64).reshape(probs.shape[:-1])


def outcomes(program):
    """Yield `(probability, result)` of `program(source)` over every outcome."""
    path = []
    while True:
        source = Replay(path)
        fresh_run()
        result = program(source)
        yield source.weight, result
        path = source.path
        while path and path[-1] == source.sizes[len(path) - 1] - 1:
            path.pop()
        if not path:
            return
        path[-1] += 1


def expected_gradient(loss, values, **options):
    """Return the exact expectation of `scg.grad` of `loss(source, *parameters)`."""
    total = [np.zeros(np.shape(v)) for v in values]

    def program(source):
        params = [scg.parameter(v) for v in values]
        return [g.numpy() for g in scg.grad(loss(source, *params), params, **options)]

    for weight, grads in outcomes(program):
        for t, g in zip(total, grads, strict=True):
            t += weight * g
    return total


def expected_value(loss, values):
    """Return the exact expectation of `loss(source, *values)`."""

    def program(source):
        return float(scg.peek(loss(source, *[scg.tensor(v) for v in values])))

    return sum(weight * value for weight, value in outcomes(program))


def true_gradient(loss, values, step=1e-3):
    """Differentiate the exact expectation by five-point differences, one parameter at a time."""
    result = []
    for i, v in enumerate(values):
        flat = np.zeros(np.size(v))
        for j in range(flat.size):
            for offset, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
                moved = [np.array(x, float) for x in values]
                moved[i].reshape(-1)[j] += offset * step
                flat[j] += weight / step * expected_value(loss, moved)
        result.append(flat.reshape(np.shape(v)))
    return result


def assert_unbiased(loss, values, rtol=1e-8, **options):
    """Compare the exact expectation of our gradient with the gradient of the exact expectation."""
    ours, truth = expected_gradient(loss, values, **options), true_gradient(loss, values)
    for a, b in zip(ours, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def expected_hessian(loss, values):
    """Return the exact expectation of the second derivatives that two calls of `scg.grad` give."""

    def rows(source):
        leaves = [scg.parameter(v) for v in values]
        slopes = scg.grad(loss(source, *leaves), leaves, create_graph=True)
        zero = [0.0] * len(leaves)
        return np.array([
            [scg.peek(x) for x in scg.grad(s, leaves, retain=True)] if s.requires_grad else zero
            for s in slopes
        ])  # fmt: skip

    return sum(weight * h for weight, h in outcomes(rows))


def slope_of_gradient(loss, values, step=1e-3):
    """Differentiate the exact expectation of the gradient by five-point differences."""
    columns = []
    for j in range(len(values)):
        column = np.zeros(len(values))
        for offset, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
            moved = [v + offset * step * (i == j) for i, v in enumerate(values)]
            column += weight / step * np.array(expected_gradient(loss, moved))
        columns.append(column)
    return np.stack(columns, axis=1)


def assert_second_derivative(loss, values):
    """Compare the exact expectation of our Hessian with the slope of that of our gradient."""
    ours, truth = expected_hessian(loss, values), slope_of_gradient(loss, values)
    np.testing.assert_allclose(ours, truth, rtol=1e-6, atol=1e-7)
