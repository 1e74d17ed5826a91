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


def test_one_draw_below_two_marks():
    """Whether there is a second mark depends on what was drawn between them."""

    def program(a):
        total = 0.0
        k = scg.Bernoulli(logits=a).sample()
        for _ in range(2):
            b = scg.Bernoulli(logits=0.2 * a).sample()
            total = total + scg.cost(k)
            if b:
                break
        return total

    scg.testing.check_unbiased(program, scg.parameter(0.3))


def test_a_cost_in_an_episode_that_is_linear_in_an_older_draw():
    def program(a):
        total = 0.1 * a
        k = scg.Bernoulli(logits=a).sample()
        with scg.episode():
            b = scg.Bernoulli(logits=0.3 * a).sample()
            if b:
                total = total + scg.cost((k + 1.0) * a)
        return total

    scg.testing.check_unbiased(program, 0.3)


def test_a_marked_draw_that_counts_again_in_a_branch():
    def program(a):
        k = scg.Bernoulli(logits=0.5 * a).sample()
        total = scg.cost(k)
        b = scg.Bernoulli(logits=a).sample()
        if b:
            total = total + k
        return total

    scg.testing.check_unbiased(program, scg.parameter(0.3))


def test_leave_one_out_below_a_mark_that_is_scaled_after_a_read():
    """What the scaling changed is taken apart below the mark, as the rest of the cost is."""

    def program(a, w):
        k = scg.Bernoulli(logits=w).sample()
        b = scg.Bernoulli(logits=a - k).sample(estimator=scg.estimators.LeaveOneOut(2))
        total = w * scg.cost(scg.exp(0.4 * b).mean())
        for _ in range(int(k)):
            total = total - 1.2 * scg.Bernoulli(logits=a).sample()
        return total * 0.5

    scg.testing.check_unbiased(program, 0.3, 0.7)
