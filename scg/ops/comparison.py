"""Comparisons, as recorded ops: a gradient that a comparison cuts is noticed, not lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg._elementwise import elementwise
from scg._op import JUMP
from scg._tensor import Tensor
from scg.ops import _samples

__all__ = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]


@elementwise(
    y="a == b", ufunc=np.equal, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def equal(a: Any, b: Any, /) -> Tensor:
    """Tell whether two values are equal, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a == b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.equal([1.0, 2.0], [1.0, 3.0])
    Tensor([ True, False], dtype=bool)
    """
    ...


@elementwise(
    y="a != b", ufunc=np.not_equal, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def not_equal(a: Any, b: Any, /) -> Tensor:
    """Tell whether two values differ, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a != b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.not_equal([1.0, 2.0], [1.0, 3.0])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="a < b", ufunc=np.less, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def less(a: Any, b: Any, /) -> Tensor:
    """Tell whether `a` is less than `b`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a < b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.less([1.0, 2.0], [1.0, 3.0])
    Tensor([False,  True], dtype=bool)
    """
    ...


@elementwise(
    y="a <= b", ufunc=np.less_equal, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def less_equal(a: Any, b: Any, /) -> Tensor:
    """Tell whether `a` is at most `b`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a <= b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.less_equal([1.0, 2.0], [1.0, 3.0])
    Tensor([ True,  True], dtype=bool)
    """
    ...


@elementwise(
    y="a > b", ufunc=np.greater, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def greater(a: Any, b: Any, /) -> Tensor:
    """Tell whether `a` is greater than `b`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a > b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.greater([1.0, 2.0], [1.0, 3.0])
    Tensor([False, False], dtype=bool)
    """
    ...


@elementwise(
    y="a >= b", ufunc=np.greater_equal, smooth=JUMP, samples=_samples.elementwise((-3, 3), (-3, 3)),
)  # fmt: skip
def greater_equal(a: Any, b: Any, /) -> Tensor:
    """Tell whether `a` is at least `b`, elementwise.

    Parameters
    ----------
    a, b : Tensor or array_like
        Broadcast against each other; `a >= b` is the same.

    Returns
    -------
    Tensor
        Of booleans.

    Notes
    -----
    No gradient: a jump in both.

    Examples
    --------
    >>> import scg
    >>> scg.greater_equal([1.0, 2.0], [1.0, 3.0])
    Tensor([ True, False], dtype=bool)
    """
    ...
