"""Checkpoint files: bitwise round trips, damage detected, the old one safe until the new is."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import scg._files
from scg import checkpoint
from scg.checkpoint import _file
from scg.errors import CheckpointError

DTYPES = sorted(_file._DTYPES)
ARRAYS = {"weight": np.arange(6.0).reshape(2, 3), "bias": np.array([1, 2], np.float32)}
STATE = {"step": 7, "loss": 0.1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "last.safetensors"


@pytest.fixture
def saved(path: Path) -> Path:
    checkpoint.save(path, ARRAYS, STATE)
    return path


def assert_is_saved(path: Path) -> None:
    """Assert that the fixture's checkpoint stands at `path`, and nothing beside it."""
    arrays, state = checkpoint.load(path)
    assert_same(arrays, ARRAYS)
    assert state == STATE
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()


def round_trip(folder: Path, arrays: Any, state: Any) -> tuple[dict[str, np.ndarray], Any]:
    checkpoint.save(folder / "c", arrays, state)
    return checkpoint.load(folder / "c")


@given(
    st.dictionaries(
        st.text().filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
        ),
        max_size=5,
    ),
    st.dictionaries(st.text(), JSON, max_size=5),
)
def test_anything_comes_back_bitwise(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray], state: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("any", numbered=True)
    found, found_state = round_trip(folder, arrays, state)
    assert_same(found, arrays)
    assert json.dumps(found_state) == json.dumps(state)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0), (1,), (2, 3)])
def test_shapes_and_dtypes(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    assert_same(round_trip(tmp_path, {"a": array}, {})[0], {"a": array})


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12)[::-2],
        np.broadcast_to(np.float32(3), (2, 3)),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(4, dtype=">f8"),
        np.frombuffer(b"read-only", np.uint8),
        np.array([np.nan, -np.nan, np.inf, -0.0, 5e-324]),
        np.array([0x7FF0000000000001], np.uint64).view(np.float64),  # a signalling NaN
    ],
    ids=["T", "step", "broadcast", "F", "endian", "read-only", "special", "payload"],
)
def test_unusual_arrays(tmp_path: Path, array: np.ndarray) -> None:
    before = array.tobytes()
    found, _ = round_trip(tmp_path, {"a": array}, {})
    assert_same(found, {"a": array})
    assert array.tobytes() == before


def test_loaded_arrays_may_be_written(saved: Path) -> None:
    arrays, _ = checkpoint.load(saved)
    arrays["weight"] += 1
    assert_is_saved(saved)


@pytest.mark.parametrize("name", ["", "Gewicht/ä", "重み", "a\nb", '"', "\0", "🎲"])
def test_names_in_any_script(tmp_path: Path, name: str) -> None:
    found, state = round_trip(tmp_path, {name: np.ones(2)}, {name: name})
    assert list(found) == [name] and state == {name: name}


def test_numbers_that_json_libraries_lose(tmp_path: Path) -> None:
    state = {"big": 2**127 - 1, "tiny": 5e-324, "inf": -np.inf, "minus": -0.0, "pi": np.pi}
    state = {key: value if key == "big" else float(value) for key, value in state.items()}
    found = round_trip(tmp_path, {}, {**state, "nan": float("nan")})[1]
    assert np.isnan(found.pop("nan"))
    assert repr(found) == repr(state)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generators_go_on_bitwise(tmp_path: Path, name: str) -> None:
    rng = np.random.Generator(getattr(np.random, name)(5))
    rng.integers(9, dtype=np.uint32)  # leaves half a word behind, which is state as well
    arrays, skeleton = checkpoint.flatten(rng.bit_generator.state)
    found, state = round_trip(tmp_path, arrays, {"rng": skeleton})
    other = np.random.Generator(getattr(np.random, name)(6))
    other.bit_generator.state = checkpoint.unflatten(found, state["rng"])
    for draw in ("random", "standard_normal"):
        assert getattr(other, draw)(7).tobytes() == getattr(rng, draw)(7).tobytes()
    dtype = np.dtype(np.uint32)
    assert (other.integers(9, size=5, dtype=dtype) == rng.integers(9, size=5, dtype=dtype)).all()


def test_missing_folders_are_made_and_the_file_replaced(saved: Path) -> None:
    checkpoint.save(saved, {}, {"step": 8})
    assert checkpoint.load(str(saved)) == ({}, {"step": 8})


@pytest.mark.parametrize(
    ("arrays", "state", "why"),
    [
        ({"__metadata__": np.ones(1)}, {}, "'__metadata__'; give it another name"),
        ({"\ud800": np.ones(1)}, {}, "give it another name"),
        ({3: np.ones(1)}, {}, "called 3"),
        ({"a": [1.0]}, {}, "'a', which is of type list; give a NumPy array"),
        ({"a": np.float64(1)}, {}, "'a', which is of type float64"),
        ({"a": np.array([None])}, {}, "'a', which has dtype object; convert it"),
        ({"a": np.array(["x"])}, {}, "'a', which has dtype <U1"),
        ({"a": np.ones(1, complex)}, {}, "'a', which has dtype complex128"),
        ({}, {"lr": np.float32(1)}, r"state\['lr'\], which is of type float32"),
        ({}, {"x": {"y": [1, (2,)]}}, r"state\['x'\]\['y'\]\[1\], which is of type tuple"),
        ({}, {"x": {1: 2}}, r"the key 1 of state\['x'\]"),
        ({}, {"x": np.ones(2)}, r"state\['x'\], which is of type ndarray.*flatten"),
    ],
)
def test_what_cannot_be_stored(saved: Path, arrays: Any, state: Any, why: str) -> None:
    with pytest.raises(CheckpointError, match=why) as caught:
        checkpoint.save(saved, arrays, state)
    assert str(saved) in str(caught.value)
    assert_is_saved(saved)


# What is not whole.


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"there is no checkpoint {path}; check the path"):
        checkpoint.load(path)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder; name the checkpoint file in it"):
        checkpoint.load(tmp_path)


def test_every_truncation(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(len(whole)):
        saved.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="not an intact checkpoint"):
            checkpoint.load(saved)


def test_every_flipped_bit(saved: Path) -> None:
    whole = saved.read_bytes()
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        saved.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(saved)
        assert str(saved) in str(caught.value)


def test_appended_bytes(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="not an intact checkpoint"):
        checkpoint.load(saved)


def test_arrays_that_changed_places(tmp_path: Path) -> None:
    path = tmp_path / "c"
    checkpoint.save(path, {"aaa": np.zeros(1), "bbb": np.ones(1)}, {})
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"aaa", b"ccc").replace(b"bbb", b"aaa").replace(b"ccc", b"bbb"))
    with pytest.raises(CheckpointError, match="its content is not what was written"):
        checkpoint.load(path)


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("a pickle was executed",)


@pytest.mark.parametrize("content", [b"", b"{}", pickle.dumps(Trap()), b"PK\3\4" + bytes(100)])
def test_other_kinds_of_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(CheckpointError, match="not an intact checkpoint"):
        checkpoint.load(tmp_path / "c")


@pytest.mark.parametrize("metadata", [None, {"framework": "other"}])
def test_safetensors_of_someone_else(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    from safetensors.numpy import save_file

    save_file(ARRAYS, tmp_path / "c", metadata)
    with pytest.raises(CheckpointError, match=r"was not written by scg\.checkpoint"):
        checkpoint.load(tmp_path / "c")


def test_another_format_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as future:
        future.setattr(_file, "FORMAT", "2")
        checkpoint.save(path, ARRAYS, STATE)
    with pytest.raises(CheckpointError, match="has checkpoint format '2' and this scg reads '1'"):
        checkpoint.load(path)


def test_without_safetensors(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bare:
        bare.setitem(sys.modules, "safetensors", None)
        bare.setitem(sys.modules, "safetensors.numpy", None)
        with pytest.raises(CheckpointError, match=r"run pip install 'scg\[examples\]'"):
            checkpoint.load(saved)
        with pytest.raises(CheckpointError, match=r"run pip install 'scg\[examples\]'"):
            checkpoint.save(saved, {}, {})
    assert_is_saved(saved)


def test_no_permission_to_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("safetensors.safe_open", refuse)  # chmod does not stop root
    with pytest.raises(CheckpointError, match=r"cannot be read \(Permission denied\)"):
        checkpoint.load(saved)


# What cannot be written.


class FullDisk(io.FileIO):
    """A file on a disk that has room for fifty bytes."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        super().write(content[:50])
        raise OSError(errno.ENOSPC, "No space left on device")


def refuse_with(code: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


@pytest.mark.parametrize(
    ("owner", "name", "substitute", "why"),
    [
        (Path, "open", lambda path, mode: FullDisk(path, mode), "No space left on device"),
        (scg._files.os, "fsync", refuse_with(errno.ENOSPC), "No space left on device"),
        (scg._files.os, "fsync", refuse_with(errno.EIO), "Input/output error"),
        (Path, "replace", refuse_with(errno.EACCES), "Permission denied"),
        (Path, "open", refuse_with(errno.EACCES), "Permission denied"),
        (Path, "mkdir", refuse_with(errno.EROFS), "Read-only file system"),
    ],
)
def test_a_failed_save_leaves_the_old_one(
    saved: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, substitute: Any, why: str
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(owner, name, substitute)
        with pytest.raises(CheckpointError, match=f"was not written.*{why}") as caught:
            checkpoint.save(saved, {"weight": np.zeros(100)}, {"step": 8})
    assert str(saved) in str(caught.value) and "choose another folder" in str(caught.value)
    assert_is_saved(saved)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(CheckpointError, match="was not written"):
        checkpoint.save(tmp_path / "run" / "last.safetensors", ARRAYS, STATE)


def test_a_folder_where_the_file_should_be(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CheckpointError, match="was not written"):
        checkpoint.save(path, ARRAYS, STATE)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are a matter of POSIX")
def test_a_real_limit_on_file_size(saved: Path) -> None:
    """The kernel stops the write half-way, as a quota does."""
    script = (
        "import resource, sys, numpy as np; from scg import checkpoint\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: checkpoint.save(sys.argv[1], {'weight': np.zeros(100_000)}, {})\n"
        "except checkpoint._file.CheckpointError as error: print(error)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", script, saved], check=True, capture_output=True, text=True
    ).stdout
    assert "was not written (File too large)" in output
    assert_is_saved(saved)
