"""Hypothesis strategies: parameters, distributions and graphs to test programs with.

Needs hypothesis, which the extra `test` installs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scg import distributions as families
from scg import ops
from scg._tensor import Tensor
from scg._typing import Array
from scg.distributions import Distribution
from scg.errors import OptionError

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise OptionError(
        'scg.testing.strategies needs hypothesis; install it with pip install "scg[test]"'
    ) from error

__all__ = ["distributions", "graphs", "parameters"]

# Of each family of single numbers, the interval of every parameter, in order.
_FAMILIES: tuple[tuple[Callable[..., Distribution], tuple[tuple[float, float], ...]], ...] = (
    (families.Normal, ((-1.5, 1.5), (0.4, 1.5))),
    (lambda low, width: families.Uniform(low, low + width), ((-1.5, 1.5), (0.4, 1.5))),
    (families.Exponential, ((0.4, 2.0),)),
    (families.Gamma, ((0.6, 3.0), (0.5, 2.0))),
    (lambda logits: families.Bernoulli(logits=logits), ((-1.5, 1.5),)),
    (families.Poisson, ((0.4, 3.0),)),
    (lambda probs: families.Binomial(3, probs), ((0.2, 0.8),)),
    (families.Geometric, ((0.3, 0.8),)),
)
_SMOOTH = (ops.tanh, ops.sin, ops.sigmoid, ops.square)
_BINARY = (ops.add, ops.subtract, ops.multiply)


def parameters(
    low: float = -1.5, high: float = 1.5, *, shape: tuple[int, ...] | None = None
) -> st.SearchStrategy[Array]:
    """Draw float64 arrays of moderate numbers, at which a program may be checked.

    Parameters
    ----------
    low, high : float
        Interval of the elements.
    shape : tuple of int, optional
        None draws one of at most two axes of at most three elements.

    Examples
    --------
    >>> import hypothesis
    >>> @hypothesis.given(parameters(0.1, 0.9, shape=(2,)))
    ... def check(p):
    ...     assert p.shape == (2,) and 0.1 <= p.min()
    >>> check()
    """
    shapes = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3) if shape is None else shape
    return hnp.arrays(np.float64, shapes, elements=st.floats(low, high, allow_subnormal=False))


@st.composite
def distributions(
    draw: st.DrawFn, *, continuous: bool | None = None
) -> tuple[Callable[..., Distribution], tuple[float, ...]]:
    """Draw a family of single numbers and parameters: `(make, values)`.

    Parameters
    ----------
    continuous : bool, optional
        Only families that have a density, or only those that have none.

    Examples
    --------
    >>> import hypothesis
    >>> @hypothesis.given(distributions(continuous=True))
    ... def check(drawn):
    ...     make, values = drawn
    ...     assert make(*values).continuous
    >>> check()
    """
    fitting = [
        (make, intervals) for make, intervals in _FAMILIES
        if continuous in (None, make(*(high for _, high in intervals)).continuous)
    ]  # fmt: skip
    make, intervals = draw(st.sampled_from(fitting))
    return make, tuple(draw(st.floats(a, b, allow_subnormal=False)) for a, b in intervals)


@st.composite
def graphs(draw: st.DrawFn, *, inputs: int = 2, size: int = 4) -> Callable[..., Tensor]:
    """Draw a smooth function of `inputs` tensors of one shape, made of `size` operations.

    Parameters
    ----------
    inputs, size : int
        How many tensors it takes and how many operations it makes; results are shared.

    Examples
    --------
    >>> import hypothesis
    >>> import scg
    >>> @hypothesis.given(graphs())
    ... def check(f):
    ...     scg.testing.check_grads(f, 0.3, -0.7)
    >>> check()
    """
    steps: list[tuple[Any, tuple[int, ...]]] = []
    for known in range(inputs, inputs + size):
        unary = draw(st.booleans())
        op = draw(st.sampled_from(_SMOOTH if unary else _BINARY))
        numbers = st.integers(0, known - 1)
        steps.append((op, tuple(draw(numbers) for _ in range(1 if unary else 2))))

    def graph(*tensors: Tensor) -> Tensor:
        values = list(tensors)
        for op, sources in steps:
            values.append(op(*(values[i] for i in sources)))
        return ops.tanh(0.3 * values[-1]) + 0.1 * values[0]

    return graph
