"""Where randomness comes from: every draw in the library asks a `Source` for its noise.

The default source wraps a NumPy Generator. Another source may replay recorded noise or enumerate
outcomes; distributions cannot tell the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from scg._typing import Array, DType, Shape
from scg.errors import OptionError

__all__ = ["GeneratorSource", "Source", "as_source", "default_rng", "seed", "using"]


class Source(Protocol):
    """What a distribution may ask for."""

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`, 1 with that probability, elementwise."""

    def categorical(self, probs: Array) -> Array:
        """Return an index into the last axis of `probs`, int64, with those probabilities."""


class GeneratorSource:
    """Independent noise from a NumPy Generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def normal(self, shape: Shape, dtype: DType) -> Array:
        """Return standard normal noise."""
        return np.asarray(self.rng.standard_normal(shape, dtype=dtype))

    def uniform(self, shape: Shape, dtype: DType) -> Array:
        """Return noise that is uniform on [0, 1)."""
        return np.asarray(self.rng.random(shape, dtype=dtype))

    def exponential(self, shape: Shape, dtype: DType) -> Array:
        """Return standard exponential noise."""
        return np.asarray(self.rng.standard_exponential(shape, dtype=dtype))

    def bernoulli(self, probs: Array) -> Array:
        """Return 0 or 1 of the dtype of `probs`.

        The uniform number is of the same dtype, so that probability 0 never and 1 always occurs.
        """
        return np.asarray(self.uniform(probs.shape, probs.dtype) < probs).astype(probs.dtype)

    def categorical(self, probs: Array) -> Array:
        """Return indices by inverting the cumulative sum along the last axis.

        Scaling the uniform number by the total, instead of trusting it to be 1, keeps rounding
        from ever choosing an index past the last one with positive probability.
        """
        total = np.cumsum(probs, axis=-1, dtype=np.float64)
        u = self.uniform(probs.shape[:-1], np.dtype(np.float64))[..., None] * total[..., -1:]
        return np.asarray(np.sum(u >= total, axis=-1, dtype=np.int64))


_default = np.random.default_rng()


def seed(value: int) -> None:
    """Seed the generator that draws use when no `rng=` is given.

    Parameters
    ----------
    value : int
        Non-negative.

    Examples
    --------
    >>> import scg
    >>> scg.seed(0)
    >>> a = scg.Normal(0.0, 1.0).sample()
    >>> scg.seed(0)
    >>> bool(a == scg.Normal(0.0, 1.0).sample())
    True
    """
    global _default
    _default = np.random.default_rng(value)


def default_rng() -> np.random.Generator:
    """Return the generator that draws use when no `rng=` is given."""
    return _default


_used: ContextVar[Source | None] = ContextVar("scg_noise", default=None)


@contextmanager
def using(source: Source) -> Iterator[None]:
    """Let draws without an `rng=` of their own ask `source`, inside a `with` block.

    One with a seed or a generator of its own is refused there: who installs a source wants to see
    every draw.
    """
    token = _used.set(source)
    try:
        yield
    finally:
        _used.reset(token)


def as_source(rng: Any) -> Source:
    """Return the noise source that an `rng=` argument means.

    Parameters
    ----------
    rng : None, int, numpy.random.Generator or Source
        None means the default generator; an int seeds a new one.

    Raises
    ------
    OptionError
        For anything else.
    """
    used = _used.get()
    if rng is None:
        return GeneratorSource(_default) if used is None else used
    if used is not None and isinstance(rng, np.random.Generator | int | np.integer):
        raise OptionError(
            f"rng={rng!r} hides a draw from the source of noise in use here (an exact expectation "
            "replays it, for instance); leave rng= out"
        )
    if isinstance(rng, np.random.Generator):
        return GeneratorSource(rng)
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return GeneratorSource(np.random.default_rng(int(rng)))
    if (
        hasattr(rng, "normal")
        and hasattr(rng, "categorical")
        and not isinstance(rng, np.random.RandomState)
    ):
        return rng  # type: ignore[no-any-return]
    raise OptionError(
        f"rng={rng!r} is not a source of noise; pass an int seed or numpy.random.default_rng(seed)"
    )
