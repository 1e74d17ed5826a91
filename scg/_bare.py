"""Arithmetic that a recorder can follow: on tensors without a node instead of on arrays.

In eager mode the weights of a surrogate and its cotangents are plain arrays. While a step is traced
they are tensors, so that whatever is computed with them is an op.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scg._partial import Partial
from scg._recording import paused, recorder
from scg._registry import RAW, TRACED
from scg._tensor import Tensor
from scg._typing import Array, Shape
from scg.tape import Leaf, Node

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["array_of", "bare", "owned", "pulled", "raw", "shape_of", "stored"]


def bare(x: Any) -> Any:
    """Return an array as what arithmetic on it is recorded for; in eager mode itself."""
    return Tensor(x) if type(x) is np.ndarray and recorder() is not None else x


def raw(x: Any) -> Any:
    """Return the array behind a value, to decide something or to put it into a graph."""
    return x._data if isinstance(x, Tensor) else x


def shape_of(x: Any) -> Shape:
    """Return the shape of an array, tensor or number."""
    return x.shape if isinstance(x, Tensor) else np.shape(x)


def array_of(x: Any, dtype: Any = None) -> Array:
    """Return a value as an array, of a dtype if one is given."""
    if isinstance(x, Tensor):
        return x._data if dtype is None or x.dtype == dtype else x.astype(dtype)._data
    return np.asarray(x, dtype=dtype)


def pulled(op: Op, node: Node, g: Any, needs: Sequence[Any]) -> Sequence[Any]:
    """Pull a cotangent back through a node: an array in eager mode, else a bare tensor."""
    if not isinstance(g, Tensor):
        return op.raw_vjp(node, g, needs)
    assert node.saved is not None
    if op.rules is None and op.max_order < 2:
        return _by_host(op, node, g, needs)
    return op._call(TRACED, g, needs, tuple([bare(v) for v in node.saved]), node.statics)


def _by_host(op: Op, node: Node, g: Tensor, needs: Sequence[Any]) -> Sequence[Any]:
    """Pull back by array functions that are no ops themselves."""
    saved, statics = node.saved, node.statics
    assert saved is not None
    places = [i for i, v in enumerate(saved) if type(v) is np.ndarray]
    rest = [None if i in places else v for i, v in enumerate(saved)]

    def cotangents(g: Array, *arrays: Array) -> list[Any]:
        values = list(rest)
        for place, array in zip(places, arrays, strict=True):
            values[place] = array
        with paused():
            found = op._call(RAW, g, needs, tuple(values), statics)
        wanted = [c if need else None for c, need in zip(found, needs, strict=True)]
        return [c.added_to(None, in_place=False) if isinstance(c, Partial) else c for c in wanted]

    def copied(found: Sequence[Any]) -> tuple[Array, ...]:
        return tuple([np.array(c) for c in found if c is not None])

    inputs = [g._data, *(saved[place] for place in places)]
    found = cotangents(*inputs)
    present, outputs = [c is not None for c in found], copied(found)
    here = recorder()
    assert here is not None
    here.host(f"{op.name}_vjp", lambda *arrays: copied(cotangents(*arrays)), inputs, outputs)
    results = iter(outputs)
    return [Tensor(next(results)) if there else None for there in present]


def stored(leaf: Leaf, g: Any) -> Array:
    """Return the gradient of a parameter with a cotangent added, in memory of its own.

    While nothing is recorded the cotangent is the caller's own already.
    """
    here = recorder()
    if here is None:
        return np.asarray(g if leaf.grad is None else leaf.grad + g)
    here.sees_gradient(leaf)
    return owned(leaf, g if leaf.grad is None else Tensor(leaf.grad) + g)


def owned(leaf: Leaf, g: Tensor) -> Array:
    """Return a new gradient of a parameter while a step is traced, in memory of its own."""
    here = recorder()
    assert here is not None
    here.writes_gradient(leaf)
    return here.copied(array_of(g, leaf.dtype))
