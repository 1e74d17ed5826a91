"""Where in the user's source something was done."""

from __future__ import annotations

from types import CodeType
from typing import NamedTuple

__all__ = ["Place"]


class Place(NamedTuple):
    """A position in the user's source: a code object and an instruction in it.

    Only the code object is held, never the frame, which would keep the user's locals alive.
    """

    code: CodeType
    instruction: int

    @property
    def line(self) -> int:
        """Return the line number, looked up only when somebody asks."""
        positions = list(self.code.co_positions())
        index = self.instruction // 2
        line = positions[index][0] if 0 <= index < len(positions) else None
        return line if line is not None else self.code.co_firstlineno

    def __str__(self) -> str:
        return f"{self.code.co_filename}:{self.line}"
