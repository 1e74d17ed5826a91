"""Sides in processes of their own, of which one at a time is active.

The threads of a library go on spinning for a while after a call and would take the cores from the
next one. So each side lives in a worker process that sleeps on its pipe until it is told to run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PAUSE = 0.05  # seconds: the threads of the side before have gone to sleep by then


@dataclass(frozen=True)
class Side:
    """A library, and the name of the functions that build its programs."""

    library: str
    builder: str


SIDES = {
    "scg": Side("scg", "in_scg"),
    "scg eager": Side("scg", "in_scg_eager"),
    "JAX": Side("jax", "in_jax"),
    "PyTorch": Side("torch", "in_torch"),
    "torch.compile": Side("torch", "in_torch_compiled"),
}


class Worker:
    """The near end of a process that holds one side.

    Attributes
    ----------
    about : dict
        What the side says of itself, or why it is `missing`.
    """

    def __init__(
        self, side: Side, module: str, options: Mapping[str, Any], **environment: str
    ) -> None:
        self._what = f"{side.builder} of {module}"
        script = Path(__file__).with_name("_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), side.library, module, side.builder, json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment,
        )  # fmt: skip
        self.about: dict[str, Any] = self._answer()
        self.missing: str | None = self.about.get("missing")

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._what} ended; its error stands above")
        return json.loads(line)

    def _ask(self, **command: Any) -> Any:
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return self._answer()

    def seconds(self, window: float) -> float:
        """Let the side run for a while; return the median seconds of a step."""
        time.sleep(PAUSE)
        return float(self._ask(window=window))

    def memory(self, steps: int) -> dict[str, int] | None:
        """Let the side do so many steps; return its bytes then and at the peak."""
        return self._ask(steps=steps)

    def close(self) -> None:
        self._process.communicate()  # closes its input, which ends it


@contextmanager
def workers(
    module: str, options: Mapping[str, Any], names: Iterator[str] = SIDES
) -> Iterator[dict[str, Worker]]:
    """Start a worker for each side that a module of steps has, and end them all."""
    here = import_module(module)
    started: dict[str, Worker] = {}
    try:
        for name in names:
            if hasattr(here, SIDES[name].builder):
                started[name] = Worker(SIDES[name], module, options)
        yield started
    finally:
        for worker in started.values():
            worker.close()


@contextmanager
def load(wanted: bool = True) -> Iterator[None]:
    """Keep one core busy with another process."""
    if not wanted:
        yield
        return
    # It ends with this process, even one that was killed.
    code = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    burner = subprocess.Popen([sys.executable, "-c", code])
    try:
        time.sleep(PAUSE)
        yield
    finally:
        burner.kill()
        burner.wait()


def take_turns(sides: Mapping[str, Worker], rounds: int, window: float) -> dict[str, list[float]]:
    """Return the seconds of a step of each side in each round; who begins changes by the round."""
    names = [name for name, worker in sides.items() if not worker.missing]
    times: dict[str, list[float]] = {name: [] for name in names}
    for index in range(rounds):
        first = index % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(sides[name].seconds(window))
    return times
