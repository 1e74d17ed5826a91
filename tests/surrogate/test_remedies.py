"""The remedy in a refusal fits its cause: who follows it gets the gradient of the program refused.

The truth is the exact slope of the refused program's own expectation; what the followed remedy
gives is the exact expectation of its estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import scg
from scg.testing import exact_gradient, expected_estimate

pytestmark = pytest.mark.filterwarnings("ignore::scg.EscapeWarning")

Program = Callable[..., Any]
REMEDIES: dict[str, Remedy] = {}


@dataclass(frozen=True)
class Remedy:
    """A refused program, the words that tell what to do, and the program of who does it."""

    refused: Program
    words: str
    followed: Program
    at: tuple[Any, ...]
    error: type[Exception] = scg.BiasedGradientError
    expected: Program | None = None  # where the refused program is beyond exact integration


def remedy(words: str, at: tuple[Any, ...], **known: Any) -> Callable[[Any], None]:
    """Enter the two programs of the decorated class."""

    def enter(pair: Any) -> None:
        REMEDIES[pair.__name__] = Remedy(pair.refused, words, pair.followed, at, **known)

    return enter


def normal(loc, scale, **options):
    return scg.Normal(loc, scale).sample(**options)


def uniform(low=0.0, high=1.0, **options):
    return scg.Uniform(low, high).sample(**options)


@remedy(r"scg\.Bernoulli\(p\)\.sample\(\) for u < p", (0.4,))
class UniformBelowAParameter:
    def refused(p):
        return scg.where(uniform() < p * p, 2.0, 0.5) * p

    def followed(p):
        return scg.where(scg.Bernoulli(p * p).sample() == 1, 2.0, 0.5) * p


@remedy(r"scg\.Bernoulli\(p\)\.sample\(\) for u < p", (0.4,))
class UniformBelowAParameterDecides:
    def refused(p):
        return 3.0 * p if uniform() < p else p * p

    def followed(p):
        return 3.0 * p if scg.Bernoulli(p).sample() else p * p


@remedy(
    r"scg\.Bernoulli\(p\)\.sample\(\), p being its probability", (0.4,),
    expected=lambda p: (2.0 * p + 0.5 * (1 - p)) * p,
)  # fmt: skip
class ParameterAboveANumberThatWasRead:
    def refused(p):
        u = float(uniform())
        return scg.where(p > u, 2.0, 0.5) * p

    def followed(p):
        return scg.where(scg.Bernoulli(p).sample() == 1, 2.0, 0.5) * p


@remedy(r"scg\.Bernoulli\(p\)\.sample\(\), p being its probability", (0.4,))
class ExponentialAboveAParameter:
    def refused(t):
        return scg.where(scg.Exponential(1.0).sample() > t, 2.0, 0.5) * t

    def followed(t):
        return scg.where(scg.Bernoulli(scg.exp(-t)).sample() == 1, 2.0, 0.5) * t


@remedy(r"scg\.Bernoulli\(p\)\.sample\(\), p being its probability", (0.4,))
class FloorOfAUniformAndAParameter:
    def refused(t):
        return scg.floor(uniform() + t) * (1.0 + t)

    def followed(t):
        return scg.Bernoulli(t).sample() * (1.0 + t)


@remedy(r"scg\.Normal\(loc - theta, scale\)", (0.3,))
class FixedNormalAboveAParameter:
    def refused(theta):
        x = normal(0.5, 2.0)
        return scg.where(x > theta, x * x, 0.5)

    def followed(theta):
        d = normal(0.5 - theta, 2.0)
        x = d + theta
        return scg.where(d > 0, x * x, 0.5)


@remedy(r"scg\.Normal\(loc - theta, scale\)", (0.3, 0.1))
class NormalAboveAParameterDecides:
    def refused(mu, theta):
        x = normal(mu, 1.0)
        return x if x < theta else theta * theta

    def followed(mu, theta):
        d = normal(mu - theta, 1.0)
        return d + theta if d < 0 else theta * theta


@remedy(r"scg\.Normal\(theta, s\)", (0.3,))
class SumAboveZero:
    def refused(theta):
        return scg.where(theta + 0.5 * normal(0.0, 1.0) > 0, 1.0 + theta, 0.0)

    def followed(theta):
        return scg.where(normal(theta, 0.5) > 0, 1.0 + theta, 0.0)


@remedy(r"scg\.Normal\(theta, s\)", (0.3,))
class FloorOfASum:
    def refused(theta):
        return scg.floor(theta + normal(0.0, 0.5))

    def followed(theta):
        return scg.floor(normal(theta, 0.5))


@remedy(r"scg\.Normal\(theta, s\)", (0.3,))
class PoleOfASum:
    def refused(theta):
        return scg.log(abs(theta + normal(0.0, 1.0)))

    def followed(theta):
        return scg.log(abs(normal(theta, 1.0)))


@remedy(r"scg\.Normal\(theta, s\)", (0.3,))
class SumThatIsRead:
    def refused(theta):
        action = theta + normal(0.0, 0.5)
        return np.tanh(float(action)) + 0.0 * theta

    def followed(theta):
        return np.tanh(float(normal(theta, 0.5))) + 0.0 * theta


@remedy(r"with the tensor and not with its raw value", (0.3,))
class SumThatIsReadForNothing:
    def refused(theta):
        return np.tanh(float(theta + normal(0.0, 0.5))) + 0.0 * theta

    def followed(theta):
        return scg.tanh(theta + normal(0.0, 0.5)) + 0.0 * theta


@remedy(r"or look with scg\.peek\(x\)", (0.3,))
class SumThatIsLookedAt:
    def refused(theta):
        x = theta + normal(0.0, 0.5)
        x.item()
        return x * x

    def followed(theta):
        x = theta + normal(0.0, 0.5)
        scg.peek(x)
        return x * x


@remedy(r"scg\.Normal\(theta, s\)", (0.3,))
class SumGivenToTheOutside:
    def refused(theta):
        return scg.external(np.tanh, theta + normal(0.0, 0.5), world=scg.stateless)

    def followed(theta):
        return scg.external(np.tanh, normal(theta, 0.5), world=scg.stateless)


@remedy(r"scg\.Exponential\(1 / theta\)", (0.7,))
class ScaledExponential:
    def refused(theta):
        return scg.floor(theta * scg.Exponential(1.0).sample() / 5.0)

    def followed(theta):
        return scg.floor(scg.Exponential(1 / theta).sample() / 5.0)


@remedy(r"scg\.Gamma\(a, 1 / theta\)", (0.7,))
class ScaledGamma:
    def refused(theta):
        return scg.where(theta * scg.Gamma(2.0, 1.0).sample() > 1.5, 1.0, 0.0)

    def followed(theta):
        return scg.where(scg.Gamma(2.0, 1 / theta).sample() > 1.5, 1.0, 0.0)


@remedy(
    r"scg\.Categorical\(logits=logits\)", (0.3,), expected=lambda a: scg.sigmoid(-a) * (1.0 + a)
)
class GumbelByHand:
    def refused(a):
        gumbel = -scg.log(-scg.log(uniform(shape=2)))
        return scg.argmax(scg.stack([a, 0.0 * a]) + gumbel) * (1.0 + a)

    def followed(a):
        return scg.Categorical(logits=scg.stack([a, 0.0 * a])).sample() * (1.0 + a)


@remedy(r"with the tensor and not with its raw value", (0.3,))
class ParameterThatIsRead:
    def refused(theta):
        b = scg.Bernoulli(logits=theta).sample()
        return b * np.exp(float(theta))

    def followed(theta):
        b = scg.Bernoulli(logits=theta).sample()
        return b * scg.exp(theta)


@remedy(r"or look with scg\.peek\(x\)", (0.3,))
class ParameterThatIsLookedAt:
    def refused(theta):
        b = scg.Bernoulli(logits=theta).sample()
        float(2.0 * theta)
        return b * theta

    def followed(theta):
        b = scg.Bernoulli(logits=theta).sample()
        scg.peek(2.0 * theta)
        return b * theta


@remedy(r"scg\.op\(vjp=\.\.\., smooth=\.\.\.\)", (0.3,))
class ParameterGivenToTheOutside:
    def refused(theta):
        b = scg.Bernoulli(logits=theta).sample()
        return b * scg.external(np.tanh, theta, world=scg.stateless)

    def followed(theta):
        squash = scg.op(vjp=lambda g, y, x: g * (1 - y * y), smooth="smooth")(lambda x: np.tanh(x))
        return scg.Bernoulli(logits=theta).sample() * squash(theta)


@remedy('estimator="auto"', (2.0,), error=scg.SupportError)
class ScoreOfAMovedSupport:
    def refused(high):
        return uniform(0.0, high, estimator="score") ** 2

    def followed(high):
        return uniform(0.0, high, estimator="auto") ** 2


@remedy(r"scg\.Bernoulli\(p\).*; or make the step smooth", (2.0,), error=scg.SupportError)
class StepBehindAMovedSupport:
    def refused(high):
        return scg.where(uniform(0.0, high) > 0.5, 1.0, 0.0) * high

    def followed(high):
        return scg.Bernoulli(1 - 0.5 / high).sample() * high


@remedy(r"scg\.Bernoulli\(p\).*; or make the step smooth", (2.0,))
class StepBehindAMovedSupportThatIsPathwise:
    def refused(high):
        return scg.where(uniform(0.0, high, estimator="pathwise") > 0.5, 1.0, 0.0) * high

    def followed(high):
        return scg.Bernoulli(1 - 0.5 / high).sample() * high


@remedy(r'estimator="auto" or "score"', (0.3,))
class StepBehindAPathwiseDraw:
    def refused(mu):
        return scg.floor(normal(mu, 0.5, estimator="pathwise")) * mu

    def followed(mu):
        return scg.floor(normal(mu, 0.5, estimator="score")) * mu


@remedy(r"a distribution whose support does not move", (0.4,), error=scg.SupportError)
class MixtureOfMovedSupports:
    def refused(high):
        ends = scg.stack([high, 2.0 * high])
        return scg.Mixture(scg.Uniform(0.0, ends), probs=[0.3, 0.7]).sample() ** 2

    def followed(high):
        k = scg.Categorical(probs=[0.3, 0.7]).sample()
        return (scg.stack([high, 2.0 * high])[k] * uniform()) ** 2


each = pytest.mark.parametrize("case", REMEDIES.values(), ids=list(REMEDIES))


@each
def test_the_refusal_says_what_fits(case):
    leaves = [scg.parameter(v) for v in case.at]
    with pytest.raises(case.error, match=case.words):
        scg.grad(case.refused(*leaves), leaves)


@each
def test_who_follows_it_gets_the_gradient_of_the_refused_program(case):
    truth = exact_gradient(case.expected or case.refused, *case.at)
    ours = expected_estimate(case.followed, *case.at).mean
    for a, b in zip(ours, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7)


PEEKED = ("SumThatIsRead", "SumThatIsReadForNothing", "SumThatIsLookedAt",
          "ParameterThatIsRead", "ParameterThatIsLookedAt")  # fmt: skip


@pytest.mark.parametrize("name", sorted(REMEDIES.keys() - set(PEEKED)))
def test_nobody_is_told_to_peek_where_something_is_decided(name):
    case = REMEDIES[name]
    leaves = [scg.parameter(v) for v in case.at]
    with pytest.raises(case.error) as error:
        scg.grad(case.refused(*leaves), leaves)
    assert "peek" not in str(error.value)
