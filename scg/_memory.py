"""How much memory is left: what cannot fit is refused beforehand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scg.errors import OutOfMemoryError

__all__ = ["available_memory", "require_memory"]

_WORTH_ASKING = 2**28  # bytes; for less, the question costs more than it can save
_MEMINFO = Path("/proc/meminfo")
_LIMITS = (  # of a container, in the second and the first version of control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def require_memory(who: str, what: str, need: int) -> None:
    """Refuse what the memory has no room for.

    Linux promises memory that it does not have, and kills the program that then uses it; so NumPy
    raises nothing, and a sentence has to be said before.

    Parameters
    ----------
    who, what : str
        Who asks, and for what, for the message.
    need : int
        Bytes.

    Raises
    ------
    OutOfMemoryError
        If more is needed than is available.

    Examples
    --------
    >>> require_memory("Linear", "its weights", 2**62)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    scg.errors.OutOfMemoryError: Linear: its weights need 4611686018.4 GB of memory, and ... GB are
    available; choose smaller sizes
    """
    if need < _WORTH_ASKING:
        return
    room = available_memory()
    if room is not None and need > room:
        raise OutOfMemoryError(
            f"{who}: {what} need {need / 1e9:.1f} GB of memory, and {room / 1e9:.1f} GB are "
            "available; choose smaller sizes"
        )


def available_memory() -> int | None:
    """Return how many bytes can be had at most, or None where the system does not say.

    Swap counts: what only fits with it is slow, but possible. Where Linux's figures are missing it
    is the memory of the whole machine; Windows promises no more than it has and needs no check.
    """
    return min(_bounds(), default=None)


def _bounds() -> Iterator[int]:
    rows = dict(row.split(":") for row in _content(_MEMINFO).splitlines())
    if "MemAvailable" in rows:
        found = (rows.get(name, "0 kB").split()[0] for name in ("MemAvailable", "SwapFree"))
        yield 1024 * sum(map(int, found))
    elif hasattr(os, "sysconf"):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _LIMITS:
        text = _content(path).strip()
        if text.isdecimal():  # and not "max"
            yield int(text)


def _content(path: Path) -> str:
    """Return a file's text, or nothing where the system has no such file or hides it."""
    try:
        return path.read_text()
    except OSError:
        return ""
