"""Make the exact-expectation tools and the shared checks importable; a run ends with its test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scg._run import end_run

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]


@pytest.fixture(autouse=True)
def _one_run() -> Iterator[None]:
    """Forget the draws of a test: the next one's gradients are not theirs."""
    yield
    end_run(updated=False)
