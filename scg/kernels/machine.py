"""Machine code from LLVM modules, kept in the user's cache folder as object files.

What is written as LLVM code needs none of Numba's type inference, and is compiled in milliseconds.
A *task* is a function of integers, which is what the executor (`execute.py`) runs: its code comes
from the syntax tree of a Python function (`task_code.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from scg._config import cache_dir
from scg._files import replacing
from scg.kernels._jit import binding, cpu_name, shared_digest

__all__ = ["Task", "address_of", "task"]

_addresses: dict[str, int] = {}
_lock = threading.Lock()  # LLVM's engine is not made for several threads
_STAMP = 32
_CONTRACT = ("contract",)


class Task:
    """A C function of integers, compiled when its address is first asked for.

    Parameters
    ----------
    function : function
        In a file, of at most what `task_code.py` can write.
    flags : tuple of str
        What LLVM may do to arithmetic.
    """

    def __init__(self, function: Callable[..., None], flags: tuple[str, ...]) -> None:
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._function, self._flags = function, flags
        self._address = 0

    @property
    def address(self) -> int:
        """Where the compiled function is; it stays there for the life of the process."""
        if not self._address:
            self._address = address_of("scg_code", self._key(), self._module, loops=True)
        return self._address

    def _key(self) -> str:
        code = self._function.__code__
        file = Path(code.co_filename)
        if code.co_freevars or not file.is_file():
            return (
                f"task {secrets.token_hex()}"  # what it means is told by nothing that can be read
            )
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return repr((self.__name__, code.co_firstlineno, self._flags, digest, _folder_digest()))

    def _module(self) -> Any:
        from scg.kernels.task_code import module_of  # which a process with a full cache never needs

        assert isinstance(self._function, FunctionType)
        return module_of(self._function, "scg_code", self._flags)


def task(function: Any = None, *, reassociate: bool = False) -> Any:
    """Make a `Task` of a function `(begin, end, row)`; with `reassociate` sums may be reordered.

    It does the units `begin` to `end - 1` of some work; `row` is the address of its integers.
    """
    flags = (*_CONTRACT, "reassoc", "nsz") if reassociate else _CONTRACT
    return Task(function, flags) if function else lambda f: Task(f, flags)


@cache
def _folder_digest() -> str:
    """Return a digest of all files here: a task may call functions of any of them."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def address_of(name: str, key: str, write: Callable[[], Any], *, loops: bool = False) -> int:
    """Return the address of a function, compiled once per cache folder.

    Parameters
    ----------
    name : str
        Of the function in its module.
    key : str
        All that its code depends on, besides the files of this folder and this machine.
    write : callable
        Returns the module; called if it has to be compiled.
    loops : bool
        Whether LLVM should turn loops over numbers into vector code; most are it already.
    """
    text = repr((key, shared_digest(), _machine()[1]))
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    with _lock:
        if digest not in _addresses:
            unique = f"{name}_{digest}"
            _addresses[digest] = _load(_object_file(digest, write, name, unique, loops), unique)
        return _addresses[digest]


def _object_file(
    digest: str, write: Callable[[], Any], name: str, unique: str, loops: bool
) -> bytes:
    path = cache_dir() / "regions" / f"{digest}.o"
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
        if hashlib.sha256(stored[_STAMP:]).digest() == stored[:_STAMP]:
            return stored[_STAMP:]
    code = _compiled(write(), name, unique, loops)
    # A read-only home costs speed at the next start, no more.
    with contextlib.suppress(OSError), replacing(path) as file:
        file.write(hashlib.sha256(code).digest() + code)
    return code


def _compiled(module: Any, name: str, unique: str, loops: bool) -> bytes:
    """Optimise and compile."""
    machine = _machine()[0]
    module.get_global(name).name = unique
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = binding.parse_assembly(str(module))
    tuning = binding.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization, tuning.slp_vectorization = loops, False
    passes = binding.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(parsed, passes)
    return bytes(machine.emit_object(parsed))


def _load(code: bytes, unique: str) -> int:
    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(unique))


@cache
def _machine() -> tuple[Any, str]:
    """Return LLVM's description of this machine, and a text that tells it from others."""
    cpu, features = cpu_name(), binding.get_host_cpu_features().flatten()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True
    )
    return machine, f"{machine.triple} {cpu} {features}"


@cache
def _engine() -> Any:
    """Return what holds the code; the target machine it is given becomes its own."""
    machine = binding.Target.from_default_triple().create_target_machine(
        codemodel="jitdefault", jit=True
    )
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
