"""What the functions of `simd.py` are made of: powers of two, polynomials, exponent extraction.

All are scalar and branch-free. A loop over them is vectorised only if every name is a constant of
the right dtype and no integer is wider than the float beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.kernels._jit import device

F32, F64, U32, U64 = np.float32, np.float64, np.uint32, np.uint64

# Adding 1.5 * 2^p puts the nearest integer into the last bits of the sum, subtracting takes it out
# again. Needs exact rounding: a compiler allowed to reassociate deletes both.
ROUND_F32, ROUND_F64 = F32(1.5 * 2.0**23), F64(1.5 * 2.0**52)

# ln 2 with its last bits zero, so that an integer times it is exact, and what is missing.
LN2_HIGH_F32, LN2_LOW_F32 = F32(0.69314575), F32(1.4286068e-06)
LN2_HIGH_F64, LN2_LOW_F64 = F64(0.6931471803691238), F64(1.9082149292705877e-10)
LOG2E_F32, LOG2E_F64 = F32(1.4426950408889634), F64(1.4426950408889634)

ONE_U32, ONE_U64 = U32(1), U64(1)
BIAS_U32, BIAS_U64 = U32(127), U64(1023)
DIGITS_U32, DIGITS_U64 = U32(23), U64(52)
FRACTION_U32, FRACTION_U64 = U32(0x007FFFFF), U64(0x000FFFFFFFFFFFFF)

HIGH_U32, HIGH_U64 = U32(0xFFFFF000), U64(0xFFFFFFFFF8000000)  # digits whose square is exact

SQRT_HALF_U32, SQRT_HALF_U64 = U32(0x3F3504F3), U64(0x3FE6A09E667F3BCD)
TO_SQRT_HALF_U32 = U32(0x3F800000 - 0x3F3504F3)
TO_SQRT_HALF_U64 = U64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
INTEGER_U32, INTEGER_U64 = U32(0x4B000000), U64(0x4330000000000000)
UNBIAS_F32, UNBIAS_F64 = F32(2.0**23 + 127), F64(2.0**52 + 1023)


@device
def select(condition: Any, a: Any, b: Any) -> Any:
    """Return `a` if the condition holds, else `b`, having computed both.

    A function, so that LLVM sees a select instruction: given the conditional expression in its
    place it may thread the branch through the rest of the loop, which then stays scalar.
    """
    return a if condition else b


@device
def clamp(x: Any, bounds: Any) -> Any:
    """Return the number within the bounds nearest to x; NaN stays NaN."""
    x = select(x > bounds[1], bounds[1], x)
    return select(x < bounds[0], bounds[0], x)


@device
def polynomial4(x: Any, c: Any) -> Any:
    """Evaluate c[0] + c[1] x + ... + c[3] x^3."""
    return ((c[3] * x + c[2]) * x + c[1]) * x + c[0]


@device
def more4(y: Any, x: Any, c: Any) -> Any:
    """Go on with Horner's rule: c[0] + ... + c[3] x^3 + y x^4."""
    return (((y * x + c[3]) * x + c[2]) * x + c[1]) * x + c[0]


@device
def more8(y: Any, x: Any, c: Any) -> Any:
    """Go on with Horner's rule: c[0] + ... + c[7] x^7 + y x^8."""
    return more4(more4(y, x, c[4:]), x, c)


@device
def halves_f32(rounded: Any) -> Any:
    """Return two powers of two whose product is 2^k, for `rounded` = k + ROUND_F32.

    One factor cannot reach the subnormal numbers and 2^128; a product rounds into them once.
    """
    bits = F32(rounded).view(U32)
    first = bits >> ONE_U32
    second = bits - first
    a = U32((first + BIAS_U32) << DIGITS_U32).view(F32)
    b = U32((second + BIAS_U32) << DIGITS_U32).view(F32)
    return a, b


@device
def halves_f64(rounded: Any) -> Any:
    """Return two powers of two whose product is 2^k, for `rounded` = k + ROUND_F64."""
    bits = F64(rounded).view(U64)
    first = bits >> ONE_U64
    second = bits - first
    a = U64((first + BIAS_U64) << DIGITS_U64).view(F64)
    b = U64((second + BIAS_U64) << DIGITS_U64).view(F64)
    return a, b


@device
def power_f32(rounded: Any) -> Any:
    """Return 2^k for `rounded` = k + ROUND_F32, -127 <= k <= 127."""
    return U32((F32(rounded).view(U32) + BIAS_U32) << DIGITS_U32).view(F32)


@device
def power_f64(rounded: Any) -> Any:
    """Return 2^k for `rounded` = k + ROUND_F64, -1023 <= k <= 1023."""
    return U64((F64(rounded).view(U64) + BIAS_U64) << DIGITS_U64).view(F64)


@device
def exponent_f32(x: Any) -> Any:
    """Split x > 0, not subnormal, into k and m with x = 2^k m and sqrt(1/2) <= m < sqrt(2)."""
    bits = U32(F32(x).view(U32) + TO_SQRT_HALF_U32)
    k = U32((bits >> DIGITS_U32) | INTEGER_U32).view(F32) - UNBIAS_F32
    return k, U32((bits & FRACTION_U32) + SQRT_HALF_U32).view(F32)


@device
def exponent_f64(x: Any) -> Any:
    """Split x > 0, not subnormal, into k and m with x = 2^k m and sqrt(1/2) <= m < sqrt(2)."""
    bits = U64(F64(x).view(U64) + TO_SQRT_HALF_U64)
    k = U64((bits >> DIGITS_U64) | INTEGER_U64).view(F64) - UNBIAS_F64
    return k, U64((bits & FRACTION_U64) + SQRT_HALF_U64).view(F64)
