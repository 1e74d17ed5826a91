"""The Tensor's operators and methods, each an op of the registry under another spelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg._op import OPS
from scg._tensor import Tensor
from scg.ops import axis_order, indexing, repeating, shape

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "mod", "pow": "power", "matmul": "matmul",
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip
UNARY = {"neg": "negative", "abs": "abs", "invert": "logical_not"}
METHODS = (
    "sum", "mean", "prod", "var", "std", "max", "min", "argmax", "argmin", "any", "all", "cumsum",
    "cumprod", "astype", "detach", "squeeze", "swapaxes", "dot", "trace", "round",
    "clip", "sort", "argsort",
)  # fmt: skip
FUNCTIONS = {
    "__getitem__": indexing.getitem, "at": property(indexing.At), "flatten": shape.flatten,
    "ravel": shape.flatten, "T": property(axis_order.transpose), "take": indexing.take,
    "repeat": repeating.repeat,
}  # fmt: skip


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Tensor, other: Any) -> Tensor:
        return function(other, self)  # type: ignore[no-any-return]

    return operator


def attach() -> None:
    """Give the Tensor class its operators and methods."""
    for table in (OPERATORS, COMPARISONS, UNARY):
        for short, name in table.items():
            if name in OPS:
                setattr(Tensor, f"__{short}__", OPS[name].public)
                if table is OPERATORS:
                    setattr(Tensor, f"__r{short}__", _reflected(OPS[name].public))
    for name in METHODS:
        if name in OPS:
            setattr(Tensor, name, OPS[name].public)
    Tensor.__divmod__ = _divmod  # type: ignore[method-assign]
    Tensor.__rdivmod__ = _reflected(_divmod)  # type: ignore[method-assign]
    Tensor._functions[np.divmod] = _divmod
    Tensor.reshape = _reshape  # type: ignore[method-assign, assignment]
    Tensor.transpose = _transpose  # type: ignore[method-assign, assignment]
    for name, function in FUNCTIONS.items():
        setattr(Tensor, name, function)


def _divmod(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return `a // b` and `a % b`; a gradient comes through the second, as `scg.mod` tells."""
    return OPS["floor_divide"].public(a, b), OPS["mod"].public(a, b)


def _reshape(self: Tensor, *shape: Any) -> Tensor:
    """Give the elements another shape; see `scg.reshape`."""
    return OPS["reshape"].public(self, shape[0] if len(shape) == 1 else shape)  # type: ignore[no-any-return]


def _transpose(self: Tensor, *axes: Any) -> Tensor:
    """Put the axes in another order; see `scg.transpose`."""
    if not axes or axes[0] is None:
        return OPS["transpose"].public(self)  # type: ignore[no-any-return]
    order = axes if np.ndim(axes[0]) == 0 else axes[0]
    return OPS["transpose"].public(self, tuple(order))  # type: ignore[no-any-return]
