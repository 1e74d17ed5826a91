"""Rules about the source that no linter states."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from statistics import median

import pytest

import scg

ROOT = Path(scg.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PUBLIC = sorted(getattr(scg, "__all__", []))

MAY_PRINT = {"__main__.py", "_interrupt.py", "experiment/_loop.py"}
LONGEST, TYPICAL = 400, 150


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_packages(tree: ast.AST) -> set[str]:
    """Collect the top-level packages that a module imports, wherever the statement stands."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return {name.partition(".")[0] for name in names}


def prints(tree: ast.AST) -> list[int]:
    """Return the lines on which `print` is called."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def unfinished(text: str) -> list[str]:
    """Return the marks of unfinished work."""
    return re.findall(r"\b(?:TODO|FIXME|XXX)\b", text)


def lacks_example(documentation: str | None) -> bool:
    """Tell whether a docstring has no Examples section with a prompt in it."""
    _, section, examples = (documentation or "").partition("Examples\n--------\n")
    return not section or ">>>" not in examples


@pytest.fixture(params=FILES, ids=name_of)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_the_source_is_found() -> None:
    assert ROOT / "kernels" / "_jit.py" in FILES


def test_only_the_jit_file_imports_numba(path: Path) -> None:
    used = imported_packages(ast.parse(path.read_text())) & {"numba", "llvmlite"}
    if name_of(path) == "kernels/_jit.py":
        assert used == {"numba", "llvmlite"}
    else:
        assert not used


def test_no_file_is_too_long(path: Path) -> None:
    length = len(path.read_text().splitlines())
    assert length <= LONGEST


def test_files_are_short_as_a_rule() -> None:
    assert median(len(path.read_text().splitlines()) for path in FILES) < TYPICAL


def test_nothing_prints_but_what_talks_to_people(path: Path) -> None:
    if name_of(path) not in MAY_PRINT:
        assert not prints(ast.parse(path.read_text()))


def test_nothing_is_marked_unfinished(path: Path) -> None:
    assert not unfinished(path.read_text())


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_show_an_example(name: str) -> None:
    value = getattr(scg, name)
    if inspect.ismodule(value):
        assert (value.__doc__ or "").strip()
    else:
        assert not lacks_example(inspect.getdoc(value)), f"scg.{name} has no Examples section"


@pytest.mark.parametrize(
    "text",
    [
        "import numba",
        "from numba import njit",
        "def f():\n    import numba.core as c",
        "import a, numba",
    ],
)
def test_an_import_is_seen_in_any_form(text: str) -> None:
    assert "numba" in imported_packages(ast.parse(text))


def test_the_other_rules_see_what_they_forbid() -> None:
    assert prints(ast.parse("def f():\n    print(1)")) == [2]
    assert unfinished("# TO" + "DO: later")
    assert lacks_example(None)
    assert lacks_example("Add.\n\nExamples\n--------\nnothing to run")
    assert not lacks_example("Add.\n\nExamples\n--------\n>>> 1 + 1\n2")
