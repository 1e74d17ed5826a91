"""Averages over a data set, a part at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._compile import jit
from scg._peek import peek
from scg._typing import Array
from scg.tape import no_grad

__all__ = ["average"]


ENOUGH = 50  # parts, from which on compiling takes less time than it saves


def average(
    images: Array, at_once: int, fn: Callable[[Array], Any], *, compiled: bool = False
) -> Array:
    """Return the mean over images of numbers that a function gives for some of them at a time.

    Parameters
    ----------
    images : ndarray, shape (n, ...)
    at_once : int
        How many the memory has room for.
    fn : callable
        `fn(part)` returns a tensor with one number for each image, or a tuple of such tensors. It
        is called without recording.
    compiled : bool
        Whether it may run under `scg.jit`, which it does where there are many parts.

    Returns
    -------
    ndarray, shape () or (k,)
        float64.

    Examples
    --------
    >>> import numpy as np
    >>> from scg import experiment
    >>> experiment.average(np.arange(5.0), 2, lambda x: (x, 2 * x))
    array([2., 4.])
    """
    total: Any = 0.0
    run = jit(fn) if compiled and len(images) >= ENOUGH * at_once else fn
    with no_grad():
        for start in range(0, len(images), at_once):
            part = images[start : start + at_once]
            found = (run if len(part) == at_once else fn)(part)  # a rest is not worth a program
            parts = found if isinstance(found, tuple) else (found,)
            total = total + np.array([np.sum(peek(part), dtype=np.float64) for part in parts])
    mean = np.asarray(total) / len(images)
    return mean if isinstance(found, tuple) else mean[0]
