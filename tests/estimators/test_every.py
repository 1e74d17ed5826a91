"""Every estimator: the mean of the estimate is the gradient, of the second order too."""

from pathlib import Path

import numpy as np
import pytest
from toy import ESTIMATORS, A, Entry, assert_right, programs, second_derivative

import scg
from scg import estimators as E
from scg.errors import GradientError
from scg.testing import exact_expectation, exact_gradient, expected_estimate

entries = pytest.mark.parametrize("name", ESTIMATORS)
right = {name: entry for name, entry in ESTIMATORS.items() if not entry.biased}
unbiased = pytest.mark.parametrize("name", right)
twice = pytest.mark.parametrize("name", [name for name, entry in right.items() if entry.orders > 1])
once = pytest.mark.parametrize("name", [name for name, entry in right.items() if entry.orders == 1])


def test_every_file_of_an_estimator_is_entered():
    files = {path.stem for path in Path(E.__file__).parent.glob("[!_]*.py")}
    assert files == {name.split(",")[0] for name in ESTIMATORS}


@unbiased
def test_the_mean_of_the_estimate_is_the_gradient(name):
    assert_right(*programs(ESTIMATORS[name]), A)


@unbiased
def test_a_batch_has_the_gradient_of_its_elements(name):
    estimated, plain = programs(ESTIMATORS[name])
    weights = np.array([1.0, -2.0])
    assert_right(lambda a: estimated(a) * weights, lambda a: plain(a) * weights, np.array([A, -A]))


@twice
@pytest.mark.parametrize("by_surrogate", [False, True])
def test_the_second_derivative(name, by_surrogate):
    estimated, plain = programs(ESTIMATORS[name])
    h = 1e-3
    at = [exact_gradient(plain, A + k * h)[0] for k in (-2, -1, 1, 2)]
    truth = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
    np.testing.assert_allclose(second_derivative(estimated, by_surrogate), truth, rtol=1e-5)


@once
@pytest.mark.parametrize("by_surrogate", [False, True])
def test_a_second_derivative_is_refused_where_only_the_first_is_right(name, by_surrogate):
    estimated, _ = programs(ESTIMATORS[name])
    with pytest.raises(GradientError, match="GaussianHessian"):
        second_derivative(estimated, by_surrogate)


@unbiased
def test_the_first_derivative_of_the_surrogate(name):
    estimated, plain = programs(ESTIMATORS[name])
    a = scg.parameter(A)
    mean = exact_expectation(lambda: scg.grad(scg.surrogate(estimated(a)), a, of="value").numpy())
    np.testing.assert_allclose(mean, exact_gradient(plain, A)[0], rtol=1e-8)


@entries
def test_what_is_biased_is_tagged_and_only_that(name):
    a = scg.parameter(A)
    programs(ESTIMATORS[name])[0](a).backward()
    assert any(tag.kind == "BIASED" for tag in a.tags) == ESTIMATORS[name].biased


@unbiased
def test_an_estimator_may_be_used_for_several_draws(name):
    """Two draws of one object, whose costs are multiplied element by element."""
    entry = ESTIMATORS[name]

    def twice(a, estimator, axis):
        x, y = (entry.family(k * a).sample(estimator=estimator) for k in (1.0, 0.5))
        c = x + 2.0 * y
        return c.mean(axis=0) if axis else c

    mean = expected_estimate(lambda a: twice(a, entry.make(), entry.axis), A).mean[0]
    (truth,) = exact_gradient(lambda a: twice(a, "auto", False), A)
    np.testing.assert_allclose(mean, truth, rtol=1e-8)


def test_the_relaxation_is_as_biased_as_it_says():
    with pytest.raises(AssertionError):
        assert_right(*programs(ESTIMATORS["gumbel_softmax"]), A)


class OwnCost(E.Estimator):
    """A planted fault: the baseline is half of the draw's own cost."""

    route = "score"

    def baseline_of(self, weighted):
        return 0.5 * weighted.weight


def test_a_wrong_estimator_is_caught():
    with pytest.raises(AssertionError):
        assert_right(*programs(Entry(OwnCost)), A)
