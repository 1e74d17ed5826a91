"""Logic and classification of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import JUMP
from scg._tensor import Tensor
from scg.ops import _samples

__all__ = [
    "isfinite", "isinf", "isnan", "logical_and", "logical_not", "logical_or", "logical_xor",
]  # fmt: skip


@elementwise(
    y="(a != 0) & (b != 0)", ufunc=np.logical_and, smooth=JUMP,
    samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def logical_and(a: Any, b: Any, /) -> Tensor:
    """Tell whether both are true, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; nonzero counts as true.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.logical_and([True, False], [True, True])
    Tensor([ True, False], dtype=bool)
    """
    ...


@elementwise(
    y="(a != 0) | (b != 0)", ufunc=np.logical_or, smooth=JUMP,
    samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def logical_or(a: Any, b: Any, /) -> Tensor:
    """Tell whether at least one is true, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; nonzero counts as true.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.logical_or([True, False], [True, True])
    Tensor([ True,  True], dtype=bool)
    """
    ...


@elementwise(
    y="(a != 0) != (b != 0)", ufunc=np.logical_xor, smooth=JUMP,
    samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def logical_xor(a: Any, b: Any, /) -> Tensor:
    """Tell whether exactly one is true, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; nonzero counts as true.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.logical_xor([True, False], [True, True])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="x == 0", ufunc=np.logical_not, smooth=JUMP, samples=_samples.elementwise((-3, 3)),
)  # fmt: skip
def logical_not(x: Any, /) -> Tensor:
    """Tell whether it is false, elementwise.

    Parameters
    ----------
    x : Tensor or array_like
        Nonzero counts as true.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.logical_not([True, False])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="x != x", ufunc=np.isnan, smooth=JUMP, samples=_samples.elementwise((-3, 3)),
)  # fmt: skip
def isnan(x: Any, /) -> Tensor:
    """Tell whether it is not a number, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.isnan([1.0, float('nan')])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="abs(x) == inf", ufunc=np.isinf, smooth=JUMP, samples=_samples.elementwise((-3, 3)),
)  # fmt: skip
def isinf(x: Any, /) -> Tensor:
    """Tell whether it is infinite, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.isinf([1.0, float('inf')])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="abs(x) < inf", ufunc=np.isfinite, smooth=JUMP, samples=_samples.elementwise((-3, 3)),
)  # fmt: skip
def isfinite(x: Any, /) -> Tensor:
    """Tell whether it is neither infinite nor NaN, elementwise.

    Parameters
    ----------
    x : Tensor or array_like

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump.

    Examples
    --------
    >>> import scg
    >>> scg.isfinite([1.0, float('inf')])
    Tensor([ True, False], dtype=bool)
    """
    ...
