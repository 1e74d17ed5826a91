"""Elementwise helpers of vjps at the edge of a domain.

They are declared as smooth as the formulas they stand in for, so that a derivative which uses them
can itself be differentiated and judged; a `where` in its place would look like a jump.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import POLE, SMOOTH
from scg._tensor import Tensor
from scg.ops import _samples

__all__ = ["divide_or_zero", "finite_part"]


def _divide_or_zero(a: Any, b: Any) -> Any:
    return np.where(b == 0, 0.0 * b, a / b)


def _finite_part(x: Any) -> Any:
    return np.where(np.isneginf(x), 0.0, x)


@elementwise(
    y="where(b == 0, 0, a / where(b == 0, 1, b))", da="divide_or_zero(1, b)",
    db="-divide_or_zero(y, b)", smooth=(SMOOTH, POLE), reference=_divide_or_zero,
    samples=_samples.elementwise(
        (-3, 3), (0.5, 3), complex_step=True,
    ),
)  # fmt: skip
def divide_or_zero(a: Any, b: Any, /) -> Tensor:
    """Divide `a` by `b`, giving 0 where `b` is 0.

    The convention norm'(0) = 0: the vjp of a norm divides by it.
    """
    ...


@elementwise(
    y="where(x == -inf, 0, x)", dx="1", reference=_finite_part,
    samples=_samples.elementwise((-3, 3), ulps=0),
)  # fmt: skip
def finite_part(x: Any, /) -> Tensor:
    """Return `x`, or 0 where it is the logarithm of 0.

    Subtracting it from another -inf leaves -inf and not NaN, so that terms without weight get no
    cotangent. No finite `x` is near the exception, hence smooth.
    """
    ...
