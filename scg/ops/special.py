"""Special functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from scg._elementwise import elementwise
from scg._op import POLE, SMOOTH
from scg._tensor import Tensor
from scg.ops import _samples
from scg.tape import BELOW_ONE, NONNEGATIVE

__all__ = ["xlog1py", "xlogy"]


@elementwise(
    y="where(x == 0, where(v == v, 0, v), x * log(v))", dx="log(v)", dv="ratio(x, v)",
    library=sp.xlogy, smooth=(SMOOTH, POLE),
    samples=_samples.elementwise(
        (-3, 3), (0.5, 3), complex_step=True,
    ),
)  # fmt: skip
def xlogy(x: Any, v: Any, /) -> Tensor:
    """Compute `x * log(v)`, which is 0 where `x = 0`, elementwise.

    Parameters
    ----------
    x, v : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `log(v)` and `x / v`, the latter 0 where both are 0. `v = 0` is a pole, excluded where
    `v` is known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.xlogy(0.0, 0.0)
    Tensor(0.)
    """
    ...


@elementwise(
    y="where(x == 0, where(v == v, 0, v), x * log1p(v))", dx="log1p(v)", dv="ratio(x, 1 + v)",
    library=sp.xlog1py, smooth=(SMOOTH, POLE), pole_safe=NONNEGATIVE,
    samples=_samples.elementwise(
        (-3, 3), (0.5, 3), complex_step=True,
    ),
)  # fmt: skip
def xlog1py(x: Any, v: Any, /) -> Tensor:
    """Compute `x * log(1 + v)`, which is 0 where `x = 0`, elementwise.

    Parameters
    ----------
    x, v : Tensor or array_like
        Broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `log(1 + v)` and `x / (1 + v)`, the latter 0 where both are 0. `v = -1` is a pole,
    excluded where `v` is known to be non-negative.

    Examples
    --------
    >>> import scg
    >>> scg.xlog1py(0.0, -1.0)
    Tensor(0.)
    """
    ...


def _ratio(x: Any, v: Any) -> Any:
    return np.where((x == 0) & (v == 0), 0.0, x / v)


@elementwise(
    y="where(v == 0, where(x == 0, 0, x / v), x / v)", dx="1 / v", dv="-ratio(y, v)",
    smooth=(SMOOTH, POLE), reference=_ratio,
    samples=_samples.elementwise((-3, 3), (0.5, 3)),
)  # fmt: skip
def ratio(x: Any, v: Any, /) -> Tensor:
    """Divide, with 0 / 0 = 0: the slope of `xlogy`.

    An op of its own and as smooth as a quotient, because the comparison that a `where` in its place
    would need is a jump to whoever differentiates again.
    """
    ...


def _xlog1my(x: Any, p: Any) -> Any:
    return sp.xlog1py(x, -p)


def _ratio_to_rest(x: Any, p: Any) -> Any:
    return _ratio(x, 1 - p)


@elementwise(
    y="where(x == 0, where(p == p, 0, p), x * log1p(-p))", dx="xlog1my(1, p)",
    dp="-ratio_to_rest(x, p)", library=_xlog1my, smooth=(SMOOTH, POLE), pole_safe=BELOW_ONE,
    samples=_samples.elementwise((-3, 3), (0.1, 0.8)),
)  # fmt: skip
def xlog1my(x: Any, p: Any, /) -> Tensor:
    """Compute `x * log(1 - p)`, which is 0 where `x = 0`: what a probability leaves to the rest.

    The formula is `xlog1py(x, -p)`, but there `p = sigmoid(z)` of a noisy `z` counts as a pole: of
    a product no more is known than its sign, and `-p > -1` is not a sign. Here `p` itself is asked
    whether it is known to be below 1. `xlogy(x, 1 - p)` would lose the digits of a small `p`.
    """
    ...


@elementwise(
    y="where(p == 1, where(x == 0, 0, x / (1 - p)), x / (1 - p))", dx="ratio_to_rest(1, p)",
    dp="ratio_to_rest(y, p)", smooth=(SMOOTH, POLE), pole_safe=BELOW_ONE,
    reference=_ratio_to_rest,
    samples=_samples.elementwise((-3, 3), (0.1, 0.8)),
)  # fmt: skip
def ratio_to_rest(x: Any, p: Any, /) -> Tensor:
    """Divide by `1 - p`, with 0 / 0 = 0: minus the slope of `xlog1my`."""
    ...
