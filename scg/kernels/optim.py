"""Optimiser updates, each one pass over memory: parameters and state change in place.

The scalars of an update (bias corrections, one minus a decay) are worked out in double and only
then rounded to the dtype of the arrays, so that float32 loops stay float32 and the corrections of
the first steps lose nothing.
"""

from __future__ import annotations

import math
from typing import Any

from scg._typing import Array
from scg.errors import DTypeError, OptionError, ShapeError
from scg.kernels._dtypes import FLOAT32, FLOAT64
from scg.kernels._jit import kernel, parallel_call, prange

__all__ = ["adagrad", "adam", "momentum", "rmsprop", "sgd"]

# From about here (measured: Adam and SGD, both dtypes, two threads) threads pay for their start.
PARALLEL = 1 << 17


def _sgd(p: Any, g: Any, rate: Any, decay: Any) -> None:
    for i in prange(p.size):
        # No `g + 0 * p`: without decay an infinite parameter must not turn into NaN.
        d = g[i] + decay * p[i] if decay != 0 else g[i]
        p[i] -= rate * d


def _momentum(
    p: Any, g: Any, v: Any, rate: Any, beta: Any, look: Any, own: Any, decay: Any
) -> None:
    for i in prange(p.size):
        d = g[i] + decay * p[i] if decay != 0 else g[i]
        velocity = beta * v[i] + d
        v[i] = velocity
        p[i] -= rate * (look * velocity + own * d)


def _rmsprop(p: Any, g: Any, v: Any, rate: Any, keep: Any, take: Any, eps: Any, decay: Any) -> None:
    for i in prange(p.size):
        d = g[i] + decay * p[i] if decay != 0 else g[i]
        square = keep * v[i] + take * d * d
        v[i] = square
        p[i] -= rate * d / (math.sqrt(square) + eps)


def _adagrad(p: Any, g: Any, s: Any, rate: Any, eps: Any, decay: Any) -> None:
    for i in prange(p.size):
        d = g[i] + decay * p[i] if decay != 0 else g[i]
        total = s[i] + d * d
        s[i] = total
        p[i] -= rate * d / (math.sqrt(total) + eps)


def _adam(
    p: Any, g: Any, m: Any, v: Any, rate: Any, keep1: Any, take1: Any, keep2: Any, take2: Any,
    unbias: Any, eps: Any, decay: Any, shrink: Any,
) -> None:  # fmt: skip
    for i in prange(p.size):
        d = g[i] + decay * p[i] if decay != 0 else g[i]
        mean = keep1 * m[i] + take1 * d
        square = keep2 * v[i] + take2 * d * d
        m[i] = mean
        v[i] = square
        p[i] = shrink * p[i] - rate * mean / (math.sqrt(square) * unbias + eps)


_SERIAL = {f: kernel(f) for f in (_sgd, _momentum, _rmsprop, _adagrad, _adam)}
_THREADED = {f: kernel(f, parallel=True) for f in _SERIAL}


def sgd(p: Array, g: Array, lr: float, weight_decay: float = 0.0) -> None:
    """Take a step of stochastic gradient descent, `p -= lr * (g + weight_decay * p)`.

    Parameters
    ----------
    p : ndarray, float32 or float64
        Parameters, C-contiguous; changed in place.
    g : ndarray
        Gradient, of the shape and dtype of `p`.
    lr : float
        Step size.
    weight_decay : float
        Coefficient of the quadratic penalty `weight_decay / 2 * sum(p**2)`.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays differ in shape or dtype, or cannot be changed in place.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([1.0, 2.0])
    >>> sgd(p, np.array([4.0, -4.0]), lr=0.25)
    >>> p
    array([0., 3.])
    """
    _update("sgd", _sgd, p, g, (), (lr, weight_decay))


def momentum(
    p: Array, g: Array, v: Array, lr: float, beta: float = 0.9, *,
    nesterov: bool = False, weight_decay: float = 0.0,
) -> None:  # fmt: skip
    """Take a step along a decaying sum of gradients: `v = beta * v + g`, then `p -= lr * v`.

    Parameters
    ----------
    p, g, lr, weight_decay
        As in `sgd`.
    v : ndarray
        Velocity, of the shape and dtype of `p`, zero before the first step; changed in place.
    beta : float
        Decay of the velocity, in [0, 1).
    nesterov : bool
        Step along `g + beta * v`, the gradient seen from where the velocity leads
        (Sutskever et al. 2013, as in PyTorch).

    Raises
    ------
    ShapeError, DTypeError
        As in `sgd`.

    Examples
    --------
    >>> import numpy as np
    >>> p, v = np.array([1.0]), np.array([2.0])
    >>> momentum(p, np.array([1.0]), v, lr=0.25, beta=0.5)
    >>> p, v
    (array([0.5]), array([2.]))
    """
    look, own = (beta, 1.0) if nesterov else (1.0, 0.0)
    _update("momentum", _momentum, p, g, (v,), (lr, beta, look, own, weight_decay))


def rmsprop(
    p: Array, g: Array, v: Array, lr: float, alpha: float = 0.99, eps: float = 1e-8, *,
    weight_decay: float = 0.0,
) -> None:  # fmt: skip
    """Divide the gradient by a running root mean square (Tieleman and Hinton 2012).

    Parameters
    ----------
    p, g, lr, weight_decay
        As in `sgd`.
    v : ndarray
        Running mean of squares, of the shape and dtype of `p`, zero at first; changed in place.
    alpha : float
        Decay of the running mean, in [0, 1).
    eps : float
        Added to the root, outside it.

    Raises
    ------
    ShapeError, DTypeError
        As in `sgd`.

    Examples
    --------
    >>> import numpy as np
    >>> p, v = np.array([1.0]), np.array([0.0])
    >>> rmsprop(p, np.array([2.0]), v, lr=0.5, alpha=0.75, eps=0.0)
    >>> p, v
    (array([0.]), array([1.]))
    """
    _update("rmsprop", _rmsprop, p, g, (v,), (lr, alpha, 1.0 - alpha, eps, weight_decay))


def adagrad(
    p: Array, g: Array, s: Array, lr: float, eps: float = 1e-10, *, weight_decay: float = 0.0
) -> None:
    """Divide the gradient by the root of its sum of squares so far (Duchi et al. 2011).

    Parameters
    ----------
    p, g, lr, weight_decay
        As in `sgd`.
    s : ndarray
        Sum of squares, of the shape and dtype of `p`; changed in place.
    eps : float
        Added to the root, outside it.

    Raises
    ------
    ShapeError, DTypeError
        As in `sgd`.

    Examples
    --------
    >>> import numpy as np
    >>> p, s = np.array([1.0]), np.array([9.0])
    >>> adagrad(p, np.array([4.0]), s, lr=0.5, eps=0.0)
    >>> p, s
    (array([0.6]), array([25.]))
    """
    _update("adagrad", _adagrad, p, g, (s,), (lr, eps, weight_decay))


def adam(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta1: float = 0.9, beta2: float = 0.999,
    eps: float = 1e-8, *, step: int, weight_decay: float = 0.0, decoupled: bool = False,
) -> None:  # fmt: skip
    """Take a step of Adam (Kingma and Ba 2015, arXiv 1412.6980).

    Parameters
    ----------
    p, g, lr
        As in `sgd`.
    m, v : ndarray
        Running means of the gradient and of its square, zero before the first step; changed in
        place.
    beta1, beta2 : float
        Their decays, in [0, 1).
    eps : float
        Added to the root of the corrected second moment, outside it.
    step : int
        Number of this step, from 1; the bias corrections depend on it.
    weight_decay : float
        Weight of the penalty: part of the gradient, or, if `decoupled`, a shrinkage of `p` by
        `lr * weight_decay` beside the step (AdamW; Loshchilov and Hutter 2019, arXiv 1711.05101).
    decoupled : bool
        Which of the two.

    Raises
    ------
    ShapeError, DTypeError
        As in `sgd`.
    OptionError
        If `step` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> p, m, v = np.array([1.0, 1.0]), np.zeros(2), np.zeros(2)
    >>> adam(p, np.array([3.0, -0.2]), m, v, lr=0.1, step=1)
    >>> p.round(6)
    array([0.9, 1.1])
    """
    if step < 1:
        raise OptionError(f"adam: step is {step}; count steps from 1, for the bias corrections")
    rate = lr / (1.0 - beta1**step)
    unbias = 1.0 / math.sqrt(1.0 - beta2**step)
    decay, shrink = (0.0, 1.0 - lr * weight_decay) if decoupled else (weight_decay, 1.0)
    moments = (beta1, 1.0 - beta1, beta2, 1.0 - beta2)
    _update("adam", _adam, p, g, (m, v), (rate, *moments, unbias, eps, decay, shrink))


def _update(
    name: str, body: Any, p: Array, g: Array, state: tuple[Array, ...], scalars: tuple[float, ...]
) -> None:
    _check(name, p, (g, *state))
    _check_in_place(name, (p, *state))
    arrays = [a.reshape(-1) for a in (p, g, *state)]
    typed = map(p.dtype.type, scalars)
    if p.size < PARALLEL:
        _SERIAL[body](*arrays, *typed)
    else:
        parallel_call(_SERIAL[body], _THREADED[body], *arrays, *typed)


def _check(name: str, p: Array, others: tuple[Array, ...]) -> None:
    if p.dtype not in (FLOAT32, FLOAT64):
        raise DTypeError(f"{name}: the parameters are {p.dtype}; make them float32 or float64")
    for array in others:
        if array.shape != p.shape:
            raise ShapeError(
                f"{name}: the parameters have shape {p.shape}, their gradient or state"
                f" {array.shape}; make the shapes equal"
            )
        if array.dtype != p.dtype:
            raise DTypeError(
                f"{name}: the parameters are {p.dtype}, their gradient or state {array.dtype};"
                f" convert it to {p.dtype}"
            )


def _check_in_place(name: str, arrays: tuple[Array, ...]) -> None:
    """Refuse what `reshape(-1)` would copy: the update would be lost without a word."""
    for array in arrays:
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ShapeError(
                f"{name}: an array of shape {array.shape} is strided or read-only and cannot be"
                " updated in place; pass a contiguous, writeable one"
            )
