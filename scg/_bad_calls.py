"""What is said about a call of an op that cannot be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scg._tensor import Tensor
from scg.errors import DTypeError, GradientError, OptionError, ScgError, ShapeError

__all__ = ["explained", "refuse_tracked_options"]


def explained(
    name: str, shape: Callable[..., Any] | None, error: Exception, arrays: Sequence[Any],
    statics: Mapping[str, Any],
) -> Exception:  # fmt: skip
    """Turn a NumPy error into one that names the op, the shapes and the statics."""
    unknown = _unknown_option(name, error, statics) or _bad_axis(name, statics)
    if unknown is not None:
        return unknown
    shapes = [np.shape(a) for a in arrays if a is not None]
    if shape is not None and not isinstance(error, np.linalg.LinAlgError):
        try:
            shape(*shapes, **statics)
        except ScgError as known:
            return known
        except Exception:
            pass
    given = ", ".join(map(str, shapes))
    extra = "".join(f", {k}={v!r}" for k, v in statics.items())
    kind = DTypeError if isinstance(error, TypeError) else ShapeError
    return kind(f"scg.{name}: {error} (input shapes {given}{extra})")


# What options are called elsewhere, and those of NumPy that have no place here.
_CALLED_HERE = {"dim": "axis", "dims": "axis", "axes": "axis", "keepdim": "keepdims"}
_NOT_HERE = {
    "out": "tensors are not written to, so use the value that it returns",
    "dtype": "cast the tensor, x.astype(dtype)",
    "where": "choose with scg.where(condition, x, other)",
    "initial": "combine the result with that value",
}


def _unknown_option(name: str, error: Exception, statics: Mapping[str, Any]) -> Exception | None:
    """Say what an unknown option is called here."""
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if found is None or found[1] not in statics:
        return None
    option = found[1]
    known = [k for k in statics if k not in {option, *_CALLED_HERE, *_NOT_HERE}]
    here = _CALLED_HERE.get(option)
    if here in known:
        remedy = f"write {here}={statics[option]!r}"
    else:
        remedy = _NOT_HERE.get(option) or f"it has {', '.join(known) or 'none'}"
    return OptionError(f"scg.{name} has no option '{option}'; {remedy}")


def _bad_axis(name: str, statics: Mapping[str, Any]) -> Exception | None:
    """Refuse an axis that is no integer."""
    axis = statics.get("axis")
    given = axis if isinstance(axis, list | tuple) else [axis]
    if axis is None or all(hasattr(number, "__index__") for number in given):
        return None
    return OptionError(f"scg.{name}: axis={axis!r} must be an integer, or several in a tuple")


def refuse_tracked_options(name: str, statics: Mapping[str, Any]) -> None:
    """Refuse a tensor that needs a gradient as an option, where the gradient would be lost."""
    for option, value in statics.items():
        if value.__class__ is Tensor and value.requires_grad:
            raise GradientError(
                f"scg.{name}: {option} is an option, through which no gradient flows, and was "
                "given a tensor that needs one; write the expression out with that tensor, or "
                f"pass {option}=scg.peek(x) if no gradient should flow"
            )
