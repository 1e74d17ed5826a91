"""Examples are scripts: each is loaded from its file, as a module of its name."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reinforce():
    return load("reinforce")


@pytest.fixture(scope="session")
def dropout():
    return load("dropout")


@pytest.fixture(scope="session")
def iwae():
    return load("iwae")


@pytest.fixture(scope="session")
def dlgm():
    return load("dlgm")


@pytest.fixture(scope="session")
def vae():
    return load("vae")
