"""What every data set looks like once it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scg._typing import Array, Shape
from scg.data._batches import binarize

__all__ = ["Dataset"]


# eq=False: comparing arrays with == gives arrays, so a generated __eq__ would raise.
@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Hold the images of a data set, one flat image per row.

    Parameters
    ----------
    name : str
        The name under which it was loaded.
    train, test : Array
        float32, shape (n, d), values in [0, 1].
    image_shape : tuple of int
        Height and width; their product is d.
    valid : Array or None
        The validation part where the publisher fixed one, in the same form.
    train_labels, valid_labels, test_labels : Array or None
        int64, shape (n,), where labels exist.
    binary : bool
        Whether every value is 0 or 1, so that nothing is left to binarise.
    notice : str
        One sentence for the user when this is not the data set that was asked for, else empty.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((2, 6), np.float32)
    >>> Dataset("blank", images, images, image_shape=(2, 3)).dim
    6
    """

    name: str
    train: Array
    test: Array
    image_shape: Shape
    valid: Array | None = None
    train_labels: Array | None = None
    valid_labels: Array | None = None
    test_labels: Array | None = None
    binary: bool = False
    notice: str = ""

    @property
    def dim(self) -> int:
        """Return d, the number of pixels of an image."""
        return int(self.train.shape[1])

    def binarized(self, images: Array, rng: np.random.Generator) -> Array:
        """Return images of this set as 0 and 1: as they are, or a fresh draw with them as means.

        Parameters
        ----------
        images : Array
            Rows of `train`, `valid` or `test`.
        rng : numpy.random.Generator
            Asked only if something is left to draw.

        Examples
        --------
        >>> import numpy as np
        >>> grey = np.full((1, 4), 0.5, np.float32)
        >>> blank = Dataset("blank", grey, grey, image_shape=(2, 2))
        >>> set(blank.binarized(grey, np.random.default_rng(0)).flat) <= {0.0, 1.0}
        True
        """
        return images if self.binary else binarize(images, rng)

    def some(self, count: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """Return some test images and their labels, in no order: some sets are sorted.

        Parameters
        ----------
        count : int
            How many; fewer, if there are no more.
        rng : numpy.random.Generator
            Who chooses.

        Examples
        --------
        >>> import numpy as np
        >>> grey = np.arange(8, dtype=np.float32).reshape(4, 2) / 8
        >>> images, labels = Dataset("grey", grey, grey, (1, 2)).some(3, np.random.default_rng(0))
        >>> images.shape, labels
        ((3, 2), None)
        """
        chosen = rng.permutation(len(self.test))[:count]
        labels = self.test_labels
        return self.test[chosen], labels if labels is None else labels[chosen]
