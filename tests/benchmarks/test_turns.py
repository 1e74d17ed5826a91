"""Sides in worker processes: what they answer, and in which order they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks._turns import Side, Worker, take_turns
from benchmarks._worker import memory, turn

SOURCE = """
from benchmarks._worker import Program
def counts(length):
    print("noise on stdout")
    return Program(lambda n: len(bytearray(n * length)), "toy 1", 3, 5)
def lacks():
    import no_such_library
def breaks():
    raise ValueError("the builder is broken")
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Worker]:
    (tmp_path / "toy.py").write_text(SOURCE)

    @contextmanager
    def start(builder: str, library: str = "math", **options: int) -> Iterator[Worker]:
        worker = Worker(Side(library, builder), "toy", options, PYTHONPATH=str(tmp_path))
        yield worker
        worker.close()

    return start


def test_a_side_says_what_it_is_and_runs(toy: Callable[..., Worker]) -> None:
    with toy("counts", length=1) as worker:
        about = worker.about
        assert (about["library"], about["threads"], about["parameters"]) == ("toy 1", 3, 5)
        assert worker.missing is None
        assert 0 < worker.seconds(0.001) < 1


def test_a_side_tells_its_memory(toy: Callable[..., Worker]) -> None:
    if memory() is None:
        pytest.skip("only Linux tells it")
    with toy("counts", length=2**20) as worker:
        before = worker.memory(1)
        after = worker.memory(64)  # which are freed again
    # Half of 64 MiB: the kernel counts pages in batches.
    assert after["peak"] - before["now"] >= 2**25
    assert after["peak"] - after["now"] >= 2**25


def test_a_library_that_is_not_installed_is_said_to_be_missing(toy: Callable[..., Worker]) -> None:
    with toy("counts", "no_such_library", length=1) as worker:
        assert worker.missing == "not installed"


@pytest.mark.parametrize(
    ("builder", "reason"), [("breaks", "the builder is broken"), ("lacks", "no_such_library")]
)
def test_a_builder_that_fails_shows_its_error(
    toy: Callable[..., Worker], capfd: pytest.CaptureFixture[str], builder: str, reason: str
) -> None:
    with toy(builder) as worker:
        assert worker.missing == "failed"
    assert reason in capfd.readouterr().err


def test_the_sides_begin_in_turn() -> None:
    asked: list[str] = []

    def side(name: str, missing: str | None = None) -> SimpleNamespace:
        return SimpleNamespace(missing=missing, seconds=lambda _: asked.append(name) or len(asked))

    sides = {"a": side("a"), "b": side("b"), "absent": side("absent", "not installed")}
    assert take_turns(sides, 2, 0.1) == {"a": [1.0, 4.0], "b": [2.0, 3.0]}
    assert "".join(asked) == "abba"


def test_a_turn_of_no_length_is_a_few_single_steps() -> None:
    counts: list[int] = []
    assert turn(counts.append, 0.0) > 0
    assert counts == [1, 1, 1]
