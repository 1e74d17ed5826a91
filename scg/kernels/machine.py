"""Machine code from LLVM modules, kept in the user's cache folder as object files.

What is written as LLVM code needs none of Numba's type inference, and is compiled in milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from scg._config import cache_dir
from scg._files import replacing
from scg.kernels._jit import binding, cpu_name, shared_digest

__all__ = ["address_of"]

_addresses: dict[str, int] = {}
_lock = threading.Lock()  # LLVM's engine is not made for several threads
_STAMP = 32


def address_of(name: str, key: str, write: Callable[[], Any]) -> int:
    """Return the address of a function, compiled once per cache folder.

    Parameters
    ----------
    name : str
        Of the function in its module.
    key : str
        All that its code depends on, besides the files of this folder and this machine.
    write : callable
        Returns the module; called if it has to be compiled.
    """
    text = repr((key, shared_digest(), _machine()[1]))
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    with _lock:
        if digest not in _addresses:
            unique = f"{name}_{digest}"
            _addresses[digest] = _load(_object_file(digest, write, name, unique), unique)
        return _addresses[digest]


def _object_file(digest: str, write: Callable[[], Any], name: str, unique: str) -> bytes:
    path = cache_dir() / "regions" / f"{digest}.o"
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
        if hashlib.sha256(stored[_STAMP:]).digest() == stored[:_STAMP]:
            return stored[_STAMP:]
    code = _compiled(write(), name, unique)
    # A read-only home costs speed at the next start, no more.
    with contextlib.suppress(OSError), replacing(path) as file:
        file.write(hashlib.sha256(code).digest() + code)
    return code


def _compiled(module: Any, name: str, unique: str) -> bytes:
    """Optimise and compile; loops are vector code already."""
    machine = _machine()[0]
    module.get_global(name).name = unique
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = binding.parse_assembly(str(module))
    tuning = binding.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = tuning.slp_vectorization = False
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
