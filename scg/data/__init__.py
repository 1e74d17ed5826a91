"""Image data sets of the papers, and minibatches that resume where they stopped."""

from scg.data._batches import Minibatches, binarize, minibatches
from scg.data._dataset import Dataset
from scg.data._sources import NAMES, load, load_or_digits

__all__ = [
    "NAMES",
    "Dataset",
    "Minibatches",
    "binarize",
    "load",
    "load_or_digits",
    "minibatches",
]
