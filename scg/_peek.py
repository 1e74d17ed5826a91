"""The free look at a value."""

from __future__ import annotations

from typing import Any

from scg._arrays import read_only
from scg._recording import ACTIVE, recorder
from scg._run import current_run
from scg._tensor import Tensor
from scg._typing import ArrayLike
from scg.tape import NOISE, ROUTED, place_of_caller

__all__ = ["peek"]


def peek(x: Tensor | ArrayLike) -> Any:
    """Return the raw value for looking only: logging, printing, asserting.

    Unlike `float(x)` or `x.numpy()` this is not an escape, so nothing that happens afterwards is
    taken to depend on it. Deciding anything on it biases the gradient, and no rule can see that;
    `scg.audit` lists it. Inside a function that `scg.jit` compiles it returns a tensor, to be
    returned and looked at outside.

    Examples
    --------
    >>> import scg
    >>> print(f"loss {scg.peek(scg.tensor(0.5)):.2f}")
    loss 0.50
    """
    if not isinstance(x, Tensor):
        return x
    if ACTIVE and recorder() is not None:
        return Tensor(x._data)
    if x._node is not None and x._node.flags & (NOISE | ROUTED):
        run = current_run()
        run.peek = run.peek or place_of_caller()
    return x._data.item() if x.ndim == 0 else read_only(x._data)
