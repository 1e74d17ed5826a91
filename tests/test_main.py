"""`python -m scg`, as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from scg import __main__ as main_module
from scg.__main__ import main


def test_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scg"],
        env={**os.environ, "SCG_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert f"{tmp_path / 'cache'} (writable)" in done.stdout


def test_the_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    names = [name for name, _ in main_module.table()]
    width = max(map(len, names)) + 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:width].rstrip() for line in lines] == names
    assert all(line[width - 2 : width] == "  " and line[width] != " " for line in lines)


def test_nothing_is_unavailable_here() -> None:
    table = dict(main_module.table())
    assert not [name for name, text in table.items() if text.startswith("unavailable")]
    assert table["numba"] == version("numba")
    assert table["threading layer"] in {"tbb", "omp", "workqueue"}


def test_an_unknown_option_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verbose"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "python -m scg: unknown option '--verbose'; the only option is --help\n"


def test_help_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "bug report" in capsys.readouterr().out


def test_a_broken_row_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("no such thing")

    monkeypatch.setattr(main_module._jit, "threading_layer", broken)
    table = dict(main_module.table())
    assert table["threading layer"] == "unavailable (OSError: no such thing)"
    assert table["numba"] == version("numba")


def test_a_missing_dot_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main_module._dot() == "not found (install Graphviz to draw graphs)"


def test_the_version_of_dot_is_read_from_either_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'dot - graphviz version 9.9.9' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main_module._dot() == f"dot - graphviz version 9.9.9 at {program}"


def test_a_folder_is_judged_by_what_exists(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main_module._folder(tmp_path / "new" / "deep").endswith("(writable)")
    assert main_module._folder(tmp_path / "file").endswith("(not writable)")
    assert main_module._folder(tmp_path / "file" / "below").endswith("(not writable)")


def test_the_data_folder_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SCG_DATA", raising=False)
    assert main_module._data() == "SCG_DATA is not set"
    monkeypatch.setenv("SCG_DATA", str(tmp_path))
    assert main_module._data() == str(tmp_path)
    monkeypatch.setenv("SCG_DATA", str(tmp_path / "none"))
    assert main_module._data() == f"{tmp_path / 'none'} (no such folder)"
