"""The compile cache and the threads: what must hold however processes and threads come and go."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from scg.kernels import _jit, _run_queue
from scg.kernels.generate import Expression, elementwise_kernel, vectorizable

ROOT = Path(__file__).parents[2]


def run(script, cache, package=ROOT, **environment):
    """Run a script in a fresh process and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True,
        timeout=300, cwd=package,  # else the checkout would come first on the path
        env={**os.environ, "PYTHONPATH": str(package), "SCG_CACHE_DIR": str(cache), **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


KERNEL = """
import numpy as np
from scg.kernels.generate import elementwise_kernel
f = elementwise_kernel("twice", ("x",), (), ("{expression}",), "float64")
out = np.empty(1)
f(np.array([3.0]), out)
print(out[0], sum(f.stats.cache_hits.values()))
"""


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    script = KERNEL.format(expression="2 * x")
    assert run(script, tmp_path) == ["6.0", "0"]
    assert run(script, tmp_path) == ["6.0", "1"]


def test_a_changed_expression_is_compiled_anew(tmp_path):
    run(KERNEL.format(expression="2 * x"), tmp_path)
    assert run(KERNEL.format(expression="3 * x"), tmp_path) == ["9.0", "0"]


def test_a_changed_callee_in_another_file_is_noticed(tmp_path):
    """Numba alone would go on using the old `simd.exp_f64`."""
    package = tmp_path / "copy"
    shutil.copytree(ROOT / "scg", package / "scg", ignore=shutil.ignore_patterns("__pycache__"))
    script = KERNEL.format(expression="exp(0 * x)")
    assert run(script, tmp_path / "cache", package) == ["1.0", "0"]
    simd = package / "scg" / "kernels" / "simd.py"
    simd.write_text(
        simd.read_text()
        + textwrap.dedent("""

        from scg.kernels._jit import device


        @device
        def exp_f64(x):
            return 7.0
        """)
    )
    assert run(script, tmp_path / "cache", package) == ["7.0", "0"]


def test_serial_and_threaded_twins_do_not_load_each_other(tmp_path):
    module = tmp_path / "twins.py"
    module.write_text(
        textwrap.dedent("""
        import numpy as np
        from scg.kernels import _jit, _run_queue

        def fill(out):
            for i in _jit.prange(out.size):
                out[i] = i

        serial, threaded = _jit.kernel(fill), _jit.kernel(fill, parallel=True)
        if __name__ == "__main__":
            out = np.zeros(4)
            _jit.parallel_call(serial, threaded, out)
            serial(out)
            print(sum(serial.stats.cache_hits.values()), sum(threaded.stats.cache_hits.values()),
                  bool(serial.overloads) and not serial.targetoptions.get("parallel"))
        """)
    )
    script = f"import runpy; runpy.run_path({str(module)!r}, run_name='__main__')"
    environment = {"SCG_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2", "SCG_YIELD": "0"}
    assert run(script, tmp_path / "cache", **environment)[:2] == ["0", "0"]
    assert run(script, tmp_path / "cache", **environment)[:2] == ["1", "1"]


def test_cold_processes_at_once(tmp_path):
    """Several processes that fill one empty cache all get right results."""
    script = """
    import numpy as np, scg
    for dtype in (np.float32, np.float64):
        x = scg.parameter(np.linspace(-1, 1, 1000), dtype=dtype)
        (scg.exp(x) * x).sum().backward()
        e = np.linspace(-1, 1, 1000)
        print(bool(np.allclose(x.grad, np.exp(e) * (1 + e), rtol=1e-4)))
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCG_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        out, err = process.communicate(timeout=300)
        assert out.split() == [b"True", b"True"], err.decode()


def test_a_damaged_cache_entry_is_compiled_over(tmp_path):
    script = KERNEL.format(expression="2 * x")
    run(script, tmp_path)
    entries = list((tmp_path / "kernels").rglob("*.nbc"))
    assert entries
    for entry in entries:
        entry.write_bytes(b"garbage")
    assert run(script, tmp_path) == ["6.0", "0"]


def test_a_cache_folder_that_cannot_be_made_costs_speed_only(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert run(KERNEL.format(expression="2 * x"), tmp_path / "file" / "cache")[0] == "6.0"


THREADED = """
import os, threading
import numpy as np
from scg.kernels.matmul import matmul
a = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
wanted = matmul(a, a.T).tobytes()
wrong = []
def work():
    for _ in range(20):
        if matmul(a, a.T).tobytes() != wanted:
            wrong.append(1)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
child = os.fork()
if child == 0:
    os._exit(0 if matmul(a, a.T).tobytes() == wanted else 1)
print(len(wrong), os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is a POSIX call")
def test_four_threads_and_a_fork_change_no_bit(tmp_path):
    options = {
        "SCG_NUM_THREADS": "2",
        "SCG_YIELD": "0",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }
    # On a busy machine Numba says first that threads which have just ended are not yet gone.
    assert run(THREADED, tmp_path, **options)[-2:] == ["0", "0"]


@pytest.mark.parametrize("value", ["0", "-1", "two"])
def test_a_wrong_thread_count_is_explained(tmp_path, value):
    script = """
    from scg.kernels import _jit, _run_queue
    try:
        _jit.threads()
    except ValueError as error:
        print("SCG_NUM_THREADS" in str(error))
    """
    assert run(script, tmp_path, SCG_NUM_THREADS=value) == ["True"]


def test_importing_compiles_nothing(tmp_path):
    script = "import os, scg; print(os.path.exists(os.environ['SCG_CACHE_DIR'] + '/kernels'))"
    assert run(script, tmp_path) == ["False"]


def test_expression_vocabulary_is_closed():
    for text in ("x.__class__", "[x]", "lambda: x", "x if x else 0", "x[0]", "'a'.join(x)"):
        with pytest.raises(ValueError, match="vocabulary"):
            Expression(text)


def test_constants_take_the_dtype_of_the_operands():
    run_f32 = elementwise_kernel("third", ("x",), (), ("x / 3 + 0.1",), "float32")
    x, out = np.ones(3, np.float32), np.empty(3, np.float32)
    run_f32(x, out)
    np.testing.assert_array_equal(out, x / np.float32(3) + np.float32(0.1))


def test_where_is_a_conditional_and_statics_are_scalars():
    f = elementwise_kernel("leak", ("x",), ("slope",), ("where(x > 0, x, slope * x)",), "float64")
    x, out = np.array([-2.0, 3.0]), np.empty(2)
    f(x, 0.5, out)
    np.testing.assert_array_equal(out, [-1.0, 3.0])


def test_only_functions_with_a_packed_form_make_a_kernel():
    assert vectorizable(frozenset({"sqrt", "where", "abs"}))
    assert not vectorizable(frozenset({"gammainc"}))


def test_versions_name_what_compiled_code_depends_on():
    assert "numba" in _jit.versions()
    assert "llvmlite" in _jit.versions()


@pytest.mark.parametrize(("others", "chosen"), [(0, "threaded"), (1, "serial"), (9, "serial")])
def test_threads_give_way_to_other_programs(monkeypatch, others, chosen):
    """Two threads on two cores, beside `others` that want one too."""
    monkeypatch.delenv("SCG_YIELD", raising=False)
    for name, value in (("threads", 2), ("_cores", 2), ("others_running", others)):
        monkeypatch.setattr(_jit, name, lambda value=value: value)
    monkeypatch.setattr(_jit, "_limited", lambda threaded, args: threaded(*args))
    monkeypatch.setattr(_jit, "_last_look", [float("-inf"), 0.0])
    assert _jit.parallel_call(lambda: "serial", lambda: "threaded") == chosen


def test_the_run_queue_is_looked_at_now_and_then_only(monkeypatch):
    looks = []
    monkeypatch.delenv("SCG_YIELD", raising=False)
    monkeypatch.setattr(_jit, "_last_look", [float("-inf"), 0.0])
    monkeypatch.setattr(_jit, "others_running", lambda: looks.append(1) or 0)
    for _ in range(100):
        _jit._crowded()
    assert 1 <= len(looks) < 50


def test_yielding_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("SCG_YIELD", "0")
    monkeypatch.setattr(_jit, "_last_look", [float("-inf"), 0.0])
    monkeypatch.setattr(_jit, "others_running", lambda: 99)
    assert not _jit._crowded()


@pytest.mark.skipif(not os.path.exists("/proc/loadavg"), reason="only Linux tells")  # noqa: PTH110
def test_threads_of_this_process_are_not_others(monkeypatch, tmp_path):
    """Threads of ours that look for work would otherwise stop the next call from using them."""
    queue = tmp_path / "loadavg"
    queue.write_text("0.1 0.1 0.1 5/99 1234\n")
    plain = open
    monkeypatch.setattr(
        "builtins.open",
        lambda name, *options: plain(queue if name == "/proc/loadavg" else name, *options),
    )
    monkeypatch.setattr(_run_queue, "_own_running", lambda: 3)
    assert _run_queue.others_running() == 2
    monkeypatch.setattr(_run_queue, "_own_running", lambda: 9)
    assert _run_queue.others_running() == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="only Linux tells")  # noqa: PTH110
def test_threads_of_this_process_are_counted():
    @_jit.kernel
    def work(steps):
        x = 1.0
        for _ in range(steps):
            x = 0.999 * x + 1e-3
        return x

    work(1)  # compiles
    seen, done = 0, threading.Event()

    def on_and_on():
        while not done.is_set():
            work(10_000_000)

    worker = threading.Thread(target=on_and_on)
    worker.start()
    end = time.monotonic() + 60  # on a busy machine both may wait for long
    while seen < 2 and time.monotonic() < end:
        seen = max(seen, _run_queue._own_running())
    done.set()
    worker.join()
    assert seen >= 2


def test_one_caller_at_a_time_has_the_team(monkeypatch):
    monkeypatch.setattr(_jit, "threads", lambda: 2)
    monkeypatch.setattr(_jit, "_limited", lambda threaded, args: threaded(*args))

    def call(inner):
        return _jit.parallel_call(lambda: "serial", inner)

    assert call(lambda: call(lambda: "threaded")) == "serial"
    assert call(lambda: "threaded") == "threaded"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is a POSIX call")
def test_a_forked_child_has_a_team_of_its_own(monkeypatch):
    """Also if another thread of the parent was using the parent's."""
    with _jit._team, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork in a process that has threads
        child = os.fork()
        if child == 0:
            os._exit(0 if _jit._team.acquire(blocking=False) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
