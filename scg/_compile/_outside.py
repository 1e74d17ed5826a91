"""Whether the gradient of a function is taken by its caller.

A compiled function whose result has no graph would give a caller who passes parameters, and calls
`backward` on what comes back, a gradient that lacks them. Only a call tells what the function does
by itself; so the first one with parameters among the arguments runs as it is and is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg._compile._trees import Static, leaves_of, native_order
from scg._tensor import Tensor
from scg.tape import REQUIRES, ROUTED, Leaf

__all__ = ["as_seen", "observed"]


def observed(call: Callable[[], Any], parameters: Sequence[Tensor]) -> tuple[Any, bool]:
    """Call a function; return its result, and whether the gradient of that is left to the caller.

    It is where the result depends on something trainable, no backward has gone through it, and the
    function neither changed the parameters nor their gradients.
    """
    before = [_state(p) for p in parameters]
    result = call()
    untouched = all(
        old is new
        for p, state in zip(parameters, before, strict=True)
        for old, new in zip(state, _state(p), strict=True)
    )
    return result, untouched and any(_is_open(leaf) for leaf in leaves_of(result))


def as_seen(leaf: Any) -> Any:
    """Return a leaf of the arguments as a traced function sees it: arrays are tensors."""
    if isinstance(leaf, Static):
        return leaf.value
    if isinstance(leaf, np.ndarray | np.generic):
        return Tensor(np.array(native_order(np.asarray(leaf)), order="C"))
    return leaf


def _state(parameter: Tensor) -> tuple[Any, Any]:
    leaf = parameter._leaf("look at")
    return leaf.grad, leaf.version


def _is_open(value: Any) -> bool:
    """Tell whether a backward may still go through a tensor."""
    node = value._node if isinstance(value, Tensor) else None
    if node is None or isinstance(node, Leaf):
        return False
    return bool(node.flags & (REQUIRES | ROUTED)) and node.saved is not None
