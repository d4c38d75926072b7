"""The kind program: from PATH when its version is in the tested range, else downloaded once, pinned by SHA-256."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from aks_wasm.errors import AksWasmError, ServiceError
from aks_wasm.events import Progress
from aks_wasm.providers.kind.download import Wanted, fetch
from aks_wasm.providers.kind.process import run

_VERSION = re.compile(r"\bv(\d+)\.(\d+)\.(\d+)")
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}

Version = tuple[int, int, int]


@cache
def releases() -> dict[str, Any]:
    """Return what is known of kind's releases and node images."""
    text = files(__package__).joinpath("releases.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def parse_version(text: str) -> Version | None:
    """Return the first version in a text, of the form `v1.2.3`."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def is_tested(version: Version | None) -> bool:
    """Return whether a version of kind is in the range that this tool was tested with."""
    tested = releases()["kind"]["tested"]
    lowest, end = parse_version(tested["from"]), parse_version(tested["before"])
    return version is not None and lowest is not None and end is not None and lowest <= version < end


def kind_program(home: Path, on_state: Progress = lambda _state: None) -> str:
    """Return the kind program to run.

    Raises:
        Unreachable: PATH has none in the tested range, and it can't be downloaded; says where to put it by hand.
        ServiceError: The download is not what it should be, or there is none for this machine.
    """
    found, version = on_path()
    if found is not None and is_tested(version):
        return found
    wanted = download_for(home, *this_machine())
    path = fetch(wanted, on_state)
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return str(path)


def on_path() -> tuple[str | None, Version | None]:
    """Return the kind of PATH with its version; None for what there is not, or does not tell."""
    found = shutil.which("kind")
    return found, (_version_of(found) if found is not None else None)


def this_machine() -> tuple[str, str]:
    """Return the operating system and the architecture, in kind's words."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return system, _MACHINES.get(machine, machine)


def download_for(home: Path, system: str, arch: str) -> Wanted:
    """Return what to download for a machine.

    Raises:
        ServiceError: There is no file for it whose SHA-256 is known.
    """
    data = releases()["kind"]["download"]
    version, key = data["version"], f"{system}-{arch}"
    sha256 = data["sha256"].get(key)
    if sha256 is None:
        raise ServiceError(
            f"the SHA-256 of kind {version} for {key} is not known here, so it is not downloaded",
            code="KindMissing",
            hint=f"put a kind from {data['version']} on into PATH, or set `local.engine: embedded`",
        )
    name = f"kind-{version}" + (".exe" if system == "windows" else "")
    location = data["location"].format(version=version, os=system, arch=arch)
    return Wanted(f"kind {version} for {key}", location, sha256, home.absolute() / "bin" / name)


def _version_of(program: str) -> Version | None:
    try:
        shown = run((program, "version"))
    except AksWasmError:
        return None
    return parse_version(shown.out) if shown.code == 0 else None
