"""Fetches a public file: from the first mirror that delivers exactly the published content."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scg._files import replacing
from scg.data._connect import MirrorError, answer
from scg.errors import DataError

__all__ = ["Remote", "UnavailableError", "fetch"]

STALL_SECONDS = 30.0  # without a byte for so long, the next mirror is tried
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Remote:
    """Describe a public file.

    Parameters
    ----------
    mirrors : tuple of str
        Addresses, tried in this order; one that ends in .gz delivers the content gzipped.
    size : int
        Bytes of the content, decompressed.
    sha256 : str
        Digest of the content, decompressed: gzip headers hold time stamps, so mirrors may differ.
    """

    mirrors: tuple[str, ...]
    size: int
    sha256: str


class UnavailableError(DataError):
    """Data that is nowhere to be had, as opposed to data that is there and damaged."""


def fetch(remote: Remote, target: Path) -> None:
    """Download a file, check its content, and only then let it appear under its name.

    Parameters
    ----------
    remote : Remote
        The file.
    target : Path
        Where it goes; missing folders are created.

    Raises
    ------
    UnavailableError
        If no mirror delivers the published content, or it cannot be written.
    """
    failures = []
    for address in remote.mirrors:
        try:
            with replacing(target) as file:
                _receive(address, remote.size, file)
                _verify(file, address.endswith(".gz"), remote)
        except MirrorError as error:
            failures.append(f"{address}: {error}")
        except OSError as error:
            raise UnavailableError(
                f"{target} cannot be written ({error.strerror or error}); free space or rights "
                f"there, or let SCG_CACHE_DIR name another folder"
            ) from error
        else:
            return
    raise UnavailableError(
        f"{target.name} could not be downloaded ({'; '.join(failures)}); connect to the internet, "
        f"or put the file under {target.parent.name}/ in a folder that SCG_DATA names"
    )


def _receive(address: str, size: int, file: BinaryIO) -> None:
    # closing: a write that fails must also end the connection, not leave it to the collector.
    with contextlib.closing(_chunks(address, size)) as chunks:
        for chunk in chunks:
            file.write(chunk)
    file.flush()


def _chunks(address: str, size: int) -> Generator[bytes, None, None]:
    """Yield what a mirror sends; its failures become `MirrorError`, unlike those of writing."""
    request = urllib.request.Request(address, headers={"User-Agent": "scg"})
    received = 0
    try:
        with answer(request, STALL_SECONDS) as response:
            announced = response.length
            with _progress(address.rpartition("/")[2], announced) as advance:
                while chunk := response.read(_CHUNK):
                    received += len(chunk)
                    # An endless answer would otherwise fill the disk; gzip adds little at worst.
                    if received > size + _CHUNK:
                        raise MirrorError("it sends more than the file has")
                    advance(len(chunk))
                    yield chunk
    except urllib.error.HTTPError as error:
        error.close()
        raise MirrorError(f"HTTP status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        # A mirror's own words may span lines.
        raise MirrorError(" ".join(reason.split())) from error
    if announced is not None and received < announced:
        raise MirrorError(f"the transfer broke off after {received} of {announced} bytes")


@contextlib.contextmanager
def _progress(label: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show a bar on a terminal if tqdm is installed, else nothing."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda count: None
        return
    with tqdm(total=total, desc=label, unit="B", unit_scale=True, disable=None) as bar:
        yield bar.update


def _verify(file: BinaryIO, gzipped: bool, remote: Remote) -> None:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    try:
        with (
            gzip.GzipFile(fileobj=file, mode="rb")
            if gzipped
            else contextlib.nullcontext(file) as content
        ):
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if size > remote.size:
                    raise MirrorError(f"it holds more than the published {remote.size} bytes")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MirrorError(f"what it sent is not an intact gzip file ({error})") from error
    if digest.hexdigest() != remote.sha256:
        raise MirrorError("what it sent is not the published content (its sha256 differs)")
