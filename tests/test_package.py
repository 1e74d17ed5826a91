"""The package as a whole: metadata, the contracts' reach, what an import costs and does."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import scg

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_metadata_stands_in_one_place(project: dict[str, object]) -> None:
    assert set(project) == {"build-system", "tool"}


def test_setup_cfg_is_what_is_installed(setup: configparser.ConfigParser) -> None:
    assert version("scg") == setup["metadata"]["version"] == scg.__version__


def test_pep_561_marker_is_beside_the_package() -> None:
    assert (Path(scg.__file__).parent / "py.typed").exists()


def tbb_wanted(**environment: str) -> bool:
    (line,) = (line for line in requires("scg") or [] if line.startswith("tbb"))
    marker = Requirement(line).marker
    assert marker is not None
    return marker.evaluate(dict(environment))


@pytest.mark.parametrize(
    ("platform", "machine", "wanted"),
    [
        ("linux", "x86_64", True),
        ("win32", "AMD64", True),
        ("linux", "aarch64", False),
        ("darwin", "arm64", False),
        ("darwin", "x86_64", False),
        ("win32", "ARM64", False),
    ],
)
def test_tbb_is_asked_for_where_it_has_a_wheel(platform: str, machine: str, wanted: bool) -> None:
    assert tbb_wanted(sys_platform=platform, platform_machine=machine) is wanted


def test_the_changelog_knows_this_version_or_calls_it_unreleased() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == version("scg")


def test_the_readme_says_which_pythons(setup: configparser.ConfigParser) -> None:
    low, high = re.search(r"Python (3\.\d+) to (3\.\d+)", README).groups()  # type: ignore[union-attr]
    after = f"3.{int(high.removeprefix('3.')) + 1}"
    assert setup["options"]["python_requires"] == f">={low},<{after}"


def test_the_readmes_commands_ask_for_extras_that_exist(setup: configparser.ConfigParser) -> None:
    named = set(re.findall(r"'\.\[(\w+)\]'", README))
    assert named
    assert named <= set(setup["options.extras_require"])


def test_importing_compiles_nothing(tmp_path: Path) -> None:
    """Eager compilation would cost every user seconds; it would also leave files in the cache."""
    code = "import sys, scg; sys.exit('sklearn' in sys.modules or 'matplotlib' in sys.modules)"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"SCG_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)},
        check=True,
        cwd=ROOT,
    )
    assert not list((tmp_path).rglob("*.nbi"))


# --- submodules are imported when they are asked for ----------------------------------------------

LAZY = ["checkpoint", "data", "estimators", "experiment", "inspect", "nn", "optim", "testing"]


def python(code: str, **environment: str) -> str:
    """Run a fresh process and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    return done.stdout


def test_an_import_leaves_out_what_few_programs_need() -> None:
    loaded = python("import scg, sys; print(*[m for m in sys.modules if m.startswith('scg.')])")
    assert not {f"scg.{name}" for name in LAZY} & set(loaded.split())
    assert "scg.distributions" in loaded.split()


@pytest.mark.parametrize("way", ["import scg", "from scg import {0}", "import scg.{0}"])
def test_a_submodule_is_there_when_it_is_asked_for(way: str) -> None:
    for_each = "import scg; assert '{0}' in dir(scg) and scg.{0}.__name__ == 'scg.{0}'"
    python("; ".join(f"{way}; {for_each}".format(name) for name in LAZY))


def test_every_public_name_is_there() -> None:
    python("from scg import *; import scg; assert set(scg.__all__) <= set(globals()) & {*dir(scg)}")
    assert python("import scg; print(scg.audit.__module__)").startswith("scg.inspect")


def test_a_misspelt_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Bernouli'") as error:
        scg.Bernouli  # noqa: B018
    assert error.value.name == "Bernouli" and error.value.obj is scg
    with pytest.raises(ImportError, match="cannot import name 'tests'"):
        exec("from scg import tests")
    assert not hasattr(scg, "_nothing") and not hasattr(scg, "__wrapped__")


def test_what_a_submodule_lacks_is_not_taken_for_the_submodule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wanting.py").write_text("import something_not_installed\n")
    monkeypatch.setattr(scg, "__path__", [*scg.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="something_not_installed"):
        scg.wanting  # noqa: B018


@pytest.mark.slow
def test_a_type_checker_knows_the_names(tmp_path: Path) -> None:
    """It must neither miss what is imported later nor take every name for something known."""
    (tmp_path / "user.py").write_text(
        "import scg\nreveal_type(scg.testing.exact_gradient)\nreveal_type(scg.audit)\nscg.audot\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "user.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert "tuple[numpy.ndarray" in done.stdout and "scg.inspect._audit.Audit" in done.stdout
    assert 'has no attribute "audot"' in done.stdout


def seconds(code: str, **environment: str) -> float:
    """Return the processor time that a whole process takes."""
    before = os.times()
    python(code, **environment)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


@pytest.mark.slow
def test_an_import_costs_little_more_than_what_it_imports(tmp_path: Path) -> None:
    """Of whole processes; bytecode is kept in a folder of its own, for the first run to write."""
    bytecode = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    ours, theirs = "import scg", "import numba, scipy.special"
    pairs = [(seconds(ours, **bytecode), seconds(theirs, **bytecode)) for _ in range(8)][1:]
    best = [min(column) for column in zip(*pairs, strict=True)]
    assert best[0] < 1.5 * best[1]
