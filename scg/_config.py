"""Settings that come from the environment: where files live, how many threads run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scg.errors import OptionError

__all__ = ["cache_dir", "data_dir", "num_threads", "yields"]


def cache_dir() -> Path:
    """Return the user's cache folder of scg: `SCG_CACHE_DIR`, else the platform's own place."""
    chosen = os.environ.get("SCG_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return _platform_cache() / "scg"


def _platform_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def data_dir() -> Path | None:
    """Return the folder that `SCG_DATA` names, or None when it is not set."""
    chosen = os.environ.get("SCG_DATA")
    return Path(chosen).expanduser() if chosen else None


def num_threads(available: int) -> int:
    """Return the number of threads kernels may use: `SCG_NUM_THREADS`, at most `available`."""
    chosen = os.environ.get("SCG_NUM_THREADS", "")
    if not chosen:
        return available
    if not chosen.isdigit() or int(chosen) < 1:
        raise OptionError(
            f"SCG_NUM_THREADS is {chosen!r}; set it to a whole number of at least 1, or unset it"
        )
    return min(int(chosen), available)


def yields() -> bool:
    """Tell whether kernels use one thread while other programs want the cores.

    They do unless `SCG_YIELD` is 0, which suits a machine of one's own.
    """
    return os.environ.get("SCG_YIELD", "1") != "0"
