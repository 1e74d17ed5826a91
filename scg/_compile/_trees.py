"""Trees of arguments and results: what in them is an array, and what is part of the signature."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from scg._compile._detached import MAY_ENTER
from scg._tensor import Tensor
from scg._typing import Array
from scg.errors import OptionError, TraceError
from scg.tape import Leaf

__all__ = [
    "Leaves",
    "Spec",
    "Static",
    "changes",
    "form_of",
    "leaves_of",
    "mapped",
    "native_order",
    "order_of",
    "result_spec",
    "spec_of",
    "static_spec",
]

Spec: TypeAlias = tuple[Any, ...]

_ARRAY, _TREE = "array", "tree"
LARGE = 1 << 14  # bytes; a smaller array is copied in a few microseconds however it lies
_PLAIN = (type(None), bool, int, float, complex, str, bytes, Enum, type, np.dtype)


@dataclass(slots=True)
class Leaves:
    """What of the arguments changes from call to call.

    Attributes
    ----------
    arrays : list of ndarray
        In the order of the tree, with their axes in the order in which they lie.
    given : list of ndarray
        The same arrays with their axes as they came.
    generators : list of numpy.random.Generator
        Likewise.
    donated : list of ndarray
        Those of the arrays that results may be written to.
    parameters : list of Tensor
        Which are used where they are.
    tracked : bool
        A tensor among them is part of a graph.
    """

    arrays: list[Array] = field(default_factory=list)
    given: list[Array] = field(default_factory=list)
    generators: list[np.random.Generator] = field(default_factory=list)
    donated: list[Array] = field(default_factory=list)
    parameters: list[Tensor] = field(default_factory=list)
    tracked: bool = False


def spec_of(value: Any, leaves: Leaves, path: str) -> Spec:
    """Return all of a value that a compiled function depends on before it runs; hashable."""
    if value.__class__ is Tensor:
        return _spec_of_tensor(value, leaves)
    if isinstance(value, np.ndarray | np.generic):
        return _spec_of_array(np.asarray(value), leaves, path)
    if isinstance(value, np.random.Generator):
        leaves.generators.append(value)
        same = [n for n, g in enumerate(leaves.generators) if g is value]
        return ("generator", same[0])
    found = parts(value)
    if found is None:
        return static_spec(value, path)
    kind, entries = found
    specs = tuple([(key, spec_of(v, leaves, f"{path}{_step(kind, key)}")) for key, v in entries])
    return (_TREE, kind, specs)


def _spec_of_tensor(value: Tensor, leaves: Leaves) -> Spec:
    if isinstance(value._node, Leaf):
        leaves.parameters.append(value)
        return ("parameter", id(value), value)
    flags = 0 if value._node is None else value._node.flags
    leaves.tracked |= bool(flags & ~MAY_ENTER)
    return _spec_of_memory(value._data, leaves, flags)


def _spec_of_array(value: Array, leaves: Leaves, path: str) -> Spec:
    if value.dtype.kind not in "biuf":
        raise OptionError(
            f"scg.jit: argument {path} is an array of dtype {value.dtype}; compiled functions "
            "take booleans, integers and real floating-point numbers"
        )
    return _spec_of_memory(native_order(value), leaves, 0)


def _spec_of_memory(array: Array, leaves: Leaves, flags: int) -> Spec:
    """Return the spec of an array, which a plan reads as it lies."""
    order = order_of(array)
    leaves.given.append(array)
    leaves.arrays.append(array if order is None else array.transpose(order))
    return (_ARRAY, array.shape, array.dtype, flags, order)


def order_of(array: Array) -> tuple[int, ...] | None:
    """Return the order of axes in which a large array is contiguous; None if it is as it is.

    To copy it line by line would take longer than what most functions do with it.
    """
    if array.flags.c_contiguous or array.nbytes < LARGE or not array.flags.aligned:
        return None
    order = tuple(np.argsort([-s for s in array.strides], kind="stable").tolist())
    return order if array.transpose(order).flags.c_contiguous else None


def native_order(array: Array) -> Array:
    """Return an array in the byte order of the machine."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


class Static:
    """A static argument: a leaf of the tree of arguments, whatever it contains."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Same:
    """An object as a key that is equal to itself alone."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)

    def __repr__(self) -> str:
        return f"the {type(self._value).__name__}"


def static_spec(value: Any, path: str) -> Spec:
    """Return a value that is part of the signature itself."""
    if isinstance(value, float | np.floating):
        return ("static", type(value), float(value).hex())
    # A module is itself, whatever it calls equal; and tensors compare number by number.
    if hasattr(value, "named_parameters") or isinstance(value, Tensor):
        return ("static", Same(value), None)
    try:
        hash(value)
    except TypeError:
        raise OptionError(
            f"scg.jit: argument {path} is a {type(value).__name__}, which is neither an array, a "
            "tree of them, nor hashable; pass its parts, or make it hashable"
        ) from None
    return ("static", type(value), value)


def parts(value: Any) -> tuple[Any, list[tuple[Any, Any]]] | None:
    """Return the kind of a container and its entries; None if it is none."""
    if isinstance(value, dict):
        return dict, list(value.items())
    if isinstance(value, list | tuple):
        return type(value), list(enumerate(value))
    module = hasattr(value, "named_parameters")  # is one object, whatever it is made of
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and not module:
        fields = [f.name for f in dataclasses.fields(value)]
        names = dict.fromkeys([*fields, *getattr(value, "__dict__", ())])
        return type(value), [(n, getattr(value, n)) for n in names if hasattr(value, n)]
    return None


def _step(kind: Any, key: Any) -> str:
    return f".{key}" if dataclasses.is_dataclass(kind) else f"[{key!r}]"


def mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a tree of the same form with every leaf replaced."""
    found = parts(value)
    if found is None:
        return leaf(value)
    kind, entries = found
    return maker(kind)([(key, mapped(v, leaf)) for key, v in entries])


def leaves_of(value: Any) -> Iterator[Any]:
    """Yield the leaves of a tree."""
    found = parts(value)
    if found is None:
        yield value
        return
    for _, part in found[1]:
        yield from leaves_of(part)


def maker(kind: Any) -> Callable[[list[tuple[Any, Any]]], Any]:
    """Return what makes a container of a kind from its entries."""
    if kind is dict:
        return dict
    if dataclasses.is_dataclass(kind):
        return functools.partial(_dataclass, kind)
    if hasattr(kind, "_fields"):
        return lambda entries: kind(*[value for _, value in entries])
    return lambda entries: kind([value for _, value in entries])


def _dataclass(kind: Any, entries: list[tuple[Any, Any]]) -> Any:
    """Return an object with these attributes; `__post_init__` has had its turn at the original."""
    made = object.__new__(kind)
    for name, value in entries:
        object.__setattr__(made, name, value)
    return made


def result_spec(value: Any) -> None:
    """Refuse a result that is neither an array nor plain."""
    if isinstance(value, (Tensor, np.ndarray, np.generic, *_PLAIN)):
        return
    raise TraceError(
        f"scg.jit: the function returns a {type(value).__name__}, which another call could not "
        "make anew; return its tensors, in a dict, list or tuple"
    )


def form_of(value: Any) -> Spec:
    """Return all of a tree of results, in which hashable marks stand for the arrays."""
    found = parts(value)
    if found is None:
        return static_spec(value, "")
    kind, entries = found
    return (_TREE, kind, tuple([(key, form_of(entry)) for key, entry in entries]))


def changes(old: Spec, new: Spec, path: str = "") -> Iterator[str]:
    """Yield what differs between two signatures."""
    if old == new or (old[0] == new[0] == _ARRAY and old[1:3] == new[1:3]):
        return
    if _keys(old) == _keys(new) is not None:
        for (key, before), (_, after) in zip(old[2], new[2], strict=True):
            yield from changes(before, after, f"{path}{_step(new[1], key)}" if path else str(key))
        return
    yield f"{path or 'the arguments'} from {_said(old)} to {_said(new)}"


def _keys(spec: Spec) -> tuple[Any, list[Any]] | None:
    return (spec[1], [key for key, _ in spec[2]]) if spec[0] == _TREE else None


def _said(spec: Spec) -> str:
    if spec[0] == _ARRAY:
        return f"shape {spec[1]} {spec[2]}"
    if spec[0] == "static":
        return repr(_static(*spec[1:]))
    return "another one" if spec[0] != _TREE else f"{getattr(spec[1], '__name__', spec[1])}"


def _static(kind: Any, value: Any) -> Any:
    """Return what a static spec was made of, or stands for."""
    if isinstance(kind, Same):
        return kind
    return kind(float.fromhex(value)) if issubclass(kind, float | np.floating) else value
