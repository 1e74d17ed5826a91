"""What tests and the examples in the documentation share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_run() -> Iterator[None]:
    """Keep the draws and escapes of one test or page out of the next."""
    from scg._run import end_run  # not above: the compile cache is chosen before scg is imported

    end_run(updated=True)
    yield
