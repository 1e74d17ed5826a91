"""Ctrl-C while a script imports scg: one line, as later in its run.

The import takes the better part of a second, many when the disk is cold, and a traceback through
the machinery of imports tells a person nothing. Importing this module, before all else, makes
Python report such an interrupt in one line; `imported` ends that. The exception itself is left
alone: who catches it does, and the status of the program is what Python makes it.
"""

from __future__ import annotations

import sys  # and little more, since nothing watches over the imports of this file
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
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__name__") == "scg" and frame.f_code.co_name == "<module>":
            return True
        trace = trace.tb_next
    return False


sys.excepthook = _report
