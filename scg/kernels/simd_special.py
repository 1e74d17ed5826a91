"""Error function, log-gamma and digamma for `simd.py`.

erf is within 2 ulp, erfc within 4.5. gammaln and digamma are accurate to 8 and 10 epsilons of the
larger of 1 and the value: absolute near their zeros, relative elsewhere (gammaln is relative at 1
and 2 too). At negative x the value at 1 - x counts too, from which they are reflected and which may
cancel. Where they have poles or no limit, the values are SciPy's.

Polynomials are fitted as in `simd_elementary.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.kernels._jit import device
from scg.kernels.simd_bits import (
    F32,
    F64,
    HIGH_U32,
    HIGH_U64,
    U32,
    U64,
    clamp,
    halves_f32,
    halves_f64,
    more4,
    more8,
    polynomial4,
    power_f32,
    power_f64,
    select,
)
from scg.kernels.simd_elementary import log_f32, log_f64, reduced_f32, reduced_f64

__all__ = [
    "digamma_f32", "digamma_f64", "erf_f32", "erf_f64", "erfc_f32", "erfc_f64", "gammaln_f32",
    "gammaln_f64",
]  # fmt: skip

ZERO_F32, HALF_F32, ONE_F32, TWO_F32 = F32(0), F32(0.5), F32(1), F32(2)
INF_F32, INF_F64, NAN_F32, NAN_F64 = F32(np.inf), F64(np.inf), F32(np.nan), F64(np.nan)

# erf(x)/x - 1 in x^2, |x| <= 1
ERF_F32 = (
    F32(0.128379166), F32(-0.37612626), F32(0.112836003), F32(-0.0268544462),
    F32(0.00518953661), F32(-0.000802084571), F32(7.8891193e-05),
)  # fmt: skip
ERF_F64 = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954885, -0.026866170645077916,
    0.005223977624828823, -0.0008548326981447403, 0.00012055331133723877, -1.4925595789836972e-05,
    1.6461008747199805e-06, -1.6350398926417107e-07, 1.4660345867412028e-08,
    -1.1375018003350565e-09, 5.960784016748021e-11,
)  # fmt: skip

# log(erfc(5/4 + t)) from 1 to where erf rounds to 1, weighted by erfc
TAIL_CENTRE_F32, TAIL_CENTRE_F64 = F32(1.25), 1.25
TAIL_F32 = (
    F32(-2.56265378), F32(-3.06772375), F32(-0.870809257), F32(-0.0326931551),
    F32(0.00778214866), F32(-0.00154777849), F32(0.000185563636),
)  # fmt: skip
TAIL_F64 = (
    -2.5626536619221256, -3.067723941669239, -0.8708101640587783, -0.03268700868269012,
    0.007791961611620374, -0.0016069509593630463, 0.00024678398916253415,
    -1.0041717232768019e-05, -1.0830753580245644e-05, 5.166483311440604e-06,
    -1.4464329802899068e-06, 2.5285726370417404e-07, -4.680974295067625e-09,
    -1.5679174106345447e-08, 6.6389488457215135e-09, -1.6225754959255259e-09,
    2.556852680589348e-10, -2.4135597469706922e-11, 1.0388862707310191e-12,
)  # fmt: skip
ERF_RANGE_F32, ERF_RANGE_F64 = (F32(0), F32(3.95)), (0.0, 5.93)

# (1 + 2x) exp(x^2) erfc(x) in t = (x - K) / (x + K), which maps [0, inf) to [-1, 1)
# (Shepherd and Laframboise 1981, Math. Comp. 36, 249-253)
ERFC_CENTRE_F32, ERFC_CENTRE_F64 = F32(3), 3.5
ERFC_F32 = (
    F32(1.25300801), F32(-0.135621145), F32(-0.047562398), F32(0.12964642), F32(-0.11927098),
    F32(0.0682957694), F32(-0.0237975176), F32(0.00256738858), F32(0.00200179615),
    F32(-0.000777610112), F32(-0.000268138159),
)  # fmt: skip
ERFC_F64 = (
    1.2423492448711544, -0.1400091801376193, -0.010555596332215695, 0.09751909515324117,
    -0.11508959816034864, 0.08798315382548276, -0.048823325824128294, 0.019099330932526273,
    -0.004215019955396251, -0.0003022677915386738, 0.0005643847745229353, -0.00012151286618213914,
    -4.27839221821754e-05, 2.426236907328985e-05, 2.333504612823834e-06, -3.817310814265183e-06,
    -5.4553147871964564e-08, 6.038139702748808e-07, 4.835047111350797e-09, -9.558164800461611e-08,
    -8.377974178474147e-09, 1.1169519879139171e-08, 2.7160671384941204e-09,
)  # fmt: skip
ERFC_RANGE_F32, ERFC_RANGE_F64 = (F32(0), F32(10.1)), (0.0, 27.3)

# log(Gamma(2 + w)) / w, |w| <= 1/2
GAMMA_F32 = (
    F32(0.422784328), F32(0.322467029), F32(-0.06735228), F32(0.0205807351), F32(-0.00738615869),
    F32(0.00289173354), F32(-0.00118595816), F32(0.000501513598), F32(-0.000253621751),
    F32(0.000122368263),
)  # fmt: skip
GAMMA_F64 = (
    0.42278433509846713, 0.32246703342411326, -0.06735230105319831, 0.020580808427780567,
    -0.007385551028649705, 0.002890510331023737, -0.001192753912758526, 0.0005096695156766841,
    -0.00022315473516397623, 9.945767002185196e-05, -4.492653114025236e-05, 2.0505617497592763e-05,
    -9.437236725082202e-06, 4.384589269675136e-06, -2.0497541253302867e-06, 9.203157709288887e-07,
    -4.2004395586380144e-07, 2.784934908152072e-07, -1.432938472766335e-07,
)  # fmt: skip

# Stirling's remainder times x, in 1/x^2, x >= 8.5; the constant is log(2 pi)/2 - 1/2
STIRLING_F32, STIRLING_CONSTANT_F32 = (F32(0.0833332837), F32(-0.00276419614)), F32(0.41893853)
STIRLING_F64, STIRLING_CONSTANT_F64 = (
    0.08333333333333322, -0.002777777777542958, 0.000793650656539404, -0.0005952036609732807,
    0.0008375137859096678, -0.0016621330782582416,
), 0.4189385332046727  # fmt: skip

# (log x - 1/(2x) - digamma(x)) x^2 in 1/x^2, x >= 8
DIGAMMA_F32 = (F32(0.083332926), F32(-0.00824860483))
DIGAMMA_F64 = (
    0.08333333333332585, -0.008333333323906565, 0.003968250008142032, -0.004165898103974468,
    0.007499539234117592, -0.01727081977963263,
)  # fmt: skip

# x (x + 1) ... (x + 7) = x * RISING(x), and the derivative of that
RISING_F64 = (5040.0, 13068.0, 13132.0, 6769.0, 1960.0, 322.0, 28.0, 1.0)
RISING_SLOPE_F64 = (5040.0, 26136.0, 39396.0, 27076.0, 9800.0, 1932.0, 196.0, 8.0)
RISING_F32, RISING_SLOPE_F32 = tuple(map(F32, RISING_F64)), tuple(map(F32, RISING_SLOPE_F64))

# sin(pi r) / (pi r) and (1 - r^2) pi r cot(pi r) in r^2, |r| <= 1/2; the factor removes the
# nearest poles
SINE_F32 = (F32(1), F32(-1.6449331), F32(0.811712384), F32(-0.19042635), F32(0.0246881451))
SINE_F64 = (
    1.0, -1.6449340668482262, 0.8117424252833373, -0.19075182412143069, 0.026147847804532023,
    -0.0023460808868405944, 0.00014842780094004196, -6.972000622978717e-06, 2.449309187704524e-07,
)  # fmt: skip
COTANGENT_F32 = (
    F32(1), F32(-4.28986788), F32(1.12521875), F32(0.130009621), F32(0.026159374),
    F32(0.00743529806),
)  # fmt: skip
COTANGENT_F64 = (
    1.0, -4.289868133696453, 1.1252216662742132, 0.12996034345111004, 0.026531411645071425,
    0.006165560806443387, 0.0014969925060717665, 0.00036956369039100055, 9.246387619663745e-05,
    2.1395695269816395e-05, 8.14663714409465e-06,
)  # fmt: skip


# --- error function --------------------------------------------------------------------------


@device
def _erf_ratio_f32(x: Any) -> Any:
    """Return erf(x)/x - 1 for |x| <= 1."""
    z = x * x
    return more4((ERF_F32[6] * z + ERF_F32[5]) * z + ERF_F32[4], z, ERF_F32)


@device
def _erf_ratio_f64(x: Any) -> Any:
    """Return erf(x)/x - 1 for |x| <= 1."""
    z = x * x
    return more8(more4(ERF_F64[12], z, ERF_F64[8:12]), z, ERF_F64)


@device
def erf_f32(x: Any) -> Any:
    """Error function: x + x P(x^2) up to 1, then 1 - exp(Q(x))."""
    a = clamp(abs(x), ERF_RANGE_F32)
    t = a - TAIL_CENTRE_F32
    q = more4((TAIL_F32[6] * t + TAIL_F32[5]) * t + TAIL_F32[4], t, TAIL_F32)
    k, r, c = reduced_f32(q, ZERO_F32)
    far = ONE_F32 - power_f32(k) * (ONE_F32 + (r + c))
    return np.copysign(select(a < ONE_F32, a + a * _erf_ratio_f32(a), far), x)


@device
def erf_f64(x: Any) -> Any:
    """Error function: x + x P(x^2) up to 1, then 1 - exp(Q(x))."""
    a = clamp(abs(x), ERF_RANGE_F64)
    t = a - TAIL_CENTRE_F64
    q = more8((TAIL_F64[18] * t + TAIL_F64[17]) * t + TAIL_F64[16], t, TAIL_F64[8:16])
    k, r, c = reduced_f64(more8(q, t, TAIL_F64), 0.0)
    far = 1.0 - power_f64(k) * (1.0 + (r + c))
    return np.copysign(select(a < 1.0, a + a * _erf_ratio_f64(a), far), x)


@device
def erfc_f32(x: Any) -> Any:
    """1 - erf(x) without cancellation: from 0.75 exp(-x^2) P(x), with x^2 exact in two parts."""
    a = clamp(abs(x), ERFC_RANGE_F32)
    t = (a - ERFC_CENTRE_F32) / (a + ERFC_CENTRE_F32)
    q = (ERFC_F32[10] * t + ERFC_F32[9]) * t + ERFC_F32[8]
    high = U32(F32(a).view(U32) & HIGH_U32).view(F32)
    k, r, c = reduced_f32(-high * high, (high - a) * (high + a))
    first, second = halves_f32(k)
    y = (ONE_F32 + (r + c)) * (more8(q, t, ERFC_F32) / (ONE_F32 + TWO_F32 * a)) * first * second
    y = select(x < ZERO_F32, TWO_F32 - y, y)
    return select(a < F32(0.75), ONE_F32 - (x + x * _erf_ratio_f32(x)), y)


@device
def erfc_f64(x: Any) -> Any:
    """1 - erf(x) without cancellation: from 0.75 exp(-x^2) P(x), with x^2 exact in two parts."""
    a = clamp(abs(x), ERFC_RANGE_F64)
    t = (a - ERFC_CENTRE_F64) / (a + ERFC_CENTRE_F64)
    q = (ERFC_F64[22] * t + ERFC_F64[21]) * t + ERFC_F64[20]
    q = more8(more4(q, t, ERFC_F64[16:20]), t, ERFC_F64[8:16])
    high = U64(F64(a).view(U64) & HIGH_U64).view(F64)
    k, r, c = reduced_f64(-high * high, (high - a) * (high + a))
    first, second = halves_f64(k)
    y = (1.0 + (r + c)) * (more8(q, t, ERFC_F64) / (1.0 + 2.0 * a)) * first * second
    y = select(x < 0.0, 2.0 - y, y)
    return select(a < 0.75, 1.0 - (x + x * _erf_ratio_f64(x)), y)


# --- gamma functions -------------------------------------------------------------------------


@device
def _down(y: Any, product: Any, limit: Any, one: Any) -> Any:
    """Step from Gamma(y) to (y - 1) Gamma(y - 1) if y is above the limit."""
    above, below = y > limit, y - one
    return select(above, below, y), select(above, product * below, product)


@device
def _two_steps(y: Any, product: Any, limit: Any, one: Any) -> Any:
    y, product = _down(y, product, limit, one)
    return _down(y, product, limit, one)


@device
def _near_two(x: Any, half: Any, one: Any, two: Any) -> Any:
    """Return w, p, up with Gamma(x) = Gamma(2 + w) / p if up, else Gamma(2 + w) * p; x < 8.5."""
    limit = two + half
    y, p = _two_steps(x, one, limit, one)
    y, p = _two_steps(y, p, limit, one)
    y, p = _two_steps(y, p, limit, one)
    up, twice = x < one + half, x < half
    w = select(twice, x, select(up, x - one, y - two))
    return w, select(twice, x * (x + one), select(up, x, p)), up


@device
def gammaln_f32(x: Any) -> Any:
    """Log |Gamma(x)|: a polynomial next to 2, Stirling's series from 8.5, reflection below 0."""
    b = select(x < ZERO_F32, ONE_F32 - x, x)
    w, p, up = _near_two(b, HALF_F32, ONE_F32, TWO_F32)
    large = b > F32(8.5)
    log = log_f32(select(large, b, p))
    q = more8(GAMMA_F32[9] * w + GAMMA_F32[8], w, GAMMA_F32)
    near = w * q + select(up, -log, log)
    inverse = ONE_F32 / b
    series = inverse * (STIRLING_F32[1] * (inverse * inverse) + STIRLING_F32[0])
    far = (b - HALF_F32) * (log - ONE_F32) + (STIRLING_CONSTANT_F32 + series)
    y = select(large, far, near)
    r = abs(x - np.rint(x))
    sine = more4(SINE_F32[4], r * r, SINE_F32)
    # At a pole, far out, both terms are infinite.
    reflected = select(r == ZERO_F32, INF_F32, -log_f32(r * sine) - y)
    y = select(x < ZERO_F32, reflected, y)
    return select(x == -INF_F32, x, y)


@device
def gammaln_f64(x: Any) -> Any:
    """Log |Gamma(x)|: a polynomial next to 2, Stirling's series from 8.5, reflection below 0."""
    b = select(x < 0.0, 1.0 - x, x)
    w, p, up = _near_two(b, 0.5, 1.0, 2.0)
    large = b > 8.5
    log = log_f64(select(large, b, p))
    q = (GAMMA_F64[18] * w + GAMMA_F64[17]) * w + GAMMA_F64[16]
    near = w * more8(more8(q, w, GAMMA_F64[8:16]), w, GAMMA_F64) + select(up, -log, log)
    inverse = 1.0 / b
    z = inverse * inverse
    series = inverse * more4(STIRLING_F64[5] * z + STIRLING_F64[4], z, STIRLING_F64)
    far = (b - 0.5) * (log - 1.0) + (STIRLING_CONSTANT_F64 + series)
    y = select(large, far, near)
    r = abs(x - np.rint(x))
    sine = more8(SINE_F64[8], r * r, SINE_F64)
    # At a pole, far out, both terms are infinite.
    reflected = select(r == 0.0, INF_F64, -log_f64(r * sine) - y)
    y = select(x < 0.0, reflected, y)
    return select(x == -INF_F64, x, y)


@device
def digamma_f32(x: Any) -> Any:
    """Differentiate log Gamma: its series at x + 8, minus 1/x + ... + 1/(x + 7), or reflected."""
    negative = x < ZERO_F32
    b = select(negative, ONE_F32 - x, x)
    low = b < F32(8)
    slope = more4(polynomial4(b, RISING_SLOPE_F32[4:]), b, RISING_SLOPE_F32)
    rising = b * more4(polynomial4(b, RISING_F32[4:]), b, RISING_F32)
    z = select(low, b + F32(8), b)
    inverse = ONE_F32 / z
    series = DIGAMMA_F32[1] * (inverse * inverse) + DIGAMMA_F32[0]
    y = log_f32(z) - inverse * (HALF_F32 + inverse * series) - select(low, slope / rising, ZERO_F32)
    r = x - np.rint(x)
    s = r * r
    cotangent = more4(COTANGENT_F32[5] * s + COTANGENT_F32[4], s, COTANGENT_F32)
    y = y - select(negative, cotangent / (r * (ONE_F32 - s)), ZERO_F32)
    return select(negative & (r == ZERO_F32), NAN_F32, y)


@device
def digamma_f64(x: Any) -> Any:
    """Differentiate log Gamma: its series at x + 8, minus 1/x + ... + 1/(x + 7), or reflected."""
    negative = x < 0.0
    b = select(negative, 1.0 - x, x)
    low = b < 8.0
    slope = more4(polynomial4(b, RISING_SLOPE_F64[4:]), b, RISING_SLOPE_F64)
    rising = b * more4(polynomial4(b, RISING_F64[4:]), b, RISING_F64)
    z = select(low, b + 8.0, b)
    inverse = 1.0 / z
    u = inverse * inverse
    series = more4(DIGAMMA_F64[5] * u + DIGAMMA_F64[4], u, DIGAMMA_F64)
    y = log_f64(z) - inverse * (0.5 + inverse * series) - select(low, slope / rising, 0.0)
    r = x - np.rint(x)
    s = r * r
    tail = (COTANGENT_F64[10] * s + COTANGENT_F64[9]) * s + COTANGENT_F64[8]
    y = y - select(negative, more8(tail, s, COTANGENT_F64) / (r * (1.0 - s)), 0.0)
    return select(negative & (r == 0.0), NAN_F64, y)
