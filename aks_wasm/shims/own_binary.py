"""A shim that the user built: read from this machine, looked at, and described as the catalogue describes others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aks_wasm.errors import UsageError
from aks_wasm.shims.catalogue import Platform, Shim, problems, select
from aks_wasm.spec.models import DNS_LABEL, Arch

HASH_DIGITS = 12
"""Of the SHA-256, in names of objects and as the version."""

_LONGEST_NAME = 40  # characters; the handler becomes part of a label's key, which ends at 63
_HEAD = 20  # bytes: up to and with e_machine of an ELF header (System V ABI, ELF header)
_MACHINES: dict[int, Arch] = {62: "amd64", 183: "arm64"}  # EM_X86_64, EM_AARCH64
_LITTLE_ENDIAN = 1
_FILE_NAME = re.compile(r"^containerd-shim-(?P<name>[a-z0-9][a-z0-9.-]*)-(?P<version>v\d+)$")


@dataclass(frozen=True)
class OwnBinary:
    """One file for one architecture.

    Attributes:
        name: The shim's name, as the user gives it.
        path: The file.
        arch: What its ELF header says.
        sha256: Of the file, 64 hex digits.
        size: Bytes.
    """

    name: str
    path: Path
    arch: Arch
    sha256: str
    size: int


def read_own_binary(name: str, path: Path) -> OwnBinary:
    """Look at a file that is to be a shim.

    Raises:
        UsageError: It is not there, cannot be read, or is no Linux program for amd64 or arm64.
    """
    if re.match(DNS_LABEL, name) is None or len(name) > _LONGEST_NAME:
        hint = f"take at most {_LONGEST_NAME} lower-case letters, digits and dashes"
        raise _off(name, path, f"`{name}` is no name for a shim", hint)
    try:
        content = path.read_bytes()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise _off(name, path, f"`{path}` cannot be read: {why}", "give the path of the shim's binary") from error
    return OwnBinary(name, path, _arch_of(name, path, content), hashlib.sha256(content).hexdigest(), len(content))


def _arch_of(name: str, path: Path, content: bytes) -> Arch:
    if content[:4] != b"\x7fELF" or len(content) < _HEAD:
        hint = "give the bare binary, unpacked, as it was built for Linux"
        raise _off(name, path, f"`{path}` is no Linux program (it has no ELF header)", hint)
    machine = int.from_bytes(content[18:20], "little" if content[5] == _LITTLE_ENDIAN else "big")
    if machine not in _MACHINES:
        hint = "nodes are amd64 (x86-64) or arm64 (aarch64); build it for one of them"
        raise _off(name, path, f"`{path}` is for another processor (ELF machine {machine})", hint)
    return _MACHINES[machine]


def own_shim(binaries: Sequence[OwnBinary]) -> Shim:
    """Return the shim that these files are, one for each architecture.

    Its version and handler carry the hash of the content: another build is another version beside the old one.

    Raises:
        UsageError: Two files are for the same architecture, or differ in name.
    """
    first = binaries[0]
    by_arch: dict[Arch, OwnBinary] = {}
    for binary in binaries:
        other = by_arch.setdefault(binary.arch, binary)
        if other.sha256 != binary.sha256:
            why = f"`{other.path}` and `{binary.path}` are both for {binary.arch}"
            raise _off(first.name, binary.path, why, "give one file for each architecture, or two names")
    names = {binary.path.name for binary in by_arch.values()}
    if len(names) > 1:
        why = f"its files have different names: {', '.join(f'`{name}`' for name in sorted(names))}"
        raise _off(first.name, first.path, why, "containerd finds a shim by its file's name; give them the same")
    version = _version(by_arch)
    shim = Shim(
        name=first.name,
        version=version,
        handler=f"aks-wasm-{first.name}-{version}",
        runtime_type=runtime_type_of(first.name, version, first.path.name),
        binary=first.path.name,
        platforms=tuple(
            Platform(arch, f"parts://{binary.sha256[:HASH_DIGITS]}", binary.sha256)
            for arch, binary in sorted(by_arch.items())
        ),
        runs=None,
        probe="completes",
        pinned=True,
    )
    return as_catalogued(shim)


def runtime_type_of(name: str, version: str, file_name: str) -> str:
    """Return containerd's name for a binary: `io.containerd.NAME.vN` where its file is named so, else its path."""
    found = _FILE_NAME.match(file_name)
    if found is None:
        return f"/opt/aks-wasm/{name}/{version}/{file_name}"
    return f"io.containerd.{found['name']}.{found['version']}"


def _version(by_arch: Mapping[Arch, OwnBinary]) -> str:
    sums = [binary.sha256 for _, binary in sorted(by_arch.items())]
    if len(sums) == 1:
        return sums[0][:HASH_DIGITS]
    return hashlib.sha256("".join(sums).encode()).hexdigest()[:HASH_DIGITS]


def as_catalogued(shim: Shim) -> Shim:
    """Take from the catalogue how a shim of that name wants its pods; an own build of Spin is still Spin."""
    if problems((shim.name,), install=False):
        return shim
    (like,) = select((shim.name,))
    return replace(
        shim, runs=like.runs, probe=like.probe, command=like.command, http_port=like.http_port, engine=like.engine
    )


def _off(name: str, path: Path, why: str, hint: str) -> UsageError:
    return UsageError(f"`--shim {name}={path}`: {why}", code="ShimUnusable", hint=hint)
