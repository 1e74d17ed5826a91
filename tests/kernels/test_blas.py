"""What is said of NumPy's BLAS agrees with NumPy, and is "unknown" where nothing can be asked."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from scg.kernels import blas
from scg.kernels.blas import BlasInfo, blas_info

BUILT = np.show_config(mode="dicts")["Build Dependencies"]["blas"]


def test_the_name_is_the_one_numpy_was_built_with():
    assert blas_info().name == BUILT["name"]


def test_one_line_says_it_all():
    line = str(BlasInfo("openblas", "0.3", "Haswell", 2))
    assert line == "openblas 0.3, core type Haswell, threads 2"
    assert str(BlasInfo("a", "b", "c", None)).endswith("threads unknown")


@pytest.mark.skipif("openblas" not in BUILT["name"], reason="only OpenBLAS can be asked")
@pytest.mark.skipif(sys.platform == "win32", reason="symbols of a dependency are not found there")
def test_openblas_answers_for_itself():
    info = blas_info()
    assert info.version.split(".")[:2] == BUILT["version"].split(".")[:2]
    assert info.core != blas.UNKNOWN
    assert info.threads >= 1


@pytest.mark.skipif("openblas" not in BUILT["name"], reason="only OpenBLAS reads this variable")
@pytest.mark.skipif(sys.platform == "win32", reason="symbols of a dependency are not found there")
def test_threads_are_those_in_force():
    program = "from scg.kernels.blas import blas_info; print(blas_info().threads)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"


def test_a_blas_that_does_not_answer_is_unknown(monkeypatch):
    monkeypatch.setattr(blas, "_library", lambda: None)
    info = blas_info()
    assert (info.core, info.threads) == (blas.UNKNOWN, None)
    assert info.version == BUILT["version"]


def test_a_numpy_that_does_not_answer_is_unknown(monkeypatch):
    monkeypatch.setattr(blas, "_library", lambda: None)
    monkeypatch.setattr(np, "show_config", lambda mode: {})
    assert blas_info() == BlasInfo(blas.UNKNOWN, blas.UNKNOWN, blas.UNKNOWN, None)


def test_a_numpy_without_its_core_module_is_survived(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(blas.importlib, "import_module", missing)
    assert blas._library() is None


@pytest.mark.parametrize(
    ("account", "version"),
    [
        ("OpenBLAS 0.3.31.188.0  USE64BITINT DYNAMIC_ARCH", "0.3.31.188.0"),
        ("NO_LAPACKE DYNAMIC_ARCH", "NO_LAPACKE DYNAMIC_ARCH"),
    ],
)
def test_the_version_is_picked_from_the_account(account, version):
    assert blas._version(account) == version
