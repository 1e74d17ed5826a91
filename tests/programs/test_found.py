"""Small programs that random ones were reduced to, when they came out wrong."""

import pytest

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def test_the_marked_cost_of_a_fixed_draw():
    def program(a):
        u = scg.Bernoulli(0.3).sample()
        b = scg.Bernoulli(logits=a).sample()
        return scg.cost(u * 2.0) * (-0.9) + b * u

    scg.testing.check_unbiased(program, 0.3)


def test_an_aligned_call_that_sees_a_parameter_is_refused():
    def program(a, w):
        b = scg.Bernoulli(logits=a).sample()
        return b + scg.external(lambda v: v * v, w, aligned=0, world=scg.stateless).sum()

    with pytest.raises(scg.BiasedGradientError, match="external"):
        scg.testing.check_unbiased(program, 0.3, [0.4])
