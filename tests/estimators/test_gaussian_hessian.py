"""Gaussian backpropagation: both forms of the gradient agree; what has no Hessian is refused."""

import numpy as np
import pytest

import scg
from scg import estimators as E
from scg.errors import BiasedGradientError, OptionError
from scg.testing import check_unbiased, exact_gradient, expected_estimate

LOC, SCALE = 0.3, 0.7
HESSIANS = pytest.mark.parametrize("make", [E.GaussianHessian, lambda: E.GaussianHessian(probes=1)])


def through_a_coin(z, scale):
    """Score a coin whose chance depends on the draw: the Hessian needs its score too."""
    b = scg.Bernoulli(logits=z).sample()
    return (b - 0.3) ** 2 * scg.exp(0.2 * z) * scale


def through_another_draw(z, scale):
    y = scg.Normal(scg.sin(z), scale).sample()
    return y * y * z


def below_a_mean(z, scale):
    return scg.stack([z**4, scale * scg.cos(z)]).mean()


@HESSIANS
@pytest.mark.parametrize("cost", [through_a_coin, through_another_draw, below_a_mean])
def test_the_mean_of_the_estimate_is_the_gradient(make, cost):
    def program(loc, scale, estimator):
        return cost(scg.Normal(loc, scale).sample(estimator=estimator), scale)

    found = expected_estimate(lambda m, s: program(m, s, make()), LOC, SCALE).mean
    truth = exact_gradient(lambda m, s: program(m, s, "pathwise"), LOC, SCALE)
    np.testing.assert_allclose(found, truth, rtol=1e-8)


@HESSIANS
def test_a_factor_has_the_gradient_of_reparameterisation(make):
    """Equation 9 of Rezende et al. beside equation 10, for a full factor R."""

    def program(loc, factor, estimator):
        z = scg.Normal(loc, factor).sample(estimator=estimator)
        return scg.sin(z[0] + 0.2) * z[1] ** 2 + z[0] * z[1]

    at = np.array([0.2, -0.4]), np.array([[0.8, 0.1], [0.3, 0.5]])
    found = expected_estimate(lambda m, r: program(m, r, make()), *at).mean
    other = expected_estimate(lambda m, r: program(m, r, "pathwise"), *at).mean
    for ours, theirs in zip(found, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_rows_of_a_batch_that_meet_in_one_cost():
    """The Hessian has entries between rows; the covariance of two rows is 0, and stays so."""

    def program(scale):
        z = scg.Normal(np.array([0.1, 0.4]), scale).sample(estimator=E.GaussianHessian())
        return scg.exp(0.3 * z[0] * z[1])

    check_unbiased(program, np.array([0.5, 0.8]))


def test_a_quadratic_cost_has_a_slope_in_the_scale_without_variance():
    def program(scale):
        return scg.Normal(LOC, scale).sample(estimator=E.GaussianHessian()) ** 2

    found = expected_estimate(program, SCALE)
    np.testing.assert_allclose(found.mean[0], 2 * SCALE, rtol=1e-12)
    assert found.variance[0] < 1e-12


def test_a_linear_cost_has_no_slope_in_the_scale():
    scale = scg.parameter(SCALE)
    z = scg.Normal(LOC, scale).sample(estimator=E.GaussianHessian(), rng=0)
    (3.0 * z).backward()
    assert scale.grad == 0.0


@pytest.mark.parametrize("cost", [lambda z: z**2, abs])
def test_a_spread_that_is_fixed_needs_no_hessian(cost):
    check_unbiased(lambda a: cost(scg.Normal(a, 1.0).sample(estimator=E.GaussianHessian())), LOC)


@pytest.mark.parametrize("kink", [abs, lambda z: scg.maximum(z, 0.1)])
def test_a_kink_that_noise_crosses_is_refused(kink):
    z = scg.Normal(LOC, scg.parameter(1.0)).sample(estimator=E.GaussianHessian(), rng=0)
    with pytest.raises(BiasedGradientError, match=r"GaussianHessian, .* happens at a kink of"):
        kink(z).backward()


def test_a_jump_is_refused():
    z = scg.Normal(scg.parameter(LOC), 1.0).sample(estimator=E.GaussianHessian(), rng=0)
    with pytest.raises(BiasedGradientError, match="asked for pathwise"):
        scg.sign(z).backward()


def test_a_draw_that_is_cut_for_one_cost_and_open_for_another_is_refused():
    z = scg.Normal(LOC, scg.parameter(1.0)).sample(estimator=E.GaussianHessian(), rng=0)
    x = scg.Normal(scg.parameter(LOC), 1.0).sample(rng=1)
    with pytest.raises(BiasedGradientError, match="cannot stand beside draws"):
        (z**2 * x + scg.sign(x) + x).backward()


def test_the_loss_can_be_differentiated_by_its_value_afterwards():
    """Nothing that the surrogate marks may stick to the user's own nodes."""
    scale = scg.parameter(SCALE)
    z = scg.Normal(LOC, scale).sample(estimator=E.GaussianHessian(), rng=0)
    loss = z**2
    loss.backward(retain=True)
    first = scale.grad.copy()
    loss.backward()
    np.testing.assert_allclose(scale.grad, 2 * first)


@pytest.mark.parametrize("family", [scg.Exponential, lambda p: scg.Uniform(0.0, p)])
def test_another_family_is_refused(family):
    with pytest.raises(OptionError, match="use it with Normal"):
        family(0.5).sample(estimator=E.GaussianHessian())


def test_probes_are_at_least_one():
    with pytest.raises(OptionError, match="probes=0 is less than 1"):
        E.GaussianHessian(probes=0)
