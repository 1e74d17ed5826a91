"""Check everything that a distribution says about itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special

from scg import ops
from scg._tensor import Tensor, parameter
from scg._typing import Array
from scg.autodiff import grad
from scg.distributions import Distribution
from scg.errors import BiasedGradientError, GradientError, OptionError, ShapeError
from scg.testing._densities import Density
from scg.testing._differences import differentiate
from scg.testing._exact import exact_expectation, exact_gradient, expected_estimate
from scg.testing._grads import check_grads
from scg.testing._limits import ExactnessError

__all__ = ["check_distribution"]

DRAWS, BINS = 20_000, 32
Make = Callable[..., Distribution]


def check_distribution(
    make: Any, *params: Any, rtol: float = 1e-7, seed: int = 0, false_alarm: float = 1e-6
) -> None:
    """Check that sampler, density, moments and derivatives of a distribution belong together.

    Parameters
    ----------
    make : Distribution, or callable that returns one
        A callable takes `params` as tensors; a distribution is made again from its `parameters` by
        keyword. Without batch axes.
    *params : array_like
        Parameters at which to check, float64.
    rtol : float
        Allowed error of everything that is compared exactly, relative or absolute.
    seed : int
        Of the draws of the statistical test and of the points looked at.
    false_alarm : float
        Probability with which the statistical test rejects a right sampler.

    Raises
    ------
    AssertionError
        Naming what does not fit, with both numbers.
    ShapeError
        If the distribution has batch axes.

    Notes
    -----
    Of single numbers: the density integrates, or the probabilities sum, to 1; mean, variance and
    entropy, where there are any, are those of the density; the sampler has the same law, exactly
    if it can be enumerated or integrated (see `exact_expectation`), and by a chi-square test of
    20,000 draws in any case. A differentiable sampler x(theta) fulfils the transport equation
    dF/dtheta + p dx/dtheta = 0 at every draw, F being the distribution function (Figurnov, Mohamed
    and Mnih 2018, arXiv 1805.08498).
    Of vectors: mean and variance are those of the sampler, and both the score function and the
    pathwise derivative of a test function are unbiased, exactly.
    Of all: the derivatives of the log-probability are those of its differences.

    Examples
    --------
    >>> import scg
    >>> scg.testing.check_distribution(scg.Normal, 0.3, 1.2)
    >>> scg.testing.check_distribution(scg.Bernoulli(logits=0.7))
    """
    if isinstance(make, Distribution):
        names, params = zip(*make.parameters.items(), strict=True)
        make = partial(_from_keywords, type(make), names)
    values = [np.array(p._data if isinstance(p, Tensor) else p, np.float64) for p in params]
    distribution = make(*values)
    if distribution.batch_shape:
        raise ShapeError(
            f"check_distribution looks at one member, but {distribution!r} has the batch shape "
            f"{distribution.batch_shape}"
        )
    draws = distribution.sample(DRAWS, rng=seed)._data
    _check_log_prob_slopes(make, values, draws, distribution.continuous)
    if not distribution.continuous:
        _check_discrete(distribution, draws, rtol, false_alarm)
    elif distribution.event_shape:
        _check_vector(make, values, distribution, rtol)
    else:
        _check_density(make, values, distribution, draws, rtol, seed, false_alarm)


def _from_keywords(family: Any, names: tuple[str, ...], *values: Any) -> Any:
    return family(**dict(zip(names, values, strict=True)))


def _check(what: str, ours: Any, truth: Any, rtol: float) -> None:
    if not np.allclose(ours, truth, rtol=rtol, atol=rtol):
        raise AssertionError(f"{what}: {np.asarray(ours)}, but should be {np.asarray(truth)}")


def _stated(get: Callable[[], Tensor]) -> Any:
    """Return a moment, or None where the family states none or an infinite one."""
    try:
        value = get()._data
    except OptionError:
        return None
    return value if np.all(np.isfinite(value)) else None


def _check_moments(distribution: Distribution, mean: Any, variance: Any, entropy: Any,
                   rtol: float) -> None:  # fmt: skip
    for name, get, truth in (
        ("mean", lambda: distribution.mean, mean),
        ("variance", lambda: distribution.variance, variance),
        ("entropy", distribution.entropy, entropy),
    ):
        stated = _stated(get)
        if stated is not None and truth is not None:
            _check(f"the {name} of {distribution!r}", stated, truth, rtol)


def _check_log_prob_slopes(make: Make, values: list[Array], draws: Array, continuous: bool) -> None:
    """Compare with differences, at draws well inside the support."""
    order = np.argsort(draws[:, 0] if draws.ndim == 2 else draws.reshape(len(draws), -1)[:, 0])
    for part in (0.2, 0.5, 0.8):
        x = draws[order[int(part * len(draws))]]
        try:
            if continuous:
                check_grads(lambda v, *p: make(*p).log_prob(v), x, *values, step=1e-4)
            else:
                check_grads(lambda *p, v=x: make(*p).log_prob(Tensor(np.asarray(v))), *values,
                            step=1e-4)  # fmt: skip
        except GradientError as error:
            raise AssertionError(f"the log-probability at {x}: {error}") from error


# --- discrete ------------------------------------------------------------------------------------


def _check_discrete(
    distribution: Distribution, draws: Array, rtol: float, false_alarm: float
) -> None:
    outcomes = _all_outcomes(distribution, np.unique(draws, axis=0))
    probs = np.array([np.exp(distribution.log_prob(Tensor(x))._data) for x in outcomes])
    _check(f"the sum of the probabilities of {distribution!r}", probs.sum(), 1.0, rtol)

    def occurred() -> Array:
        x = distribution.sample()._data
        return np.array([np.array_equal(x, outcome) for outcome in outcomes], np.float64)

    try:
        _check("the sampler draws its outcomes with probabilities", exact_expectation(occurred),
               probs, rtol)  # fmt: skip
    except ExactnessError:
        pass  # left to the statistical test
    _check_counts(draws, outcomes, probs, false_alarm)
    numbers = outcomes.reshape(len(outcomes), -1).astype(np.float64)
    mean = probs @ numbers
    variance = probs @ (numbers - mean) ** 2
    entropy = -float(np.sum(probs * np.log(np.where(probs > 0, probs, 1.0))))
    shape = distribution.event_shape
    _check_moments(distribution, mean.reshape(shape), variance.reshape(shape), entropy, rtol)


def _all_outcomes(distribution: Distribution, seen: Array) -> Array:
    """Return every outcome that the sampler has, as far as it can be enumerated."""
    found = {x.tobytes(): x for x in seen}

    def look() -> float:
        x = distribution.sample()._data
        found.setdefault(x.tobytes(), np.array(x))
        return 0.0

    try:
        exact_expectation(look)
    except ExactnessError:
        pass  # those drawn must do
    return np.array(list(found.values()))


def _check_counts(draws: Array, outcomes: Array, probs: Array, false_alarm: float) -> None:
    flat = draws.reshape(len(draws), -1)
    counts = np.array([np.sum(np.all(flat == x.reshape(-1), axis=1)) for x in outcomes])
    _check_frequencies(counts, probs, false_alarm)


def _check_frequencies(counts: Array, probs: Array, false_alarm: float) -> None:
    """Pearson's chi-square test; what is expected less than ten times is put together."""
    often = probs * DRAWS >= 10
    observed = np.append(counts[often], DRAWS - counts[often].sum())
    expected = np.append(probs[often], max(0.0, 1 - probs[often].sum())) * DRAWS
    if expected[-1] < 1e-6:
        observed, expected = observed[:-1], expected[:-1]
    statistic = float(np.sum((observed - expected) ** 2 / expected))
    p_value = float(special.chdtrc(max(1, len(expected) - 1), statistic))
    if p_value < false_alarm:
        raise AssertionError(
            f"the sampler does not follow the density: chi-square {statistic:.1f} for "
            f"{len(expected)} bins, which happens with probability {p_value:.1e}"
        )


# --- single real numbers -----------------------------------------------------------------------


def _check_density(
    make: Make, values: list[Array], distribution: Distribution, draws: Array, rtol: float,
    seed: int, false_alarm: float,
) -> None:  # fmt: skip
    density = Density(distribution, draws)
    _check(f"the integral of the density of {distribution!r}", density.integral(_one), 1.0, rtol)
    _check_density_moments(distribution, density, rtol)
    wave = partial(_wave, density.middle, density.spread)
    try:
        sampled = exact_expectation(lambda: ops.stack(wave(distribution.sample())))
        truth = density.integral(lambda x: [w._data for w in wave(Tensor(np.asarray(x)))])
        _check("the sampler's expectation of sine and cosine", sampled, truth, rtol)
    except ExactnessError:
        pass  # left to the statistical test
    _check_bins(distribution, density, draws, seed, false_alarm)
    if distribution.reparameterised:
        _check_transport(make, values, density, draws, seed, rtol)


def _one(_x: float) -> float:
    return 1.0


def _wave(middle: float, spread: float, x: Tensor) -> list[Tensor]:
    """Return two bounded test functions, of which one is even around the middle and one odd."""
    z = (x - middle) / spread
    return [ops.sin(2.0 * z), ops.cos(2.0 * z)]


def _check_density_moments(distribution: Distribution, density: Density, rtol: float) -> None:
    mean, variance = _stated(lambda: distribution.mean), _stated(lambda: distribution.variance)
    true_mean = None if mean is None else density.integral(lambda x: x)
    true_variance = None if variance is None or mean is None else (
        density.integral(lambda x: (x - float(mean)) ** 2)
    )  # fmt: skip
    entropy = density.integral(lambda x: -density.log(x) if density(x) > 0 else 0.0)
    _check_moments(distribution, true_mean, true_variance, entropy, rtol)


def _check_bins(
    distribution: Distribution, density: Density, draws: Array, seed: int, false_alarm: float
) -> None:
    """Compare counts with integrals between edges that other draws have set."""
    pilot = distribution.sample(DRAWS, rng=seed + 1)._data
    edges = np.quantile(pilot, np.linspace(0, 1, BINS + 1)[1:-1])
    ends = [density.low, *edges, density.high]
    probs = [density.integral(_one, a, b) for a, b in pairwise(ends)]
    counts = np.bincount(np.searchsorted(edges, draws), minlength=BINS)
    _check_frequencies(counts, np.array(probs), false_alarm)


def _check_transport(
    make: Make, values: list[Array], density: Density, draws: Array, seed: int, rtol: float
) -> None:
    """Check at some draws that the slope of the sampler moves its mass as the density says."""
    for number in range(3):
        leaves = [parameter(v) for v in values]
        x = make(*leaves).sample(estimator="pathwise", rng=seed + number)
        slopes = grad(x, leaves, of="value")
        at = float(x._data)

        def below(*moved: Array, at: float = at) -> float:
            return float(Density(make(*moved), draws).integral(_one, None, at))

        p = density(at)
        for slope, truth in zip(slopes, differentiate(below, values), strict=True):
            _check(f"dx/dtheta times the density at the draw {at:.6g}", slope._data * p, -truth,
                   rtol)  # fmt: skip


# --- vectors -----------------------------------------------------------------------------------


def _check_vector(make: Make, values: list[Array], distribution: Distribution, rtol: float) -> None:
    mean = exact_expectation(lambda: distribution.sample())
    second = exact_expectation(lambda: (distribution.sample() - mean) ** 2)
    _check_moments(distribution, mean, second, None, rtol)
    weights = np.linspace(0.5, 1.0, int(np.prod(distribution.event_shape)))
    weights = weights.reshape(distribution.event_shape)

    def test(estimator: str, *params: Tensor) -> Tensor:
        x = make(*params).sample(estimator=estimator)
        return ops.sin((x * weights).sum()) + (x * x * weights).sum()

    truth = exact_gradient(partial(test, "auto"), *values)
    for estimator in ("score", "pathwise") if distribution.reparameterised else ("score",):
        try:
            found = expected_estimate(partial(test, estimator), *values)
        except BiasedGradientError:
            continue  # a support that moves has no score
        for ours, wanted in zip(found.mean, truth, strict=True):
            _check(f"the expected {estimator} derivative of a test function", ours, wanted, rtol)
