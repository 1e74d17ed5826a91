"""What the strategies draw is fit for the checks."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import scg
from scg.testing import check_grads, check_unbiased
from scg.testing.strategies import distributions, graphs, parameters


@given(parameters(0.2, 0.8))
def test_parameters_lie_in_their_interval(p):
    assert p.dtype == float
    assert p.ndim <= 2
    assert ((p >= 0.2) & (p <= 0.8)).all()


@settings(max_examples=20)
@given(distributions())
def test_distributions_are_made_from_their_values(drawn):
    make, values = drawn
    assert make(*values).batch_shape == ()


@settings(max_examples=20)
@given(graphs(inputs=3), parameters(shape=(3,)))
def test_graphs_are_differentiable(graph, x):
    check_grads(graph, *x)


@settings(max_examples=8)
@given(distributions(), graphs())
def test_graphs_of_draws_have_unbiased_gradients(drawn, graph):
    make, values = drawn
    check_unbiased(lambda *params: graph(make(*params).sample(), params[0]), *values)


def test_every_family_is_drawn():
    seen = set()

    @settings(max_examples=200, phases=[Phase.generate], database=None)
    @given(distributions(), distributions(continuous=True), distributions(continuous=False))
    def look(anything, density, masses):
        seen.add(type(anything[0](*anything[1])).__name__)
        assert density[0](*density[1]).continuous and not masses[0](*masses[1]).continuous

    look()
    assert seen == {
        "Bernoulli", "Binomial", "Exponential", "Gamma", "Geometric", "Normal", "Poisson",
        "Uniform",
    }  # fmt: skip


# --- planted faults ------------------------------------------------------------------------------

few = settings(max_examples=40, phases=[Phase.generate], database=None)


@scg.op(vjp=lambda g, y, x: g * np.cos(x) * 1.001, smooth="smooth", axes="elementwise")
def wrong_sin(x):
    return np.sin(x)


def test_graphs_find_a_wrong_derivative(monkeypatch):
    monkeypatch.setattr("scg.testing.strategies._SMOOTH", (scg.tanh, wrong_sin))

    @few
    @given(graphs(), parameters(shape=(2,)))
    def check(graph, x):
        check_grads(graph, *x)

    with pytest.raises(scg.GradientError, match="differences"):
        check()


@pytest.mark.parametrize("family", [scg.Bernoulli, scg.Poisson, scg.Binomial, scg.Geometric])
def test_distributions_find_a_wrong_density(monkeypatch, family):
    right = family.log_prob
    monkeypatch.setattr(family, "log_prob", lambda self, x: 1.001 * right(self, x))

    @few
    @given(distributions(continuous=False), graphs())
    def check(drawn, graph):
        make, values = drawn
        check_unbiased(lambda *p: graph(make(*p).sample(), p[0]), *values)

    with pytest.raises(AssertionError, match="biased"):
        check()
