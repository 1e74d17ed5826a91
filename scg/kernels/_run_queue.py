"""Who wants the cores: what Linux tells of its run queue; elsewhere nobody is seen."""

from __future__ import annotations

import contextlib
import os

__all__ = ["others_running"]


def others_running() -> int:
    """Return how many threads of other programs want a core now."""
    try:
        with open("/proc/loadavg", "rb") as file:  # noqa: PTH123 - a Path costs as much again
            running = int(file.read().split()[3].split(b"/")[0])
        return max(running - _own_running(), 0) if running > 1 else 0
    except (OSError, ValueError, IndexError):
        return 0


def _own_running() -> int:
    """Return how many threads of this process want a core.

    The threading layer's threads look for work for milliseconds after a region. Taken for others,
    they would make every second stretch of a training run go on alone.
    """
    running = 0
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - as above
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),  # it has ended since
            open(f"/proc/self/task/{thread}/stat", "rb") as file,  # noqa: PTH123
        ):
            running += file.read().rpartition(b")")[2].split()[0] == b"R"
    return running
