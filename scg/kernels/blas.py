"""Which BLAS NumPy multiplies with, asked from the library itself where it can be asked.

OpenBLAS chooses its kernels by the processor it believes to run on, and a core type older than the
processor halves its speed; so the core type belongs in a bug report beside the version.
"""

from __future__ import annotations

import ctypes
import importlib
from itertools import product
from typing import Any, NamedTuple

import numpy as np

__all__ = ["BlasInfo", "blas_info"]

UNKNOWN = "unknown"


class BlasInfo(NamedTuple):
    """What is known of NumPy's BLAS; "unknown" (threads: None) for what it does not tell.

    Parameters
    ----------
    name : str
        As NumPy was built with it, for instance "scipy-openblas".
    version : str
        The library's own account of itself, else NumPy's at build time.
    core : str
        The processor whose kernels OpenBLAS runs.
    threads : int or None
        How many threads a product may take.
    """

    name: str
    version: str
    core: str
    threads: int | None

    def __str__(self) -> str:
        """Describe it on one line."""
        threads = UNKNOWN if self.threads is None else self.threads
        return f"{self.name} {self.version}, core type {self.core}, threads {threads}"


def blas_info() -> BlasInfo:
    """Describe the BLAS that NumPy uses.

    Returns
    -------
    BlasInfo
        Name, version, core type and threads; what cannot be found out is "unknown".

    Examples
    --------
    >>> blas_info()._fields
    ('name', 'version', 'core', 'threads')
    """
    name, version = _built_with()
    library = _library()
    config = _ask(library, "get_config", ctypes.c_char_p)
    core = _ask(library, "get_corename", ctypes.c_char_p)
    return BlasInfo(
        name,
        _version(config.decode()) if config else version,
        core.decode() if core else UNKNOWN,
        _ask(library, "get_num_threads", ctypes.c_int),
    )


def _version(config: str) -> str:
    """Pick the version from OpenBLAS's account, "OpenBLAS 0.3.31 DYNAMIC_ARCH ...".

    Versions built for one processor leave the number out: the account then stands as it is.
    """
    return next((word for word in config.split() if word[0].isdigit()), config)


def _built_with() -> tuple[str, str]:
    config: Any = np.show_config(mode="dicts")
    blas = (config or {}).get("Build Dependencies", {}).get("blas", {})
    return str(blas.get("name") or UNKNOWN), str(blas.get("version") or UNKNOWN)


def _library() -> ctypes.CDLL | None:
    """Open NumPy's core, through which the symbols of the BLAS it is linked to are found."""
    try:
        return ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    except (ImportError, OSError, TypeError):
        return None


def _ask(library: ctypes.CDLL | None, question: str, answer: Any) -> Any:
    """Call one of OpenBLAS's questions, whose names differ by build; None if it has none."""
    for prefix, suffix in product(("scipy_", ""), ("64_", "_64", "")):
        function = getattr(library, f"{prefix}openblas_{question}{suffix}", None)
        if function is not None:
            function.restype = answer
            return function()
    return None
