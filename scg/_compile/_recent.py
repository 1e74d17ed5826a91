"""The last signature of a compiled function, recognised without walking over a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scg._compile._trees import Spec
from scg._surrogate.tags import is_strict
from scg._tensor import Tensor
from scg._typing import Array
from scg.tape import grad_enabled

__all__ = ["Recent"]


class Recent:
    """A signature of arrays, parameters and static objects, none of them in a container.

    Attributes
    ----------
    entry : object
        What belongs to it.
    """

    __slots__ = ("_forms", "_grad", "_strict", "entry")

    def __init__(self, entry: Any, forms: list[tuple[Any, Any]]) -> None:
        self.entry = entry
        self._forms = forms
        self._grad, self._strict = grad_enabled(), is_strict()

    @classmethod
    def of(cls, entry: Any, spec: Spec, args: Sequence[Any]) -> Recent | None:
        """Return this for a call by position; None if there is more to it."""
        forms: list[tuple[Any, Any]] = []
        for (_, part), value in zip(spec[2], args, strict=True):
            if part[0] == "array" and part[4] is None:
                forms.append((part[1], part[2]))
            elif part[0] in ("static", "parameter"):
                forms.append((None, value))
            else:
                return None
        return cls(entry, forms)

    def arrays_of(self, args: Sequence[Any]) -> list[Array] | None:
        """Return the arrays of a call that is like that one; None if it is another."""
        if len(args) != len(self._forms):
            return None
        if grad_enabled() is not self._grad or is_strict() is not self._strict:
            return None
        arrays = []
        for value, (shape, dtype) in zip(args, self._forms, strict=True):
            if shape is None:
                if value is not dtype:
                    return None
                continue
            if value.__class__ is Tensor and value._node is None:
                value = value._data
            elif value.__class__ is not np.ndarray:
                return None
            if value.shape != shape or value.dtype is not dtype:
                return None
            flags = value.flags
            if not (flags.c_contiguous and flags.aligned):
                return None
            arrays.append(value)
        return arrays
