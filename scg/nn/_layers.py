"""Layers that map vectors to vectors, and their composition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from scg import ops
from scg._tensor import Tensor, as_tensor, parameter
from scg.errors import OptionError, ShapeError
from scg.nn._init import float_dtype, weights, whole
from scg.nn._module import Module
from scg.noise import as_source

__all__ = ["MLP", "Linear", "Sequential"]

Layer: TypeAlias = Callable[[Any], Any]

# The initial weights that keep the variance from layer to layer under each activation.
_ACTIVATIONS = {
    "tanh": "glorot", "sigmoid": "glorot", "softplus": "glorot", "relu": "he", "leaky_relu": "he",
    "elu": "he", "gelu": "he", "silu": "he", "selu": "lecun",
}  # fmt: skip


class Linear(Module):
    """The affine map `x @ weight + bias`.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of the input and of the output.
    bias : bool
        Whether to add one; it starts at zero.
    rng : int, numpy.random.Generator or Source, optional
        For the initial weights; None means the generator that `scg.seed` seeds.
    dtype : dtype
        float32 or float64.
    init : {"glorot", "he", "lecun", "normal"}
        Glorot's uniform weights, or normal ones of variance `2 / in_features`,
        `1 / in_features`, or 0.01 squared.

    Attributes
    ----------
    weight : Tensor, shape (in_features, out_features)
    bias : Tensor, shape (out_features,), or None

    Raises
    ------
    OptionError
        If a size is not a whole number from 1, or `init` or `rng` is unknown.
    DTypeError
        If `dtype` cannot be trained.

    Examples
    --------
    >>> import numpy as np, scg
    >>> layer = scg.nn.Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, rng: Any = None,
        dtype: Any = np.float32, init: str = "glorot",
    ) -> None:  # fmt: skip
        whole("Linear", in_features=in_features, out_features=out_features)
        shape, dtype = (int(in_features), int(out_features)), float_dtype("Linear", dtype)
        self.weight = parameter(weights("Linear", init, shape, *shape, as_source(rng), dtype))
        self.bias = parameter(np.zeros(shape[1], dtype)) if bias else None

    def __call__(self, x: Any) -> Tensor:
        """Map the last axis of `x`, shape (..., in_features) or (in_features,)."""
        x = as_tensor(x)
        if x._data.shape[-1:] != self.weight._data.shape[:1]:
            raise ShapeError(
                f"{self._where()}: the input has shape {x.shape}; its last axis must have size "
                f"{self.weight.shape[0]}"
            )
        if self.bias is None:
            return ops.matmul(x, self.weight)
        return ops.linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        rows, columns = self.weight.shape
        return f"Linear({rows}, {columns}{'' if self.bias is not None else ', bias=False'})"


class Sequential(Module):
    """Layers and functions, each applied to the result of the one before.

    Parameters
    ----------
    *layers : callable
        Modules, or functions such as `scg.tanh`.

    Raises
    ------
    OptionError
        If a layer cannot be called.

    Examples
    --------
    >>> import numpy as np, scg
    >>> net = scg.nn.Sequential(scg.nn.Linear(3, 2, rng=0), scg.tanh, scg.nn.Linear(2, 1, rng=1))
    >>> list(net.named_parameters())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *layers: Layer) -> None:
        for index, layer in enumerate(layers):
            if not callable(layer):
                raise OptionError(
                    f"{type(self).__name__}: layer {index} is {layer!r}, which cannot be called; "
                    "pass modules and functions, not a list of them"
                )
        self.layers = layers

    def _members(self) -> Iterable[tuple[Any, Any]]:
        """Return the layers under their numbers, without an attribute's name before them."""
        others = ((k, v) for k, v in vars(self).items() if k != "layers")
        return [*enumerate(self.layers), *others]

    def __call__(self, x: Any) -> Any:
        """Apply the layers in order."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        inner = ", ".join(getattr(layer, "__name__", None) or repr(layer) for layer in self.layers)
        return f"{type(self).__name__}({inner})"


class MLP(Sequential):
    """A multilayer perceptron: linear layers with an activation between them.

    Parameters
    ----------
    sizes : sequence of int
        Of the input, the hidden layers and the output.
    activation : str or callable
        Between the layers, by its name in `scg` ("tanh", "relu", ...) or as a function.
    rng : int, numpy.random.Generator or Source, optional
        For the initial weights; None means the generator that `scg.seed` seeds.
    dtype : dtype
        float32 or float64.
    final : str or callable, optional
        Applied to the output.
    init : str, optional
        As in `Linear`. By default what suits the activation: "he" for relu and its relatives,
        "lecun" for selu, "glorot" for all else.

    Raises
    ------
    OptionError
        If there are fewer than two sizes, or an option is unknown.

    Examples
    --------
    >>> import numpy as np, scg
    >>> net = scg.nn.MLP([784, 200, 10], activation="tanh", rng=0)
    >>> net
    MLP(Linear(784, 200), tanh, Linear(200, 10))
    >>> net(np.zeros((32, 784), np.float32)).shape
    (32, 10)
    """

    def __init__(
        self, sizes: Sequence[int], *, activation: str | Layer = "tanh", rng: Any = None,
        dtype: Any = np.float32, final: str | Layer | None = None, init: str | None = None,
    ) -> None:  # fmt: skip
        if len(sizes) < 2:
            raise OptionError(f"MLP: sizes={list(sizes)} needs at least an input and an output")
        between = _function("activation", activation)
        init = init or (_ACTIVATIONS[activation] if isinstance(activation, str) else "glorot")
        source = as_source(rng)  # once, or an int would give every layer the same noise
        layers: list[Layer] = []
        for rows, columns in pairwise(sizes):
            layers += [Linear(rows, columns, rng=source, dtype=dtype, init=init), between]
        layers[-1:] = [] if final is None else [_function("final", final)]
        super().__init__(*layers)


def _function(option: str, value: str | Layer) -> Layer:
    """Return the function that an option names."""
    if callable(value):
        return value
    # Only the names above: `activation="sum"` is a function of scg too, but not an activation.
    known = {name: getattr(ops, name) for name in _ACTIVATIONS if hasattr(ops, name)}
    if value not in known:
        raise OptionError(
            f"MLP: {option}={value!r} is unknown; choose one of {', '.join(known)}, or pass a "
            "function"
        )
    return known[value]  # type: ignore[no-any-return]
