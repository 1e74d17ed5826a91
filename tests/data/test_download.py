"""The downloader against a server on this machine that misbehaves in every way."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import hashlib
import http.server
import io
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import scg._files
from scg import data
from scg.data import _connect, _download, _locate
from scg.errors import DataError

CONTENT = np.random.default_rng(0).bytes(200_000)
PACKED = gzip.compress(CONTENT)
OTHER = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `/<behaviour>/<file>`."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes]
    asked: list[str]
    over: threading.Event

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.close_connection = True
        _, behaviour, name = self.path.split("/")
        packed = name.endswith(".gz")
        whole = self.files.get(name, PACKED if packed else CONTENT)
        if behaviour == "missing":
            self.send_error(404)
        elif behaviour == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif behaviour == "tampered":
            self.answer(gzip.compress(OTHER) if packed else OTHER)
        elif behaviour == "flipped":
            self.answer(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        elif behaviour == "page":
            self.answer(b"<html>Please log in</html>")
        elif behaviour == "short":  # a whole answer, of too little
            self.answer(whole[:-100])
        elif behaviour == "long":
            self.answer(gzip.compress(CONTENT + bytes(10_000_000)) if packed else CONTENT + b"x")
        elif behaviour == "truncated":
            self.answer(whole[:-100], len(whole))
        elif behaviour == "stalled":
            self.answer(whole[:100], len(whole))
            self.over.wait()
        elif behaviour == "endless":
            self.answer(b"", None)
            while not self.over.is_set():
                self.wfile.write(bytes(1 << 16))
        elif behaviour == "chatter":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        elif behaviour == "unannounced":
            self.answer(whole, None)
        else:
            self.answer(whole)

    def answer(self, content: bytes, announced: int | None = -1) -> None:
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(len(content) if announced < 0 else announced))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients hang up on purpose here."""


@pytest.fixture
def handler() -> type[Handler]:
    return type("OneTest", (Handler,), {"files": {}, "asked": [], "over": threading.Event()})


@pytest.fixture
def server(handler: type[Handler], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_download, "STALL_SECONDS", 0.5)
    with Server(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        handler.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def target(folder: Path) -> Path:
    return folder / "set" / "file.gz"


def remote(server: str, *behaviours: str, name: str = "file.gz") -> _download.Remote:
    mirrors = tuple(f"{server}/{behaviour}/{name}" for behaviour in behaviours)
    return _download.Remote(mirrors, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("behaviour", ["good", "redirect", "unannounced"])
@pytest.mark.parametrize("name", ["file.gz", "file.amat"])
def test_a_good_answer_arrives(
    folder: Path, target: Path, server: str, behaviour: str, name: str
) -> None:
    _download.fetch(remote(server, behaviour, name=name), target)
    assert target.read_bytes() == (PACKED if name.endswith(".gz") else CONTENT)
    assert files_in(folder) == ["file.gz"]


BAD = [
    ("missing", "HTTP status 404"),
    ("tampered", "sha256 differs"),
    ("page", "not an intact gzip file"),
    ("flipped", "not an intact gzip file"),
    ("short", "not an intact gzip file"),
    ("long", "more than the published"),
    ("truncated", r"broke off after \d+ of \d+ bytes|IncompleteRead"),
    ("stalled", "timed out"),
    ("endless", "sends more than the file has"),
    ("chatter", "this is not HTTP"),
]


@pytest.mark.parametrize(("behaviour", "why"), BAD)
def test_a_bad_answer_leaves_nothing(
    folder: Path, target: Path, server: str, behaviour: str, why: str
) -> None:
    with pytest.raises(DataError, match=why) as caught:
        _download.fetch(remote(server, behaviour), target)
    assert "SCG_DATA" in str(caught.value) and f"{server}/{behaviour}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files_in(folder) == []


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [("page", "sha256"), ("flipped", "sha256"), ("short", "sha256"), ("long", "more than")],
)
def test_text_files_are_checked_too(target: Path, server: str, behaviour: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        _download.fetch(remote(server, behaviour, name="file.amat"), target)


@pytest.mark.parametrize("behaviour", [bad for bad, _ in BAD])
def test_the_next_mirror_helps(
    target: Path, server: str, behaviour: str, handler: type[Handler]
) -> None:
    _download.fetch(remote(server, behaviour, "good", "never"), target)
    assert target.read_bytes() == PACKED
    assert handler.asked == [f"/{behaviour}/file.gz", "/good/file.gz"]


def test_no_server_at_all(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DataError, match="refused"):
        _download.fetch(remote(f"http://127.0.0.1:{port}", "good"), target)


def test_a_silent_server_is_not_waited_for(
    target: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_download, "STALL_SECONDS", 3600.0)
    # The server that does answer must have the time for it on a busy machine.
    monkeypatch.setattr(_connect, "ANSWER_SECONDS", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        mirrors = (f"http://127.0.0.1:{port}/silent/file.gz", f"{server}/good/file.gz")
        file = remote(server, "good")
        _download.fetch(dataclasses.replace(file, mirrors=mirrors), target)
        assert target.read_bytes() == PACKED
        monkeypatch.setattr(_connect, "ANSWER_SECONDS", 0.1)
        with pytest.raises(DataError, match=r"no answer within 0\.1 seconds"):
            _download.fetch(dataclasses.replace(file, mirrors=mirrors[:1]), target)


class FullDisk(io.FileIO):
    """A file on a disk that has room for a thousand bytes."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        super().write(content[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk(
    folder: Path, target: Path, server: str, handler: type[Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", lambda path, mode: FullDisk(path, mode))
    with pytest.raises(DataError, match=r"No space left on device.*SCG_CACHE_DIR"):
        _download.fetch(remote(server, "good", "good"), target)
    assert files_in(folder) == []
    assert len(handler.asked) == 1  # another mirror would not help


def test_a_disk_found_full_at_the_end(
    folder: Path, target: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scg._files.os, "fsync", refuse)
    with pytest.raises(DataError, match="No space left on device"):
        _download.fetch(remote(server, "good"), target)
    assert files_in(folder) == []


def test_a_cache_that_is_a_file(folder: Path, server: str) -> None:
    (folder / "set").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        _download.fetch(remote(server, "good"), folder / "set" / "file.gz")


def test_ctrl_c_leaves_nothing(
    folder: Path, target: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_download, "_verify", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _download.fetch(remote(server, "good"), target)
    assert files_in(folder) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(target: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    _download.fetch(remote(server, "good"), target)
    assert "file.gz: 100%" in screen.getvalue()


@pytest.mark.parametrize("installed", [True, False])
def test_silence_elsewhere(
    target: Path,
    server: str,
    installed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    _download.fetch(remote(server, "good"), target)
    assert target.read_bytes() == PACKED
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def published(
    server: str,
    handler: type[Handler],
    mnist_files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, bytes]:
    """Publish the small MNIST on the local server in place of the real one."""
    handler.files = mnist_files
    table = {}
    for name, packed in mnist_files.items():
        content = gzip.decompress(packed)
        digest = hashlib.sha256(content).hexdigest()
        table[f"mnist/{name}"] = (f"{server}/missing/", f"{server}/good/"), len(content), digest
    monkeypatch.setattr(_locate, "_PUBLIC", table)
    return mnist_files


def test_mnist_is_fetched_once(
    folder: Path, cache: Path, published: dict[str, bytes], handler: type[Handler]
) -> None:
    first = data.load("mnist")
    assert first.train.shape == (7, 784)
    assert files_in(cache) == sorted(published) and files_in(folder) == []
    assert len(handler.asked) == 8
    second = data.load_or_digits("mnist")
    assert len(handler.asked) == 8 and second.notice == ""
    np.testing.assert_array_equal(first.train, second.train)


def test_only_what_is_missing_is_fetched(
    mnist: Path, cache: Path, published: dict[str, bytes], handler: type[Handler]
) -> None:
    (mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    data.load("mnist")
    assert files_in(cache) == ["t10k-labels-idx1-ubyte.gz"]


def test_a_failed_download_falls_back_to_digits(
    folder: Path, published: dict[str, bytes], handler: type[Handler]
) -> None:
    handler.files = {name: PACKED for name in published}
    images = data.load_or_digits("mnist")
    assert images.name == "digits"
    assert "HTTP status 404" in images.notice and "more than" in images.notice


def test_the_published_table_is_whole() -> None:
    assert len(_locate._PUBLIC) == 7
    for place, (mirrors, size, digest) in _locate._PUBLIC.items():
        assert len(mirrors) == 2 and all(mirror.endswith("/") for mirror in mirrors), place
        assert len(digest) == 64 and size > 10_000
