"""Which data sets there are and how their files become a `Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from scg._typing import Array
from scg.data._dataset import Dataset
from scg.data._download import UnavailableError
from scg.data._formats import damaged, read_bits, read_idx, read_npz
from scg.data._locate import find, obtain
from scg.errors import DataError, OptionError

__all__ = ["NAMES", "load", "load_or_digits"]

_SIDE = 28
_PIXELS = _SIDE * _SIDE
_PARTS = ("train", "valid", "test")
_FREY_TEST = 200  # of 1965 frames: about a tenth, and 1765 are left to train on
_DIGITS_TEST = 297  # of 1797 images: 1500 are left to train on


def load(name: str, *, download: bool = True) -> Dataset:
    """Load a data set from the folder that `SCG_DATA` names, the user's cache, or the internet.

    Parameters
    ----------
    name : str
        One of

        - ``"mnist"``: 60000 + 10000 grey images, 28 x 28, with labels; downloadable.
        - ``"binarized_mnist"``, also ``"static_mnist"`` or ``"static"``: the fixed binarisation,
          50000 + 10000 + 10000 (train, valid, test); downloadable.
        - ``"omniglot"``: 24345 + 8070 grey images, 28 x 28, labelled with the character, ordered by
          character; `omniglot/omniglot28.npz` with uint8 `train`, `test` (n, 28, 28) and integer
          `train_char`, `test_char` (n,).
        - ``"frey"``, also ``"frey_faces"``: 1965 video frames, 28 x 20; the last 200 are the test
          part, because neighbouring frames are nearly equal and a random split would leak;
          `frey_faces/frey_faces.npz` with the uint8 array `images` (n, 28, 20).
        - ``"frey_random"``: the same frames with 200 chosen at random, once and for all, as the
          test part: every one has near twins in the training part, as in most published figures.
        - ``"digits"``: scikit-learn's 1797 handwritten digits, 8 x 8, with labels; the last 297 are
          the test part; needs no file.
    download : bool
        Whether a public file that is missing may be fetched into the cache.

    Returns
    -------
    Dataset
        Images as float32 in [0, 1], in the publisher's order.

    Raises
    ------
    OptionError
        If the name is unknown.
    DataError
        If a file is missing, cannot be read, or is damaged.

    Notes
    -----
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998); H. Larochelle and I. Murray (2011);
    B. Lake, R. Salakhutdinov and J. Tenenbaum (2015) as resized by Y. Burda, R. Grosse and
    R. Salakhutdinov (2015, arXiv 1509.00519); B. Frey, A. Colmenarez and T. Huang (1998).

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train.shape, digits.test.shape, digits.image_shape
    ((1500, 64), (297, 64), (8, 8))
    """
    reader = _READERS.get(_ALIASES.get(name, name))
    if reader is None:
        raise OptionError(f"no data set is called {name!r}; choose one of {', '.join(NAMES)}")
    return reader(download)


def load_or_digits(name: str, *, download: bool = True) -> Dataset:
    """Load a data set, or scikit-learn's digits with a `notice` if it is nowhere to be had.

    Parameters
    ----------
    name : str
        As in `load`.
    download : bool
        As in `load`.

    Returns
    -------
    Dataset
        With a non-empty `notice` if it is the substitute: one sentence that the caller must show.

    Raises
    ------
    OptionError
        If the name is unknown.
    DataError
        If a file is there but damaged: what someone put there on purpose is not replaced.

    Examples
    --------
    >>> load_or_digits("digits").notice
    ''
    """
    try:
        return load(name, download=download)
    except UnavailableError as error:
        notice = f"Using scikit-learn's 8x8 digits instead of {name}, because {error}."
        return replace(load("digits"), notice=notice)


def _scaled(images: Array, white: int) -> Array:
    """Return integer images as rows of float32, where `white` becomes 1."""
    flat = images.reshape(len(images), -1)
    return np.divide(flat, np.float32(white), dtype=np.float32, order="C")


def _mnist(download: bool) -> Dataset:
    train, train_labels = _mnist_part("train", download)
    test, test_labels = _mnist_part("t10k", download)
    return Dataset(
        "mnist", train, test, (_SIDE, _SIDE), train_labels=train_labels, test_labels=test_labels
    )


def _mnist_part(part: str, download: bool) -> tuple[Array, Array]:
    image_file = obtain(f"mnist/{part}-images-idx3-ubyte.gz", download)
    label_file = obtain(f"mnist/{part}-labels-idx1-ubyte.gz", download)
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if images.shape[1:] != (_SIDE, _SIDE) or not len(images):
        raise damaged(
            image_file, f"holds images of shape {images.shape}, not (n, {_SIDE}, {_SIDE})"
        )
    if len(labels) != len(images):
        raise damaged(label_file, f"holds {len(labels)} labels for {len(images)} images")
    return _scaled(images, 255), labels.astype(np.int64)


def _binarized_mnist(download: bool) -> Dataset:
    archive = find("binarized_mnist/binarized_mnist.npz")
    parts = _bits_of_archive(archive) if archive else _bits_of_text(download)
    return Dataset(
        "binarized_mnist",
        _scaled(parts["train"], 1),
        _scaled(parts["test"], 1),
        (_SIDE, _SIDE),
        valid=_scaled(parts["valid"], 1),
        train_labels=parts.get("train_label"),
        valid_labels=parts.get("valid_label"),
        test_labels=parts.get("test_label"),
        binary=True,
    )


def _bits_of_archive(path: Path) -> dict[str, Array]:
    labels = [f"{part}_label" for part in _PARTS]
    arrays = read_npz(path, dict.fromkeys(_PARTS, (_PIXELS,)), labels)
    if max(arrays[part].max() for part in _PARTS) > 1:
        raise damaged(path, "holds values other than 0 and 1")
    _require_one_each(path, arrays, "_label")
    return arrays


def _bits_of_text(download: bool) -> dict[str, Array]:
    # All are obtained before one is read: what is missing is said before what is damaged.
    paths = {
        part: obtain(f"binarized_mnist/binarized_mnist_{part}.amat", download) for part in _PARTS
    }
    return {part: read_bits(path, _PIXELS) for part, path in paths.items()}


def _require_one_each(path: Path, arrays: Mapping[str, Array], suffix: str) -> None:
    """Require as many labels as images, where there are labels."""
    for name in arrays.keys() & {part + suffix for part in _PARTS}:
        count = len(arrays[name.removesuffix(suffix)])
        if len(arrays[name]) != count:
            raise damaged(path, f"holds {len(arrays[name])} values of {name} for {count} images")


def _omniglot(download: bool) -> Dataset:
    path = obtain("omniglot/omniglot28.npz", download)
    image = (_SIDE, _SIDE)
    arrays = read_npz(path, {"train": image, "test": image}, ("train_char", "test_char"))
    _require_one_each(path, arrays, "_char")
    return Dataset(
        "omniglot",
        _scaled(arrays["train"], 255),
        _scaled(arrays["test"], 255),
        image,
        train_labels=arrays.get("train_char"),
        test_labels=arrays.get("test_char"),
    )


def _frey(download: bool) -> Dataset:
    path = obtain("frey_faces/frey_faces.npz", download)
    shape = (28, 20)
    images = _scaled(read_npz(path, {"images": shape})["images"], 255)
    if len(images) <= _FREY_TEST:
        raise damaged(path, f"holds {len(images)} images, no more than the test part takes")
    return Dataset("frey", images[:-_FREY_TEST], images[-_FREY_TEST:], shape)


def _frey_random(download: bool) -> Dataset:
    split = _frey(download)
    images = np.concatenate([split.train, split.test])
    images = images[np.random.default_rng(0).permutation(len(images))]
    train, test = images[:-_FREY_TEST], images[-_FREY_TEST:]
    return replace(split, name="frey_random", train=train, test=test)


def _digits(download: bool) -> Dataset:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the digits come with scikit-learn, which is not installed; "
            "run pip install 'scg[examples]'"
        ) from error
    bunch = load_digits()
    images, labels = _scaled(bunch.images, 16), bunch.target.astype(np.int64)
    return Dataset(
        "digits",
        images[:-_DIGITS_TEST],
        images[-_DIGITS_TEST:],
        (8, 8),
        train_labels=labels[:-_DIGITS_TEST],
        test_labels=labels[-_DIGITS_TEST:],
    )


_READERS: dict[str, Callable[[bool], Dataset]] = {
    "mnist": _mnist,
    "binarized_mnist": _binarized_mnist,
    "omniglot": _omniglot,
    "frey": _frey,
    "frey_random": _frey_random,
    "digits": _digits,
}
_ALIASES = {
    "static": "binarized_mnist",
    "static_mnist": "binarized_mnist",
    "frey_faces": "frey",
}
NAMES = tuple(_READERS)
