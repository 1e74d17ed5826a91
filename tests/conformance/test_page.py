"""The page of the documentation shows every program of this suite."""

import importlib.util
from pathlib import Path

import pytest
from conformance.catalogue import PROGRAMS
from conformance.peers import PEERS
from conformance.pending import PENDING
from conformance.refusals import REFUSALS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("table", DOCS / "conformance_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    lines = (DOCS / "conformance.md").read_text().splitlines()
    return [line.split(" | ") for line in lines if line.startswith("| ")]


def test_every_program_has_its_row(script, rows):
    shown = {row[0].removeprefix("| ") for row in rows}
    names = [*PROGRAMS, *REFUSALS, *PENDING, *PEERS, *(fault.name for fault in script.FAULTS)]
    assert not [n for n in names if script.text(n) not in shown], "run docs/conformance_table.py"


def test_the_truths_on_the_page_are_those_of_the_programs(script, rows):
    shown = {row[0].removeprefix("| "): row[1] for row in rows if len(row) == 7}
    for name, program in PROGRAMS.items():
        truth = script.flat(program.truth(program.at))
        assert shown[script.text(name)] == script.numbers(truth), "run docs/conformance_table.py"
