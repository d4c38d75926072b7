"""What the installer's pods are told by their ConfigMap: the list of shims, settings, images for probes; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aks_wasm.emulator.node.runtimes import Runtime, runtime_from_type

LIST, SETTINGS = "shims.tsv", "settings"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
_COLUMNS = 8
_SCHEMES = ("https://", "http://", "file://", "oci://", "parts://")


class InstallRefused(Exception):
    """The script ends with an error.

    Attributes:
        code: The script's word for it, for example `HashMismatch`.
        words: What is wrong.
    """

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words


@dataclass(frozen=True)
class Listed:
    """One shim for one kind of node: a line of the list."""

    name: str
    version: str
    handler: str
    binary: str
    location: str
    sha256: str

    @property
    def path(self) -> str:
        """Where the binary lies on the node."""
        return f"/opt/aks-wasm/{self.name}/{self.version}/{self.binary}"

    @property
    def runtime(self) -> Runtime:
        """What its handler stands for."""
        found = runtime_from_type(self.handler, self.path, version=self.version)
        return Runtime(found.handler, found.shim, found.version)


@dataclass(frozen=True)
class Told:
    """Everything a node is told.

    Attributes:
        shims: The lines for its architecture.
        turns: How many nodes may restart containerd at a time; 0 = any number.
        local_image_pull: Whether containerd is to unpack what it pulls itself.
        namespace: Of the leases.
        probes: Image archives to import.
    """

    shims: tuple[Listed, ...]
    turns: int
    local_image_pull: bool
    namespace: str
    probes: tuple[Path, ...]

    @property
    def runtimes(self) -> dict[str, Runtime]:
        """The runtimes that are wanted, by handler."""
        return {shim.handler: shim.runtime for shim in self.shims}


def read_folder(folder: Path, arch: str) -> Told:
    """Read what the projected volume of an installer's pod holds.

    Args:
        folder: The volume.
        arch: `amd64` or `arm64`: the node's.

    Raises:
        InstallRefused: The list is broken, has nothing for this architecture, or a checksum is missing or malformed.
    """
    try:
        lines = (folder / LIST).read_text().splitlines()
        settings = dict(line.partition("=")[::2] for line in (folder / SETTINGS).read_text().splitlines())
    except OSError as error:
        raise InstallRefused("NotFound", f"{Path(str(error.filename)).name} did not come with the pod") from error
    return Told(
        shims=tuple(listed(lines, arch)),
        turns=_turns(settings),
        local_image_pull=settings.get("local_image_pull") == "true",
        namespace=settings.get("namespace", ""),
        probes=tuple(sorted((folder / "probes").glob("*.tar"))),
    )


def listed(lines: Iterable[str], arch: str) -> list[Listed]:
    """Return the lines for an architecture.

    Raises:
        InstallRefused: As `read_folder` has it.
    """
    found: dict[str, Listed] = {}
    handlers: dict[str, None] = {}
    for line in filter(None, lines):
        fields = line.split("\t")
        if len(fields) != _COLUMNS:
            raise InstallRefused("Unsupported", f"the list has a line of {len(fields)} fields")
        name, version, handler, binary, system, its_arch, location, sha256 = fields
        handlers[handler] = None
        if (system, _ARCHES.get(its_arch, its_arch)) != ("linux", arch):
            continue
        if _SHA256.fullmatch(sha256) is None:
            raise InstallRefused("HashMismatch", f"the SHA-256 of {name} {version} is not known")
        if not location.startswith(_SCHEMES):
            raise InstallRefused("Unsupported", f"{location} is of no kind known here")
        if handler in found:
            raise InstallRefused("Unsupported", "the list has a handler twice")
        found[handler] = Listed(name, version, handler, binary, location, sha256)
    for handler in handlers:
        if handler not in found:
            raise InstallRefused("Unsupported", f"{handler} has no binary for linux/{arch}")
    return list(found.values())


def _turns(settings: Mapping[str, str]) -> int:
    text = settings.get("turns", "")
    if not text.isdigit():
        raise InstallRefused("Unsupported", f"`turns={text}` is no number")
    return int(text)
