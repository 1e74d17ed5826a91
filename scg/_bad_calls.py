"""What is said about a call of an op that cannot be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scg._tensor import Tensor
from scg.errors import DTypeError, GradientError, ScgError, ShapeError

__all__ = ["explained", "refuse_tracked_options"]


def explained(
    name: str, shape: Callable[..., Any] | None, error: Exception, arrays: Sequence[Any],
    statics: Mapping[str, Any],
) -> Exception:  # fmt: skip
    """Turn a NumPy error into one that names the op, the shapes and the statics."""
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


def refuse_tracked_options(name: str, statics: Mapping[str, Any]) -> None:
    """Refuse a tensor that needs a gradient as an option, where the gradient would be lost."""
    for option, value in statics.items():
        if value.__class__ is Tensor and value.requires_grad:
            raise GradientError(
                f"scg.{name}: {option} is an option, through which no gradient flows, and was "
                "given a tensor that needs one; write the expression out with that tensor, or "
                f"pass {option}=scg.peek(x) if no gradient should flow"
            )
