"""Module: an object that holds parameters, and finds them by walking its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from scg._peek import peek
from scg._tensor import Tensor
from scg._typing import Array
from scg.checkpoint import require_match
from scg.errors import OptionError

__all__ = ["Module"]


class Module:
    """Base of everything that has parameters.

    A subclass assigns parameters, other modules, and lists, tuples or dicts of them to attributes,
    and defines `__call__`. There is nothing to register and no base `__init__` to call.

    Examples
    --------
    >>> import scg
    >>> class Scale(scg.nn.Module):
    ...     def __init__(self):
    ...         self.factor = scg.parameter(2.0)
    ...     def __call__(self, x):
    ...         return self.factor * x
    >>> scale = Scale()
    >>> scale(3.0), scale.named_parameters()
    (Tensor(6.), {'factor': Tensor(2., parameter)})
    """

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Apply the module; a subclass says what that means."""
        who = type(self).__name__
        remedy = (
            "rename its forward to __call__, which is what calling it runs"
            if hasattr(self, "forward")
            else "give it one, def __call__(self, x), or call the method that it has instead"
        )
        raise NotImplementedError(f"{who} defines no __call__; {remedy}")

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Return what to search for parameters, by name."""
        return vars(self).items()

    def _where(self) -> str:
        """Return what to call this module in an error: what it is, and its place if known."""
        first = next(iter(_walk(self, "", set())), None)
        place = first[1].name if first else None
        if first is None or place is None or not place.endswith(f".{first[0]}"):
            return repr(self)
        return f"{self!r} at '{place.removesuffix('.' + first[0])}'"

    def named_parameters(self) -> dict[str, Tensor]:
        """Return every parameter under the dotted path of attributes, indices and keys to it.

        A parameter reached on two ways is listed once, under the first. Each parameter takes its
        path as its name, for errors and pictures, unless it was given another one.

        Returns
        -------
        dict of str to Tensor
            In the order in which the attributes were first assigned.

        Raises
        ------
        OptionError
            If two paths read the same because a key contains a dot, or parameters are in a set,
            which has no order.
        """
        found: dict[str, Tensor] = {}
        for path, p in _walk(self, "", set()):
            if path in found:
                raise OptionError(
                    f"{type(self).__name__}: two parameters are at '{path}'; use dict keys "
                    "without dots, and not both a number and its text"
                )
            found[path] = p
            _lengthen_name(p, path)
        return found

    def parameters(self) -> list[Tensor]:
        """Return the parameters in the order of `named_parameters`."""
        return list(self.named_parameters().values())

    def state(self) -> dict[str, Array]:
        """Return a copy of every parameter's value under its path."""
        return {path: np.array(peek(p)) for path, p in self.named_parameters().items()}

    def load_state(self, arrays: Mapping[str, Any]) -> None:
        """Take over the values that `state` returned; all of them, or none if anything is wrong.

        Parameters
        ----------
        arrays : Mapping[str, array_like]
            One for each parameter, of its shape and dtype.

        Raises
        ------
        CheckpointError
            If entries are missing, left over, or of another shape or dtype; it names them.
        """
        parameters = self.named_parameters()
        given = {path: np.asarray(value) for path, value in arrays.items()}
        like = {path: np.asarray(peek(p)) for path, p in parameters.items()}
        require_match(f"the state given to {type(self).__name__}", given, {}, like=like)
        for path, p in parameters.items():
            p.assign(given[path])


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    # By identity: tied weights count once, and a module may point back at the one that holds it.
    if id(value) in seen:
        return
    if isinstance(value, Tensor):
        if value.is_parameter:
            seen.add(id(value))
            yield path, value
        return
    for key, entry in _entries(value, path):
        seen.add(id(value))
        yield from _walk(entry, f"{path}.{key}" if path else str(key), seen)


def _entries(value: Any, path: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Module):
        return value._members()
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, list | tuple):
        return enumerate(value)
    if isinstance(value, set | frozenset) and any(isinstance(v, Module | Tensor) for v in value):
        raise OptionError(f"'{path}' is a set, whose order changes from run to run; make it a list")
    return ()


def _lengthen_name(p: Tensor, path: str) -> None:
    """Name a parameter by its path, unless it has a name that is not the end of this path.

    Only ever longer: asking a part of a model for its parameters must not shorten the names that
    the whole model gave them.
    """
    if p.name is None or path.endswith(f".{p.name}"):
        p._leaf("name").label = path
