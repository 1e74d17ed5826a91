"""Log-probabilities as elementwise ops: value and each gradient in one pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import POLE, SMOOTH
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import NONNEGATIVE, POSITIVE

__all__ = [
    "bernoulli_log_prob", "exponential_log_prob", "gamma_log_prob", "normal_log_prob",
    "poisson_log_prob", "uniform_log_prob",
]  # fmt: skip


def _bernoulli(x: Any, logits: Any) -> Any:
    one = np.where(x == 0, 0 * x, x * sp.log_expit(logits))
    zero = np.where(x == 1, 0 * x, (1 - x) * sp.log_expit(-logits))
    return np.where(np.isinf(x), x * logits, one + zero)  # the formula is linear in x


def _normal(x: Any, loc: Any, scale: Any) -> Any:
    return -0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def _exponential(x: Any, rate: Any) -> Any:
    return np.where(x < 0, -np.inf, np.log(rate) - rate * x)


def _gamma(x: Any, concentration: Any, rate: Any) -> Any:
    inside = np.where(x < 0, np.nan, x)
    shape = sp.xlogy(concentration - 1, inside) - sp.gammaln(concentration)
    return np.where(x < 0, -np.inf, concentration * np.log(rate) + shape - rate * x)


def _poisson(x: Any, rate: Any) -> Any:
    return sp.xlogy(x, rate) - rate - sp.gammaln(x + 1)


def _uniform(x: Any, low: Any, high: Any) -> Any:
    inside = np.where(np.isnan(x), x, -np.log(high - low))
    return np.where((x < low) | (x > high), -np.inf, inside)


@elementwise(
    # No weight, no product: an outcome of exactly 0 or 1 may meet an infinite logit.
    y="where(where(logits > 0, x - 1, x) == 0, 0, where(logits > 0, x - 1, x) * logits)"
    " - softplus(-abs(logits))",  # and not log1p(exp()): a fused loop shares it with the sigmoid
    kernel_from=1,  # one call takes a quarter of the time of so many ufuncs
    dx="logits", dlogits="x - sigmoid(logits)", reference=_bernoulli,
    samples=_samples.elementwise((0.1, 0.9), (-6, 6), edges=_samples.MODERATE),
)  # fmt: skip
def bernoulli_log_prob(x: Any, logits: Any, /) -> Tensor:
    """Compute the log-probability of `x` under a Bernoulli distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        0 or 1; a number between weights the two outcomes.
    logits : Tensor or array_like
        Log-odds of a 1; infinite where the outcome is certain.

    Returns
    -------
    Tensor
        In nats: `x * log(sigmoid(logits)) + (1 - x) * log(sigmoid(-logits))`.

    Notes
    -----
    Gradient: `logits` and `x - sigmoid(logits)`. The value is a sum of two terms of one sign, so
    nothing is lost where the outcome is nearly certain, or is: 0 for what the logits make certain,
    -inf for what they exclude.

    Examples
    --------
    >>> import scg
    >>> scg.bernoulli_log_prob(1.0, 0.0)
    Tensor(-0.69314718)
    """
    ...


@elementwise(
    y="-0.5 * ((x - loc) / scale) * ((x - loc) / scale) - log(scale) - 0.9189385332046727",
    dx="(loc - x) / (scale * scale)", dloc="(x - loc) / (scale * scale)",
    dscale="(((x - loc) / scale) * ((x - loc) / scale) - 1) / scale",
    smooth=(SMOOTH, SMOOTH, POLE), reference=_normal,
    samples=_samples.elementwise((-3, 3), (-3, 3), (0.5, 3), edges=_samples.MODERATE),
)  # fmt: skip
def normal_log_prob(x: Any, loc: Any, scale: Any, /) -> Tensor:
    """Compute the log-density of `x` under a normal distribution, elementwise.

    Parameters
    ----------
    x, loc : Tensor or array_like
        Value and mean.
    scale : Tensor or array_like
        Standard deviation, positive.

    Returns
    -------
    Tensor
        In nats.

    Notes
    -----
    Gradient: `(loc - x) / scale**2`, its negative, and `(z**2 - 1) / scale` with
    `z = (x - loc) / scale`. `scale = 0` is a pole.

    Examples
    --------
    >>> import scg
    >>> scg.normal_log_prob(0.0, 0.0, 1.0)
    Tensor(-0.91893853)
    """
    ...


@elementwise(
    y="where(x < 0, -inf, log(rate) - rate * x)",
    dx="-rate", drate="1 / rate - x",
    # The density ends at x = 0, which noise known not to be negative cannot cross; a rate that
    # noise can bring to 0 has a pole there.
    smooth=POLE, pole_safe=(NONNEGATIVE, POSITIVE), reference=_exponential,
    samples=_samples.elementwise((0.1, 4), (0.5, 3), conditioned=True),
)  # fmt: skip
def exponential_log_prob(x: Any, rate: Any, /) -> Tensor:
    """Compute the log-density of `x` under an exponential distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Value; below 0 the result is -inf.
    rate : Tensor or array_like
        Inverse of the mean, positive.

    Returns
    -------
    Tensor
        In nats: `log(rate) - rate * x`.

    Notes
    -----
    Gradient: `-rate` and `1 / rate - x`, below 0 too, where a comparison would look like a jump
    to whoever differentiates again. The end of the density at 0 and `rate = 0` count as poles.

    Examples
    --------
    >>> import scg
    >>> scg.exponential_log_prob([3.0, -1.0], 1.0)
    Tensor([ -3., -inf])
    """
    ...


@elementwise(
    y="where(x < 0, -inf, concentration * log(rate) - gammaln(concentration) - rate * x"
    " + where(concentration == 1, 0, (concentration - 1) * log(x)))",
    dx="ratio(concentration - 1, x) - rate",
    dconcentration="log(rate) + log(x) - digamma(concentration)",
    drate="concentration / rate - x",
    smooth=POLE, reference=_gamma,
    samples=_samples.elementwise(
        (0.1, 4), (0.5, 3), (0.5, 3), edges=_samples.MODERATE, conditioned=True,
    ),
)  # fmt: skip
def gamma_log_prob(x: Any, concentration: Any, rate: Any, /) -> Tensor:
    """Compute the log-density of `x` under a gamma distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Value; below 0 the result is -inf.
    concentration, rate : Tensor or array_like
        Shape and inverse scale, positive.

    Returns
    -------
    Tensor
        In nats: `a * log(rate) + (a - 1) * log(x) - rate * x - log(gamma(a))`; at `x = 0` it is
        inf, log(rate) or -inf as the concentration `a` is below, at or above 1.

    Notes
    -----
    Gradient: `(a - 1) / x - rate`, `log(rate) + log(x) - digamma(a)` and `a / rate - x`; that in
    `a` is NaN below 0. Zero is a pole of every argument, excluded where it is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.gamma_log_prob([3.0, -1.0], 1.0, 1.0)
    Tensor([ -3., -inf])
    """
    ...


@elementwise(
    y="where(x == 0, 0, x * log(rate)) - rate - gammaln(x + 1)",
    dx="log(rate) - digamma(x + 1)", drate="ratio(x, rate) - 1",
    smooth=POLE, pole_safe=(NONNEGATIVE, POSITIVE), reference=_poisson,
    samples=_samples.elementwise((0.5, 5), (0.5, 3), edges=_samples.MODERATE, conditioned=True),
)  # fmt: skip
def poisson_log_prob(x: Any, rate: Any, /) -> Tensor:
    """Compute the log-probability of the count `x` under a Poisson distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Not negative; between whole numbers the factorial is that of the gamma function.
    rate : Tensor or array_like
        Mean, not negative.

    Returns
    -------
    Tensor
        In nats: `x * log(rate) - rate - log(x!)`, with `0 * log(0) = 0`.

    Notes
    -----
    Gradient: `log(rate) - digamma(x + 1)` and `x / rate - 1`, the quotient being 0 where both are
    0. A rate of 0 is a pole, excluded where it is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.poisson_log_prob([0.0, 1.0], 2.0)
    Tensor([-2.        , -1.30685282])
    """
    ...


@elementwise(
    y="where(x < low, -inf, where(x > high, -inf, where(x == x, -log(high - low), x)))",
    dlow="1 / (high - low)", dhigh="-1 / (high - low)",
    # Noise that crosses an end sends the log-density to -inf, and no sign tells that it cannot.
    smooth=POLE, pole_safe=0, reference=_uniform,
    samples=_samples.elementwise((0.1, 0.9), (-2, -0.5), (1.5, 3), edges=_samples.MODERATE),
)  # fmt: skip
def uniform_log_prob(x: Any, low: Any, high: Any, /) -> Tensor:
    """Compute the log-density of `x` under a uniform distribution, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Value; outside [low, high] the result is -inf.
    low, high : Tensor or array_like
        Ends of the interval, `low < high`.

    Returns
    -------
    Tensor
        In nats: `-log(high - low)`.

    Notes
    -----
    Gradient: 0, `1 / (high - low)` and its negative, outside too. The ends count as poles.

    Examples
    --------
    >>> import scg
    >>> scg.uniform_log_prob([0.5, 3.0], 0.0, 2.0)
    Tensor([-0.69314718,        -inf])
    """
    ...
