"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from scg._files import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_content_stands_until_the_end(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
        file.seek(0)
        assert file.read() == b"new"
    assert target.read_bytes() == b"new" and names(tmp_path) == ["file"]


@pytest.mark.parametrize("failure", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, failure: type[BaseException], old: bytes | None
) -> None:
    target = tmp_path / "file"
    if old:
        target.write_bytes(old)
    with pytest.raises(failure), replacing(target) as file:
        file.write(b"half")
        raise failure
    assert names(tmp_path) == (["file"] if old else [])
    assert not old or target.read_bytes() == old


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as one, replacing(tmp_path / "file") as two:
        one.write(b"one" * 1000)
        two.write(b"two")
    assert (tmp_path / "file").read_bytes() == b"one" * 1000
    assert names(tmp_path) == ["file"]


def test_folders_are_made_and_modes_are_the_users(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b" / "file"):
        pass
    (tmp_path / "plain").touch()
    modes = [path.stat().st_mode for path in (tmp_path / "a/b/file", tmp_path / "plain")]
    assert modes[0] == modes[1]
