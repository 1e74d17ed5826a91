"""Reads IDX, NPZ and text files whose content may be anything, and says what is wrong with them."""

from __future__ import annotations

import contextlib
import gzip
import math
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path

import numpy as np

from scg._typing import Array, Shape
from scg.errors import DataError

__all__ = ["damaged", "read_bits", "read_idx", "read_npz"]

_IDX_UBYTE = 8


def damaged(path: Path, what: str) -> DataError:
    """Return the error for a file that is there but cannot be used.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What is wrong with it, as the end of a sentence that starts with its name.
    """
    return DataError(f"{path} {what}; delete it or put an intact copy in its place, then run again")


@contextlib.contextmanager
def _readable(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever reading `path` as a `kind` file raises into one sentence."""
    try:
        yield
    except DataError:
        raise
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, f"is not an intact {kind} file ({error})") from error
    except OSError as error:
        raise damaged(path, f"cannot be read ({error.strerror or error})") from error
    # Anything: the parsers of NumPy and zipfile meet hostile bytes here, and no list of what they
    # then raise (struct.error, NotImplementedError, MemoryError, ...) stays complete.
    except Exception as error:
        raise damaged(path, f"is not an intact {kind} file ({error})") from error


def read_idx(path: Path, rank: int) -> Array:
    """Read a gzipped IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        The file.
    rank : int
        Number of axes it must have: 3 for images, 1 for labels.

    Returns
    -------
    Array
        uint8, read-only.

    Raises
    ------
    DataError
        If the file cannot be read or is not what it should be.
    """
    with _readable(path, "gzip"), gzip.open(path) as file:
        content = file.read()
    start = 4 + 4 * rank
    if len(content) < start or content[:4] != bytes([0, 0, _IDX_UBYTE, rank]):
        raise damaged(path, f"is no IDX file of unsigned bytes with {rank} axes")
    shape = tuple(np.frombuffer(content, ">u4", rank, offset=4).tolist())
    if len(content) - start != math.prod(shape):
        raise damaged(path, f"announces {shape} bytes and holds {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_npz(
    path: Path, images: Mapping[str, Shape], labels: Collection[str] = ()
) -> dict[str, Array]:
    """Read images, and labels where there are any, from an NPZ archive.

    Parameters
    ----------
    path : Path
        The archive; pickled content is refused.
    images : Mapping[str, tuple of int]
        For each array that must be there, the shape of one image.
    labels : collection of str
        Arrays that may be there.

    Returns
    -------
    dict of str to Array
        The images as uint8, (n, *shape) with n at least 1; the labels as int64, (n,).

    Raises
    ------
    DataError
        If the file cannot be read or is not what it should be.
    """
    arrays = _unpack(path, images.keys(), labels)
    for name, shape in images.items():
        array = arrays[name]
        if array.dtype != np.uint8 or array.shape[1:] != shape or not array.size:
            raise damaged(
                path,
                f"holds {name!r} as {array.dtype} of shape {array.shape}, not as uint8 of shape "
                f"({', '.join(['n', *map(str, shape)])}) with n at least 1",
            )
    for name in arrays.keys() - images.keys():
        if arrays[name].dtype.kind not in "ui" or arrays[name].ndim != 1:
            raise damaged(path, f"holds {name!r}, which should be one integer per image")
        arrays[name] = arrays[name].astype(np.int64)
    return arrays


def _unpack(path: Path, wanted: Set[str], optional: Collection[str]) -> dict[str, Array]:
    # Opened here, because np.load of a path leaves a damaged archive open.
    with _readable(path, "NPZ"), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise damaged(path, "is no NPZ archive")
        with archive:
            absent = sorted(wanted - set(archive.files))
            if absent:
                raise damaged(path, f"lacks the arrays {', '.join(absent)}")
            return {name: archive[name] for name in archive.files if name in {*wanted, *optional}}


def read_bits(path: Path, width: int) -> Array:
    """Read a text file of lines with `width` digits 0 or 1, one space apart.

    Parameters
    ----------
    path : Path
        The file.
    width : int
        Number of digits on a line.

    Returns
    -------
    Array
        uint8, shape (lines, width).

    Raises
    ------
    DataError
        If the file cannot be read or is not what it should be.
    """
    with _readable(path, "text"):
        content = np.fromfile(path, np.uint8)
    if not content.size or content.size % (2 * width):
        raise damaged(path, f"does not consist of lines with {width} digits one space apart")
    lines = content.reshape(-1, 2 * width)
    digits = lines[:, ::2] - ord("0")  # below "0" wraps around to a large value, caught next
    gaps_are_right = (lines[:, 1:-1:2] == ord(" ")).all() and (lines[:, -1] == ord("\n")).all()
    if digits.max() > 1 or not gaps_are_right:
        raise damaged(path, f"does not consist of lines with {width} digits 0 or 1")
    return digits
