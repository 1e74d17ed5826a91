"""The package as a whole: metadata, the contracts' reach, what an import costs and does."""

from __future__ import annotations

import configparser
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
