"""Whether arrays are computed once only, so that no kernel is worth compiling for them.

The first call of a compiled step is traced, which is an ordinary run. Kernels for it, each a second
or so to compile, would be used this one time; NumPy does it instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["computed_once", "once"]

_once: ContextVar[bool] = ContextVar("scg_once", default=False)
once = _once.get


@contextmanager
def computed_once() -> Iterator[None]:
    """Leave sums, products, elementwise expressions and updates to NumPy within a `with` block."""
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)
