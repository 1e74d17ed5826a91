"""Evidence that a mean is not zero, valid at whatever number of runs it is looked at."""

from __future__ import annotations

import math

import numpy as np
import scipy.special as sp

from scg._typing import Array

__all__ = ["evidence", "heavy_tails", "surprise", "tail_index"]

_PILOT = 32  # runs that only set the scale
_FEWEST = 500  # runs before a verdict: the products of a score and a cost are that skewed
_MISSED = 4.0  # so many times the largest value seen, an event may be that was just missed
_STAKES = (0.5, 0.2, 0.08, 0.03, 0.01)


def evidence(samples: Array, tolerance: Array | float, planned: int) -> tuple[float, int]:
    """Return the largest log e-value against means of size at most `tolerance`, and its column.

    Parameters
    ----------
    samples : ndarray, shape (n, k)
        One row for each run.
    tolerance : ndarray, shape (k,), or float
        Means up to that size are no evidence.
    planned : int
        At how many runs the test is to be sharpest. There is no verdict before half of them, nor
        before 500, for an average says nothing until what is rare has been seen.

    Notes
    -----
    With S the sum and Q the sum of squares, E = (1 + r Q)**-0.5 exp(r S**2 / (2 (1 + r Q))) is a
    supermartingale for every distribution that is symmetric about zero, however heavy its tails:
    the normal mixture (Robbins 1970) of exp(u S - u**2 Q / 2) (de la Pena 1999, Ann. Probab. 27).
    So the chance that it ever exceeds 1 / alpha is at most alpha (Ville). For other distributions
    this holds asymptotically. Two measures keep the approximation on the safe side for skewed
    ones, of which the bulk is on one side of the mean and few large values on the other. From S
    is taken off four times the largest value of the opposite sign, as if one such event had just
    been missed. From log E is taken off the leading term of the error, z**3 skewness / (3 sqrt(n))
    with z = -S / sqrt(Q) (Jing, Shao and Wang 2003, Ann. Probab. 31), where it is positive.
    """
    n = len(samples)
    fewest = max(_FEWEST, planned // 2)
    if n < fewest or samples.shape[1] == 0:
        return 0.0, 0
    scale = np.mean(samples[:_PILOT] ** 2, axis=0)
    x = samples[_PILOT:]
    count = np.arange(1, len(x) + 1)[:, None]
    total, squares = np.cumsum(x, axis=0), np.cumsum(x * x, axis=0)
    with np.errstate(all="ignore"):
        r = 30.0 / (planned * np.where(scale > 0, scale, 1e-300))
        missed = _MISSED * _largest_opposite(x, total)
        excess = np.maximum(np.abs(total) - count * tolerance - missed, 0.0)
        widened = 1.0 / r + squares
        log_e = 0.5 * (np.log(1.0 / r) - np.log(widened)) + excess**2 / (2 * widened)
        log_e -= _skew_term(x, total, excess, squares, count)
    late = np.nan_to_num(log_e[fewest - _PILOT - 1 :], nan=0.0)
    best = np.unravel_index(int(np.argmax(late)), late.shape)
    return max(float(late[best]), 0.0), int(best[1])


def _largest_opposite(x: Array, total: Array) -> Array:
    """Return the largest size so far of values with the opposite sign of the sum so far."""
    up, down = (np.maximum.accumulate(np.maximum(s * x, 0.0), axis=0) for s in (1, -1))
    return np.where(total < 0, up, down)


def _skew_term(x: Array, total: Array, excess: Array, squares: Array, count: Array) -> Array:
    mean, second = np.cumsum(x, axis=0) / count, squares / count
    third = np.cumsum(x**3, axis=0) / count - 3 * mean * second + 2 * mean**3
    variance = np.maximum(second - mean**2, 0.0)
    skewness = -np.sign(total) * third / np.where(variance > 0, variance, np.inf) ** 1.5
    z = excess / np.sqrt(np.where(squares > 0, squares, np.inf))
    return np.asarray(np.maximum(z**3 * skewness / (3 * np.sqrt(count)), 0.0))


def surprise(hits: Array, probabilities: Array) -> float:
    """Return the largest log e-value against outcomes having stated probabilities.

    Parameters
    ----------
    hits, probabilities : ndarray, shape (n, k)
        Whether each outcome came, and how probable it was said to be, run by run.

    Notes
    -----
    The mean over c of the wealth prod(1 + c (hit - p) / p), and of the same bet on the contrary:
    martingales whatever the probabilities, so the chance to exceed 1 / alpha is at most alpha.
    Source: betting, Waudby-Smith and Ramdas (2024), J. R. Statist. Soc. B 86, arXiv 2010.09686.
    """
    odds = []
    for hit, p in ((hits, probabilities), (1.0 - hits, 1.0 - probabilities)):
        for stake in _STAKES:
            with np.errstate(divide="ignore", invalid="ignore"):
                wealth = np.where(hit > 0, 1.0 + stake * (1.0 - p) / p, 1.0 - stake)
            odds.append(np.cumsum(np.log(wealth), axis=0))
    mixed = sp.logsumexp(odds, axis=0) - math.log(len(odds))
    return max(float(np.max(mixed, initial=0.0)), 0.0)


def tail_index(values: Array) -> tuple[float, int]:
    """Return Hill's estimate of the tail index of |values|, and of how many it was made.

    The variance is infinite if the index is below 2. Source: Hill (1975), Ann. Statist. 3.
    """
    sizes = np.sort(np.abs(values[values != 0]))[::-1]
    k = int(2 * math.sqrt(len(sizes)))
    if k < 10 or len(sizes) <= k:
        return math.inf, k
    spread = float(np.mean(np.log(sizes[:k] / sizes[k])))
    return (1.0 / spread if spread > 0 else math.inf), k


def heavy_tails(k: int, level: float) -> float:
    """Return the index below which Hill's estimate falls with that chance if the index is 2.

    Exact for a Pareto tail: k times 2 over the estimate has a gamma distribution of shape k.
    """
    return 2.0 * k / float(sp.gammainccinv(k, level))
