"""The process of one side: `python _worker.py LIBRARY MODULE BUILDER OPTIONS`.

It builds a program, does a first step and says so; then it does what comes in, a line at a time.
Nothing but the side's own library is imported, or the threads of two would share the process.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

CHUNK = 0.02  # seconds: long against the clock's resolution, short against a window

Steps = Callable[[int], object]  # does so many steps, and returns when they are done


@dataclass(frozen=True)
class Program:
    """A side that is ready to run, and what it says of itself."""

    steps: Steps
    library: str  # name and version
    threads: int
    parameters: int
    traced: int = 0  # calls of a step before the one that is compiled


def timed(steps: Steps, count: int) -> float:
    start = time.perf_counter()
    steps(count)
    return (time.perf_counter() - start) / count


def turn(steps: Steps, window: float, chunk: float = CHUNK) -> float:
    """Run for so many seconds, in chunks; return the median seconds of a step."""
    count = 1
    for _ in range(2):  # the first calls pay for what the other sides' turns have cooled down
        count = max(1, round(min(chunk, window) / timed(steps, count)))
    times = []
    end = time.perf_counter() + window
    while not times or time.perf_counter() < end:
        times.append(timed(steps, count))
    return median(times)


def memory() -> dict[str, int] | None:
    """Return the bytes of this process now and at its peak, where Linux tells them."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {
        name: int(fields[key].split()[0]) * 1024
        for name, key in {"now": "VmRSS", "peak": "VmHWM"}.items()
    }


def prepared(library: str, module: str, builder: str, options: str) -> tuple[Steps, dict[str, Any]]:
    """Build a program and do its first steps; return it with what there is to say of it.

    "first" is the time of the first step and "native" that of those until one has run compiled,
    which the first one is for who compiles at once; "cpu" is what the process has used for all.
    """
    start = time.perf_counter()
    import_module(library)
    imported, held = time.perf_counter(), memory()
    program = getattr(import_module(module), builder)(**json.loads(options))
    built = time.perf_counter()
    program.steps(1)
    first = time.perf_counter()
    if program.traced:
        program.steps(program.traced)
    about = {
        "library": program.library, "threads": program.threads, "parameters": program.parameters,
        "import": imported - start, "build": built - imported,
        "first": first - built, "native": time.perf_counter() - first, "imported": held,
        "cpu": time.process_time(),
    }  # fmt: skip
    return program.steps, about


def obey(steps: Steps, command: Mapping[str, Any]) -> Any:
    if "window" in command:
        return turn(steps, command["window"])
    steps(command["steps"])
    return memory()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        steps, about = prepared(*sys.argv[1:])
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == sys.argv[1]
        if not absent:
            traceback.print_exc()
        answer({"missing": "not installed" if absent else "failed"})
        return
    answer(about)
    for line in sys.stdin:
        answer(obey(steps, json.loads(line)))


if __name__ == "__main__":
    main()
