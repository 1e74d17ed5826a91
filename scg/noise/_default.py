"""Which source of noise an `rng=` argument means, and the one that is used without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from scg._recording import recorder
from scg.errors import OptionError
from scg.noise._recorded import HostedSource, RecordedSource
from scg.noise._source import GeneratorSource, Source

__all__ = ["as_generator", "as_source", "default_rng", "in_use", "seed", "using"]


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


def in_use() -> bool:
    """Tell whether a source is installed here."""
    return _used.get() is not None


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
        return _asking(_default, rng) if used is None else followed(used)
    if used is not None and isinstance(rng, np.random.Generator | int | np.integer):
        raise OptionError(
            f"rng={rng!r} hides a draw from the source of noise in use here (an exact expectation "
            "replays it, for instance); leave rng= out"
        )
    if isinstance(rng, np.random.Generator):
        return _asking(rng, rng)
    if (
        hasattr(rng, "normal")
        and hasattr(rng, "categorical")
        and not isinstance(rng, np.random.RandomState)
    ):
        return followed(rng)
    return _asking(as_generator(rng), rng)


def _asking(generator: np.random.Generator, rng: Any) -> Source:
    """Return the source that asks a generator, and writes down what for where that is recorded."""
    here = recorder()
    return GeneratorSource(generator) if here is None else RecordedSource(generator, rng, here)


def followed(source: Any) -> Source:
    """Return a source itself, or while a step is traced one that writes down what it gives."""
    here = recorder()
    if here is None or isinstance(source, RecordedSource | HostedSource):
        return source  # type: ignore[no-any-return]
    return HostedSource(source, here)  # type: ignore[return-value]


def as_generator(rng: Any) -> np.random.Generator:
    """Return the generator that an `rng=` argument other than a source means."""
    if rng is None:
        return _default
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.random.default_rng(int(rng))
    raise OptionError(
        f"rng={rng!r} is not a source of noise; pass an int seed or numpy.random.default_rng(seed)"
    )
