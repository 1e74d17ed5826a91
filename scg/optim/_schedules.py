"""Step sizes as functions of the number of steps done, for the `lr` of an optimiser.

They hold no state, so nothing of them has to be saved: a resumed run asks for the same steps.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping

from scg.errors import OptionError
from scg.nn._init import whole
from scg.optim._options import Schedule, fraction, nonnegative, positive

__all__ = [
    "constant", "cosine", "exponential_decay", "linear_warmup", "piecewise", "step_decay",
]  # fmt: skip


def constant(lr: float) -> Schedule:
    """Return the same step size always.

    Parameters
    ----------
    lr : float
        Not negative.

    Examples
    --------
    >>> constant(0.1)(1000)
    0.1
    """
    (rate,) = nonnegative("constant", lr=lr)
    return lambda step: rate


def step_decay(lr: float, *, every: int, factor: float = 0.1) -> Schedule:
    """Multiply the step size by `factor` after every `every` steps.

    Parameters
    ----------
    lr : float
        At step 0.
    every : int
        Number of steps between two changes.
    factor : float
        Positive.

    Examples
    --------
    >>> schedule = step_decay(1.0, every=10, factor=0.5)
    >>> [schedule(step) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """
    (rate,), (ratio,) = nonnegative("step_decay", lr=lr), positive("step_decay", factor=factor)
    whole("step_decay", every=every)
    return lambda step: rate * ratio ** (step // every)


def exponential_decay(lr: float, *, factor: float, every: int = 1) -> Schedule:
    """Multiply the step size by `factor` over every `every` steps, smoothly.

    Parameters
    ----------
    lr : float
        At step 0.
    factor : float
        Positive.
    every : int
        Over how many steps.

    Examples
    --------
    >>> schedule = exponential_decay(1.0, factor=0.25, every=10)
    >>> [schedule(step) for step in (0, 5, 10)]
    [1.0, 0.5, 0.25]
    """
    (rate,) = nonnegative("exponential_decay", lr=lr)
    (ratio,) = positive("exponential_decay", factor=factor)
    whole("exponential_decay", every=every)
    return lambda step: rate * ratio ** (step / every)


def cosine(lr: float, steps: int, *, final: float = 0.0) -> Schedule:
    """Fall from `lr` to `final` along half a cosine, and stay there.

    Parameters
    ----------
    lr : float
        At step 0.
    steps : int
        After how many steps `final` is reached.
    final : float
        Not negative.

    Notes
    -----
    Source: Loshchilov and Hutter (2017), arXiv 1608.03983, without restarts.

    Examples
    --------
    >>> schedule = cosine(1.0, 100)
    >>> [round(schedule(step), 3) for step in (0, 25, 50, 100, 200)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    rate, last = nonnegative("cosine", lr=lr, final=final)
    whole("cosine", steps=steps)

    def schedule(step: int) -> float:
        if step >= steps:
            return last
        return last + (rate - last) * 0.5 * (1.0 + math.cos(math.pi * step / steps))

    return schedule


def linear_warmup(lr: float | Schedule, steps: int, *, start: float = 0.0) -> Schedule:
    """Rise along a line for `steps` steps, then follow `lr`.

    Parameters
    ----------
    lr : float or schedule
        What to rise to. A schedule counts its own steps from the end of the rise.
    steps : int
        Length of the rise.
    start : float
        Fraction of `lr` at step 0, in [0, 1). At 0 the first step changes nothing.

    Notes
    -----
    Source: Goyal et al. (2017), arXiv 1706.02677, section 2.2.

    Examples
    --------
    >>> schedule = linear_warmup(cosine(1.0, 100), 4)
    >>> [schedule(step) for step in (0, 1, 3, 4, 54)]
    [0.0, 0.25, 0.75, 1.0, 0.5]
    """
    after = lr if callable(lr) else constant(lr)
    (low,) = fraction("linear_warmup", start=start)
    whole("linear_warmup", steps=steps)
    top = after(0)

    def schedule(step: int) -> float:
        if step >= steps:
            return after(step - steps)
        return top * (low + (1.0 - low) * step / steps)

    return schedule


def piecewise(lr: float, changes: Mapping[int, float]) -> Schedule:
    """Keep the step size constant between given steps.

    Parameters
    ----------
    lr : float
        Before the first change.
    changes : Mapping[int, float]
        From the step of each key on, its value.

    Raises
    ------
    OptionError
        If a key is not a whole number from 1, or a value is negative or not finite.

    Examples
    --------
    >>> schedule = piecewise(1.0, {100: 0.1, 200: 0.01})
    >>> [schedule(step) for step in (0, 99, 100, 500)]
    [1.0, 1.0, 0.1, 0.01]
    """
    if not isinstance(changes, Mapping):
        raise OptionError(
            f"piecewise: changes={changes!r} must map steps to step sizes, as in {{100: 0.01}}"
        )
    for step in changes:
        whole("piecewise", step=step)
    steps = sorted(changes)
    rates = nonnegative("piecewise", lr=lr)
    for step in steps:
        rates += nonnegative("piecewise", **{f"changes[{step}]": changes[step]})
    return lambda step: rates[bisect_right(steps, step)]
