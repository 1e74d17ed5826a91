"""Takes nested containers apart into named arrays and a JSON skeleton, and puts them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg._typing import Array
from scg.errors import CheckpointError

__all__ = ["PLAIN", "flatten", "unflatten"]

# Exact types: a subclass (an enum, a named tuple) would come back as something else.
PLAIN = frozenset({type(None), bool, int, float, str})
_ARRAY, _TUPLE = "__array__", "__tuple__"


def flatten(tree: Any) -> tuple[dict[str, Array], Any]:
    """Split a tree into its arrays, named by their place, and a skeleton of plain JSON.

    Parameters
    ----------
    tree : Any
        Dicts with text keys, lists and tuples of arrays, numbers, texts, bools and None. A NumPy
        scalar counts as a 0-d array and comes back as one.

    Returns
    -------
    arrays : dict of str to Array
        The arrays themselves, not copies; their names join the keys and indices with slashes.
    skeleton : JSON
        The tree with the name of each array in its place.

    Raises
    ------
    CheckpointError
        If the tree holds anything else.

    Examples
    --------
    >>> arrays, skeleton = flatten({"layers": [np.zeros(2), np.ones(3)], "step": 7})
    >>> list(arrays), skeleton["step"]
    (['layers/0', 'layers/1'], 7)
    >>> rng = np.random.default_rng(0)
    >>> arrays, skeleton = flatten(rng.bit_generator.state)
    >>> unflatten(arrays, skeleton) == rng.bit_generator.state
    True
    """
    arrays: dict[str, Array] = {}
    skeleton = _fold(tree, (), arrays)
    return arrays, skeleton


def _fold(node: Any, place: tuple[str, ...], arrays: dict[str, Array]) -> Any:
    if isinstance(node, np.ndarray | np.generic):
        arrays[_name(place)] = np.asarray(node)
        return {_ARRAY: _name(place)}
    if isinstance(node, Mapping):
        return {
            _key(key, place): _fold(value, (*place, key), arrays) for key, value in node.items()
        }
    if type(node) is list or type(node) is tuple:
        entries = [_fold(value, (*place, str(i)), arrays) for i, value in enumerate(node)]
        return entries if type(node) is list else {_TUPLE: entries}
    if type(node) in PLAIN:
        return node
    raise CheckpointError(
        f"the tree holds a {type(node).__name__} at {_name(place)!r}; "
        f"use dicts, lists, tuples, arrays, numbers, texts, bools and None"
    )


def _key(key: object, place: tuple[str, ...]) -> str:
    if type(key) is not str or key in (_ARRAY, _TUPLE):
        raise CheckpointError(f"the tree has the key {key!r} at {_name(place)!r}; use another text")
    return key


def _name(place: tuple[str, ...]) -> str:
    # Escaped as in a JSON pointer, or {"a/b": x} and {"a": {"b": y}} would share a name.
    return "/".join(key.replace("~", "~0").replace("/", "~1") for key in place)


def unflatten(arrays: Mapping[str, Array], skeleton: Any) -> Any:
    """Put a tree together again: the inverse of `flatten`.

    Parameters
    ----------
    arrays : Mapping[str, Array]
        At least the arrays that the skeleton names.
    skeleton : JSON
        From `flatten`.

    Returns
    -------
    Any
        The tree, holding the arrays themselves.

    Raises
    ------
    CheckpointError
        If the skeleton names an array that is not there.

    Examples
    --------
    >>> unflatten(*flatten((1, {"a": [True, None]})))
    (1, {'a': [True, None]})
    """
    if isinstance(skeleton, list):
        return [unflatten(arrays, entry) for entry in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if _TUPLE in skeleton:
        return tuple(unflatten(arrays, entry) for entry in skeleton[_TUPLE])
    if _ARRAY in skeleton:
        return _named(arrays, skeleton[_ARRAY])
    return {key: unflatten(arrays, entry) for key, entry in skeleton.items()}


def _named(arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise CheckpointError(
            f"the checkpoint lacks the array {name!r} that its own state names; "
            f"resume from another one or start anew"
        )
    return arrays[name]
