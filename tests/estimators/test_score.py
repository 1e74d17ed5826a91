"""The score function and its baselines."""

import numpy as np
import pytest
from toy import TARGETS, A, P, assert_right, moments, slope_of_toy, toy

import scg
from scg import estimators as E
from scg.errors import BiasedGradientError, OptionError, ShapeError
from scg.testing import check_unbiased

targets = pytest.mark.parametrize("t", TARGETS)


def variance_of_toy(t, c=0.0):
    """Return Var[((b - t)**2 - c) (b - p)] in closed form."""
    first, second = ((1 - t) ** 2 - c) * (1 - P), (t**2 - c) * -P
    return P * (1 - P) * (first - second) ** 2


@targets
@pytest.mark.parametrize("c", [0.0, 0.1, 0.25])
def test_variance_with_a_constant(t, c):
    mean, variance = moments(toy(lambda: E.Score(baseline=c), t))
    np.testing.assert_allclose(mean, slope_of_toy(t), rtol=1e-9)
    np.testing.assert_allclose(variance, variance_of_toy(t, c), rtol=1e-9, atol=1e-14)


@targets
def test_the_optimal_constant_leaves_no_variance(t):
    """E[score**2 cost] / E[score**2]: for two outcomes both estimates are then the same."""
    best = (1 - P) * (1 - t) ** 2 + P * t**2
    mean, variance = moments(toy(lambda: E.Score(baseline=best), t))
    np.testing.assert_allclose(mean, slope_of_toy(t), rtol=1e-9)
    assert variance < 1e-15 < variance_of_toy(t)


BASELINES = {
    "a number": 0.3,
    "a list": [0.3, -0.1, 0.2],
    "an array that broadcasts": np.array([[0.3], [0.7]]),
    "a whole array": np.arange(6.0).reshape(2, 3),
    "a tensor": scg.tensor([0.3, -0.1, 0.2]),
    "a callable": lambda: scg.tensor(0.3),
}


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_of_every_kind_and_shape_with_several_costs(name):
    """Three costs with coefficients, some of which depend on the parameter, of a (2, 3) draw."""

    def program(a):
        estimator = E.Score(baseline=BASELINES[name])
        b = scg.Bernoulli(logits=scg.stack([a, -a])).sample(estimator=estimator)
        return (2.0 * b[0] - b.sum(axis=0) * scg.exp(a) / 3.0).mean() + 0.7 * (b[1] ** 2).sum()

    check_unbiased(program, [0.3, -0.4, 0.1])


def test_a_baseline_that_does_not_broadcast_is_refused():
    b = scg.Bernoulli(logits=scg.parameter(np.zeros(3))).sample(estimator=E.Score(np.zeros(2)))
    with pytest.raises(ShapeError, match=r"baseline of shape \(2,\).*\(3,\)"):
        b.sum().backward()


def test_events_have_one_baseline_each():
    def categories(a):
        k = scg.OneHotCategorical(logits=a).sample(estimator=E.Score(np.array([0.3, -0.2])))
        return (k * np.array([1.0, 3.0, -2.0])).sum(axis=-1) ** 2

    check_unbiased(categories, np.array([[0.1, 0.2, 0.3], [0.5, -0.5, 0.0]]))
    square = lambda m: scg.Normal(m, factor=np.array([[1.0, 0.0], [0.5, 0.8]]))  # noqa: E731
    program = lambda m, e: (square(m).sample(estimator=e) ** 2).sum()  # noqa: E731
    assert_right(
        lambda m: program(m, E.Score(0.4)), lambda m: program(m, "auto"), np.array([0.3, -0.4])
    )


def test_a_factor_without_a_density_has_no_score():
    law = scg.Normal(scg.parameter([0.3, -0.4]), factor=np.array([[1.0], [0.5]]))
    with pytest.raises(OptionError, match="square factor"):
        law.sample(estimator=E.Score(0.4))


def seen_directly(a):
    seen = []
    b = scg.Bernoulli(logits=a).sample(estimator=E.Score(lambda: seen[0]))
    seen.append(b * 0.5)
    return b


def seen_through_python(a):
    seen = []
    b = scg.Bernoulli(logits=a).sample(estimator=E.Score(lambda: seen[0]))
    seen.append(scg.exp(scg.tensor(0.3 if b else 0.1) * a.detach()))
    return b


def batch_mean_with_itself(a):
    seen = []
    b = scg.Bernoulli(logits=a).sample(4, estimator=E.Score(lambda: seen[0]))
    seen.append((b - 0.45).mean())
    return b.mean()


def plain_number(a):
    return scg.Bernoulli(logits=a).sample(estimator=E.Score(lambda: 0.3))


@pytest.mark.filterwarnings("ignore::scg.EscapeWarning")
@pytest.mark.parametrize(
    "program", [seen_directly, seen_through_python, batch_mean_with_itself, plain_number]
)
def test_a_baseline_that_may_have_seen_its_draw_is_refused(program):
    a = scg.parameter(A)
    with pytest.raises(BiasedGradientError, match="depends on the draw itself"):
        program(a).backward()
    assert a.grad is None


def test_a_baseline_of_what_came_before_is_fine():
    """A critic of the state; the state is a draw of its own."""

    def program(a):
        state = scg.Normal(a, 1.0).sample()
        b = scg.Bernoulli(logits=a * state).sample(estimator=E.Score(scg.tanh(state)))
        return (b - 0.45) ** 2 + 0.1 * state

    check_unbiased(program, A)


def test_a_baseline_cannot_change_the_weight_that_it_looks_at():
    class Greedy(E.Estimator):
        route = "score"

        def baseline_of(self, weighted):
            weighted.weight[...] = 0.0
            return 0.0

    b = scg.Bernoulli(logits=scg.parameter([A, A])).sample(estimator=Greedy())
    with pytest.raises(ValueError, match="read-only"):
        ((b - 0.45) ** 2).sum().backward()
