"""Compiled functions that Python calls as it calls its own, with arguments bound beforehand.

A call by `ctypes` takes half a microsecond, a tenth of a small compiled step. A built-in function
of Python is a C function of two objects, and that can be written down like any other; what it is
bound to lies in the bytes object that it is a method of.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from scg.kernels import machine
from scg.kernels._jit import cgutils, ir

__all__ = ["bound"]

NAME = "scg_bound"
NO_ARGUMENTS = 4  # METH_NOARGS of Python's C interface
OBJECT, I64, VOID = ir.IntType(8).as_pointer(), ir.IntType(64), ir.VoidType()


class _Method(ctypes.Structure):
    """PyMethodDef, which has to outlive the functions that are made of it."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )  # fmt: skip


def bound(address: int, *numbers: int) -> Callable[[], None]:
    """Return a built-in function that calls a compiled one of integers, without Python's lock.

    Parameters
    ----------
    address : int
        Of a C function of 64-bit integers that returns nothing.
    *numbers : int
        What it is called with.
    """
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p
    places = struct.pack(f"{2 + len(numbers)}q", id(None), address, *numbers)
    return make(_method(len(numbers)), places, None)  # type: ignore[no-any-return]


@cache
def _method(count: int) -> Any:
    text = str(_module(count))
    address = machine.address_of(NAME, text, lambda: _module(count))
    return ctypes.pointer(_Method(NAME.encode(), address, NO_ARGUMENTS, None))


def _module(count: int) -> ir.Module:
    """Write `object(self, nothing)`; `self` holds None's address, a function's and numbers."""
    module = ir.Module(NAME)
    function = ir.Function(module, ir.FunctionType(OBJECT, [OBJECT, OBJECT]), NAME)
    builder = ir.IRBuilder(function.append_basic_block())

    def python(name: str, result: Any, *args: Any) -> Any:
        kind = ir.FunctionType(result, [a.type for a in args])
        return builder.call(cgutils.get_or_insert_function(module, kind, name), args)

    place = python("PyBytes_AsString", OBJECT, function.args[0])
    first = builder.bitcast(place, I64.as_pointer())
    none, address, *numbers = (
        builder.load(builder.gep(first, [I64(i)]), align=1) for i in range(2 + count)
    )
    task = builder.inttoptr(address, ir.FunctionType(VOID, [I64] * count).as_pointer())
    state = python("PyEval_SaveThread", OBJECT)
    builder.call(task, numbers)
    python("PyEval_RestoreThread", VOID, state)
    result = builder.inttoptr(none, OBJECT)
    python("Py_IncRef", VOID, result)
    builder.ret(result)
    return module
