"""Ctrl-C during `import scg`, from a stub that raises what a signal would in the midst of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def python(tmp_path):
    """Return a function that runs a program beside a numba that raises at its import."""

    def run(program, raised):
        (tmp_path / "numba.py").write_text(f"raise {raised}\n")
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True,
        )  # fmt: skip

    return run


def test_an_interrupted_import_is_one_line(python):
    done = python("import scg", "KeyboardInterrupt")
    assert done.stderr == "Stopped while scg was being imported\n"
    assert done.returncode not in (0, 1)  # by the signal, or what Windows calls that


def test_other_errors_keep_their_traceback(python):
    done = python("import scg", "ImportError('broken')")
    assert done.stderr.startswith("Traceback") and done.stderr.endswith("broken\n")
    assert done.returncode == 1


def test_an_interrupt_that_was_caught_says_nothing(python):
    program = (
        "try:\n    import scg\nexcept KeyboardInterrupt:\n    print('caught')\n"
        "raise KeyboardInterrupt('later')"
    )
    done = python(program, "KeyboardInterrupt")
    assert done.stdout == "caught\n"
    assert done.stderr.startswith("Traceback") and "later" in done.stderr


def test_what_reported_before_reports_again():
    program = (
        "import sys\nmine = lambda *_: None\nsys.excepthook = mine\n"
        "import scg\nassert sys.excepthook is mine"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
