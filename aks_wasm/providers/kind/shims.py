"""Shims on their way to the nodes: fetched once, checked before they are unpacked, put where every node sees them."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aks_wasm.errors import Problem, ServiceError
from aks_wasm.events import Progress
from aks_wasm.providers.kind.download import Wanted, fetch, place_copy, sum_of
from aks_wasm.providers.kind.folder import ClusterFolder, shim_in_node
from aks_wasm.shims.catalogue import Platform, Shim
from aks_wasm.spec.models import Arch

_GZIP = b"\x1f\x8b"
_ELF = b"\x7fELF"
_MACHINES: dict[Arch, int] = {"amd64": 62, "arm64": 183}  # e_machine of x86-64 and AArch64 (elf.h)
_LARGEST = 512 * 1024 * 1024  # bytes of a shim that is unpacked; the largest known has 80 MiB
_SUM = "sha256"


def platform_of(shim: Shim, arch: Arch) -> Platform | None:
    """Return where a shim for this architecture is, or None."""
    return next((platform for platform in shim.platforms if platform.arch == arch), None)


def problems(shims: Iterable[Shim], arch: Arch) -> list[Problem]:
    """Find shims that can't be had for the nodes' architecture."""
    return [
        Problem(
            f"shims.{number}",
            f"`{shim.name}` {shim.version} is not given for {arch}, which the nodes here are",
            f"add a platform with `arch: {arch}`",
        )
        for number, shim in enumerate(shims)
        if platform_of(shim, arch) is None
    ]


def in_node(shims: Iterable[Shim]) -> dict[str, str]:
    """Return handler -> absolute path of its shim in the nodes."""
    return {shim.handler: shim_in_node(shim.handler, shim.binary) for shim in shims}


def not_provided(shims: Iterable[Shim], arch: Arch, folder: ClusterFolder) -> list[Shim]:
    """Return the shims whose present files the nodes don't see."""
    return [shim for shim in shims if _provided_sum(shim, folder) != _wanted_sum(shim, arch)]


def sums(shims: Iterable[Shim], folder: ClusterFolder) -> dict[str, str]:
    """Return handler -> SHA-256 of the program that the nodes see."""
    return {shim.handler: sum_of(folder.shims / shim.handler / shim.binary) for shim in shims}


def provide(
    shims: Iterable[Shim],
    arch: Arch,
    home: Path,
    folder: ClusterFolder,
    on_state: Progress = lambda _state: None,
) -> None:
    """Put shims where the nodes see them; what is there is not fetched again.

    Raises:
        Unreachable: One can't be had; says where to put it by hand.
        ServiceError: One is not what it should be, or for another kind of machine.
    """
    for shim in not_provided(shims, arch, folder):
        platform = platform_of(shim, arch)
        if platform is None or platform.sha256 is None:
            raise ServiceError(
                f"`{shim.name}` {shim.version} has no file for {arch} whose SHA-256 is known", code="ShimUnverified"
            )
        place = home.absolute() / "cache" / "shims" / platform.sha256
        wanted = Wanted(f"the shim {shim.name} {shim.version} for {arch}", platform.location, platform.sha256, place)
        on_state(f"providing {shim.name} {shim.version}")
        archive = fetch(wanted, on_state)
        target = folder.shims / shim.handler
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".unpacking-") as work:
            binary = unpack(archive, shim.binary, Path(work))
            check_machine(binary, shim, arch)
            place_copy(binary, target / shim.binary)
        (target / _SUM).write_text(platform.sha256, encoding="ascii")


def unpack(archive: Path, binary: str, work: Path) -> Path:
    """Return the file of that name out of a .tar.gz, or the file itself when it is none; no path of it is followed.

    Raises:
        ServiceError: It is no readable archive, or has no such file.
    """
    with archive.open("rb") as file:
        if file.read(2) != _GZIP:
            return archive
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = next((m for m in tar if m.isfile() and m.name.rpartition("/")[2] == binary), None)
            source = tar.extractfile(member) if member is not None and member.size <= _LARGEST else None
            if source is None:
                raise ServiceError(f"there is no file `{binary}` in `{archive}`", code="ShimInvalid")
            with source, (work / binary).open("wb") as target:
                shutil.copyfileobj(source, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ServiceError(f"`{archive}` cannot be unpacked: {error}", code="ShimInvalid") from error
    return work / binary


def check_machine(binary: Path, shim: Shim, arch: Arch) -> None:
    """Refuse what the nodes can't run (demand 34: images for arm64 have carried x86-64 shims).

    Raises:
        ServiceError: It is no 64-bit Linux program, or one for another architecture.
    """
    with binary.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != _ELF:
        raise ServiceError(f"`{shim.binary}` of {shim.name} {shim.version} is no Linux program", code="ShimInvalid")
    machine = int.from_bytes(head[18:20], "little")
    if machine != _MACHINES[arch]:
        known = {number: name for name, number in _MACHINES.items()}
        raise ServiceError(
            f"`{shim.binary}` of {shim.name} {shim.version} is for {known.get(machine, f'ELF machine {machine}')}, "
            f"the nodes are {arch}",
            code="ShimForOtherMachine",
            hint=f"give the location of the file for {arch}",
        )


def _wanted_sum(shim: Shim, arch: Arch) -> str | None:
    platform = platform_of(shim, arch)
    return platform.sha256 if platform else None


def _provided_sum(shim: Shim, folder: ClusterFolder) -> str:
    try:
        return (folder.shims / shim.handler / _SUM).read_text(encoding="ascii")
    except OSError:
        return ""
