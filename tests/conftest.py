"""Settings of every test: the compile cache, hypothesis, seeds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from unittest import mock

import hypothesis
import numpy as np
import pytest
from hypothesis.internal.conjecture import providers

SEED = 20150617  # any fixed number: a failure must be the same for the next person

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the compile cache before any test file imports a kernel, and what examples are drawn.

    A run compiles for itself unless `SCG_CACHE_DIR` is set; the workers of one run share.
    """
    if "SCG_CACHE_DIR" not in os.environ:
        os.environ["SCG_CACHE_DIR"] = tempfile.mkdtemp(prefix="scg-tests-")
        config.add_cleanup(lambda: _remove(os.environ.pop("SCG_CACHE_DIR")))
    # Hypothesis would draw numbers that it finds in the files imported so far: other examples for
    # a whole run than for one file, and after a change anywhere.
    none = mock.patch.object(providers, "_get_local_constants", lambda: providers._local_constants)
    none.start()
    config.add_cleanup(none.stop)


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator in the same state for every test."""
    return np.random.default_rng(SEED)


@pytest.fixture(autouse=True)
def _legacy_seed() -> Iterator[None]:
    """Seed NumPy's global state, which third parties read, and give it back as it was."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(SEED % 2**32)  # noqa: NPY002
    yield
    np.random.set_state(before)  # noqa: NPY002
