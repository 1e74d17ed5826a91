"""The assumptions that a graph shows."""

import numpy as np
import pytest

import scg

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")


def normal(shape=()):
    mu = scg.parameter(np.zeros(shape))
    return scg.Normal(mu, 1.0).sample(name="x")


def assumed(loss):
    return {a.kind for a in scg.audit(loss).assumptions}


def test_an_honest_loss_assumes_nothing():
    x = normal((3,))
    b = scg.Bernoulli(logits=x).sample()
    assert assumed((scg.tanh(x) * b).sum() + (x > 0).sum()) == set()


def test_looking():
    x = normal()
    scg.peek(x * 2.0)
    (found,) = scg.audit(x * x).assumptions
    assert found.kind == "peek" and "test_assumptions.py" in found.place


def test_looking_at_what_is_not_random_is_nothing():
    a = scg.parameter(1.0)
    scg.peek(a * 2.0)
    assert assumed(normal() * a) == set()


def test_detached():
    x = normal()
    assert assumed(x * scg.detach(x)) == {"detach"}
    with scg.no_grad():
        y = x * 2.0
    assert assumed(x * y) == {"no_grad"}


def test_asserted_continuity():
    x = normal()
    assert assumed(scg.where(x > 0, x, 0.0, continuous=True)) == {"continuous=True"}
    assert assumed(scg.where(x > 0, x, 0.0)) == set()


def test_promises_about_the_world():
    b = scg.Bernoulli(logits=scg.parameter(np.zeros(3))).sample()
    reward = scg.external(lambda a: 1.0 - a, b, aligned=0, world=scg.stateless)
    assert assumed(reward.sum()) == {"scg.stateless", "aligned="}
    reward = scg.external(lambda a: 1.0 - a, b, world=object.__new__(type("World", (), {})))
    assert assumed(reward.sum()) == set()


def test_a_fresh_episode():
    with scg.episode(fresh=True):
        assert assumed(normal()) == {"episode(fresh=True)"}


@pytest.mark.parametrize("smooth", ["smooth", "kink"])
def test_custom_ops_that_claim_to_be_differentiable(smooth):
    @scg.op(vjp=lambda g, y, x: 2 * g, smooth=smooth)
    def double(x):
        return 2 * x

    (found,) = scg.audit(double(normal())).assumptions
    assert found.kind == "custom op" and "'double'" in found.text


def test_custom_ops_that_claim_to_keep_axes():
    @scg.op(smooth="jump", axes="elementwise")
    def positive(x):
        return (x > 0) * 1.0

    (found,) = scg.audit(positive(normal((2,))).sum()).assumptions
    assert "keeps the axes" in found.text


def test_mirrored_noise():
    mu = scg.parameter(0.0)
    x = scg.Normal(mu, 1.0).sample(4, rng=scg.noise.AntitheticSource(0))
    assert assumed((x * x).mean()) == {"coupled noise"}


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda w: scg.log(w.mean(axis=0)), "log"),
        (lambda w: scg.exp(2.0 * w.mean(axis=0)), "exp"),
        (lambda w: 1.0 / w.mean(axis=0), "divide"),
        (lambda w: w.mean(axis=0) / (w * w).mean(axis=0), "divide"),
        (lambda w: w.mean(axis=0).max(), "max"),
        (lambda w: scg.logsumexp(scg.log(w), axis=0), "logsumexp"),
    ],
)
def test_functions_of_a_mean_over_samples(function, name):
    mu = scg.parameter([0.0, 0.5])
    w = scg.exp(scg.Normal(mu, 1.0).sample(8, name="x"))
    found = scg.audit(function(w).sum()).assumptions
    assert {a.kind for a in found} == {"sample axis"}
    assert any(f"'{name}'" in a.text for a in found)


@pytest.mark.parametrize(
    "function",
    [
        lambda w: 3.0 * w.mean(axis=0) - 1.0,  # linear
        lambda w: scg.log(w.mean(axis=1)),  # over the batch, which is one outcome
        lambda w: scg.log(w).mean(axis=0),
        lambda w: w.mean(axis=0) * scg.parameter(2.0),
    ],
)
def test_means_that_are_expectations(function):
    w = scg.exp(scg.Normal(scg.parameter([0.0, 0.5]), 1.0).sample(8))
    assert assumed(function(w).sum()) == set()


def test_a_density_of_the_users_own():
    class Mine(scg.Normal):
        pass

    x = Mine(scg.parameter(0.0), 1.0).sample(estimator="score")
    assert assumed(x * x) == {"custom density"}


def coin(a):
    return scg.Bernoulli(logits=a).sample()


def flipped(a):
    cost = scg.cost((coin(a) + 0.5) ** 2)
    return -cost if coin(a) else cost


SIGNS = {
    "in a branch": (flipped, {"sign"}),
    "of a sum, at the end": (
        lambda a: -(scg.cost(1.0 + int(coin(a))) + int(coin(a)) * a), {"sign"},
    ),
    "subtracted from what was read": (lambda a: int(coin(a)) - scg.cost(coin(a)), set()),
    "subtracted after another read": (
        lambda a: 2.0 * a - (scg.cost(coin(a) * a) + int(coin(a))), {"sign"},
    ),
    "read before the mark": (lambda a: -scg.cost(1.0 + int(coin(a))), set()),
    "given before the mark": (lambda a: scg.cost(-coin(a)) + int(coin(a)), set()),
    "given before the read": (lambda a: -scg.cost(coin(a) * a) + int(coin(a)), set()),
    "added": (lambda a: scg.cost(coin(a) * a) + int(coin(a)) * a, set()),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNS)
def test_the_sign_of_a_marked_cost_after_a_read(name):
    program, expected = SIGNS[name]
    loss = program(scg.parameter(30.0))  # so that the branch is taken
    assert assumed(loss) == expected
    scg._run.fresh_run()


def test_a_sign_that_a_read_decides_is_a_bias_that_only_the_audit_tells():
    def program(a):
        cost = scg.cost((scg.Bernoulli(logits=a).sample() + 0.5) ** 2)
        return -cost if scg.Bernoulli(logits=2.0 * a).sample() else cost

    with pytest.raises(AssertionError, match="biased"):
        scg.testing.check_unbiased(program, 0.3)
