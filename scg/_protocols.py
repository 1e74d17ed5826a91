"""NumPy functions that scg has no gradient for, called on tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scg.errors import DTypeError, GradientError

__all__ = ["without_gradient"]

_OF_FORM = frozenset({np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj})


def without_gradient(name: str, function: Any, args: Any, kwargs: Any) -> Any:
    """Run a NumPy function that has no gradient here, on tensors that need none.

    One that looks at shape and dtype alone reads no value.

    Raises
    ------
    GradientError
        If one of the tensors needs a gradient, which would silently be lost.
    DTypeError
        If the result is to be written to a tensor.
    """
    if function in _OF_FORM:
        return function(*map(_form, args), **{k: _form(a) for k, a in kwargs.items()})
    out = kwargs.get("out")
    if any(hasattr(target, "_node") for target in _leaves(out)):
        raise DTypeError(
            f"numpy.{name}: out= is a tensor, which cannot be written to; use the value that "
            f"scg.{name} returns"
        )
    if any(getattr(a, "requires_grad", False) for a in _leaves((args, kwargs))):
        if out is not None:
            raise GradientError(
                f"numpy.{name} was to write a tensor that needs a gradient into an array, which "
                "keeps none; write `a = a + x` for `a += x`, and use the value that the function "
                "returns for `out=`"
            )
        options = "".join(f" with {option}=" for option in kwargs)
        raise GradientError(
            f"numpy.{name}{options} has no gradient in scg and was called on a tensor that needs "
            "one; use an scg function, or x.detach() if no gradient should flow"
        )
    return function(*_raw(args), **_raw(kwargs))


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        for item in tree:
            yield from _leaves(item)
    else:
        yield tree


def _raw(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _raw(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_raw(item) for item in tree)
    return tree.numpy() if hasattr(tree, "_node") else tree


def _form(value: Any) -> Any:
    """Return an array without memory of its own in the shape and dtype of a tensor."""
    if not hasattr(value, "_node"):
        return value
    return np.broadcast_to(np.zeros((), value.dtype), value.shape)
