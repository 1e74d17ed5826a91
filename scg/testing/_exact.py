"""Exact expectations of programs and of the gradient estimator, and the check that they agree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg._tensor import Tensor, as_tensor, parameter
from scg._typing import Array
from scg.autodiff import grad
from scg.testing._differences import differentiate
from scg.testing._limits import Limits
from scg.testing._replay import Replay

__all__ = ["Estimate", "check_unbiased", "exact_expectation", "exact_gradient", "expected_estimate"]


@dataclass(frozen=True)
class Estimate:
    """Exact moments of a gradient estimator.

    Attributes
    ----------
    mean, second_moment, variance : tuple of ndarray
        One array per parameter, elementwise.
    runs : int
        How many runs of the program it took.
    """

    mean: tuple[Array, ...]
    second_moment: tuple[Array, ...]
    runs: int

    @property
    def variance(self) -> tuple[Array, ...]:
        """The variance, elementwise."""
        pairs = zip(self.second_moment, self.mean, strict=True)
        return tuple(np.maximum(second - mean**2, 0.0) for second, mean in pairs)


def exact_expectation(fn: Callable[..., Any], *params: Any, **limits: int) -> Any:
    """Compute the exact expectation of a program that draws.

    Parameters
    ----------
    fn : callable
        Takes tensors and returns a tensor or a number of one fixed shape. Draws must leave `rng=`
        out; between runs it must keep no state and use no other random numbers.
    *params : Tensor or array_like
        Its arguments, float64. A tensor made by `scg.parameter` is handed on as one, anything else
        as a constant.
    **limits
        `max_runs` (default 10,000) of the program and `max_continuous` (default 2) scalar
        continuous draws in one run.

    Returns
    -------
    float or ndarray
        In the shape of what `fn` returns.

    Raises
    ------
    ExactnessError
        If a limit is exceeded or `fn` is not a function of its draws.
    NonFiniteError
        If a run comes out as NaN or infinite, and not at single values of continuous noise only.

    Notes
    -----
    Discrete draws are enumerated, outcomes of probability below 1e-20 left out (an error, if what
    they add could show). Continuous ones are integrated by the trapezoidal rule after a double
    exponential map (Takahasi and Mori 1974), to a relative error of about 1e-12; the integral is
    split where a comparison, a kink, a rounding or a raw read changes its outcome, at poles and at
    the cut of arctan2. What no op shows (a jump by NumPy on a peeked value) is still found, to
    about 1e-9; so are poles that are touched and not crossed (`log(x * x)`), to about 1e-8. Two
    jumps of one and the same comparison that are closer than half a standard deviation can be
    overlooked.

    Examples
    --------
    >>> import scg
    >>> def heads(p):
    ...     count = 0
    ...     while scg.Bernoulli(p).sample():
    ...         count += 1
    ...     return count
    >>> round(scg.testing.exact_expectation(heads, 0.5), 12)
    1.0
    """
    replay = Replay(Limits(**limits))
    tensors = [_same_kind(p, _double(p)) for p in params]
    result = replay.expectation(lambda: _value(fn(*tensors), replay))
    return result.item() if result.ndim == 0 else result


def exact_gradient(fn: Callable[..., Any], *params: Any, **limits: int) -> tuple[Array, ...]:
    """Differentiate the exact expectation of a program, by differences of that expectation.

    Parameters
    ----------
    fn : callable
        As for `exact_expectation`; an array stands for its sum.
    *params : Tensor or array_like
        Where, and with respect to what.
    **limits
        As for `exact_expectation`, of each expectation by itself.

    Returns
    -------
    tuple of ndarray
        One gradient per parameter.

    Raises
    ------
    ExactnessError
        If a limit is exceeded, or the differences do not settle to 1e-8.

    Notes
    -----
    Central differences, halved and extrapolated (Richardson) until two extrapolations agree to
    1e-10 of the size of the expectation. No derivative rule of this library takes part.

    Examples
    --------
    >>> import scg
    >>> def cost(p):
    ...     return (scg.Bernoulli(p).sample() - 0.45) ** 2
    >>> (g,) = scg.testing.exact_gradient(cost, 0.3)
    >>> round(float(g), 9)
    0.1
    """
    values = [_double(p) for p in params]

    def expectation(*moved: Array) -> float:
        replay = Replay(Limits(**limits))
        tensors = [_same_kind(p, m) for p, m in zip(params, moved, strict=True)]
        return float(np.sum(replay.expectation(lambda: _value(fn(*tensors), replay))))

    return differentiate(expectation, values)


def expected_estimate(
    fn: Callable[..., Any], *params: Any, of: str = "expectation", **limits: int
) -> Estimate:
    """Compute the exact mean and variance of what `scg.grad(fn(*params), params)` returns.

    Parameters
    ----------
    fn : callable
        As for `exact_expectation`; an array stands for its sum.
    *params : Tensor or array_like
        Each becomes a float64 parameter.
    of : {"expectation", "value"}
        As in `scg.grad`.
    **limits
        As for `exact_expectation`.

    Returns
    -------
    Estimate

    Raises
    ------
    ExactnessError
        If a limit is exceeded.
    BiasedGradientError
        If the program has no unbiased gradient, as from `scg.grad`.

    Examples
    --------
    >>> import scg
    >>> def cost(p):
    ...     return (scg.Bernoulli(p).sample() - 0.45) ** 2
    >>> found = scg.testing.expected_estimate(cost, 0.5)
    >>> round(float(found.mean[0]), 12), round(float(found.variance[0]), 12)
    (0.1, 0.255025)
    """
    replay = Replay(Limits(**limits))
    mean, second = _moments(fn, params, of, replay, (1, 2))
    return Estimate(mean, second, replay.runs)


def _moments(
    fn: Callable[..., Any], params: Sequence[Any], of: str, replay: Replay, powers: Sequence[int]
) -> list[tuple[Array, ...]]:
    """Return the expectations of powers of the gradient estimate, one array per parameter."""
    leaves = [parameter(_double(p), name=getattr(p, "name", None)) for p in params]

    def estimate() -> Array:
        loss = as_tensor(fn(*leaves))
        _value(loss, replay)
        flat = np.concatenate([g._data.reshape(-1) for g in grad(loss, leaves, of=of)])
        return np.stack([flat**n for n in powers])

    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    return [
        tuple(
            part.reshape(leaf.shape) for part, leaf in zip(np.split(x, ends), leaves, strict=True)
        )
        for x in replay.expectation(estimate)
    ]


def check_unbiased(
    fn: Callable[..., Any], *params: Any, rtol: float = 1e-8, of: str = "expectation",
    **limits: int,
) -> None:  # fmt: skip
    """Prove that the gradient of a program is unbiased, at one point.

    Parameters
    ----------
    fn : callable
        As for `exact_expectation`; an array stands for its sum.
    *params : Tensor or array_like
        Where; each becomes a float64 parameter.
    rtol : float
        Allowed error, relative to the true derivative or to 1, whichever is larger.
    of : {"expectation", "value"}
        As in `scg.grad`.
    **limits
        As for `exact_expectation`.

    Raises
    ------
    AssertionError
        If the exact expectation of the estimator is not the gradient of the exact expectation;
        it names the parameter, its element and both numbers.
    ExactnessError
        If a limit is exceeded.
    BiasedGradientError
        If the program has no unbiased gradient, as from `scg.grad`.

    Examples
    --------
    >>> import scg
    >>> def cost(mu):
    ...     x = scg.Normal(mu, 1.0).sample(estimator="score")
    ...     return scg.where(x > 0, x, 0.0)
    >>> scg.testing.check_unbiased(cost, 0.3)
    """
    truth = exact_gradient(fn, *params, **limits)
    # Not expected_estimate: it is no bias if the variance is infinite.
    (ours,) = _moments(fn, params, of, Replay(Limits(**limits)), (1,))
    for name, a, b in zip(_names(fn, params), ours, truth, strict=True):
        _assert_close(name, a, b, rtol)


def _assert_close(name: str, ours: Array, truth: Array, rtol: float) -> None:
    error = np.abs(ours - truth)
    if np.all(error <= rtol * np.maximum(1.0, np.abs(truth))):
        return
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    place = f"[{', '.join(str(int(i)) for i in index)}]" if index else ""
    raise AssertionError(
        f"the gradient is biased: the expected estimate with respect to {name}{place} is "
        f"{ours[index]:.12g}, but the derivative of the expectation is {truth[index]:.12g}"
    )


def _names(fn: Callable[..., Any], params: tuple[Any, ...]) -> list[str]:
    """Name parameters by their own name, or as the function does, or by number."""
    given = [getattr(p, "name", None) for p in params]
    found = argument_names(fn, params)
    return [f"parameter '{own or name}'" for own, name in zip(given, found, strict=True)]


def argument_names(fn: Callable[..., Any], params: Sequence[Any]) -> list[str]:
    """Return what a function calls these arguments; their numbers where it does not say."""
    try:
        bound = inspect.signature(fn).bind(*params).arguments
    except (TypeError, ValueError):
        bound = {}
    return list(bound) if len(bound) == len(params) else [f"{i}" for i in range(len(params))]


def _double(value: Any) -> Array:
    return np.array(value._data if isinstance(value, Tensor) else value, dtype=np.float64)


def _same_kind(given: Any, value: Array) -> Tensor:
    """Return a value as a parameter if that is what was given, else as a constant."""
    trainable = isinstance(given, Tensor) and given.is_parameter
    return parameter(value, name=given.name) if trainable else Tensor(value)


def _value(result: Any, replay: Replay) -> Any:
    """Return the raw value of a result, and let the course tell which line made it."""
    if not isinstance(result, Tensor):
        return result
    if result._node is not None:
        replay.note_line(result._node)
    return result._data
