"""Files of every kind, intact and damaged in every way a byte can be."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scg.data import _formats
from scg.errors import DataError

Reader = Callable[[Path], np.ndarray]
REMEDY = "delete it or put an intact copy in its place"
PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_images(path: Path) -> np.ndarray:
    return _formats.read_idx(path, 3)


def read_archive(path: Path) -> np.ndarray:
    return _formats.read_npz(path, {"train": (2, 3)})["train"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_idx_round_trip(file: Path, to_idx: Callable[[np.ndarray], bytes]) -> None:
    file.write_bytes(to_idx(PIXELS))
    np.testing.assert_array_equal(read_images(file), PIXELS)


def test_npz_round_trip(file: Path) -> None:
    labels = np.array([3, 1, 2, 0], np.uint16)
    file.write_bytes(npz(train=PIXELS, label=labels, other=labels))
    arrays = _formats.read_npz(file, {"train": (2, 3)}, ["label", "absent"])
    assert arrays.keys() == {"train", "label"}
    np.testing.assert_array_equal(arrays["train"], PIXELS)
    np.testing.assert_array_equal(arrays["label"], labels, strict=False)
    assert arrays["label"].dtype == np.int64


def test_bits_round_trip(file: Path) -> None:
    file.write_text("0 1 1\n1 0 0\n")
    np.testing.assert_array_equal(_formats.read_bits(file, 3), [[0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize("reader", [read_images, read_archive])
def test_every_truncation_is_refused(
    file: Path, reader: Reader, to_idx: Callable[[np.ndarray], bytes]
) -> None:
    whole = to_idx(PIXELS) if reader is read_images else npz(train=PIXELS)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=REMEDY):
            reader(file)


@pytest.mark.parametrize("reader", [read_images, read_archive])
def test_a_flipped_bit_never_changes_a_pixel(
    file: Path, reader: Reader, to_idx: Callable[[np.ndarray], bytes]
) -> None:
    whole = to_idx(PIXELS) if reader is read_images else npz(train=PIXELS)
    refused = 0
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            pixels = reader(file)
        except DataError as error:
            assert str(file) in str(error)
            refused += 1
        else:  # a time stamp, say
            np.testing.assert_array_equal(pixels, PIXELS)
    assert refused > 4 * len(whole)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no IDX file"),
        (b"\0\0\x08\x01\0\0\0\x02ab", "no IDX file"),  # one axis
        (b"\0\0\x0d\x03" + bytes(12), "no IDX file"),  # floats
        (b"\1\0\x08\x03" + bytes(12), "no IDX file"),
        (b"\0\0\x08\x03" + bytes(8), "no IDX file"),
        (bytes([0, 0, 8, 3]) + np.array([1, 2, 3], ">u4").tobytes() + bytes(5), "holds 5"),
        (bytes([0, 0, 8, 3]) + np.array([1, 2, 3], ">u4").tobytes() + bytes(7), "holds 7"),
        (bytes([0, 0, 8, 3]) + np.array([2**31] * 3, ">u4").tobytes(), "announces"),
    ],
)
def test_idx_content_that_is_wrong(file: Path, content: bytes, why: str) -> None:
    file.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=why) as caught:
        read_images(file)
    assert str(file) in str(caught.value) and REMEDY in str(caught.value)


def test_plain_bytes_are_not_gzip(file: Path) -> None:
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match="not an intact gzip file"):
        read_images(file)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"test": PIXELS}, "lacks the arrays train"),
        ({"train": PIXELS.astype(np.float32)}, "as float32"),
        ({"train": PIXELS.reshape(4, 6)}, r"of shape \(4, 6\)"),
        ({"train": PIXELS[0]}, r"of shape \(2, 3\)"),
        ({"train": PIXELS[:0]}, r"of shape \(0, 2, 3\)"),
        ({"train": np.uint8(3)}, r"of shape \(\)"),
        ({"train": PIXELS, "label": np.zeros(4)}, "'label', which should be one integer"),
        ({"train": PIXELS, "label": np.zeros((4, 1), int)}, "'label', which should be one integer"),
    ],
)
def test_npz_content_that_is_wrong(file: Path, arrays: dict[str, np.ndarray], why: str) -> None:
    file.write_bytes(npz(**arrays))
    with pytest.raises(DataError, match=why) as caught:
        _formats.read_npz(file, {"train": (2, 3)}, ["label"])
    assert str(file) in str(caught.value) and REMEDY in str(caught.value)


class Trap:
    """Fails the test if anything unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("a pickle was executed",)


@pytest.mark.parametrize("inside", [True, False])
def test_pickles_are_never_executed(file: Path, inside: bool) -> None:
    trap = np.array([Trap()], object)
    file.write_bytes(npz(train=trap) if inside else pickle.dumps(trap))
    with pytest.raises(DataError, match="not an intact NPZ file"):
        read_archive(file)


def test_a_single_array_is_no_archive(file: Path) -> None:
    with file.open("wb") as out:
        np.save(out, PIXELS)
    with pytest.raises(DataError, match="is no NPZ archive"):
        read_archive(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0 1 1\n1 0\n",
        b"0 1 1\n1 0 2\n",
        b"0 1 1\n1 0 /\n",
        b"0,1 1\n",
        b"0 1 1 ",
        b"0 1 1\n\n",
    ],
)
def test_bits_that_are_wrong(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match="does not consist of lines with 3 digits"):
        _formats.read_bits(file, 3)


@pytest.mark.parametrize(
    "reader", [read_images, read_archive, lambda path: _formats.read_bits(path, 3)]
)
def test_a_folder_in_place_of_the_file(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        reader(tmp_path)


def test_a_file_without_read_permission(
    file: Path, to_idx: Callable[[np.ndarray], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    file.write_bytes(to_idx(PIXELS))
    monkeypatch.setattr(_formats.gzip, "open", refuse)  # chmod does not stop root
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        read_images(file)
