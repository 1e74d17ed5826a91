"""A place from which the discrete course of a program can be watched.

The graph does not say on which side of a jump or kink a value fell. `scg.testing` must know, to
integrate each smooth piece of a program by itself, and so it watches while a program runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from scg._typing import Array

if TYPE_CHECKING:
    from scg._op import Op

__all__ = ["Watcher", "watcher"]


class Watcher(Protocol):
    """Who looks on."""

    def saw_op(self, op: Op, y: Array, arrays: Sequence[Any], statics: Mapping[str, Any]) -> None:
        """Look at an op that is not smooth everywhere and that continuous noise reached."""

    def saw_read(self, kind: str, value: Array) -> None:
        """Look at a raw read of a tracked value: `kind` is `bool`, `int`, `float`, ..."""


watcher: ContextVar[Watcher | None] = ContextVar("scg_watcher", default=None)
