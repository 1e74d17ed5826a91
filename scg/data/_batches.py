"""Shuffled minibatches whose order is a function of seed and epoch, and dynamic binarisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, overload

import numpy as np

from scg._typing import Array
from scg.errors import CheckpointError, OptionError, ShapeError, SupportError

__all__ = ["Minibatches", "binarize", "minibatches"]

Batch = TypeVar("Batch")
Rows: TypeAlias = slice | Array

_SEEDS = 2**63
_PLACE = ("seed", "epoch", "position")


class Minibatches(Generic[Batch]):
    """Iterate over what is left of the current epoch; made by `minibatches`.

    The order of an epoch depends on the seed and the number of the epoch alone, so that it can be
    resumed from three integers, and does not change with the noise that a model draws in between.
    """

    __slots__ = ("_epoch", "_options", "_order", "_position", "_take")

    def __init__(self, take: Callable[[Rows], Batch], options: Mapping[str, int | bool]) -> None:
        self._take = take
        self._options = dict(options)
        self._epoch = 0
        self._position = 0
        self._order: tuple[int, Array] | None = None

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        size, batch_size = self._options["size"], self._options["batch_size"]
        return size // batch_size if self._options["drop_last"] else -(-size // batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches left in the current epoch, then stand at the start of the next."""
        epoch = self._epoch
        while self._epoch == epoch:
            rows = self._rows()
            # Before the yield, so that a state taken while the batch is in use says it is done.
            self._advance()
            yield self._take(rows)

    @property
    def epoch(self) -> int:
        """Return how many epochs are complete."""
        return self._epoch

    @property
    def position(self) -> int:
        """Return how many batches of the current epoch have been handed out."""
        return self._position

    def state(self) -> dict[str, int | bool]:
        """Return what `restore` needs, as plain JSON.

        Returns
        -------
        dict of str to int or bool
            The place and the settings that determine the order.
        """
        return {**self._options, "epoch": self._epoch, "position": self._position}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state` was taken.

        Parameters
        ----------
        state : Mapping[str, JSON]
            From `state` of an iterator over the same number of examples with the same settings;
            the seed is taken over.

        Raises
        ------
        CheckpointError
            If the state is incomplete or was taken with other settings.
        """
        self._require_place(state)
        self._require_same_settings(state)
        self._options["seed"] = state["seed"]
        self._epoch, self._position = state["epoch"], state["position"]
        self._order = None

    def _require_place(self, state: Mapping[str, Any]) -> None:
        for name in _PLACE:
            value = state.get(name)
            if type(value) is not int or value < 0 or (name == "position" and value >= len(self)):
                raise CheckpointError(
                    f"the saved state of the minibatches has {name}={value!r} with {len(self)} "
                    f"batches in an epoch; resume from an intact checkpoint of the same data"
                )

    def _require_same_settings(self, state: Mapping[str, Any]) -> None:
        other = [
            f"{name}={state.get(name)} then, {now} now"
            for name, now in self._options.items()
            if name not in _PLACE and state.get(name) != now
        ]
        if other:
            raise CheckpointError(
                f"the saved state of the minibatches does not fit ({'; '.join(other)}); "
                f"resume with the same data and settings"
            )

    def _rows(self) -> Rows:
        batch_size = self._options["batch_size"]
        rows = slice(self._position * batch_size, (self._position + 1) * batch_size)
        return self._permutation()[rows] if self._options["shuffle"] else rows

    def _permutation(self) -> Array:
        if self._order is None or self._order[0] != self._epoch:
            rng = np.random.default_rng([self._options["seed"], self._epoch])
            self._order = self._epoch, rng.permutation(self._options["size"])
        return self._order[1]

    def _advance(self) -> None:
        self._position += 1
        if self._position == len(self):
            self._epoch, self._position = self._epoch + 1, 0


@overload
def minibatches(
    arrays: Array,
    batch_size: int,
    *,
    rng: np.random.Generator | int,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Minibatches[Array]: ...
@overload
def minibatches(
    arrays: Sequence[Array],
    batch_size: int,
    *,
    rng: np.random.Generator | int,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Minibatches[tuple[Array, ...]]: ...
def minibatches(
    arrays: Array | Sequence[Array],
    batch_size: int,
    *,
    rng: np.random.Generator | int,
    shuffle: bool = True,
    drop_last: bool = False,
) -> Minibatches[Any]:
    """Split arrays along their first axis into aligned batches, newly shuffled every epoch.

    Parameters
    ----------
    arrays : Array or sequence of Array
        One array, or several with first axes of one length n.
    batch_size : int
        Examples in a batch, at least 1.
    rng : numpy.random.Generator or int
        Asked once, here, for the seed of all epochs; a number seeds a generator.
    shuffle : bool
        Whether each epoch has an order of its own; if not, batches are views of `arrays`.
    drop_last : bool
        Whether to leave out a last batch of fewer than `batch_size` examples.

    Returns
    -------
    Minibatches
        Each `for` over it runs to the end of the current epoch and yields one array per batch, or a
        tuple if `arrays` was a sequence; `state()` and `restore()` continue it bitwise.

    Raises
    ------
    OptionError
        If `batch_size` is not a whole number of at least 1, or no batch is left.
    ShapeError
        If there is no array, one is 0-d or empty, or their lengths differ.

    Examples
    --------
    >>> x, y = np.arange(5.0), np.arange(5)
    >>> batches = minibatches((x, y), 2, rng=np.random.default_rng(0))
    >>> [bool((a == b).all()) for a, b in batches]
    [True, True, True]
    >>> batches.epoch
    1
    """
    alone = isinstance(arrays, np.ndarray)
    several = tuple(np.asarray(array) for array in ([arrays] if alone else arrays))
    options = {
        "seed": int(np.random.default_rng(rng).integers(_SEEDS)),
        "size": _common_length(several),
        "batch_size": batch_size,
        "shuffle": shuffle,
        "drop_last": drop_last,
    }
    _require_batches(options)
    if alone:
        return Minibatches(lambda rows: several[0][rows], options)
    return Minibatches(lambda rows: tuple(array[rows] for array in several), options)


def _common_length(arrays: Sequence[Array]) -> int:
    shapes = [array.shape for array in arrays]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1 or not shapes[0][0]:
        raise ShapeError(
            f"minibatches of arrays with the shapes {shapes}; give at least one array, all with "
            f"first axes of one length of at least 1"
        )
    return int(shapes[0][0])


def _require_batches(options: Mapping[str, int | bool]) -> None:
    batch_size, size = options["batch_size"], options["size"]
    if type(batch_size) is not int or batch_size < 1:
        raise OptionError(f"batch_size is {batch_size!r}; give a whole number of at least 1")
    if options["drop_last"] and batch_size > size:
        raise OptionError(
            f"batch_size is {batch_size} with {size} examples, so drop_last leaves no batch; "
            f"give at most {size}"
        )


def binarize(x: Array, rng: np.random.Generator) -> Array:
    """Draw a black-and-white image whose pixels are 1 with the probability of their brightness.

    Parameters
    ----------
    x : Array
        Probabilities in [0, 1], any shape.
    rng : numpy.random.Generator
        Where the noise comes from.

    Returns
    -------
    Array
        float32, zeros and ones, in the shape of `x`.

    Raises
    ------
    SupportError
        If a value lies outside [0, 1] or is NaN.

    Notes
    -----
    Dynamic binarisation: a new draw at every visit of an image, as by R. Salakhutdinov and
    I. Murray (2008) and Y. Burda, R. Grosse and R. Salakhutdinov (2015, arXiv 1509.00519).

    Examples
    --------
    >>> binarize(np.array([0.0, 1.0]), np.random.default_rng(0))
    array([0., 1.], dtype=float32)
    """
    if not ((x >= 0) & (x <= 1)).all():
        raise SupportError(
            f"binarize got values from {x.min()} to {x.max()}; scale the images to [0, 1]"
        )
    # Uniforms on [0, 1): a pixel of 1 is always on and one of 0 never.
    return (rng.random(x.shape, dtype=np.float32) < x).astype(np.float32)
