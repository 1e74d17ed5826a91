"""Checks that a checkpoint belongs to the model and options of this run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from scg._typing import Array
from scg.errors import CheckpointError

__all__ = ["require_match"]

_SHOWN = 5  # differences spelled out: with another model every single array differs


def require_match(
    path: str | os.PathLike[str],
    arrays: Mapping[str, Array],
    state: Mapping[str, Any],
    *,
    like: Mapping[str, Array],
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Require that what was loaded fits the arrays and settings of this run.

    Parameters
    ----------
    path : path-like
        Where it was loaded from, for the message.
    arrays, state : Mapping
        From `load`.
    like : Mapping[str, Array]
        The present arrays: their names, shapes and dtypes must be those of `arrays`.
    settings : Mapping[str, JSON], optional
        Entries that `state` must hold with equal values, such as the name of the model.

    Raises
    ------
    CheckpointError
        If anything differs; the message names what and the remedy.

    Examples
    --------
    >>> import numpy as np
    >>> require_match("a.safetensors", {"w": np.zeros(3)}, {}, like={"w": np.zeros(2)})
    Traceback (most recent call last):
    scg.errors.CheckpointError: a.safetensors does not fit this run:
    w has shape (3,) there and (2,) here;
    resume with the options it was saved with, or start anew
    """
    found = [*_settings_apart(state, settings or {}), *_arrays_apart(arrays, like)]
    if found:
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise CheckpointError(
            f"{os.fspath(path)} does not fit this run: {'; '.join(found[:_SHOWN] + more)}; "
            f"resume with the options it was saved with, or start anew"
        )


def _settings_apart(state: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    for name, here in settings.items():
        if name not in state:
            yield f"{name} is not in it"
        elif state[name] != here:
            yield f"{name} is {state[name]!r} there and {here!r} here"


def _arrays_apart(arrays: Mapping[str, Array], like: Mapping[str, Array]) -> Iterator[str]:
    for name in sorted(like.keys() - arrays.keys()):
        yield f"the array {name} is not in it"
    for name in sorted(arrays.keys() - like.keys()):
        yield f"its array {name} has no place here"
    for name in sorted(arrays.keys() & like.keys()):
        there, here = arrays[name], like[name]
        if there.shape != here.shape:
            yield f"{name} has shape {there.shape} there and {here.shape} here"
        elif there.dtype != here.dtype:
            yield f"{name} has dtype {there.dtype} there and {here.dtype} here"
