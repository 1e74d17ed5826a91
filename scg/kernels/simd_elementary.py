"""Exponentials, logarithms and squashing functions for `simd.py`, to 2 ulp, C99 special values.

The polynomials are minimax fits by a discrete Remez exchange in 50-digit arithmetic, weighted so
that the error is relative to the function and below 0.02 ulp of it, then rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.kernels._jit import device
from scg.kernels.simd_bits import (
    F32,
    F64,
    LN2_HIGH_F32,
    LN2_HIGH_F64,
    LN2_LOW_F32,
    LN2_LOW_F64,
    LOG2E_F32,
    LOG2E_F64,
    ROUND_F32,
    ROUND_F64,
    clamp,
    exponent_f32,
    exponent_f64,
    halves_f32,
    halves_f64,
    more4,
    more8,
    polynomial4,
    power_f32,
    power_f64,
    select,
)

__all__ = [
    "exp_f32", "exp_f64", "expm1_f32", "expm1_f64", "log1p_f32", "log1p_f64", "log_f32", "log_f64",
    "log_sigmoid_f32", "log_sigmoid_f64", "reduced_f32", "reduced_f64", "sigmoid_f32",
    "sigmoid_f64", "softplus_f32", "softplus_f64", "tanh_f32", "tanh_f64",
]  # fmt: skip

INF_F32, NAN_F32, INF_F64, NAN_F64 = F32(np.inf), F32(np.nan), F64(np.inf), F64(np.nan)
ZERO_F32, HALF_F32, ONE_F32, TWO_F32 = F32(0), F32(0.5), F32(1), F32(2)
TINY_F32, TINY_F64 = np.finfo(F32).tiny, np.finfo(F64).tiny
RAISE_F32, RAISE_F64 = F32(2.0**25), F64(2.0**54)  # lifts a subnormal number out

# (exp(r) - 1 - r - r^2/2) / r^3 on |r| <= ln(2)/2
EXP_F32 = (
    F32(0.166666672), F32(0.0416664816), F32(0.00833328255), F32(0.0013933318),
    F32(0.000199095899),
)  # fmt: skip
EXP_F64 = (
    0.16666666666666677, 0.04166666666666669, 0.008333333333321697, 0.0013888888888870339,
    0.00019841269885984285, 2.4801587355733757e-05, 2.7557244337104435e-06, 2.755724589347273e-07,
    2.5108995958395855e-08, 2.0923665014669945e-09,
)  # fmt: skip

# (log(1 + f) - f + f^2/2) / f^3 on sqrt(1/2) <= 1 + f <= sqrt(2)
LOG_F32 = (
    F32(0.333333105), F32(-0.249999866), F32(0.200022265), F32(-0.166692525), F32(0.142186642),
    F32(-0.123843215), F32(0.118729196), F32(-0.117899574), F32(0.0691565797),
)  # fmt: skip
# (log(1 + f) / s - 2) / s^2 in s^2, s = f / (2 + f): one division instead of ten more terms
LOG_F64 = (
    0.6666666666666734, 0.399999999994135, 0.28571428742678895, 0.22222198540487384,
    0.18183566162623568, 0.15314000245366566, 0.14796484627608397,
)  # fmt: skip

# exp is 0 below and infinite above
EXP_RANGE_F32, EXP_RANGE_F64 = (F32(-105), F32(89.5)), (F64(-746), F64(710.5))
# expm1 is -1 below, to the last bit, and infinite above
EXPM1_RANGE_F32, EXPM1_RANGE_F64 = (F32(-20), F32(88.8)), (F64(-40), F64(709.8))
# |x| below which expm1(x) = x to the last bit
SMALL_F32, SMALL_F64 = F32(2.0**-26), F64(2.0**-55)
# exponent of numbers to which 1 adds nothing
LARGE_F32, LARGE_F64 = F32(100), F64(1000)


# --- exponentials ----------------------------------------------------------------------------


@device
def reduced_f32(x: Any, low: Any) -> Any:
    """Return t, r, c: exp(x + low) = 2^k (1 + r + c), k = t - ROUND, |r| <= ln(2)/2, c << r."""
    t = x * LOG2E_F32 + ROUND_F32
    k = t - ROUND_F32
    r = ((x - k * LN2_HIGH_F32) - k * LN2_LOW_F32) + low
    tail = polynomial4(r, EXP_F32[:4]) + (r * r) * (r * r) * EXP_F32[4]
    return t, r, (r * r) * (HALF_F32 + r * tail)


@device
def reduced_f64(x: Any, low: Any) -> Any:
    """Return t, r, c: exp(x + low) = 2^k (1 + r + c), k = t - ROUND, |r| <= ln(2)/2, c << r."""
    t = x * LOG2E_F64 + ROUND_F64
    k = t - ROUND_F64
    r = ((x - k * LN2_HIGH_F64) - k * LN2_LOW_F64) + low
    tail = more4(EXP_F64[9] * r + EXP_F64[8], r, EXP_F64[4:8])
    return t, r, (r * r) * (0.5 + r * more4(tail, r, EXP_F64[:4]))


@device
def exp_f32(x: Any) -> Any:
    """Exponential."""
    t, r, c = reduced_f32(clamp(x, EXP_RANGE_F32), ZERO_F32)
    a, b = halves_f32(t)
    return (ONE_F32 + (r + c)) * a * b


@device
def exp_f64(x: Any) -> Any:
    """Exponential."""
    t, r, c = reduced_f64(clamp(x, EXP_RANGE_F64), 0.0)
    a, b = halves_f64(t)
    return (1.0 + (r + c)) * a * b


@device
def expm1_f32(x: Any) -> Any:
    """exp(x) - 1 without cancellation."""
    t, r, c = reduced_f32(clamp(x, EXPM1_RANGE_F32), ZERO_F32)
    half = power_f32(t - ONE_F32)  # half of 2^k, which itself may be infinite
    y = TWO_F32 * ((half * r + (half - HALF_F32)) + half * c)
    return select(abs(x) < SMALL_F32, x, y)


@device
def expm1_f64(x: Any) -> Any:
    """exp(x) - 1 without cancellation."""
    t, r, c = reduced_f64(clamp(x, EXPM1_RANGE_F64), 0.0)
    half = power_f64(t - 1.0)  # half of 2^k, which itself may be infinite
    y = 2.0 * ((half * r + (half - 0.5)) + half * c)
    return select(abs(x) < SMALL_F64, x, y)


# --- logarithms ------------------------------------------------------------------------------


@device
def _log_f32(k: Any, f: Any, low: Any) -> Any:
    """Return k ln 2 + log(1 + f), without the low digits of k ln 2 but plus `low`."""
    square = HALF_F32 * f * f
    tail = more8(LOG_F32[8], f, LOG_F32)
    return k * LN2_HIGH_F32 - ((square - (f * (f * f) * tail + low)) - f)


@device
def _log_f64(k: Any, f: Any, low: Any) -> Any:
    """Return k ln 2 + log(1 + f), without the low digits of k ln 2 but plus `low`."""
    s = f / (2.0 + f)
    z = s * s
    square = 0.5 * f * f
    tail = (LOG_F64[6] * z + LOG_F64[5]) * z + LOG_F64[4]
    rest = square + z * more4(tail, z, LOG_F64[:4])
    return k * LN2_HIGH_F64 - ((square - (s * rest + low)) - f)


@device
def _low_f32(k: Any, f: Any, c: Any) -> Any:
    """Return the low digits of k ln 2, plus log(1 + f + c) - log(1 + f) for c below an ulp of 1."""
    return k * LN2_LOW_F32 + (c - c * f * (ONE_F32 - f))


@device
def log_f32(x: Any) -> Any:
    """Natural logarithm."""
    low = x < TINY_F32
    k, m = exponent_f32(select(low, x * RAISE_F32, x))
    k = select(low, k - F32(25), k)
    y = _log_f32(k, m - ONE_F32, k * LN2_LOW_F32)
    y = select(x < INF_F32, y, x)
    return select(x > ZERO_F32, y, select(x == ZERO_F32, -INF_F32, NAN_F32))


@device
def _low_f64(k: Any, f: Any, c: Any) -> Any:
    """Return the low digits of k ln 2, plus log(1 + f + c) - log(1 + f) for c below an ulp of 1."""
    return k * LN2_LOW_F64 + (c - c * f * (1.0 - f))


@device
def log_f64(x: Any) -> Any:
    """Natural logarithm."""
    low = x < TINY_F64
    k, m = exponent_f64(select(low, x * RAISE_F64, x))
    k = select(low, k - 54.0, k)
    y = _log_f64(k, m - 1.0, k * LN2_LOW_F64)
    y = select(x < INF_F64, y, x)
    return select(x > 0.0, y, select(x == 0.0, -INF_F64, NAN_F64))


@device
def log1p_f32(x: Any) -> Any:
    """log(1 + x) without cancellation."""
    u = ONE_F32 + x
    k, m = exponent_f32(u)
    # What 1 + x lost in rounding, in units of m. Where 2^-k would be subnormal it does not matter.
    back = u - ONE_F32
    lost = (x - back) + (ONE_F32 - (u - back))
    lost = lost * power_f32(ROUND_F32 - select(k > LARGE_F32, LARGE_F32, k))
    near = k == ZERO_F32
    f = select(near, x, m - ONE_F32)
    y = _log_f32(k, f, select(near, ZERO_F32, _low_f32(k, f, lost)))
    y = select(x < INF_F32, np.copysign(y, x), x)
    return select(x > -ONE_F32, y, select(x == -ONE_F32, -INF_F32, NAN_F32))


@device
def log1p_f64(x: Any) -> Any:
    """log(1 + x) without cancellation."""
    u = 1.0 + x
    k, m = exponent_f64(u)
    # What 1 + x lost in rounding, in units of m. Where 2^-k would be subnormal it does not matter.
    back = u - 1.0
    lost = (x - back) + (1.0 - (u - back))
    lost = lost * power_f64(ROUND_F64 - select(k > LARGE_F64, LARGE_F64, k))
    near = k == 0.0
    f = select(near, x, m - 1.0)
    y = _log_f64(k, f, select(near, 0.0, _low_f64(k, f, lost)))
    y = select(x < INF_F64, np.copysign(y, x), x)
    return select(x > -1.0, y, select(x == -1.0, -INF_F64, NAN_F64))


# --- squashing functions ---------------------------------------------------------------------


@device
def tanh_f32(x: Any) -> Any:
    """Hyperbolic tangent.

    Up to 5/8 Lambert's continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))), cut after 9; above,
    1 - 2/(1 + exp(2x)). Both are a number minus a quotient, and share the division.
    """
    a = select(abs(x) > F32(10), F32(10), abs(x))
    z = a * a
    below = a < F32(0.625)
    top = a * z * (F32(14) * z + F32(315))
    bottom = (F32(15) * z + F32(420)) * z + F32(945)
    t, r, c = reduced_f32(a + a, ZERO_F32)
    e = ONE_F32 + power_f32(t) * (ONE_F32 + (r + c))
    quotient = select(below, top, TWO_F32) / select(below, bottom, e)
    return np.copysign(select(below, a, ONE_F32) - quotient, x)


@device
def tanh_f64(x: Any) -> Any:
    """Hyperbolic tangent, as in `tanh_f32` with the fraction cut after 15."""
    a = select(abs(x) > 20.0, 20.0, abs(x))
    z = a * a
    below = a < 0.625
    top = a * z * (((z + 594.0) * z + 45045.0) * z + 675675.0)
    bottom = (((z + 630.0) * z + 51975.0) * z + 945945.0) * z + 2027025.0
    t, r, c = reduced_f64(a + a, 0.0)
    e = 1.0 + power_f64(t) * (1.0 + (r + c))
    quotient = select(below, top, 2.0) / select(below, bottom, e)
    return np.copysign(select(below, a, 1.0) - quotient, x)


@device
def _decay_f32(x: Any) -> Any:
    """Return e, d with exp(-|x|) = e (1 + d): d is the rounding error of e, relative to it."""
    t, r, c = reduced_f32(clamp(-abs(x), EXP_RANGE_F32), ZERO_F32)
    p = r + c
    head = ONE_F32 + p
    tail = ((ONE_F32 - head) + p) + ((r - p) + c)
    first, second = halves_f32(t)
    return head * first * second, tail * (ONE_F32 - p)


@device
def _decay_f64(x: Any) -> Any:
    """Return e, d with exp(-|x|) = e (1 + d): d is the rounding error of e, relative to it."""
    t, r, c = reduced_f64(clamp(-abs(x), EXP_RANGE_F64), 0.0)
    p = r + c
    head = 1.0 + p
    tail = ((1.0 - head) + p) + ((r - p) + c)
    first, second = halves_f64(t)
    return head * first * second, tail * (1.0 - p)


@device
def sigmoid_f32(x: Any) -> Any:
    """Logistic function 1 / (1 + exp(-x)), corrected to first order for its two inner roundings."""
    e, d = _decay_f32(x)
    negative = x < ZERO_F32
    u = ONE_F32 + e
    lost = ((ONE_F32 - u) + e) + e * d
    y = select(negative, e, ONE_F32) / u
    inverse = select(negative, ONE_F32 - y, y)
    return y + y * (select(negative, d, ZERO_F32) - lost * inverse)


@device
def sigmoid_f64(x: Any) -> Any:
    """Logistic function 1 / (1 + exp(-x)), corrected to first order for its two inner roundings."""
    e, d = _decay_f64(x)
    negative = x < 0.0
    u = 1.0 + e
    lost = ((1.0 - u) + e) + e * d
    y = select(negative, e, 1.0) / u
    inverse = select(negative, 1.0 - y, y)
    return y + y * (select(negative, d, 0.0) - lost * inverse)


@device
def softplus_f32(x: Any) -> Any:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|))."""
    e, d = _decay_f32(x)
    u = ONE_F32 + e
    far = u > F32(1.4142135)
    k = select(far, ONE_F32, ZERO_F32)
    f = select(far, HALF_F32 * u - ONE_F32, e)
    lost = select(far, HALF_F32 * (((ONE_F32 - u) + e) + e * d), e * d)
    return select(x > ZERO_F32, x, ZERO_F32) + _log_f32(k, f, _low_f32(k, f, lost))


@device
def softplus_f64(x: Any) -> Any:
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|))."""
    e, d = _decay_f64(x)
    u = 1.0 + e
    far = u > 1.4142135623730951
    k = select(far, 1.0, 0.0)
    f = select(far, 0.5 * u - 1.0, e)
    lost = select(far, 0.5 * (((1.0 - u) + e) + e * d), e * d)
    return select(x > 0.0, x, 0.0) + _log_f64(k, f, _low_f64(k, f, lost))


@device
def log_sigmoid_f32(x: Any) -> Any:
    """Log of the logistic function, -softplus(-x)."""
    return -softplus_f32(-x)


@device
def log_sigmoid_f64(x: Any) -> Any:
    """Log of the logistic function, -softplus(-x)."""
    return -softplus_f64(-x)
