"""The binomial distribution."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

import scg.ops as ops
from scg import _axes
from scg._elementwise import broadcast_shape
from scg._op import SMOOTH, Op
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.distributions._base import repeated
from scg.distributions._counts import Trials
from scg.distributions._kl import kl_pair
from scg.distributions._support import COUNT, NONNEGATIVE, UNIT, check, check_parameter
from scg.errors import GradientError, OptionError
from scg.noise import Source
from scg.tape import place_of_caller

__all__ = ["Binomial"]


def _same(x: Array, /, place: Any) -> Array:
    return x


def _no_slope(_F: Any, _g: Any, _y: Any, _x: Any, *, place: Any) -> Any:
    raise GradientError(
        f"scg.Binomial ({place}): total_count is a whole number and has no gradient, but one was "
        "asked for; ask for those of the other parameters, or pass total_count.detach()"
    )


# Smooth, although it has no slope: a jump would be taken for a slope of 0 without a word.
_WHOLE = Op("total_count", _same, shape=broadcast_shape, axes=_axes.elementwise, smooth=SMOOTH)
_WHOLE.set_vjp(_no_slope)


def _power(p: Tensor, count: Array) -> Tensor:
    """Raise to powers by multiplying: of 0 to the power 0 every derivative is 0, and not NaN."""
    powers = [ops.multiply(0.0, p) + 1.0]
    for _ in range(int(np.max(count, initial=0))):
        powers.append(powers[-1] * p)
    shape = np.broadcast_shapes(p.shape, count.shape)
    table = ops.broadcast_to(ops.stack(powers, axis=-1), (*shape, len(powers)))
    index = np.broadcast_to(count.astype(np.int64), shape)[..., None]
    return ops.take_along_axis(table, index, axis=-1).reshape(shape)


class Binomial(Trials):
    """The number of successes in `total_count` trials, elementwise.

    Parameters
    ----------
    total_count : Tensor or array_like
        A whole number, not negative. It has no gradient, and asking for one raises
        `GradientError`.
    probs : Tensor or array_like, optional
        Probability of a success.
    logits : Tensor or array_like, optional
        Its log-odds; exactly one of the two is given. All broadcast.

    Raises
    ------
    OptionError
        If both or neither of `probs` and `logits` are given.
    SupportError
        If `total_count` is not a count, `probs` leaves [0, 1] or `logits` is not finite.

    Notes
    -----
    Not reparameterised: draws use the score function (Williams 1992). Values have the dtype of the
    parameters. Where `probs` is exactly 0 or 1 the other outcomes are never drawn and the score
    would miss them: refused at backward.

    Examples
    --------
    >>> import scg
    >>> scg.exp(scg.Binomial(2, 0.5).log_prob([0, 1, 2]))
    Tensor([0.25, 0.5 , 0.25])
    """

    without_gradient = frozenset({"total_count"})

    ends = MappingProxyType({"probs": (0.0, 1.0)})

    def __init__(self, total_count: Any, probs: Any = None, *, logits: Any = None) -> None:
        self._set_trials(UNIT, probs, logits, total_count=total_count)
        given = self.parameters["total_count"]
        check_parameter(self.name, "total_count", given, COUNT)
        self.total_count: Tensor = _WHOLE.public(given, place=place_of_caller())

    def _raw_value(self, source: Source, shape: Shape) -> Array:
        count, probs = self.total_count._data, self.probs._data
        return source.binomial(repeated(count, shape), repeated(probs, shape))

    def enumerate_support(self) -> Array:
        """Return the counts 0 to `total_count`, which has to be one number for the whole batch."""
        counts = np.unique(self.total_count._data)
        if len(counts) != 1:
            raise OptionError(
                f"scg.Binomial: total_count differs over the batch (shape "
                f"{self.total_count.shape}), so there is no one set of values to enumerate; use "
                'estimator="score", or one distribution per total_count'
            )
        return self._over_batch(np.arange(counts[0] + 1, dtype=self.dtype))

    def log_prob(self, value: Any) -> Tensor:
        """Return the log-probability of `value` successes."""
        x, rest = self._outcomes(value)
        return self._log_ways(x, rest) + self._log_successes(x) + self._log_failures(rest)

    def prob(self, value: Any) -> Tensor:
        """Return the probability of `value` successes, a polynomial in `probs`."""
        p = self.probs
        if np.all((p._data > 0) & (p._data < 1)):
            return super().prob(value)
        x, rest = self._outcomes(value)
        ways = ops.exp(self._log_ways(x, rest))
        return ways * _power(p, x._data) * _power(1.0 - p, rest._data)

    def _outcomes(self, value: Any) -> tuple[Tensor, Tensor]:
        """Return the numbers of successes and failures."""
        x = self._value(value, COUNT)
        rest = self.total_count - x
        check("scg.Binomial: the value, taken from total_count,", rest._data, NONNEGATIVE)
        return x, rest

    def _log_ways(self, x: Tensor, rest: Tensor) -> Tensor:
        return -ops.betaln(rest + 1.0, x + 1.0) - ops.log1p(self.total_count)

    @property
    def mean(self) -> Tensor:
        """The mean, `total_count * probs`."""
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        """The variance, `total_count * probs * (1 - probs)`."""
        return self.mean * (1.0 - self.probs)


@kl_pair(Binomial, Binomial)
def _(p: Binomial, q: Binomial) -> Tensor:
    """E_p[log p - log q] of as many trials: the numbers of ways cancel, the rest is linear."""
    if not np.all(p.total_count._data == q.total_count._data):
        raise OptionError(
            f"KL(Binomial || Binomial) has no closed form in scg where total_count differs (shapes "
            f"{p.total_count.shape} and {q.total_count.shape}); average p.log_prob - q.log_prob "
            "over p.enumerate_support()"
        )
    successes, failures = p.mean, p.total_count - p.mean
    ours = p._log_successes(successes) + p._log_failures(failures)
    return ours - q._log_successes(successes) - q._log_failures(failures)
