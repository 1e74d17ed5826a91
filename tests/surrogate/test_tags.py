"""What is known of a gradient: bias, and how often it can be differentiated."""

import numpy as np
import pytest

import scg
from scg import estimators as E
from scg.distributions._support import REAL
from scg.errors import BiasedGradientError, GradientError

SOFT = E.GumbelSoftmax(0.5)


def relaxed(a):
    return (scg.Bernoulli(logits=a).sample(estimator=SOFT, rng=0) - 0.45) ** 2


def detached(a):
    return a * scg.detach(a + scg.Normal(0.0, 1.0).sample(rng=0))


def under_no_grad(a):
    with scg.no_grad():
        twice = 2.0 * a
    return twice * a * scg.Normal(0.0, 1.0).sample(rng=0)


def scored_times_detached(a):
    return scg.Bernoulli(logits=a).sample(rng=0) * scg.detach(1.0 + a)


BIASES = {
    "GumbelSoftmax": relaxed, "detach": detached, "no_grad": under_no_grad,
    "detached coefficient of a score": scored_times_detached,
}  # fmt: skip
WORDS = dict.fromkeys(BIASES, "detach") | {"GumbelSoftmax": "GumbelSoftmax"}
biased = pytest.mark.parametrize("name", BIASES)


def reasons(x):
    return {tag.reason for tag in x.tags if tag.kind == "BIASED"}


@biased
def test_a_parameter_tells_of_its_gradient_until_it_is_cleared(name):
    a = scg.parameter(0.3)
    BIASES[name](a).backward()
    assert reasons(a) == {WORDS[name]}
    assert not (a * 2.0).tags  # of the gradient, and not of the value
    (a * a).backward()
    assert reasons(a) == {WORDS[name]}  # it is a sum now, and still biased
    a.zero_grad()
    assert not a.tags
    (a * a).backward()
    assert not a.tags


@biased
def test_the_audit_tells_before(name):
    assert {tag.reason for tag in scg.audit(BIASES[name](scg.parameter(0.3))).tags} == {WORDS[name]}


@biased
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_and_what_is_computed_from_it_tell(name, create_graph):
    a = scg.parameter(0.3)
    g = scg.grad(BIASES[name](a), a, create_graph=create_graph)
    computed = [g, 2.0 * g + 1.0, scg.stack([g, g]).sum(), g.detach(), g[None], abs(g)]
    with scg.no_grad():
        computed.append(g * g)
    for x in computed:
        assert reasons(x) == {WORDS[name]}
    assert not a.tags


def test_the_derivative_of_a_biased_gradient_is_biased():
    a = scg.parameter(0.3)
    g = scg.grad(relaxed(a), a, create_graph=True)
    for of in ("expectation", "value"):
        assert reasons(scg.grad(g, a, of=of, retain=True)) == {"GumbelSoftmax"}
        with scg.strict(), pytest.raises(BiasedGradientError, match="GumbelSoftmax"):
            scg.grad(g, a, of=of, retain=True)


def test_a_surrogate_hands_its_tags_on():
    a = scg.parameter(0.3)
    s = scg.surrogate(relaxed(a))
    assert reasons(s) == {"GumbelSoftmax"}
    s.backward(of="value")
    assert reasons(a) == {"GumbelSoftmax"}


def test_a_right_gradient_has_no_tag():
    a = scg.parameter(0.3)
    ((scg.Bernoulli(logits=a).sample(rng=0) - 0.45) ** 2).backward()
    scg.Normal(a, 1.0).sample(rng=0).backward()
    assert not a.tags


ASKED = {
    "backward": lambda f, a: f(a).backward(),
    "grad": lambda f, a: scg.grad(f(a), a),
    "grad to be differentiated": lambda f, a: scg.grad(f(a), a, create_graph=True),
    "vjp": lambda f, a: scg.vjp(f, 0.3)[1](),
    "surrogate": lambda f, a: scg.surrogate(f(a)),
}


@biased
@pytest.mark.parametrize("asked", ASKED)
def test_strict_refuses_every_bias(name, asked):
    a = scg.parameter(0.3)
    with scg.strict(), pytest.raises(BiasedGradientError, match=rf"BIASED\({WORDS[name]}\)"):
        ASKED[asked](BIASES[name], a)
    ASKED[asked](BIASES[name], a)  # it is over with the block


# --- how often --------------------------------------------------------------------------------


class Laplace(scg.Distribution):
    """Its log-probability has a kink at the value drawn."""

    continuous = True

    def __init__(self, loc):
        self._set({"loc": REAL}, loc=loc)
        self.batch_shape = self.parameters["loc"].shape

    def _raw_value(self, source, shape):
        first, second = (source.exponential(shape, self.dtype) for _ in range(2))
        return self.parameters["loc"]._data + first - second

    def log_prob(self, value):
        return -abs(scg.as_tensor(value) - self.parameters["loc"]) - np.log(2.0)


def normal(mu):
    return scg.Normal(mu, 1.0).sample(rng=0)


KINKED = {
    "abs": ("abs", lambda mu: abs(normal(mu)) * normal(mu)),
    "relu": ("relu", lambda mu: scg.relu(normal(mu)) * mu),
    "a kink in the score": ("abs", lambda mu: Laplace(mu).sample(rng=0) ** 2),
}
kinked = pytest.mark.parametrize("name", KINKED)


@kinked
@pytest.mark.parametrize("computed", [lambda g: g, lambda g: 3.0 * g, lambda g: (g * g).sum()])
def test_a_second_derivative_at_a_kink_names_op_and_line(name, computed):
    op, loss = KINKED[name]
    mu = scg.parameter(0.3)
    g = scg.grad(loss(mu), mu, create_graph=True)
    assert [tag.kind for tag in g.tags] == ["max_order"]
    line = r"test_tags\.py:\d+"
    with pytest.raises(GradientError, match=rf"max_order\(1: kink of '{op}'\) at .*{line}"):
        computed(g).backward()
    assert mu.grad is None


def test_the_recorded_value_is_free():
    mu = scg.parameter(0.3)
    z = normal(mu)
    g = scg.grad(abs(z) * z, mu, create_graph=True)
    g.backward(of="value")
    np.testing.assert_allclose(mu.grad, 2.0 * np.sign(scg.peek(z)))
    with scg.strict():  # of the first order it is right
        scg.grad(abs(normal(mu)), mu, create_graph=True)


def test_a_kink_in_parameters_alone_can_be_differentiated_twice():
    mu = scg.parameter(0.3)
    g = scg.grad(abs(mu) * normal(mu), mu, create_graph=True)
    assert not g.tags
    assert scg.grad(g, mu).numpy() == 2.0
    g = scg.grad(abs(mu) * mu, mu, create_graph=True)
    assert scg.grad(g, mu).numpy() == 2.0


def test_the_sign_of_a_gradient_can_be_asked_for():
    """A pole is judged by it; the mark on a gradient once had forgotten how to work it out."""
    mu = scg.parameter(0.3)
    g = scg.grad(scg.exp(normal(mu)) + detached(mu), mu, create_graph=True)
    (1.0 / (g * g + 1.0)).backward(of="value")
    z = normal(mu)
    assert scg.grad(1.0 / (1.0 + z * z), mu) is not None
    pull = scg.vjp(lambda x: 1.0 / (1.0 + x * x), scg.Normal(0.0, 1.0).sample(rng=0) * 2.0)[1]
    assert np.isfinite(pull()[0].numpy())


@kinked
def test_a_surrogate_with_a_kink_is_differentiated_once(name):
    """Its recorded value is how one differentiates the expectation, so that is not free."""
    op, loss = KINKED[name]
    mu = scg.parameter(0.3)
    s = scg.surrogate(loss(mu))
    g = scg.grad(2.0 * s, mu, create_graph=True, of="value")
    np.testing.assert_allclose(scg.peek(g), 2.0 * scg.peek(scg.grad(loss(mu), mu)))
    for of in ("value", "expectation"):
        with pytest.raises(GradientError, match=rf"max_order\(1: kink of '{op}'\)"):
            scg.grad(g.sum(), mu, of=of)
