"""The gamma function's logarithm and its derivatives."""

from __future__ import annotations

from typing import Any

import scipy.special as sp

from scg import _axes
from scg._elementwise import elementwise
from scg._op import POLE, op
from scg._rule import promoting
from scg._tensor import Tensor
from scg._typing import Shape
from scg.errors import OptionError
from scg.ops import _samples

__all__ = ["betaln", "digamma", "gammaln", "polygamma"]


@elementwise(
    y="gammaln(x)", dx="digamma(x)", smooth=POLE, library=sp.gammaln,
    samples=_samples.elementwise((2.5, 6)),
)  # fmt: skip
def gammaln(x: Any, /) -> Tensor:
    """Compute `log(abs(gamma(x)))`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `digamma(x)`. Zero and the negative integers are poles, excluded where `x` is known to
    be positive.

    Examples
    --------
    >>> import scg
    >>> scg.gammaln(4.0)
    Tensor(1.79175947)
    """
    ...


@elementwise(
    y="digamma(x)", dx="polygamma_of_order(x, 1)", smooth=POLE, library=sp.digamma,
    samples=_samples.elementwise((2.5, 6), complex_step=True),
)  # fmt: skip
def digamma(x: Any, /) -> Tensor:
    """Compute the derivative of `gammaln`, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `polygamma(1, x)`. Zero and the negative integers are poles, excluded where `x` is
    known to be positive. SciPy has no gradient at negative `x`: it is NaN there.

    Examples
    --------
    >>> import scg
    >>> scg.digamma(1.0)
    Tensor(-0.57721566)
    """
    ...


def _shape(x: Shape, *, n: int) -> Shape:
    return x


def _polygamma(x: Any, n: int) -> Any:
    return sp.polygamma(n, x)


@op(
    name="polygamma_of_order", shape=_shape, axes=_axes.elementwise, smooth=POLE,
    reference=_polygamma, samples=_samples.elementwise((1, 4), statics=[{"n": 1}, {"n": 3}]),
)  # fmt: skip
def _of_order(x: Any, /, n: int) -> Any:
    """Compute the n-th derivative of `digamma`; the order comes last because it is no tensor."""
    sign = 1.0 if n % 2 else -1.0
    return sign * float(sp.gamma(n + 1.0)) * promoting(sp.zeta)(n + 1, x)


@_of_order.vjp
def _(F: Any, g: Any, _y: Any, x: Any, *, n: int) -> Any:
    return g * F.polygamma_of_order(x, n=n + 1)


def polygamma(n: int, x: Any, /) -> Tensor:
    """Compute the n-th derivative of `digamma`, elementwise.

    Parameters
    ----------
    n : int
        Order, not negative; 0 is `digamma` itself.
    x : Tensor or array_like
        Positive.

    Returns
    -------
    Tensor

    Raises
    ------
    OptionError
        If `n` is not a non-negative Python integer.

    Notes
    -----
    Gradient: `polygamma(n + 1, x)`; none in `n`. Zero is a pole, excluded where `x` is known to be
    positive.

    Examples
    --------
    >>> import scg
    >>> scg.polygamma(1, 1.0)
    Tensor(1.64493407)
    """
    if not isinstance(n, int) or n < 0:
        raise OptionError(f"scg.polygamma: n={n!r} is not a non-negative integer")
    return _of_order(x, n=n) if n else digamma(x)


@elementwise(
    y="betaln(a, b)", da="digamma(a) - digamma(a + b)", db="digamma(b) - digamma(a + b)",
    ufunc=promoting(sp.betaln), reference=sp.betaln, numpy=(sp.betaln,),
    smooth=POLE, samples=_samples.elementwise((0.5, 3), (0.5, 3)),
)  # fmt: skip
def betaln(a: Any, b: Any, /) -> Tensor:
    """Compute the logarithm of the beta function, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Positive; broadcast against each other.

    Returns
    -------
    Tensor

    Notes
    -----
    Gradient: `digamma(a) - digamma(a + b)`, and the same with `b`. Zero is a pole, excluded where
    `a` and `b` are known to be positive.

    Examples
    --------
    >>> import scg
    >>> scg.betaln(1.0, [1.0, 2.0])
    Tensor([ 0.        , -0.69314718])
    """
    ...
