"""Indexing: `x[index]`, functional updates `x.at[index].set(v)`, and one-hot vectors."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index as as_integer
from typing import Any

import numpy as np

from scg._axes import Along
from scg._op import JUMP, op, serves
from scg._tensor import Tensor, as_array, as_tensor
from scg._typing import Array, DType, Shape
from scg.errors import DTypeError, ShapeError
from scg.ops import _gather
from scg.ops._gather import ARRAY, along
from scg.ops._samples import Case, Samples
from scg.ops.shape import broadcast_to, flatten
from scg.tape import NONNEGATIVE

__all__ = ["one_hot", "take"]

_PLAIN = (int, type(None))


# --- x[index] --------------------------------------------------------------------------------


def split_index(shape: Shape, index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Split an index into its static part and its integer arrays.

    A mask decides how many elements are read, so a random one escapes here.
    """
    entries = index if isinstance(index, tuple) else (index,)
    static: list[Any] = []
    arrays: list[Any] = []
    for number, entry in enumerate(entries):
        if entry is None or entry is Ellipsis or type(entry) is int:
            static.append(entry)
        elif isinstance(entry, slice):
            static.append(_integer_slice(entry))
        elif isinstance(entry, np.integer):
            static.append(int(entry))
        else:
            found = _index_arrays(entry, shape, entries, number)
            static.extend([ARRAY] * len(found))
            arrays.extend(found)
    return tuple(static), arrays


def _integer_slice(entry: slice) -> slice:
    """Return a slice with plain integers; reading them off a random tensor is an escape."""
    start, stop, step = entry.start, entry.stop, entry.step
    if type(start) in _PLAIN and type(stop) in _PLAIN and type(step) in _PLAIN:
        return entry
    return slice(*(None if bound is None else as_integer(bound) for bound in (start, stop, step)))


def _index_arrays(entry: Any, shape: Shape, entries: tuple[Any, ...], number: int) -> list[Any]:
    """Return an entry as integer arrays: itself, or for a mask one per axis of the mask."""
    array = _as_index(entry)
    if array.dtype.kind in "iu":
        return [array]
    if isinstance(entry, list) and array.size == 0:
        return [array.astype(np.intp)]
    if array.dtype != np.bool_:
        raise DTypeError(
            f"scg.getitem: an index array of dtype {array.dtype}; use integers or booleans"
        )
    axis = _first_axis(entries, number, len(shape))
    if array.ndim == 0 or array.shape != shape[axis : axis + array.ndim]:
        raise ShapeError(
            f"scg.getitem: a mask of shape {array.shape} does not fit axis {axis} of shape {shape}"
        )
    total = int(np.count_nonzero(raw_values(array, "boolean mask")))
    return [_gather.positions(array, axis, total) for axis in range(array.ndim)]


def _as_index(entry: Any) -> Any:
    return entry if isinstance(entry, Tensor) else np.asarray(as_array(entry, "getitem"))


def _first_axis(entries: tuple[Any, ...], number: int, ndim: int) -> int:
    """Return the axis that entry `number` begins at: counted from the end if after `...`."""
    if any(entry is Ellipsis for entry in entries[:number]):
        return ndim - sum(_axes_read(entry) for entry in entries[number:])
    return sum(_axes_read(entry) for entry in entries[:number])


def _axes_read(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    if isinstance(entry, slice | int):
        return 1
    array = _as_index(entry)
    return array.ndim if array.dtype == np.bool_ else 1


def raw_values(values: Tensor | Array, kind: str) -> Array:
    """Return the values that decide a shape; reading them off a random tensor is an escape."""
    return values._escape(kind) if isinstance(values, Tensor) else values


def getitem(x: Tensor, index: Any) -> Tensor:
    """Read `x[index]` with any index that NumPy takes, tensors of integers among them.

    The gradient goes to the elements read, once for every time. An index array is a jump: a random
    one sends its draw to the score function.
    """
    static, arrays = split_index(x.shape, index)
    return _gather.getitem(x, *arrays, index=static)


# --- x.at[index] -----------------------------------------------------------------------------


class At:
    """What `x.at` is: indexing it names the place of a functional update."""

    __slots__ = ("_x",)

    def __init__(self, x: Tensor) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Target:
        return Target(self._x, index)


class Target:
    """A place in a tensor, of which an updated copy can be made.

    Examples
    --------
    >>> import scg
    >>> x = scg.tensor([1.0, 2.0, 3.0])
    >>> x.at[0].set(9.0)
    Tensor([9., 2., 3.])
    >>> x.at[[1, 1]].add(1.0)
    Tensor([1., 4., 3.])
    """

    __slots__ = ("_arrays", "_index", "_x")

    def __init__(self, x: Tensor, index: Any) -> None:
        self._x = x
        self._index, self._arrays = split_index(x.shape, index)

    def set(self, value: Any) -> Tensor:
        """Return a copy of the tensor with `value` here.

        Parameters
        ----------
        value : Tensor or array_like
            Broadcast to the shape of the place.

        Returns
        -------
        Tensor

        Notes
        -----
        Where an index names an element twice the last writer wins, and has the gradient. The
        elements overwritten have none.
        """
        return _gather.index_set(self._x, value, *self._arrays, index=self._index)

    def add(self, value: Any) -> Tensor:
        """Return a copy of the tensor with `value` added here.

        Parameters
        ----------
        value : Tensor or array_like
            Broadcast to the shape of the place.

        Returns
        -------
        Tensor

        Notes
        -----
        Where an index names an element twice both values are added, and both have the gradient.
        """
        x, index, arrays = self._x, self._index, self._arrays
        shapes = [np.shape(array) for array in arrays]
        region = _gather.indexed_shape(x.shape, shapes, index)
        if not isinstance(value, Tensor):  # a Python number takes the tensor's dtype
            raw = as_array(value, "at.add")
            value = np.asarray(raw, np.result_type(x._data, raw))
        values = broadcast_to(value, region)
        return x + _gather.scatter(values, *arrays, shape=x.shape, index=index)


# --- reading by number -----------------------------------------------------------------------


@serves(np.take)
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Read elements by number, along an axis.

    Parameters
    ----------
    x : Tensor or array_like
    indices : Tensor or array_like of int
        May be computed from draws.
    axis : int, optional
        None reads from the flattened `x`.

    Returns
    -------
    Tensor
        With the axis replaced by the axes of `indices`.

    Raises
    ------
    DTypeError
        If the indices are not integers.
    ShapeError
        If the axis, or an element, is not there.

    Notes
    -----
    Gradient: to the elements read, once for every time; none to `indices`, which are a jump.

    Examples
    --------
    >>> import scg
    >>> scg.take([[1.0, 2.0], [3.0, 4.0]], [1, 0, 1], axis=1)
    Tensor([[2., 1., 2.],
            [4., 3., 4.]])
    """
    x = flatten(x) if axis is None else as_tensor(x)
    axis = axis or 0
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"scg.take: axis {axis} does not fit shape {x.shape}")
    if not isinstance(indices, Tensor):
        indices = np.asarray(as_array(indices, "take"))
    if indices.dtype.kind not in "iu":
        if indices.size:
            raise DTypeError(f"scg.take: indices of dtype {indices.dtype}; use integers")
        indices = indices.astype(np.intp)  # an empty list
    return _gather.getitem(x, indices, index=along(axis, x.ndim, ARRAY))


# --- one-hot ---------------------------------------------------------------------------------


def _one_hot_cases(rng: np.random.Generator, dtype: DType) -> Iterable[Case]:
    for shape in ((), (4,), (2, 3), (0,)):
        yield (rng.integers(0, 3, shape),), {"num_classes": 3, "dtype": dtype}


@op(
    shape=lambda x, num_classes, dtype: (*x, num_classes), smooth=JUMP, sign=NONNEGATIVE,
    axes=lambda shapes, out, **_: [tuple(Along(i) for i in range(len(shapes[0])))],
    reference=lambda i, num_classes, dtype: np.eye(num_classes)[i], samples=Samples(_one_hot_cases),
)  # fmt: skip
def one_hot(indices: Any, /, num_classes: int, dtype: Any = np.float64) -> Any:
    """Write each index as a vector that is 1 at the index and 0 elsewhere.

    Parameters
    ----------
    indices : Tensor or array_like of int
        From 0 to `num_classes - 1`.
    num_classes : int
        Length of the vectors.
    dtype : dtype
        Of the result.

    Returns
    -------
    Tensor, shape (*indices.shape, num_classes)

    Raises
    ------
    DTypeError
        If the indices are not integers.
    ShapeError
        If an index is out of range.

    Notes
    -----
    No gradient: an index is a jump.

    Examples
    --------
    >>> import scg
    >>> scg.one_hot([2, 0], 3)
    Tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    given = np.asarray(indices)
    if given.dtype.kind not in "iu" and given.size:
        raise DTypeError(f"scg.one_hot: indices of dtype {given.dtype}; use integers")
    if given.size and not 0 <= given.min() <= given.max() < num_classes:
        raise ShapeError(
            f"scg.one_hot: indices go from {given.min()} to {given.max()}, but must lie between 0 "
            f"and {num_classes - 1}"
        )
    return (given[..., None] == np.arange(num_classes)).astype(dtype)
