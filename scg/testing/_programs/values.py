"""What the operations of random programs mean, in NumPy and on complex numbers.

Arrays have one more axis, the last: entry j has parameter j moved by an imaginary step, so that the
imaginary part of a result is its derivative (Squire and Trapp 1998). A comparison looks at the real
part, as the program would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._typing import Array

__all__ = ["MEANING", "aligned", "as_value"]


def aligned(*values: Array) -> list[Array]:
    """Broadcast against one another."""
    return list(np.broadcast_arrays(*values))


def _larger(a: Array, b: Array) -> Array:
    return np.where(a.real >= b.real, a, b)


def _sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def _sum_all(x: Array) -> Array:
    return np.asarray(x.reshape(-1, x.shape[-1]).sum(axis=0))


def _mean_all(x: Array) -> Array:
    return np.asarray(x.reshape(-1, x.shape[-1]).mean(axis=0))


def _reshape(x: Array, shape: tuple[int, ...]) -> Array:
    return x.reshape((*shape, x.shape[-1]))


def _join(a: Array, b: Array) -> Array:
    a, b = (v.reshape(-1, v.shape[-1]) for v in (a, b))
    width = max(a.shape[-1], b.shape[-1])
    return np.concatenate([np.broadcast_to(v, (len(v), width)) for v in (a, b)])


def _gather(index: Array, *entries: Array) -> Array:
    """Take entries by a whole-numbered array; its last axis has one entry, or equal ones."""
    table = np.stack(aligned(*entries))
    return np.asarray(table[index.real[..., 0].astype(int)])


MEANING: dict[str, Callable[..., Array]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "square": lambda x: x * x,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "sigmoid": _sigmoid,
    "abs": lambda x: np.asarray(np.where(x.real < 0, -x, x)),
    "relu": lambda x: np.asarray(np.where(x.real > 0, x, 0.0)),
    "maximum": _larger,
    "sign": lambda x: np.sign(x.real),
    "floor": lambda x: np.floor(x.real),
    "floor_sigmoid": lambda x, t: np.floor(2.0 * _sigmoid(x.real - t.real)),
    "where_above": lambda x, t, a, b: np.asarray(np.where(x.real > t.real, a, b)),
    "above": lambda x, t: (x.real > t.real).astype(float),
    "choose_larger": lambda x, t, a, b: np.asarray(np.where(t.real > x.real, b, a)),
    "sum": _sum_all,
    "mean": _mean_all,
    "sum_axis": lambda x, axis: x.sum(axis=axis),
    "mean_axis": lambda x, axis: x.mean(axis=axis),
    "reshape": _reshape,
    "index": lambda x, i: x[i],
    "slice": lambda x, i, j: x[i:j],
    "flip": lambda x: x[::-1],
    "roll": lambda x: np.roll(x, 1, axis=0),
    "cumsum": lambda x: np.cumsum(x, axis=0),
    "detach": lambda x: x,
    "cost": lambda x: x,
    "stack": lambda *xs: np.stack(aligned(*xs)),
    "pick": lambda i, *xs: xs[int(i.real.flat[0])],
    "gather": _gather,
    "join": _join,
    "answer": lambda v, _: 1.0 - 0.5 * v * v,
}


def as_value(value: Any) -> Array:
    """Return a number or an array with the additional axis."""
    return np.asarray(value)[..., None]
