"""Runs, episodes, threads, outside worlds and marked costs: what one gradient may not see."""

import numpy as np
import pytest
from conformance.closed import sigmoid, tosses
from conformance.orders import FLAGGED

import scg
from scg._run import fresh_run
from scg.testing import exact_expectation

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

A = 0.4
P = sigmoid(A)


def coin(a, name=None):
    return scg.Bernoulli(logits=a).sample(name=name)


def close(found, truth):
    np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-12)


def expected(run):
    """Return the exact expectation of the arrays that `run(a)` returns."""
    a = scg.parameter(A)

    def once():
        a.zero_grad()
        return np.stack(run(a))

    return exact_expectation(once)


def slope(cost):
    """Return the derivative in the logit of E[cost(b)]."""
    return P * (1 - P) * (cost(1.0) - cost(0.0))


def test_gradients_accumulate_over_repetitions_without_an_update():
    def run(a):
        for _ in range(3):
            ((coin(a) - 0.45) ** 2).backward()
        return (a.grad,)

    close(expected(run), [3 * slope(lambda b: (b - 0.45) ** 2)])


@pytest.mark.parametrize("inside", [True, False])
def test_a_fresh_episode_inherits_nothing(inside):
    """The user's promise that nothing outside matters; it holds wherever backward is called."""

    def run(a):
        int(coin(a))
        with scg.episode(fresh=True):
            loss = scg.cost(2.0 if int(coin(a)) else -1.0)
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        return a.grad, a.grad**2

    mean, second = expected(run)
    each = [(p, (2.0 if b else -1.0) * (b - P)) for p, (b,) in tosses([P])]
    close(mean, sum(p * g for p, g in each))
    close(second, sum(p * g * g for p, g in each))


def test_antithetic_draws_that_are_kept_apart_are_fine():
    """A mean over one cost per element; each element's own score only."""
    a = scg.parameter(0.3)
    x = scg.Normal(a, 1.0).sample(4, estimator="score", rng=scg.noise.AntitheticSource(0))
    (scg.floor(x) * 1.0).mean().backward()
    value = scg.peek(x)
    close(a.grad, np.mean(np.floor(value) * (value - 0.3)))


def test_a_biased_estimator_tags_its_gradient():
    """Gumbel-softmax is the user's word: the gradient is wrong, and says so."""
    a = scg.parameter([0.3, 0.0])
    soft = scg.estimators.GumbelSoftmax(temperature=0.5)
    k = scg.OneHotCategorical(logits=a).sample(estimator=soft, rng=0)
    (g,) = scg.grad(((k * scg.tensor([1.0, 3.0])).sum() - 2.0) ** 3, [a])
    assert any(tag.kind == "BIASED" for tag in g.tags)
    with scg.strict(), pytest.raises(scg.BiasedGradientError, match="BIASED"):
        k = scg.OneHotCategorical(logits=a).sample(estimator=soft, rng=0)
        k.sum().backward()


def test_a_running_mean_never_sees_its_own_run():
    """Exact over pairs of runs: the second run's baseline is the first one's weight."""

    def run(a):
        mean = scg.estimators.RunningMean()
        optimizer = scg.optim.SGD([a], lr=0.0)
        for _ in range(2):
            optimizer.zero_grad()
            b = scg.Bernoulli(logits=a).sample(estimator=scg.estimators.Score(baseline=mean))
            ((b - 0.45) ** 2).backward()
            optimizer.step()
        return a.grad, a.grad**2

    mean, second = expected(run)
    cost = lambda b: (b - 0.45) ** 2  # noqa: E731
    each = [(p, (cost(c) - cost(b)) * (c - P)) for p, (b, c) in tosses([P, P])]
    close(mean, slope(cost))
    close(second, sum(p * g * g for p, g in each))


@pytest.mark.parametrize(
    "loss",
    [
        lambda p, b: p * p.detach(),
        lambda p, b: p * p.detach() + b,
        lambda p, b: b * p * p.detach(),
    ],
    ids=["alone", "beside a draw", "times a draw"],
)
def test_a_detached_parameter_is_the_users_word_and_tagged(loss):
    p = scg.parameter(0.4)
    b = scg.Bernoulli(logits=scg.parameter(0.3)).sample(rng=1)
    (g,) = scg.grad(loss(p, b), [p])
    assert {(tag.kind, tag.reason) for tag in g.tags} == {("BIASED", "detach")}


# --- what the audit says ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FLAGGED)
def test_a_function_of_an_expectation_is_flagged(name):
    x = scg.Normal(scg.parameter(0.3), 1.0).sample(8, rng=0)
    assert "sample axis" in {a.kind for a in scg.audit(FLAGGED[name](x)).assumptions}
    assert "sample axis" not in {a.kind for a in scg.audit((x * x).mean()).assumptions}


@pytest.mark.parametrize(("above", "verdict"), [(0.0, "passed"), (1.0, "failed")])
def test_the_assertion_of_continuity_is_verified(above, verdict):
    def program(mu):
        x = scg.Normal(mu, 1.0).sample()
        return scg.where(x > 0, x + above, 0.0, continuous=True)

    found = scg.audit(program, scg.parameter(0.3))
    assert {c.name: c.verdict for c in found.checks}["continuous=True"] == verdict


# --- marked costs -----------------------------------------------------------------------------


def test_a_number_with_nothing_to_depend_on_is_no_cost():
    with pytest.raises(
        scg.GradientError, match=r"scg.cost was given a plain number.*int\(action\)"
    ):
        scg.cost(1.5)


def test_a_marked_cost_that_no_backward_reached_raises_when_the_run_ends():
    a = scg.parameter(A)
    optimizer = scg.optim.SGD([a], lr=0.1)
    b = coin(a)
    loss = scg.cost((b - 0.45) ** 2)
    scg.cost(2.0 * b)  # forgotten
    loss.backward()
    with pytest.raises(scg.GradientError, match=r"test_worlds\.py:\d+"):
        optimizer.step()
    fresh_run()


def test_a_mean_above_a_mark_counts_what_was_read_before_it():
    """The divisor was decided by draws that came after the first mark."""

    def run(a):
        total, count = 0.0, 0
        while count < 2 and coin(a):
            total = total + scg.cost(1.0 + a)
            count += 1
        ((total + scg.cost(a)) / (count + 1)).backward()
        return (a.grad,)

    def mean(a):
        p = sigmoid(a)
        n = np.array([1 - p, p * (1 - p), p * p])
        return sum(q * (k * (1 + a) + a) / (k + 1) for k, q in enumerate(n))

    close(expected(run), [np.imag(mean(A + 1e-30j)) / 1e-30])


# --- surrogates by hand -----------------------------------------------------------------------


def reinforce(a):
    policy = scg.Bernoulli(logits=a)
    action = policy.sample()
    return policy.log_prob(action) * (action - 0.45) ** 2


def test_reinforce_by_hand_warns():
    with pytest.warns(scg.HandmadeSurrogateWarning, match='of="value"'):
        reinforce(scg.parameter(A)).backward()


def test_reinforce_with_the_reward_of_an_environment_warns():
    """As it is written in PyTorch: the reward is a plain number."""
    policy = scg.Bernoulli(logits=scg.parameter(A))
    action = policy.sample()
    reward = 2.0 if int(action) else -1.0
    with pytest.warns(scg.HandmadeSurrogateWarning, match='of="value"'):
        (-policy.log_prob(action) * reward).backward()


def test_a_negative_elbo_does_not_warn():
    """The log-probability of a draw is a cost there, not a score."""
    a = scg.parameter(A)
    guide = scg.Bernoulli(logits=a)
    b = guide.sample()
    (guide.log_prob(b) - scg.Bernoulli(0.3).log_prob(b)).backward()
