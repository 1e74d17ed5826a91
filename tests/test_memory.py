"""What the memory has no room for is refused, and what it has room for is not."""

from __future__ import annotations

import pytest

import scg
from scg import _memory, nn
from scg._memory import available_memory, require_memory
from scg.errors import OutOfMemoryError

TABLE = "MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:   40 kB\nSwapFree:  2 kB\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return the files from which a pretended machine is read."""
    table, limit = tmp_path / "meminfo", tmp_path / "limit"
    table.write_text(TABLE)
    monkeypatch.setattr(_memory, "_MEMINFO", table)
    monkeypatch.setattr(_memory, "_LIMITS", (limit,))
    monkeypatch.setattr(_memory, "_WORTH_ASKING", 0)
    return table, limit


def test_swap_counts(machine):
    assert available_memory() == 42 * 1024


@pytest.mark.parametrize(
    ("text", "room"), [("max\n", 42 * 1024), ("1000\n", 1000), (f"{2**63 - 4096}\n", 42 * 1024)]
)
def test_a_container_may_have_less(machine, text, room):
    machine[1].write_text(text)
    assert available_memory() == room


@pytest.mark.parametrize("table", [None, "MemTotal: 900 kB\n"])
def test_without_a_figure_it_is_the_whole_machine(machine, monkeypatch, table):
    machine[0].unlink() if table is None else machine[0].write_text(table)
    pages = {"SC_PHYS_PAGES": 7, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(_memory.os, "sysconf", pages.__getitem__, raising=False)
    assert available_memory() == 7 * 4096
    monkeypatch.delattr(_memory.os, "sysconf")
    assert available_memory() is None
    require_memory("f", "arrays", 2**80)


def test_the_limit_itself_fits(machine):
    require_memory("f", "arrays", 42 * 1024)
    with pytest.raises(OutOfMemoryError, match=r"f: arrays need .* GB of memory, and .* GB are"):
        require_memory("f", "arrays", 42 * 1024 + 1)


def test_this_machine_has_room_for_this_test():
    room = available_memory()
    assert room is None or room > 2**20


def test_a_layer_needs_its_weights_twice(machine):
    assert 2 * 4 * 64 * 84 == 42 * 1024
    assert nn.Linear(64, 84, rng=0).weight.shape == (64, 84)
    with pytest.raises(MemoryError, match=r"Linear: weights of shape \(64, 85\) need"):
        nn.Linear(64, 85, rng=0)
    with pytest.raises(OutOfMemoryError, match=r"Conv2d: weights of shape \(64, 85, 1, 1\)"):
        nn.Conv2d(85, 64, 1, rng=0)


@pytest.mark.parametrize(("rule", "arrays"), [("SGD", 1), ("Momentum", 2), ("Adam", 3)])
def test_an_optimiser_needs_gradients_and_state(machine, rule, arrays):
    make = getattr(scg.optim, rule)
    fits = 42 * 1024 // 8 // arrays
    make([scg.parameter([0.0] * (fits - 1)), scg.parameter(0.0)], lr=0.1)
    with pytest.raises(OutOfMemoryError, match=f"{rule}: gradients and state of {fits + 1} numb"):
        make([scg.parameter([0.0] * fits), scg.parameter(0.0)], lr=0.1)


def test_small_sizes_cost_no_question(machine, monkeypatch):
    monkeypatch.setattr(_memory, "_WORTH_ASKING", 2**20)
    require_memory("f", "arrays", 2**20 - 1)
    with pytest.raises(OutOfMemoryError):
        require_memory("f", "arrays", 2**20)
