"""How the incomplete gamma function changes with its shape parameter: series and fraction.

Both loops return the derivative of a logarithm, so that the caller multiplies by a value of P or Q
that is right to the last bits, and nothing cancels: on its side of `x = a` each result has the sign
of the term that is added to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.kernels._jit import device, exact

__all__ = ["log_slopes"]

_EPS = 2.0**-56
_LIMIT = 200_000  # terms: enough for a = 1e9, where about 6 * sqrt(a) are needed


@device
def _series(a: Any, x: Any) -> Any:
    """Return the a-derivative of the logarithm of 1 + x / (a + 1) + x^2 / ((a + 1)(a + 2)) + ..."""
    term, total, harmonic, slope = 1.0, 1.0, 0.0, 0.0
    for n in range(1, _LIMIT):
        term *= x / (a + n)
        harmonic += 1.0 / (a + n)
        total += term
        slope -= term * harmonic
        if n > x - a and term * harmonic < -_EPS * slope:
            return slope / total
    return np.nan


@device
def _fraction(a: Any, x: Any) -> Any:
    """Return the a-derivative of the logarithm of Legendre's continued fraction for Q.

    Lentz's recurrence for the factors c * d, each carried with its derivative. A factor of exactly
    1 does not end it: for integer `a` the fraction terminates, but its derivative does not.
    """
    b = x + 1.0 - a
    d, dd = 1.0 / b, 1.0 / (b * b)
    c, dc = np.inf, 0.0
    slope, small = dd / d, 0
    for n in range(1, _LIMIT):
        b += 2.0
        factor = n * (a - n)
        below = b + factor * d
        dd = -(factor * dd + n * d - 1.0) / (below * below)
        d = 1.0 / below
        dc = -1.0 + n / c - factor * dc / (c * c)
        c = b + factor / c
        step = dc / c + dd / d
        slope += step
        small = small + 1 if abs(step) < _EPS * abs(slope) else 0
        if small == 3:
            return slope
    return np.nan


@exact
def log_slopes(a_: Any, x_: Any, out: Any) -> None:
    """Write the derivatives of `_series` where `x <= max(a, 1)`, of `_fraction` elsewhere.

    Parameters
    ----------
    a_, x_ : ndarray of float64
        Shape parameter and argument, 1-d, positive and finite.
    out : ndarray of float64
        NaN where neither converges.
    """
    for i in range(out.size):
        if x_[i] <= max(a_[i], 1.0):
            out[i] = _series(a_[i], x_[i])
        else:
            out[i] = _fraction(a_[i], x_[i])
