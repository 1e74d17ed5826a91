"""Tasks in other processes: the cache on disk, thread counts, calling threads, forks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHAIN = """
import numpy as np
from scg.kernels.execute import Line, Schedule
from scg.kernels.machine import task
from scg.kernels.simd import exp_f64
from scg.kernels.simd_memory import load_f64, load_i64, store_f64

@task
def follow(begin, end, row):
    source, target, size = load_i64(row, 0), load_i64(row, 1), load_i64(row, 2)
    for i in range(begin, end):
        store_f64(target, i, exp_f64(-load_f64(source, (i + 1) % size)))

def run(size=1000, lines=50):
    x, y = np.linspace(-1, 1, size), np.zeros(size)
    places = x.ctypes.data, y.ctypes.data
    rows = [[*places[:: 1 - 2 * (i % 2)], size] for i in range(lines)]
    Schedule(Line(follow, row, size, 90) for row in rows).run()
    return x.tobytes()
"""
LOADED = (
    CHAIN
    + """
from scg.kernels import task_code
written = []
module_of = task_code.module_of
task_code.module_of = lambda *args: written.append(args[0].__name__) or module_of(*args)
run()
print(*written)
"""
)
DIGEST = (
    CHAIN
    + """
import hashlib
print(hashlib.sha256(run()).hexdigest())
"""
)
FROM_THREADS = (
    CHAIN
    + """
import os, threading, warnings
wanted, wrong = run(), []
def work():
    wrong.extend(1 for _ in range(100) if run() != wanted)
workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert not wrong
warnings.simplefilter("ignore", DeprecationWarning)  # fork in a process that has threads
child = os.fork()
if child == 0:
    os._exit(0 if run() == wanted else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert run() == wanted
"""
)


def check(program, folder, package=ROOT, **environment):
    """Run a program in a fresh interpreter, from a file as tasks must be, and return its output."""
    file = folder / "program.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(file)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(package), "SCG_CACHE_DIR": str(folder / "cache"),
             "SCG_YIELD": "0", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_thread_and_several_agree_bitwise(tmp_path):
    """Also more threads than cores, where a member may have to do the work of one that waits."""
    digests = {
        check(DIGEST, tmp_path, SCG_NUM_THREADS=str(n), NUMBA_NUM_THREADS="4") for n in (1, 2, 4)
    }
    assert len(digests) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is a POSIX call")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_several_calling_threads_and_a_fork(tmp_path, layer):
    check(FROM_THREADS, tmp_path, NUMBA_NUM_THREADS="2", NUMBA_THREADING_LAYER=layer)


def test_other_thread_settings_change_nothing(tmp_path):
    wanted = check(DIGEST, tmp_path)
    assert check(DIGEST, tmp_path, OMP_NUM_THREADS="1") == wanted


def test_a_second_process_loads_the_task(tmp_path):
    assert "follow" in check(LOADED, tmp_path)
    assert check(LOADED, tmp_path) == ""


def test_a_changed_callee_in_another_file_is_noticed(tmp_path):
    package = tmp_path / "copy"
    shutil.copytree(ROOT / "scg", package / "scg", ignore=shutil.ignore_patterns("__pycache__"))
    before = check(DIGEST, tmp_path, package)
    simd = package / "scg" / "kernels" / "simd.py"
    simd.write_text(
        simd.read_text().replace("exp_f64,\n    expm1_f32", "expm1_f64 as exp_f64,\n    expm1_f32")
    )
    assert check(DIGEST, tmp_path, package) != before
