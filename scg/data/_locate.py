"""Where the files of the data sets are looked for, and what the public ones must contain."""

from __future__ import annotations

from pathlib import Path

from scg._config import cache_dir, data_dir
from scg.data._download import Remote, UnavailableError, fetch
from scg.errors import DataError

__all__ = ["find", "obtain"]

_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# The second for clients that cannot check the first's certificate: the digest is what vouches.
_STATIC_MIRRORS = (
    "https://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
    "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
)

# Size and sha256 of the decompressed content. MNIST: of the files with the published md5 sums
# 6bbc9ace..., a25bea73..., 2646ac64..., 27ae3e4e...; binarised MNIST: as published.
_PUBLIC: dict[str, tuple[tuple[str, ...], int, str]] = {
    "mnist/train-images-idx3-ubyte.gz": (
        _MNIST_MIRRORS,
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "mnist/train-labels-idx1-ubyte.gz": (
        _MNIST_MIRRORS,
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "mnist/t10k-images-idx3-ubyte.gz": (
        _MNIST_MIRRORS,
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": (
        _MNIST_MIRRORS,
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "binarized_mnist/binarized_mnist_train.amat": (
        _STATIC_MIRRORS,
        78_400_000,
        "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    ),
    "binarized_mnist/binarized_mnist_valid.amat": (
        _STATIC_MIRRORS,
        15_680_000,
        "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    ),
    "binarized_mnist/binarized_mnist_test.amat": (
        _STATIC_MIRRORS,
        15_680_000,
        "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    ),
}


def _roots() -> list[Path]:
    chosen = data_dir()
    # Not passed over: whoever names a folder would otherwise train on something else.
    if chosen and not chosen.is_dir():
        raise DataError(
            f"SCG_DATA names {chosen}, which is not a folder; correct it, or unset it to download "
            f"what is public"
        )
    return [*([chosen] if chosen else []), cache_dir() / "data"]


def find(place: str) -> Path | None:
    """Return the first root's file at `place`, a path below a root."""
    try:
        return next((root / place for root in _roots() if (root / place).exists()), None)
    except OSError as error:
        raise DataError(
            f"the folders for {place} cannot be searched ({error}); let SCG_DATA name another one"
        ) from error


def obtain(place: str, download: bool) -> Path:
    found = find(place)
    if found:
        return found
    if not download or place not in _PUBLIC:
        why = "downloading is off" if place in _PUBLIC else "there is no public download of it"
        raise UnavailableError(
            f"{place} is neither in {' nor in '.join(map(str, _roots()))} and {why}; put it into a "
            f"folder in this layout and name that folder in the environment variable SCG_DATA"
        )
    mirrors, size, sha256 = _PUBLIC[place]
    target = cache_dir() / "data" / place
    fetch(Remote(tuple(mirror + target.name for mirror in mirrors), size, sha256), target)
    return target
