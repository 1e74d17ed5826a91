"""Kernels are tested with their threads, however busy the machine that runs the tests is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _use_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from scg.kernels import _jit

    monkeypatch.setenv("SCG_YIELD", "0")
    monkeypatch.setattr(_jit, "_last_look", [float("-inf"), 0.0])
    yield
