"""Every Numba option in one place: flags, caching, threads. Nothing else imports numba or llvmlite.

Four decorators, by how much freedom LLVM gets to reorder arithmetic:

- `device`: scalar functions that kernels inline. Contraction into fused multiply-add only, because
  the wider "fast" set cancels the rounding tricks in `simd.py` and drops NaN.
- `kernel`: elementwise loops; same flags.
- `reduction`: sums; may also reassociate, so that they vectorise.
- `exact`: no freedom at all.

Each takes `parallel=True` for a threaded twin of the same body.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import os
import threading
import time
import types as python_types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
from llvmlite import binding, ir
from numba import get_num_threads, njit, prange, set_num_threads, types
from numba.core import caching, cgutils
from numba.extending import intrinsic

from scg._config import cache_dir, num_threads, yields
from scg.kernels._run_queue import others_running

__all__ = [
    "CAN_COMPILE", "binding", "cgutils", "cpu_features", "cpu_name", "device", "exact", "intrinsic",
    "ir", "kernel", "parallel_call", "prange", "reduction", "region_entry", "shared_digest",
    "threads", "threading_layer", "types", "versions",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

CONTRACT = {"contract"}
REASSOCIATE = {"contract", "reassoc", "nsz"}


def device(function: F) -> F:
    """Compile a scalar function that kernels of other files inline."""
    return cast(F, _compile(function, CONTRACT, parallel=False, cached=False))


def kernel(function: F | None = None, *, parallel: bool = False) -> Any:
    """Compile an elementwise loop."""
    return _decorate(function, CONTRACT, parallel)


def reduction(function: F | None = None, *, parallel: bool = False) -> Any:
    """Compile a loop whose sums may be reassociated."""
    return _decorate(function, REASSOCIATE, parallel)


def exact(function: F | None = None, *, parallel: bool = False) -> Any:
    """Compile a loop in which every rounding stays where it was written."""
    return _decorate(function, set(), parallel)


def _decorate(function: Any, flags: set[str], parallel: bool) -> Any:
    if function is None:
        return lambda f: _compile(f, flags, parallel=parallel, cached=True)
    return _compile(function, flags, parallel=parallel, cached=True)


def _compile(function: Any, flags: set[str], *, parallel: bool, cached: bool) -> Any:
    if parallel:
        function = _twin(function)
    # LLVM alone leaves a long device function as a call, and a loop with a call stays scalar.
    # Unlike inline="always", forceinline keeps the callee's own flags.
    dispatcher = njit(
        nogil=True, error_model="numpy", fastmath=flags or False, parallel=parallel,
        forceinline=not cached,
    )(function)  # fmt: skip
    if cached and hasattr(dispatcher, "enable_caching"):
        _attach_cache(dispatcher, function)
    return dispatcher


def _twin(function: Any) -> Any:
    """Copy a function under another name.

    Numba's cache key ignores `parallel=`: without the new name the serial and the threaded build of
    one body would load each other's code.
    """
    twin = python_types.FunctionType(
        function.__code__, function.__globals__, function.__name__ + "_parallel",
        function.__defaults__, function.__closure__,
    )  # fmt: skip
    twin.__qualname__ = function.__qualname__ + "_parallel"
    twin.__doc__ = function.__doc__
    return twin


# NUMBA_DISABLE_JIT=1 leaves plain functions, which have no address.
CAN_COMPILE = not numba.config.DISABLE_JIT


# --- cache -----------------------------------------------------------------------------------


def versions() -> str:
    """Return the versions on which compiled code depends, as one string."""
    return f"numba {numba.__version__}, llvmlite {llvmlite.__version__}"


@cache
def shared_digest() -> bytes:
    """Digest of what every kernel may inline or be compiled with."""
    here = Path(__file__).parent
    digest = hashlib.sha256(versions().encode())
    for path in sorted([here / "_jit.py", *here.glob("simd*.py"), *here.glob("vector*.py")]):
        digest.update(path.read_bytes())
    return digest.digest()


@cache
def source_digest(path: str) -> str:
    """Digest of a kernel file and of the device functions it may call from `simd.py`.

    Numba alone would not notice a change of a callee in another file.
    """
    return hashlib.sha256(shared_digest() + Path(path).read_bytes()).hexdigest()


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    """Keep compiled code in the user's cache folder, stamped with `source_digest`."""

    def __init__(self, function: Any, path: str) -> None:
        self._py_file = path
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_dir() / "kernels" / Path(self._py_file).stem)

    def get_source_stamp(self) -> str:
        return source_digest(self._py_file)

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Implementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # noqa: RUF012 (the name and kind are Numba's)


class _Entries(caching.IndexDataCacheFile):  # type: ignore[misc]
    """One file per compiled signature, named by all that it depends on.

    Numba's own numbers its files in an index that it reads, changes and writes without a lock: two
    cold processes give two signatures one file, and then one of them loads the other's code.
    """

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self._name(key), data)

    def load(self, key: Any) -> Any:
        try:
            return self._load_data(self._name(key))
        except FileNotFoundError:  # not compiled yet
            return None

    def _name(self, key: Any) -> str:
        text = repr((self._version, self._source_stamp, key))
        number = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
        return str(self._data_name_pattern.format(number=number))


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Implementation

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = _Entries(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # an unreadable entry means compiling again, never failing
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk or a read-only home costs speed at the next start, no more
            self.disable()


def _attach_cache(dispatcher: Any, function: Any) -> None:
    if Path(function.__code__.co_filename).exists():
        dispatcher._cache = _Cache(function)


# --- threads ---------------------------------------------------------------------------------

_team = threading.Lock()
_owner_pid = os.getpid()


@cache
def _load_tbb() -> bool:
    """Load the TBB wheel's library where Numba will find it; tell whether that worked.

    A wheel puts the library outside the loader's path; TBB is the one layer that survives
    several calling threads and a fork.
    """
    try:
        files = importlib.metadata.files("tbb") or []
        path = next(f for f in files if f.name in ("libtbb.so.12", "tbb12.dll")).locate()
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError):
        return False
    return True


@cache
def threads() -> int:
    """Return how many threads a parallel kernel uses (`SCG_NUM_THREADS`, else all)."""
    return num_threads(numba.config.NUMBA_NUM_THREADS)


@cache
def _layer() -> str:
    """Start Numba's threads, once, and return the layer they run on."""
    _load_tbb()
    from numba.np.ufunc import parallel

    parallel._launch_threads()
    return str(numba.threading_layer())


def threading_layer() -> str:
    """Return the threading layer that parallel kernels run on."""
    return _layer()


@cache
def region_entry() -> int:
    """Return the address of the C function with which the threading layer starts a region.

    It is what a `prange` calls. To call it directly saves the seconds that Numba's pass for
    parallel loops takes to compile even an empty one.
    """
    _layer()
    return int(binding.address_of_symbol("numba_parallel_for"))


_SAMPLE = 0.05  # seconds between two looks at the run queue; one look costs up to 100 us
_last_look = [0.0, 0.0]  # when, and whether the cores were taken


def _crowded() -> bool:
    """Tell whether other programs want the cores that our threads would use.

    A thread that holds a share of a product when the system takes its core away makes the whole
    call wait for a scheduler slice of several milliseconds. The results have the same bits either
    way, so it is safe to decide by the moment. Only Linux says how many threads want to run.
    """
    now = time.monotonic()
    if now - _last_look[0] > _SAMPLE:
        taken = yields() and others_running() + threads() > _cores()
        _last_look[:] = [now, float(taken)]
    return bool(_last_look[1])


@cache
def _cores() -> int:
    return os.cpu_count() or 1


def parallel_call(serial: Callable[..., Any], threaded: Callable[..., Any], *args: Any) -> Any:
    """Run `threaded(*args)` if threads may be used here and now, else `serial(*args)`.

    Both must give the same bits. One thread at a time has the team: a second one would share the
    same cores with it, and on other layers than TBB `workqueue` would abort the process. On those a
    forked child may not either: GNU OpenMP kills it.
    """
    if threads() == 1 or _crowded() or not _team.acquire(blocking=False):
        return serial(*args)
    try:
        if _layer() != "tbb" and os.getpid() != _owner_pid:
            return serial(*args)
        return _limited(threaded, args)
    finally:
        _team.release()


def _forget_team() -> None:
    """Give a forked child a team of its own: nobody in it would give back its parent's."""
    global _team
    _team = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_team)


def _limited(threaded: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call with this library's thread count, leaving the caller's own Numba setting as it was."""
    if get_num_threads() == threads():
        return threaded(*args)
    before = get_num_threads()
    set_num_threads(threads())
    try:
        return threaded(*args)
    finally:
        set_num_threads(before)


def cpu_name() -> str:
    """Return the CPU that code is made for: this one, or what Numba was told to pretend."""
    return str(numba.config.CPU_NAME or binding.get_host_cpu_name())


@cache
def cpu_features() -> frozenset[str]:
    """Return the names of the vector features of this CPU, as LLVM reports them."""
    return frozenset(name for name, present in binding.get_host_cpu_features().items() if present)
