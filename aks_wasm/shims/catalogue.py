"""The shims we know by name, and what a spec's `shims` selects from them.

Answers demands 29 and 33 of shared/facts/demands.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from aks_wasm.errors import Problem, SpecInvalid
from aks_wasm.spec.models import Arch, CustomShim
from aks_wasm.wasm.suitability import Runs

NO_SHIM = "none"
"""What a workload says that is an ordinary container."""

_MACHINES: dict[Arch, str] = {"amd64": "x86_64", "arm64": "aarch64"}
_ARCHITECTURES: tuple[Arch, ...] = ("amd64", "arm64")


@dataclass(frozen=True)
class Platform:
    """Where a shim for one kind of node is. `sha256` is of the file at `location`; None when nobody verified it."""

    arch: Arch
    location: str
    sha256: str | None
    os: Literal["linux"] = "linux"


@dataclass(frozen=True)
class PreviewRuntime:
    """What WASI node pools of the retired preview bring for a shim.

    Attributes:
        runtime_class: The RuntimeClass's name.
        handler: containerd's name for it on those nodes (AgentBaker e2e validators).
        node_label: The label that those nodes carry, with the value `true`.
    """

    runtime_class: str
    handler: str
    node_label: str


@dataclass(frozen=True)
class Shim:
    """One version of a shim.

    Attributes:
        name: As in the spec, for example `spin`.
        version: For example `v0.25.1`.
        handler: containerd's name for it where we installed it; the RuntimeClass has the same name.
        runtime_type: containerd's, for example `io.containerd.spin.v2`.
        binary: The file's name, for example `containerd-shim-spin-v2`.
        platforms: Where it can be had.
        runs: What it can run; None when we don't know (custom shims).
        probe: Whether a probe pod `completes`, or `serves` until it is deleted.
        engine: What is inside, for example `Spin 4.0.1`.
        command: What pods must give as command; () leaves the image's entrypoint.
        http_port: Where its HTTP server listens; None when the workload decides.
        preview: What preview pools bring for this very version.
        pinned: Whether the spec names this version; else it is the newest.
        date: Day of its release, as `2026-06-12`.
        proof: By fact (`sha256`, `engine`, `runs`, `preview`), where it was read and when.
    """

    name: str
    version: str
    handler: str
    runtime_type: str
    binary: str
    platforms: tuple[Platform, ...]
    runs: Runs | None
    probe: Literal["serves", "completes"]
    source: str = ""
    date: str = ""
    engine: str = ""
    command: tuple[str, ...] = ()
    http_port: int | None = None
    preview: PreviewRuntime | None = None
    pinned: bool = False
    proof: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def runtime_class(self) -> str:
        """The RuntimeClass's name where we installed the shim."""
        return self.handler


def select(entries: Iterable[str | CustomShim]) -> tuple[Shim, ...]:
    """Return the shims that a spec asks for, each once, in their order.

    Raises:
        SpecInvalid: A name or version is unknown; every problem at once.
    """
    entries = tuple(entries)
    found = problems(entries, install=False)
    if found:
        raise SpecInvalid("shims", found)
    chosen: dict[str, Shim] = {}
    for shim in (_shim(entry) for entry in entries if entry != NO_SHIM):
        chosen.setdefault(shim.handler, shim)
    return tuple(chosen.values())


def problems(entries: Iterable[str | CustomShim], *, install: bool = True) -> list[Problem]:
    """Find unknown names and versions, and shims that cannot be installed because nobody verified their SHA-256.

    Args:
        entries: The spec's `shims`.
        install: Whether they are to be put on nodes; preview pools bring their own.
    """
    found: list[Problem] = []
    handlers: dict[str, tuple[str, str, tuple[Platform, ...]]] = {}
    for number, entry in enumerate(entries):
        place = f"shims.{number}"
        if entry == NO_SHIM:
            continue
        problem = _name_problem(entry, place) if isinstance(entry, str) else None
        if problem is not None:
            found.append(problem)
            continue
        shim = _shim(entry)
        if install and any(platform.sha256 is None for platform in shim.platforms):
            found.append(_unverified(shim, place))
        identity = (shim.name, shim.version, shim.platforms)
        if handlers.setdefault(shim.handler, identity) != identity:
            found.append(Problem(place, f"the handler `{shim.handler}` is taken by another shim"))
    return found


def every_version() -> tuple[Shim, ...]:
    """Return every version of every shim that we know by name."""
    return tuple(_shim(f"{name}@{version}") for name, data in _catalogue().items() for version in data["versions"])


def preview_shim(shim: Shim) -> Shim | None:
    """Return the version of a shim that preview pools bring; None when they bring none, or not the one asked for."""
    if shim.preview is not None or shim.pinned:
        return shim if shim.preview else None
    versions = _catalogue().get(shim.name, {}).get("versions", {})
    candidates = (_shim(f"{shim.name}@{version}") for version in versions)
    return next((candidate for candidate in candidates if candidate.preview), None)


def _name_problem(entry: str, place: str) -> Problem | None:
    name, _, version = entry.partition("@")
    catalogue = _catalogue()
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, 1)
        known = ", ".join(catalogue)
        return Problem(
            place,
            f"there is no shim `{name}`",
            f"did you mean `{near[0]}`?" if near else f"known are {known}; others go in as custom entries",
        )
    if version and _version(name, version) is None:
        return Problem(
            place,
            f"`{name}` has no version `{version}` here",
            f"known are {', '.join(catalogue[name]['versions'])}; others go in as custom entries",
        )
    return None


def _unverified(shim: Shim, place: str) -> Problem:
    return Problem(
        place,
        f"the SHA-256 of `{shim.name}` {shim.version} is not known, so it is not installed",
        "give it as a custom entry with the platforms' `location` and `sha256`, or use preview pools"
        if shim.preview
        else "give it as a custom entry with the platforms' `location` and `sha256`",
    )


@cache
def _catalogue() -> dict[str, Any]:
    shims: dict[str, Any] = _document()["shims"]
    return shims


@cache
def _document() -> dict[str, Any]:
    text = files(__package__).joinpath("catalogue.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _version(name: str, asked: str) -> str | None:
    versions: Mapping[str, Any] = _catalogue()[name]["versions"]
    if not asked:
        return next(iter(versions))
    return next((version for version in versions if asked in (version, version.removeprefix("v"))), None)


@cache
def _shim(entry: str | CustomShim) -> Shim:
    if isinstance(entry, CustomShim):
        return _custom(entry)
    name, _, asked = entry.partition("@")
    version = _version(name, asked)
    if version is None:
        raise KeyError(entry)
    data = {**_catalogue()[name], **_catalogue()[name]["versions"][version]}
    preview = data.get("preview")
    return Shim(
        name=name,
        version=version,
        handler=_handler(name, version),
        runtime_type=data["runtime_type"],
        binary=data["binary"],
        platforms=tuple(
            Platform(
                arch,
                data["location"].format(version=version, machine=_MACHINES[arch]),
                data.get("sha256", {}).get(arch),
            )
            for arch in data.get("platforms", _ARCHITECTURES)
        ),
        runs=_runs(data["runs"]),
        probe=data["probe"],
        source=data["source"],
        date=str(data["date"]),
        engine=data["engine"],
        command=tuple(data.get("command", ())),
        http_port=data.get("http_port"),
        preview=_preview(preview) if preview else None,
        pinned=bool(asked),
        proof={fact: _sources(names) for fact, names in data.get("proof", {}).items()},
    )


def _sources(names: Iterable[str]) -> tuple[str, ...]:
    every = _document()["sources"]
    return tuple(f"{every[name]['what']} ({every[name]['date']})" for name in names)


def _runs(data: Mapping[str, Any]) -> Runs:
    return Runs(
        spin_manifest=tuple(data.get("spin_manifest", ())),
        triggers=tuple(data.get("triggers", ())),
        wasip1=bool(data.get("wasip1")),
        components=bool(data.get("components")),
        wasi_http=bool(data.get("wasi_http")),
    )


def _preview(data: Mapping[str, str]) -> PreviewRuntime:
    label = data.get("node_label", f"kubernetes.azure.com/{data['runtime_class']}")
    return PreviewRuntime(data["runtime_class"], data["handler"], label)


def _handler(name: str, version: str) -> str:
    return f"aks-wasm-{name}-{version}".replace(".", "-").lower()


def _custom(entry: CustomShim) -> Shim:
    if entry.runtime_type.startswith("/"):
        binary = entry.runtime_type.rpartition("/")[2]
    else:  # containerd's own rule: io.containerd.NAME.vN is found as containerd-shim-NAME-vN
        binary = "containerd-shim-" + "-".join(entry.runtime_type.split(".")[2:])
    return Shim(
        name=entry.name,
        version=entry.version,
        handler=entry.handler or _handler(entry.name, entry.version),
        runtime_type=entry.runtime_type,
        binary=binary,
        platforms=tuple(Platform(p.arch, p.location, p.sha256, p.os) for p in entry.platforms),
        runs=None,
        probe="completes",
        pinned=True,
    )
