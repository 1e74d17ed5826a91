"""Ctrl-C while a script imports scg: one line, as later in its run.

The import takes the better part of a second, many when the disk is cold, and a traceback through
the machinery of imports tells a person nothing. Importing this module, before all else, makes
Python report such an interrupt in one line; `imported` ends that. The exception itself is left
alone: who catches it does, and the status of the program is what Python makes it.
"""

from __future__ import annotations

import sys
from traceback import walk_tb
from types import TracebackType

__all__ = ["imported"]

_before = sys.excepthook


def imported() -> None:
    """Report errors as before."""
    if sys.excepthook is _report:
        sys.excepthook = _before


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    imported()
    if kind is KeyboardInterrupt and _within_import(trace):
        print("Stopped while scg was being imported", file=sys.stderr)
    else:
        _before(kind, error, trace)


def _within_import(trace: TracebackType | None) -> bool:
    """Tell whether a traceback passes through the body of `scg/__init__.py`."""
    frames = (frame for frame, _ in walk_tb(trace))
    return any(
        f.f_globals.get("__name__") == "scg" and f.f_code.co_name == "<module>" for f in frames
    )


sys.excepthook = _report
