"""The data sets: where they are searched, what is in them, what is said when they are absent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scg import data
from scg.data import _download, _locate, _sources
from scg.errors import DataError, OptionError

REAL = Path(os.environ.get("SCG_DATA") or "not set")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a download was tried")

    monkeypatch.setattr(_download.urllib.request, "urlopen", refuse)


def write(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)


def test_mnist(mnist: Path) -> None:
    images = data.load("mnist")
    assert images.train.shape == (7, 784) and images.test.shape == (3, 784)
    assert images.train.dtype == np.float32 and images.train.flags.c_contiguous
    assert images.train[0, :2].tolist() == [0.0, 1.0]
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert images.test_labels.tolist() == [0, 1, 2]
    assert images.valid is None and not images.binary and not images.notice
    assert images.image_shape == (28, 28) and images.dim == 784


def test_every_grey_level_is_divided_once(folder: Path) -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        _sources._scaled(levels[:, None], 255)[:, 0], (levels / 255).astype(np.float32)
    )


def test_the_cache_is_searched_after_the_named_folder(
    folder: Path, mnist: Path, cache: Path
) -> None:
    (cache / "mnist").mkdir(parents=True)
    name = "train-labels-idx1-ubyte.gz"
    (mnist / name).rename(cache / "mnist" / name)
    assert data.load("mnist").train_labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    (mnist / name).write_bytes(b"damaged")
    with pytest.raises(DataError, match=str(mnist / name)):
        data.load("mnist")


@pytest.mark.parametrize("part", ["images", "labels"])
def test_mnist_with_wrong_counts(
    mnist: Path, part: str, to_idx: Callable[[np.ndarray], bytes]
) -> None:
    shapes = {"images": (6, 28, 28), "labels": (6,)}
    name = f"train-{part}-idx{len(shapes[part])}-ubyte.gz"
    (mnist / name).write_bytes(to_idx(np.zeros(shapes[part], np.uint8)))
    with pytest.raises(DataError, match=r"train-labels.*holds \d labels for \d images"):
        data.load("mnist")


@pytest.mark.parametrize("shape", [(7, 28, 27), (0, 28, 28)])
def test_mnist_with_wrong_shapes(
    mnist: Path, shape: tuple[int, ...], to_idx: Callable[[np.ndarray], bytes]
) -> None:
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(to_idx(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match=r"train-images.*holds images of shape"):
        data.load("mnist")


@pytest.fixture
def bits(rng: np.random.Generator) -> dict[str, np.ndarray]:
    counts = {"train": 5, "valid": 4, "test": 3}
    return {part: rng.integers(2, size=(n, 784), dtype=np.uint8) for part, n in counts.items()}


def assert_holds(images: data.Dataset, bits: dict[str, np.ndarray]) -> None:
    assert images.binary
    for part, expected in bits.items():
        array = getattr(images, part)
        assert array.dtype == np.float32 and array.flags.c_contiguous
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", ["binarized_mnist", "static", "static_mnist"])
def test_binarized_mnist_as_archive(folder: Path, bits: dict[str, np.ndarray], name: str) -> None:
    # In column-major order, which a conversion that kept it would hand to the kernels.
    columns = {part: np.asfortranarray(array) for part, array in bits.items()}
    path = folder / "binarized_mnist" / "binarized_mnist.npz"
    write(path, **columns, test_label=np.array([7, 8, 9], np.uint8))
    images = data.load(name)
    assert images.name == "binarized_mnist"
    assert_holds(images, bits)
    assert images.train_labels is None and images.test_labels.tolist() == [7, 8, 9]


def test_binarized_mnist_as_text(folder: Path, bits: dict[str, np.ndarray]) -> None:
    (folder / "binarized_mnist").mkdir()
    for part, array in bits.items():
        np.savetxt(folder / "binarized_mnist" / f"binarized_mnist_{part}.amat", array, "%d")
    images = data.load("static")
    assert_holds(images, bits)
    assert images.train_labels is None


def test_binarized_mnist_must_be_binary(folder: Path, bits: dict[str, np.ndarray]) -> None:
    bits["valid"][1, 2] = 2
    write(folder / "binarized_mnist" / "binarized_mnist.npz", **bits)
    with pytest.raises(DataError, match="values other than 0 and 1"):
        data.load("binarized_mnist")


def test_labels_must_be_one_per_image(folder: Path, bits: dict[str, np.ndarray]) -> None:
    path = folder / "binarized_mnist" / "binarized_mnist.npz"
    write(path, **bits, train_label=np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="holds 4 values of train_label for 5 images"):
        data.load("binarized_mnist")


def test_omniglot(folder: Path, rng: np.random.Generator) -> None:
    train, test = (rng.integers(256, size=(n, 28, 28), dtype=np.uint8) for n in (6, 2))
    characters = np.array([5, 6], np.uint16)
    write(folder / "omniglot" / "omniglot28.npz", train=train, test=test, test_char=characters)
    images = data.load("omniglot")
    expected = (train.reshape(6, 784) / 255).astype(np.float32)
    np.testing.assert_array_equal(images.train, expected)
    assert images.test.shape == (2, 784) and images.image_shape == (28, 28)
    assert images.train_labels is None and images.test_labels.tolist() == [5, 6]


def test_frey_is_split_in_time(folder: Path) -> None:
    frames = np.arange(250, dtype=np.uint8)
    images = np.broadcast_to(frames[:, None, None], (250, 28, 20))
    write(folder / "frey_faces" / "frey_faces.npz", images=images)
    faces = data.load("frey")
    assert faces.image_shape == (28, 20) and faces.dim == 560
    np.testing.assert_array_equal(faces.train[:, 0], frames[:50] / np.float32(255))
    np.testing.assert_array_equal(faces.test[:, -1], frames[50:] / np.float32(255))


def test_frey_at_random_has_the_same_frames_in_another_order(folder: Path) -> None:
    frames = np.arange(250, dtype=np.uint8)
    images = np.broadcast_to(frames[:, None, None], (250, 28, 20))
    write(folder / "frey_faces" / "frey_faces.npz", images=images)
    faces, again = data.load("frey_random"), data.load("frey_random")
    assert faces.name == "frey_random" and faces.image_shape == (28, 20)
    assert faces.train.shape == (50, 560) and faces.test.shape == (200, 560)
    np.testing.assert_array_equal(faces.train, again.train)
    everything = np.concatenate([faces.train, faces.test])[:, 0]
    assert not np.array_equal(everything, np.sort(everything))
    np.testing.assert_array_equal(np.sort(everything), frames / np.float32(255))


def test_frey_needs_more_than_its_test_part(folder: Path) -> None:
    write(folder / "frey_faces" / "frey_faces.npz", images=np.zeros((200, 28, 20), np.uint8))
    with pytest.raises(DataError, match="holds 200 images"):
        data.load("frey_faces")


def test_digits(folder: Path) -> None:
    digits = data.load("digits")
    assert digits.train.shape == (1500, 64) and digits.test.shape == (297, 64)
    assert digits.train.dtype == np.float32 and digits.train.flags.c_contiguous
    assert digits.train.min() == 0.0 and digits.train.max() == 1.0
    assert digits.image_shape == (8, 8)
    assert set(digits.test_labels) == set(range(10)) and len(digits.train_labels) == 1500
    np.testing.assert_array_equal(digits.train * 16, np.round(digits.train * 16))


def test_digits_without_scikit_learn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'scg\[examples\]'"):
        data.load("digits")


@pytest.mark.parametrize("name", ["MNIST", "", "cifar"])
@pytest.mark.parametrize("loader", [data.load, data.load_or_digits])
def test_unknown_names(loader: Callable[[str], data.Dataset], name: str) -> None:
    with pytest.raises(OptionError, match=r"mnist, binarized_mnist, omniglot, frey, .*digits"):
        loader(name)


@pytest.mark.parametrize("name", ["omniglot", "frey"])
def test_what_has_no_download_is_asked_for(folder: Path, cache: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"no public download.*SCG_DATA") as caught:
        data.load(name)
    assert str(folder) in str(caught.value) and str(cache) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "static"])
def test_downloading_can_be_switched_off(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"downloading is off.*SCG_DATA"):
        data.load(name, download=False)


def test_without_a_named_folder_only_the_cache_is_searched(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCG_DATA")
    assert _locate._roots() == [cache]


def test_a_data_folder_that_is_none_is_not_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("")
    for name in ("missing", "file"):
        monkeypatch.setenv("SCG_DATA", str(folder / name))
        with pytest.raises(DataError, match=f"SCG_DATA names .*{name}, which is not a folder"):
            data.load_or_digits("mnist")
        assert data.load("digits").name == "digits"


def test_a_folder_that_cannot_be_searched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(DataError, match=r"cannot be searched.*Permission denied.*SCG_DATA"):
        data.load("mnist")


def test_digits_stand_in_and_say_so(folder: Path) -> None:
    images = data.load_or_digits("frey")
    assert images.name == "digits" and images.train.shape == (1500, 64)
    assert images.notice.startswith("Using scikit-learn's 8x8 digits instead of frey, because")
    assert "SCG_DATA" in images.notice and "\n" not in images.notice


def test_nothing_is_said_when_the_data_is_there(mnist: Path) -> None:
    assert data.load_or_digits("mnist").notice == ""


def test_damaged_data_is_not_replaced(mnist: Path) -> None:
    (mnist / "t10k-images-idx3-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(DataError, match="not an intact gzip file"):
        data.load_or_digits("mnist")


def test_a_dataset_cannot_be_changed(folder: Path) -> None:
    with pytest.raises(AttributeError):
        data.load("digits").name = "mine"  # type: ignore[misc]


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason="SCG_DATA holds no MNIST")
def test_the_real_mnist() -> None:
    images = data.load("mnist", download=False)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(images.train_labels).tolist() == counts
    assert images.test.shape == (10_000, 784)
    assert round(float(images.train.mean(dtype=np.float64)), 5) == 0.13066
    assert round(float(images.test.mean(dtype=np.float64)), 5) == 0.13251


@pytest.mark.skipif(
    not (REAL / "binarized_mnist").is_dir(), reason="SCG_DATA holds no static MNIST"
)
def test_the_real_binarized_mnist() -> None:
    images = data.load("binarized_mnist", download=False)
    assert images.valid is not None
    means = [float(part.mean(dtype=float)) for part in (images.train, images.valid, images.test)]
    assert np.round(means, 5).tolist() == [0.13056, 0.13113, 0.13251]


@pytest.mark.skipif(not (REAL / "omniglot").is_dir(), reason="SCG_DATA holds no Omniglot")
def test_the_real_omniglot() -> None:
    images = data.load("omniglot", download=False)
    assert images.train.shape == (24_345, 784) and images.test.shape == (8_070, 784)
    assert set(images.train_labels) == set(range(1623))


@pytest.mark.skipif(not (REAL / "frey_faces").is_dir(), reason="SCG_DATA holds no Frey faces")
def test_the_real_frey_faces() -> None:
    images = data.load("frey", download=False)
    assert images.train.shape == (1765, 560) and images.test.shape == (200, 560)
    assert images.train.min() == np.float32(8) / np.float32(255)
