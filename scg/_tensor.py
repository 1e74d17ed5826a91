"""The Tensor: a NumPy array with an optional place in a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np

from scg._arrays import as_array, at_a_line, read_only
from scg._operators import Operators
from scg._protocols import without_gradient
from scg._reads import note_read
from scg._recording import ACTIVE, reads, recorder
from scg._run import end_run, gradients_cleared
from scg._typing import Array, ArrayLike, DType, Shape
from scg._watch import watcher
from scg.errors import DTypeError, GradientError, ShapeError
from scg.tape import REQUIRES, Leaf, Node

__all__ = ["PARAMETERS", "Tensor", "as_array", "as_tensor", "parameter", "tensor"]

# The parameters there are, by their memory and by their leaf: a trace meets either alone.
PARAMETERS: WeakValueDictionary[int, Tensor] = WeakValueDictionary()


class Tensor(Operators):
    """An array that can remember how it was computed.

    Made by `scg.tensor`, `scg.parameter` and by every operation; not by calling the class.
    Operators, methods and NumPy functions on it are differentiable.

    Examples
    --------
    >>> import scg
    >>> x = scg.parameter([1.0, 2.0])
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_data", "_node")
    __array_priority__ = 1000

    # Filled by `scg.ops` and `scg._surrogate`, which this layer must not import.
    _functions: ClassVar[dict[Any, Callable[..., Any]]] = {}
    _backward: ClassVar[Callable[..., None]]

    def __init__(self, data: Array, node: Node | None = None) -> None:
        self._data = data
        self._node = node

    # --- description -----------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The sizes of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> DType:
        """The NumPy dtype."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can flow back through this tensor."""
        return self._node is not None and bool(self._node.flags & REQUIRES)

    @property
    def is_parameter(self) -> bool:
        """Whether this is a trainable leaf made by `scg.parameter`."""
        return isinstance(self._node, Leaf)

    @property
    def name(self) -> str | None:
        """The parameter's name, if it has one."""
        return self._node.label if isinstance(self._node, Leaf) else None

    @property
    def grad(self) -> Any:
        """What `backward` accumulated, a read-only array (a tensor if compiled), or None."""
        leaf = self._node
        if not isinstance(leaf, Leaf):
            return None
        if ACTIVE and (here := recorder()) is not None:
            return here.gradient(leaf)
        return None if leaf.grad is None else read_only(leaf.grad)

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        leaf = self._leaf("set the gradient of")
        if ACTIVE and (here := recorder()) is not None:
            here.writes_gradient(leaf)
            array = (
                None if value is None else here.copied(as_tensor(value).astype(self.dtype)._data)
            )
        else:
            array = None if value is None else np.array(value, dtype=self.dtype)
        if array is not None and array.shape != self.shape:
            raise ShapeError(
                f"grad: a gradient of shape {array.shape} cannot belong to a parameter of shape "
                f"{self.shape}"
            )
        leaf.grad = array

    @property
    def tags(self) -> frozenset[Any]:
        """What is known of this gradient, or of a parameter's `.grad`: bias and order."""
        return frozenset() if self._node is None else self._node.tags

    @property
    def version(self) -> int:
        """How often this parameter was updated."""
        return self._leaf("ask for the version of").version

    def _leaf(self, action: str) -> Leaf:
        if not isinstance(self._node, Leaf):
            raise GradientError(f"cannot {action} a tensor that scg.parameter did not make")
        return self._node

    def __repr__(self) -> str:
        body = np.array2string(self._data, separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        kind = ", parameter" if self.is_parameter else ""
        return f"Tensor({body}{dtype}{kind})"

    def __format__(self, spec: str) -> str:
        return format(self._data[()], spec) if self.ndim == 0 and spec else repr(self)

    def __len__(self) -> int:
        if not self.shape:
            raise DTypeError("len() of a tensor with no axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise DTypeError("cannot iterate over a tensor with no axes")
        return (self[i] for i in range(self.shape[0]))

    __hash__ = object.__hash__

    # --- reading the raw value: every way out is an escape -----------------------------------

    def _escape(self, kind: str) -> Array:
        if ACTIVE:
            reads(self._data, kind)
        if self._node is not None:
            note_read(self._node, kind)
            if (watch := watcher.get()) is not None:
                watch.saw_read(kind, self._data)
        return self._data

    def numpy(self) -> Array:
        """Return the value as a read-only view. On a random value this counts as an escape."""
        return read_only(self._escape("numpy"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        data = self._escape("__array__")
        if copy is False and dtype is not None and np.dtype(dtype) != data.dtype:
            raise ValueError("a cast needs a copy")
        return np.array(data, dtype=dtype) if copy is not False else read_only(data)

    def __dlpack__(self, **options: Any) -> Any:
        return self._escape("__dlpack__").copy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def item(self, *index: int) -> Any:
        """Return one element as a Python number. On a random value this counts as an escape."""
        return self._escape("item").item(*index) if index else self._scalar("item")

    def tolist(self) -> Any:
        """Return nested lists. On a random value this counts as an escape."""
        return self._escape("tolist").tolist()

    def _scalar(self, kind: str) -> Any:
        if self.size != 1:
            raise ShapeError(
                f"{kind}() of a tensor of shape {self.shape}: only one element has a single value"
            )
        return self._escape(kind).reshape(()).item()

    def __bool__(self) -> bool:
        return bool(self._scalar("bool"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._scalar("round"), digits)

    def __trunc__(self) -> int:
        return int(self._scalar("trunc"))

    def __floor__(self) -> int:
        whole: int = math.floor(self._scalar("floor"))
        return whole

    def __ceil__(self) -> int:
        whole: int = math.ceil(self._scalar("ceil"))
        return whole

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"a tensor of dtype {self.dtype} cannot be used as an index")
        return int(self._scalar("index"))

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self._rebuild(self._escape("copy").copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self._escape("pickle").copy(), self.is_parameter, self.name)

    def _rebuild(self, data: Array) -> Tensor:
        return _unpickle(data, self.is_parameter, self.name)

    # --- gradients ---------------------------------------------------------------------------

    def backward(
        self, gradient: ArrayLike | None = None, *, of: str = "expectation", retain: bool = False
    ) -> None:
        """Add the gradient of the expected value of this tensor to every parameter's `.grad`.

        Parameters
        ----------
        gradient : array_like, optional
            Weight of each element; an array without it means its sum.
        of : {"expectation", "value"}
            The gradient of the expectation over all draws (the default), or of the recorded value
            with every draw held as it is.
        retain : bool
            Keep the residuals for another backward.

        Raises
        ------
        BiasedGradientError
            If no unbiased gradient can be formed.
        GradientError
            If nothing trainable is upstream, or an earlier backward freed the residuals.

        Examples
        --------
        >>> import scg
        >>> x = scg.parameter(3.0)
        >>> (x ** 2).backward()
        >>> float(x.grad)
        6.0
        """
        Tensor._backward(self, gradient, of=of, retain=retain)

    def zero_grad(self) -> None:
        """Forget this parameter's gradient; ends the run, if no draws of it await backward."""
        self._leaf("zero the gradient of").forget()
        gradients_cleared()

    def assign(self, value: ArrayLike) -> None:
        """Overwrite this parameter's value and end the run; a pending backward refuses."""
        leaf = self._leaf("assign to")
        if ACTIVE and (here := recorder()) is not None:
            here.refuse("assign")
        array = np.asarray(value._data if isinstance(value, Tensor) else value)
        if array.shape != self.shape:
            raise ShapeError(f"assign: shape {array.shape} does not fit parameter {self.shape}")
        self._data[...] = array
        leaf.note_update()
        end_run(updated=True)

    # --- NumPy protocols ---------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = self._functions.get(ufunc)
        if method == "__call__" and function is not None and not kwargs:
            return function(*inputs)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return without_gradient(name, ufunc if method == "__call__" else getattr(ufunc, method),
                                inputs, kwargs)  # fmt: skip

    def __array_function__(self, func: Any, kinds: Any, args: Any, kwargs: Any) -> Any:
        function = self._functions.get(func)
        if function is not None and "out" not in kwargs:
            return function(*args, **kwargs)
        return without_gradient(func.__name__, func, args, kwargs)


def _unpickle(data: Array, is_parameter: bool, name: str | None) -> Tensor:
    return _trainable(data, name) if is_parameter else Tensor(data)


def _trainable(data: Array, name: str | None) -> Tensor:
    data, leaf = at_a_line(data), Leaf(data.shape, data.dtype, name)
    made = PARAMETERS[id(data)] = PARAMETERS[id(leaf)] = Tensor(data, leaf)
    return made


def tensor(value: ArrayLike | Tensor, dtype: Any = None, *, copy: bool = True) -> Tensor:
    """Make a constant tensor.

    Parameters
    ----------
    value : array_like or Tensor
        Numbers, nested lists or an array. A foreign array is copied, so that nobody else can
        change it; a tensor is returned as it is, or cast.
    dtype : dtype, optional
        As in NumPy; None keeps the value's own, Python floats being float64.
    copy : bool
        False shares the memory of a foreign array; the caller promises not to write to it.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import scg
    >>> scg.tensor([1, 2, 3])
    Tensor([1, 2, 3], dtype=int64)
    """
    if isinstance(value, Tensor):
        return value if dtype is None or value.dtype == dtype else value.astype(dtype)
    array = as_array(value)
    if ACTIVE:
        reads(array, "copy")
    return Tensor(np.array(array, dtype=dtype) if copy else np.asarray(array, dtype=dtype))


def as_tensor(value: Any) -> Tensor:
    """Return `value` as a tensor, copying only what is not one yet.

    Examples
    --------
    >>> import scg
    >>> scg.as_tensor(1.5)
    Tensor(1.5)
    """
    return value if isinstance(value, Tensor) else tensor(value)


def parameter(value: ArrayLike | Tensor, dtype: Any = None, *, name: str | None = None) -> Tensor:
    """Make a trainable leaf.

    Parameters
    ----------
    value : array_like
        The initial value, always copied. Integers become float64.
    dtype : dtype, optional
        A floating-point dtype.
    name : str, optional
        Shown in errors and pictures.

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If `dtype` is not a floating-point dtype.

    Examples
    --------
    >>> import scg
    >>> scg.parameter([1.0, 2.0], name="w")
    Tensor([1., 2.], parameter)
    """
    # A parameter made from a draw starts afresh, and what the draw depends on loses its gradient.
    raw = as_array(value._escape("parameter") if isinstance(value, Tensor) else value, "parameter")
    data = np.array(raw, dtype=dtype, order="C")
    if dtype is None and data.dtype.kind != "f":
        data = data.astype(np.float64)
    if data.dtype not in (np.float32, np.float64):
        raise DTypeError(
            f"scg.parameter: dtype {data.dtype} cannot be trained; use float32 or float64"
        )
    return _trainable(data, name)
