"""A data folder and a cache of the test's own, and small files in the published layout."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def idx(array: np.ndarray) -> bytes:
    """Return `array` as the gzipped IDX file of its bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def to_idx() -> Callable[[np.ndarray], bytes]:
    return idx


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the empty folder that SCG_DATA names, with an empty cache beside it."""
    monkeypatch.setenv("SCG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SCG_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def cache(folder: Path) -> Path:
    return folder.parent / "cache" / "data"


@pytest.fixture
def mnist_files(rng: np.random.Generator) -> dict[str, bytes]:
    """Return the four files of a small MNIST: 7 images to train on, 3 to test."""
    files = {}
    for part, count in (("train", 7), ("t10k", 3)):
        images = rng.integers(256, size=(count, 28, 28), dtype=np.uint8)
        images[0, 0, :2] = 0, 255
        files[f"{part}-images-idx3-ubyte.gz"] = idx(images)
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(count, dtype=np.uint8))
    return files


@pytest.fixture
def mnist(folder: Path, mnist_files: dict[str, bytes]) -> Path:
    """Put the small MNIST into the data folder."""
    place = folder / "mnist"
    place.mkdir()
    for name, content in mnist_files.items():
        (place / name).write_bytes(content)
    return place
