"""What `--shim` asks for: shims of the catalogue or of the file by name, or binaries on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aks_wasm.errors import UsageError
from aks_wasm.shims.catalogue import Shim, problems, select
from aks_wasm.shims.own_binary import OwnBinary, own_shim, read_own_binary
from aks_wasm.spec.models import CustomShim


@dataclass(frozen=True)
class Asked:
    """Shims to put on nodes. `files` has the binaries of those that come from this machine, by their SHA-256."""

    shims: tuple[Shim, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)


def asked_shims(words: Sequence[str], listed: Iterable[str | CustomShim] = ()) -> Asked:
    """Return what the words of `--shim` mean; without any, what the file lists.

    Args:
        words: `NAME`, `NAME@VERSION` or `NAME=PATH` each; several paths of one name are its architectures.
        listed: The file's `shims`; its custom entries are known by their names.

    Raises:
        UsageError: A name or version is unknown, nobody verified its SHA-256, or a file cannot be a shim.
    """
    listed = tuple(listed)
    if not words:
        return Asked(tuple(_verified(entry, "shims") for entry in listed))
    binaries: dict[str, list[OwnBinary]] = {}
    chosen: dict[str, Shim] = {}
    for word in words:
        name, is_path, path = word.partition("=")
        if is_path:
            binaries.setdefault(name, []).append(read_own_binary(name, Path(path)))
        else:
            shim = _verified(_entry(word, listed), f"--shim {word}")
            chosen.setdefault(shim.handler, shim)
    own = [own_shim(group) for group in binaries.values()]
    files = {binary.sha256: binary.path for group in binaries.values() for binary in group}
    return Asked((*chosen.values(), *own), files)


def _entry(word: str, listed: Sequence[str | CustomShim]) -> str | CustomShim:
    name, _, version = word.partition("@")
    for entry in listed:
        if isinstance(entry, CustomShim) and entry.name == name and version in ("", entry.version):
            return entry
        if isinstance(entry, str) and not version and entry.partition("@")[0] == name:
            return entry  # the version that the file has settled on
    return word


def _verified(entry: str | CustomShim, place: str) -> Shim:
    found = problems((entry,))
    if found:
        raise UsageError(f"`{place}`: {found[0].message}", code="ShimUnknown", hint=found[0].hint)
    return select((entry,))[0]
