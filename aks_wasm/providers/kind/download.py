"""Files from elsewhere, kept once under AKS_WASM_HOME and never used before their SHA-256 is right."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from aks_wasm.errors import ServiceError, Unreachable
from aks_wasm.events import Progress
from aks_wasm.providers.kind.folder import unwritable

_PIECE = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS = 20.0, 60.0
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """A file to have.

    Attributes:
        what: For messages, for example "kind v0.33.0".
        location: `https://`, `http://` or `file://`.
        sha256: What it must hash to.
        place: Where it is kept; who is offline puts it there by hand.
    """

    what: str
    location: str
    sha256: str
    place: Path


def fetch(wanted: Wanted, on_state: Progress = lambda _state: None) -> Path:
    """Return the file's place, where it is now, with the right content.

    Raises:
        Unreachable: It can't be had; says where to put it by hand and what it must hash to.
        ServiceError: What is at the location is not what it should be.
        AksWasmError: The place can't be written.
    """
    if is_right(wanted.place, wanted.sha256):
        return wanted.place
    try:
        wanted.place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=wanted.place.parent, prefix=".incoming-")
    except OSError as error:
        raise unwritable(wanted.place, error) from error
    incoming = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            found = _copy(wanted, target, on_state)
        if found != wanted.sha256:
            raise _wrong(wanted, found)
        incoming.replace(wanted.place)
    except OSError as error:
        raise unwritable(wanted.place, error) from error
    finally:
        incoming.unlink(missing_ok=True)
    return wanted.place


def is_right(path: Path, sha256: str) -> bool:
    """Return whether a file is there and hashes to this."""
    try:
        return sum_of(path) == sha256
    except OSError:
        return False


def sum_of(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _copy(wanted: Wanted, target: BinaryIO, on_state: Progress) -> str:
    digest, size, told = hashlib.sha256(), 0, 0
    for piece in _pieces(wanted):
        target.write(piece)
        digest.update(piece)
        size += len(piece)
        if size - told >= 10 * _MEBIBYTE:
            told = size
            on_state(f"fetching {wanted.what}: {size // _MEBIBYTE} MiB")
    return digest.hexdigest()


def _pieces(wanted: Wanted) -> Iterator[bytes]:
    if urlsplit(wanted.location).scheme == "file":
        yield from _local_pieces(wanted)
        return
    import requests

    try:
        with requests.get(wanted.location, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS)) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(_PIECE)
    except requests.RequestException as error:
        raise _out_of_reach(wanted, str(error)) from error


def _local_pieces(wanted: Wanted) -> Iterator[bytes]:
    path = Path(unquote(urlsplit(wanted.location).path))
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise ServiceError(
            f"`{path}`, which is to be {wanted.what}, cannot be read: {error.strerror or error}", code="FileMissing"
        ) from error


def _out_of_reach(wanted: Wanted, said: str) -> Unreachable:
    return Unreachable(
        f"{wanted.what} cannot be fetched from {wanted.location}",
        code="DownloadFailed",
        hint=f"offline, put that file at `{wanted.place}`; its SHA-256 must be {wanted.sha256}",
        details=said,
    )


def _wrong(wanted: Wanted, found: str) -> ServiceError:
    return ServiceError(
        f"what is at {wanted.location} is not {wanted.what}: its SHA-256 is {found}, not {wanted.sha256}",
        code="ChecksumMismatch",
        hint=f"nothing of it was used; put the right file at `{wanted.place}`, or correct the SHA-256 in the file",
    )


def place_copy(source: Path, target: Path) -> None:
    """Put a copy of a file in place by a rename, executable; one that runs from the place keeps what it has.

    Raises:
        AksWasmError: The place can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        with os.fdopen(handle, "wb") as copy, source.open("rb") as file:
            shutil.copyfileobj(file, copy, _PIECE)
        Path(name).chmod(0o755)
        Path(name).replace(target)
    except OSError as error:
        raise unwritable(target, error) from error
