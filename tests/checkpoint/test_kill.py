"""A process killed while it saves leaves the old checkpoint or the new one, whole."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from scg import checkpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "last.safetensors"


SAVES_FOREVER = """
import os, sys, time
from pathlib import Path
import numpy as np
from scg import checkpoint

path, stage = Path(sys.argv[1]), sys.argv[2]

def stop(*_):
    print("here", flush=True)
    time.sleep(600)

def save(step):
    checkpoint.save(path, {"a": np.full(200_000, step), "b": np.full(3, step)}, {"step": step})

save(1)
if stage == "before fsync":
    os.fsync = stop
elif stage == "before rename":
    Path.replace = stop
elif stage == "after rename":
    rename = Path.replace
    Path.replace = lambda *names: (rename(*names), stop())
else:
    print("here", flush=True)
step = 2
while True:
    save(step)
    step += 1
"""


def killed(path: Path, stage: str, seconds: float) -> int:
    """Kill a process that saves, and return the step of the checkpoint that it leaves."""
    with subprocess.Popen(
        [sys.executable, "-c", SAVES_FOREVER, path, stage], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        time.sleep(seconds)
        process.kill()
    arrays, state = checkpoint.load(path)
    assert arrays["a"].shape == (200_000,) and arrays["b"].shape == (3,)
    assert (arrays["a"] == state["step"]).all() and (arrays["b"] == state["step"]).all()
    return state["step"]


@pytest.mark.parametrize(
    ("stage", "step"), [("before fsync", 1), ("before rename", 1), ("after rename", 2)]
)
def test_a_kill_leaves_the_old_one_or_the_new(path: Path, stage: str, step: int) -> None:
    assert killed(path, stage, 0) == step


@pytest.mark.parametrize("milliseconds", [1, 7, 30])
def test_a_kill_at_any_moment_leaves_one_of_them(path: Path, milliseconds: int) -> None:
    assert killed(path, "any", milliseconds / 1000) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", range(40))
def test_a_kill_at_many_moments_leaves_one_of_them(path: Path, milliseconds: int) -> None:
    assert killed(path, "any", milliseconds / 1000) >= 1
