"""Machine code is compiled once, kept on disk, and compiled again where that cannot be read."""

from __future__ import annotations

import ctypes

import pytest

from scg.kernels import machine
from scg.kernels._jit import ir


def written(calls, value):
    def write():
        calls.append(value)
        integer = ir.IntType(64)
        module = ir.Module("test")
        function = ir.Function(module, ir.FunctionType(integer, []), "answer")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(integer(value))
        return module

    return write


@pytest.fixture
def cold(tmp_path, monkeypatch):
    monkeypatch.setenv("SCG_CACHE_DIR", str(tmp_path))
    return tmp_path


def answer(key, calls, value):
    return ctypes.CFUNCTYPE(ctypes.c_int64)(
        machine.address_of("answer", key, written(calls, value))
    )()


def forget(monkeypatch):
    """Be a new process, as far as the code in memory goes."""
    monkeypatch.setattr(machine, "_addresses", {})


def test_code_is_compiled_once_and_then_loaded(cold, monkeypatch):
    calls = []
    assert answer(f"k1 {cold}", calls, 7) == answer(f"k1 {cold}", calls, 7) == 7
    forget(monkeypatch)
    assert answer(f"k1 {cold}", calls, 7) == 7
    assert calls == [7]
    assert answer(f"k2 {cold}", calls, 8) == 8
    assert calls == [7, 8]


@pytest.mark.parametrize("damage", [b"", b"\0" * 5000])
def test_a_damaged_file_is_compiled_again(cold, monkeypatch, damage):
    calls = []
    answer(f"k3 {cold}", calls, 9)
    forget(monkeypatch)
    (path,) = (cold / "regions").iterdir()
    path.write_bytes(damage)
    assert answer(f"k3 {cold}", calls, 9) == 9
    assert calls == [9, 9]


def test_a_folder_that_cannot_be_written_costs_time_only(cold, monkeypatch):
    (cold / "regions").write_text("in the way")
    calls = []
    assert answer(f"k4 {cold}", calls, 10) == 10
    assert calls == [10]


def test_a_changed_source_is_another_key(cold, monkeypatch):
    calls = []
    answer(f"k5 {cold}", calls, 11)
    monkeypatch.setattr(machine, "shared_digest", lambda: b"another")
    answer(f"k5 {cold}", calls, 12)
    assert calls == [11, 12]
