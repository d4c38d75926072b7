"""Layers become a root file system; nothing in a layer can reach outside of it."""

from __future__ import annotations

import gzip
import importlib
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, cast

_LINKS_FOLLOWED = 40  # as many as Linux follows before ELOOP
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


def inside(root: Path, path: str, *, follow_last: bool = True) -> Path | None:
    """Return where `path` of the container is on this machine, links followed inside `root` only.

    Args:
        root: The container's root file system.
        path: A path in the container, absolute or from its root.
        follow_last: Whether a link at the very end is followed.

    Returns:
        The path, whether or not something is there; None when links go in circles.
    """
    waiting = [part for part in PurePosixPath("/", path).parts[1:] if part != "."]
    done: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        place = root.joinpath(*done, part)
        if place.is_symlink() and (waiting or follow_last):
            links += 1
            if links > _LINKS_FOLLOWED:
                return None
            target = PurePosixPath(place.readlink().as_posix())
            if target.is_absolute():
                done = []
            waiting = [step for step in target.parts if step not in ("/", ".")] + waiting
            continue
        done.append(part)
    return root.joinpath(*done)


def unpack(layer: Path, root: Path) -> None:
    """Apply one layer: a tar, plain, gzip or zstd, with whiteouts.

    Raises:
        ValueError: It is not such an archive, or its compression can't be read here.
        OSError: The disk is full, or the folder can't be written.
    """
    with layer.open("rb") as raw, _decompressed(raw) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    _apply(archive, member, root)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"layer sha256:{layer.name} is not a tar archive: {error}") from error


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.open(raw))
    if magic == b"\x28\xb5\x2f\xfd":
        return _zstd(raw)
    return raw


def _zstd(raw: IO[bytes]) -> IO[bytes]:
    try:
        module = importlib.import_module("compression.zstd")
        opened: IO[bytes] = module.open(raw)
    except ModuleNotFoundError as error:
        raise ValueError("a layer is compressed with zstd, which Python reads from 3.14 on") from error
    return opened


def _apply(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    place = inside(root, member.name, follow_last=False)
    if place is None or place == root or ".." in PurePosixPath(member.name).parts:
        return
    if place.name.startswith(_WHITEOUT):
        _white_out(place)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        if not place.is_dir() or place.is_symlink():
            _remove(place)
            place.mkdir()
        return
    _remove(place)
    if member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        _copy_linked(root, member.linkname, place)
    elif member.isfile():
        content = archive.extractfile(member)
        with place.open("wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)


def _copy_linked(root: Path, target: str, place: Path) -> None:
    source = inside(root, target)
    if source is not None and source.is_file():
        shutil.copyfile(source, place)


def _white_out(place: Path) -> None:
    if place.name == _OPAQUE:
        for child in place.parent.iterdir() if place.parent.is_dir() else ():
            _remove(child)
    else:
        _remove(place.with_name(place.name.removeprefix(_WHITEOUT)))


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
