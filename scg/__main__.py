"""Print what a bug report needs: `python -m scg`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scg._config import cache_dir, data_dir
from scg.kernels import _jit

PACKAGES = ("scg", "numpy", "scipy", "numba", "llvmlite", "tbb", "graphviz")
VECTOR_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512dq", "neon", "sve")


def main(arguments: list[str] | None = None) -> int:
    """Print one aligned table of versions, hardware, threads and folders."""
    parser = argparse.ArgumentParser(
        prog="python -m scg",
        description="Print versions, hardware, threads and folders: paste it into a bug report.",
    )
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        print(
            f"python -m scg: unknown option {unknown[0]!r}; the only option is --help",
            file=sys.stderr,
        )
        return 2
    rows = list(table())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def table() -> Iterator[tuple[str, str]]:
    """Yield the rows as (name, value)."""
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    for package in PACKAGES:
        yield package, _guarded(partial(_version, package))
    for name, value in (
        ("platform", platform.platform),
        ("CPU", _cpu_name),
        ("vector features", _vector_features),
        ("BLAS", _blas),
        ("threading layer", _jit.threading_layer),
        ("threads", lambda: f"{_jit.threads()} of {os.cpu_count()} CPUs"),
        ("cache folder", lambda: _folder(cache_dir())),
        ("data folder", _data),
        ("Graphviz dot", _dot),
    ):
        yield name, _guarded(value)


def _guarded(value: Callable[[], str]) -> str:
    """Evaluate a row; what is broken is just what the table should show, so it never stops it."""
    try:
        return value()
    except Exception as error:
        return f"unavailable ({type(error).__name__}: {error})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu_name() -> str:
    """Return the model; Linux keeps it out of `platform`."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _vector_features() -> str:
    present = _jit.cpu_features()
    return " ".join(name for name in VECTOR_FEATURES if name in present) or "none"


def _blas() -> str:
    from scg.kernels import blas

    return str(blas.blas_info())


def _folder(path: Path) -> str:
    """Describe a folder that is made on first use: the nearest that exists decides."""
    existing = next(p for p in (path, *path.absolute().parents) if p.exists())
    usable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return f"{path} ({'writable' if usable else 'not writable'})"


def _data() -> str:
    path = data_dir()
    if path is None:
        return "SCG_DATA is not set"
    return f"{path}{'' if path.is_dir() else ' (no such folder)'}"


def _dot() -> str:
    program = shutil.which("dot")
    if program is None:
        return "not found (install Graphviz to draw graphs)"
    answer = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10)
    return f"{(answer.stderr or answer.stdout).strip()} at {program}"


if __name__ == "__main__":
    sys.exit(main())
