"""What the strategies draw is fit for the checks."""

from hypothesis import given, settings

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
