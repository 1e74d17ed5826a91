"""Writes and reads the file: arrays, state, format version and a digest of them all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scg._files import replacing
from scg._typing import Array
from scg.checkpoint._tree import PLAIN
from scg.errors import CheckpointError

__all__ = ["load", "save"]

FORMAT = "1"
_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
)
_RESERVED = "__metadata__"  # where the format keeps its text, beside the arrays


def save(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], state: Mapping[str, Any]
) -> None:
    """Write a checkpoint that replaces the one at `path` in a single step.

    Parameters
    ----------
    path : path-like
        The file; missing folders are created.
    arrays : Mapping[str, Array]
        Of bools, integers or floats up to 64 bits, any shape and strides.
    state : Mapping[str, JSON]
        Everything else as plain JSON: whole numbers of any size, and floats including NaN and
        infinities, come back bitwise.

    Raises
    ------
    CheckpointError
        If something cannot be stored, or the file cannot be written; a previous checkpoint at
        `path` is then untouched. Also if safetensors is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "last.safetensors"
    ...     save(path, {"weight": np.eye(2)}, {"step": 7})
    ...     arrays, state = load(path)
    >>> arrays["weight"].tolist(), state
    ([[1.0, 0.0], [0.0, 1.0]], {'step': 7})
    """
    path = Path(path)
    content = _serialised(path, arrays, state)
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {path} was not written ({error.strerror or error}); free space or "
            f"rights there, or choose another folder; what stood there before is untouched"
        ) from error


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a checkpoint and check that it holds what was written.

    Parameters
    ----------
    path : path-like
        A file written by `save`.

    Returns
    -------
    arrays : dict of str to Array
        Fresh, writeable arrays.
    state : dict of str to JSON
        The state.

    Raises
    ------
    CheckpointError
        If the file is missing, is no checkpoint, has another format version, or its content is not
        what was written. Also if safetensors is not installed.

    Examples
    --------
    >>> load("nowhere.safetensors")
    Traceback (most recent call last):
    scg.errors.CheckpointError: there is no checkpoint nowhere.safetensors;
    check the path or start anew
    """
    path = Path(path)
    arrays, metadata = _content(path)
    if "scg" not in metadata:
        raise CheckpointError(f"{path} was not written by scg.checkpoint; name a file that was")
    if metadata["scg"] != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {metadata['scg']!r} and this scg reads {FORMAT!r}; "
            f"load it with the scg that wrote it, or start anew"
        )
    text = metadata.get("state", "")
    if metadata.get("sha256") != _digest(arrays, text):
        raise _damaged(path, "its content is not what was written")
    return arrays, json.loads(text)


def _damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(
        f"{path} is not an intact checkpoint ({why}); resume from another one or start anew"
    )


def _missing_extra() -> CheckpointError:
    return CheckpointError(
        "checkpoints need safetensors, which is not installed; run pip install 'scg[examples]'"
    )


def _serialised(path: Path, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> bytes:
    try:
        from safetensors.numpy import save as to_bytes
    except ImportError as error:
        raise _missing_extra() from error
    stored = {name: _storable(path, name, array) for name, array in arrays.items()}
    _require_json(path, dict(state), "state")
    text = json.dumps(dict(state))
    metadata = {"scg": FORMAT, "state": text, "sha256": _digest(stored, text)}
    return bytes(to_bytes(stored, metadata))


def _storable(path: Path, name: object, array: object) -> Array:
    """Return `array` contiguous and in native byte order: what safetensors reads by address."""
    if not isinstance(name, str) or name == _RESERVED or not _is_unicode(name):
        raise CheckpointError(f"{path} cannot hold an array called {name!r}; give it another name")
    if not isinstance(array, np.ndarray):
        raise CheckpointError(
            f"{path} cannot hold {name!r}, which is of type {type(array).__name__}; "
            f"give a NumPy array"
        )
    if array.dtype.name not in _DTYPES:
        raise CheckpointError(
            f"{path} cannot hold {name!r}, which has dtype {array.dtype}; convert it to one of "
            f"{', '.join(sorted(_DTYPES))}"
        )
    # Not ascontiguousarray: it turns a 0-d array into one of shape (1,).
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _is_unicode(name: str) -> bool:
    """Tell whether `name` can be encoded, which a lone surrogate cannot."""
    return name.encode(errors="replace").decode() == name


def _require_json(path: Path, value: object, place: str) -> None:
    """Refuse what JSON would change silently: tuples, keys that are not text, NumPy scalars."""
    if type(value) is dict:
        for key, entry in value.items():
            if type(key) is not str:
                raise CheckpointError(f"{path} cannot hold the key {key!r} of {place}; use a text")
            _require_json(path, entry, f"{place}[{key!r}]")
    elif type(value) is list:
        for index, entry in enumerate(value):
            _require_json(path, entry, f"{place}[{index}]")
    elif type(value) not in PLAIN:
        raise CheckpointError(
            f"{path} cannot hold {place}, which is of type {type(value).__name__}; "
            f"use plain JSON, or flatten the tree first"
        )


def _content(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise _missing_extra() from error
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; name the checkpoint file in it")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no checkpoint {path}; check the path or start anew"
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error}); check its rights and the disk"
        ) from error
    # Anything: a parser meets arbitrary bytes here, and its own error class is not all it raises.
    except Exception as error:
        raise _damaged(path, error) from error


def _digest(arrays: Mapping[str, Array], text: str) -> str:
    """Return the sha256 of all that is stored: safetensors itself has no checksum."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
