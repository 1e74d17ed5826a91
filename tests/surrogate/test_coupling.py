"""Draws that share their noise: scored ones are refused, pathwise ones are right as they are."""

import numpy as np
import pytest

import scg
from scg.errors import BiasedGradientError

P = 0.4


def fixed(p):
    return scg.Uniform(0.0, 1.0).sample(rng=7, name="u"), scg.Bernoulli(p).sample(rng=7, name="b")


def by_python(u, b, p):
    return b * p if float(u) < 0.99 else p * 1.0


MIXED = {
    "in one cost": lambda u, b, p: u * b,
    "computed": lambda u, b, p: (2.0 * u + 1.0) * b + p,
    "by Python": by_python,
}


@pytest.mark.filterwarnings("ignore::scg.EscapeWarning")
@pytest.mark.parametrize("name", MIXED)
def test_a_scored_draw_with_the_noise_of_a_fixed_one_is_refused(name):
    p = scg.parameter(P)
    with pytest.raises(BiasedGradientError, match=r"'u'.*'b'.*same"):
        MIXED[name](*fixed(p), p).backward()
    p.zero_grad()


def test_no_cost_is_blamed_where_nobody_knows_of_one():
    _, b = fixed(scg.parameter(P))
    with pytest.raises(BiasedGradientError, match="whatever uses the first") as error:
        (2.0 * b).backward()
    assert "cost" not in str(error.value)


def test_its_score_would_be_biased(monkeypatch):
    """The coin is 1 where the uniform number is below p: E[u b] = p**2 / 2."""
    monkeypatch.setattr("scg._surrogate.coupling._check_fixed", lambda *_: None)
    numbers = (np.arange(2000) + 0.5) / 2000

    class Given(scg.noise.GeneratorSource):
        number = 0.0

        def uniform(self, shape, dtype):
            return np.full(shape, self.number, dtype)

    total, source = 0.0, Given(np.random.default_rng(0))
    for source.number in numbers:
        p = scg.parameter(P)
        u = scg.Uniform(0.0, 1.0).sample(rng=source)
        b = scg.Bernoulli(p).sample(rng=source)
        if scg.peek(b):
            (u * b).backward()
            total += p.grad / len(numbers)
            p.zero_grad()
    np.testing.assert_allclose(total, P / 2, rtol=1e-5)  # and not P


def test_other_seeds_generators_and_runs_are_fine():
    p, rng = scg.parameter(P), np.random.default_rng(7)
    (scg.Uniform(0.0, 1.0).sample(rng=rng) * scg.Bernoulli(p).sample(rng=rng)).backward()
    (scg.Uniform(0.0, 1.0).sample(rng=1) * scg.Bernoulli(p).sample(rng=2)).backward()
    p.zero_grad()
    u = scg.Uniform(0.0, 1.0).sample(rng=3)
    (u * p).backward()
    p.zero_grad()
    scg.Bernoulli(p).sample(rng=3).backward()
    assert np.isfinite(p.grad)


def test_two_pathwise_draws_are_differentiated_under_their_joint_distribution():
    """With x = m + e and y = 2 m + 3 e the mean of x y is 2 m**2 + 3, and its slope 4 m."""
    m = scg.parameter(0.7)
    x = scg.Normal(m, 1.0).sample(rng=5, name="x")
    y = scg.Normal(2.0 * m, 3.0).sample(rng=5, name="y")
    found = scg.audit(x * y)
    assert [a.kind for a in found.assumptions] == ["coupled noise"]
    assert "'x'" in found.assumptions[0].text
    assert "'y'" in found.assumptions[0].text
    (x * y).backward()
    noise = scg.peek(x) - 0.7
    np.testing.assert_allclose(m.grad, (1.4 + 3 * noise) + 2 * (0.7 + noise))


def test_the_audit_is_silent_about_independent_noise():
    m, rng = scg.parameter(0.7), np.random.default_rng(5)
    x, y = (scg.Normal(m, 1.0).sample(rng=rng) for _ in range(2))
    assert not scg.audit(x * y).assumptions


def test_generators_of_another_kind_are_compared_too():
    p = scg.parameter(P)
    first, second = (np.random.Generator(np.random.MT19937(3)) for _ in range(2))
    loss = scg.Bernoulli(p).sample(rng=first) * scg.Bernoulli(p).sample(rng=second)
    with pytest.raises(BiasedGradientError, match="same"):
        loss.backward()
