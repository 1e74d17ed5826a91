"""Products in other processes: thread counts, forks, guarded pages, other processors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from scg.kernels import _product, simd_tile
from scg.kernels.matmul import matmul, uses_blas

DTYPES = (np.float32, np.float64)
needs_kernel = pytest.mark.skipif(not _product.HAS_KERNEL, reason="this CPU multiplies by BLAS")


def check(program, **environment):
    """Run a program in a fresh interpreter and demand success."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DIGEST = """
import hashlib, numpy as np
from scg.kernels.matmul import matmul
rng = np.random.default_rng(0)
digest = hashlib.sha256()
for m, k, n in [(300, 300, 300), (7, 5000, 33), (100, 784, 400), (2000, 1500, 1), (1, 1500, 2000)]:
    for dtype in (np.float32, np.float64):
        a = rng.standard_normal((m, k)).astype(dtype)
        b = rng.standard_normal((n, k)).astype(dtype)
        for y in (b.T, b.T.copy()):
            digest.update(matmul(a, y, activation="relu").tobytes())
print(digest.hexdigest())
"""


@needs_kernel
def test_one_thread_and_two_agree_bitwise():
    digests = {
        check(DIGEST, SCG_NUM_THREADS=str(n), NUMBA_NUM_THREADS="3", SCG_YIELD="0")
        for n in (1, 2, 3)
    }
    assert len(digests) == 1


@needs_kernel
def test_calls_from_several_threads_have_the_same_bits():
    rng = np.random.default_rng(13)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((150, 200), (200, 150)))
    expected, wrong = matmul(a, b), []

    def work():
        wrong.extend(i for i in range(30) if not np.array_equal(matmul(a, b), expected))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@needs_kernel
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_multiplies():
    check(
        """
import os, warnings, numpy as np
from scg.kernels.matmul import matmul
a = np.random.default_rng(0).standard_normal((400, 400))
before = matmul(a, a)
warnings.simplefilter("ignore", DeprecationWarning)  # fork in a process that has threads
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(matmul(a, a), before) else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert np.array_equal(matmul(a, a), before)
"""
    )


PLAIN = """
import numpy as np
from scg.kernels import _product, simd_tile
from scg.kernels.matmul import matmul, uses_blas
assert {assertion}
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    for m, k, n in [(1, 1, 1), (13, 40, 37), (50, 2100, 70)]:
        a, b = (rng.standard_normal(s).astype(dtype) for s in [(m, k), (n, k)])
        bias = rng.standard_normal(n).astype(dtype)
        value = matmul(a, b.T, bias=bias, activation="relu")
        expected = np.maximum(a.astype("f8") @ b.T + bias, 0)
        assert np.allclose(value, expected, atol=k * np.finfo(dtype).eps * 10)
"""


def test_without_the_compiler_blas_multiplies():
    assertion = 'uses_blas(64, 64, 64, np.dtype("f4")) and not _product.HAS_KERNEL'
    check(PLAIN.format(assertion=assertion), NUMBA_DISABLE_JIT="1")


PRETEND = """
from llvmlite import binding
binding.get_host_cpu_features = lambda: binding.FeatureMap({features})
"""


@pytest.mark.parametrize(
    ("cpu", "features", "assertion"),
    [
        ("haswell", {"avx2": True, "fma": True}, "simd_tile.ROWS == 6"),
        ("nehalem", {"sse4.2": True}, "not _product.HAS_KERNEL"),
    ],
)
def test_other_processors(cpu, features, assertion, tmp_path):
    """Compile for them and run here."""
    if not _product.HAS_KERNEL:
        pytest.skip("this CPU cannot run it")
    check(
        PRETEND.format(features=features) + PLAIN.format(assertion=assertion),
        SCG_CACHE_DIR=str(tmp_path),
        NUMBA_CPU_NAME=cpu,
        NUMBA_CPU_FEATURES="",
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_rule_leaves_to_blas_what_the_tile_cannot_or_does_slowly(dtype):
    assert uses_blas(3, 0, 3, np.dtype(dtype))
    assert uses_blas(3, 3, 3, np.dtype(np.int64))
    assert uses_blas(100, 784, 1, np.dtype(dtype))
    assert uses_blas(100, 784, 400, np.dtype(dtype)) is not _product.HAS_KERNEL
    assert uses_blas(1, 784, 400, np.dtype(dtype)) is not bool(
        _product.HAS_KERNEL and simd_tile.WIDE_ROWS
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs mmap with protection")
def test_nothing_outside_is_read(tmp_path):
    """Inputs end right before a page that may not be read: a fault would end the child."""
    check(
        """
import ctypes, mmap, numpy as np
from scg.kernels.matmul import matmul
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
def against_wall(x):
    pages = -(-x.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    start = np.frombuffer(memory, np.uint8).ctypes.data
    assert libc.mprotect(ctypes.c_void_p(start + pages * PAGE), PAGE, 0) == 0
    y = np.frombuffer(memory, x.dtype, x.size, pages * PAGE - x.nbytes).reshape(x.shape)
    y[...] = x
    return y
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    for m, k, n in [(1, 1, 1), (3, 5, 7), (15, 33, 35), (14, 16, 32), (5, 17, 100), (1, 20, 100),
                    (3, 9, 130), (9, 5, 2)]:
        a = against_wall(rng.standard_normal((m, k)).astype(dtype))
        for b in (rng.standard_normal((k, n)), rng.standard_normal((n, k))):
            b = against_wall(b.astype(dtype))
            b = b if b.shape == (k, n) else b.T
            out, bias = against_wall(np.zeros((m, n), dtype)), against_wall(np.ones(n, dtype))
            matmul(a, b, out, bias=bias)
            assert np.allclose(out, a @ b + 1, atol=1e-4)
            matmul(a.T.copy().T, b, out)
"""
    )
