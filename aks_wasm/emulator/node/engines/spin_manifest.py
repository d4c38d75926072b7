"""`spin.toml`, manifest versions 1 and 2, as far as the shim needs it (spin-manifest crate, schema v1 and v2)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.node.errors import ShimError

DEFAULT_ARGV = "${SCRIPT_NAME} ${ARGS}"


@dataclass(frozen=True)
class SpinComponent:
    """One component.

    Attributes:
        name: Its id.
        source: Path of its Wasm file, from the manifest's folder.
        environment: What it sees of an environment, apart from what a trigger adds.
        files: (source, destination) of its folders; a bare pattern has no destination.
        excludes_files: Whether `exclude_files` is set.
    """

    name: str
    source: str
    environment: dict[str, str]
    files: tuple[tuple[str, str | None], ...]
    excludes_files: bool


@dataclass(frozen=True)
class HttpRoute:
    """One http trigger.

    Attributes:
        route: The pattern, for example `/hello/:name/...`.
        component: Who handles it.
        wagi: The WAGI executor's argv template, or None for the Spin (wasi:http) executor.
    """

    route: str
    component: SpinComponent
    wagi: str | None


@dataclass(frozen=True)
class SpinApplication:
    """What is to run.

    Attributes:
        manifest_version: 1 or 2.
        name: The application's name.
        triggers: The trigger types used.
        routes: The http triggers.
        commands: The components of command triggers.
    """

    manifest_version: int
    name: str
    triggers: tuple[str, ...]
    routes: tuple[HttpRoute, ...]
    commands: tuple[SpinComponent, ...]


def parse_manifest(text: str) -> SpinApplication:
    """Read a manifest.

    Raises:
        ShimError: It is no TOML, of an unknown version, or misses what the shim needs.
    """
    try:
        document = tomllib.loads(text)
        version = str(document.get("spin_manifest_version", document.get("spin_version", "")))
        if version == "2":
            return _version_2(document)
        if version == "1":
            return _version_1(document)
    except tomllib.TOMLDecodeError as error:
        raise ShimError(f"failed to load `/spin.toml`: TOML parse error: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ShimError(f"failed to load `/spin.toml`: missing or misplaced field {error}") from error
    raise ShimError(f"failed to load `/spin.toml`: unknown manifest version `{version}`")


def _version_2(document: Mapping[str, Any]) -> SpinApplication:
    components = {name: _component(name, table) for name, table in document.get("component", {}).items()}

    def of(trigger: Mapping[str, Any]) -> SpinComponent:
        named = trigger["component"]
        if isinstance(named, str):
            if named not in components:
                raise ShimError(f"failed to load `/spin.toml`: no component named `{named}`")
            return components[named]
        return _component(str(trigger.get("id", "inline")), named)

    triggers = document["trigger"]
    routes = [
        HttpRoute(trigger["route"], of(trigger), _wagi(trigger))
        for trigger in triggers.get("http", ())
        if isinstance(trigger["route"], str)  # `{ private = true }` has no route
    ]
    return SpinApplication(
        manifest_version=2,
        name=document["application"]["name"],
        triggers=tuple(triggers),
        routes=tuple(routes),
        commands=tuple(of(trigger) for trigger in triggers.get("command", ())),
    )


def _version_1(document: Mapping[str, Any]) -> SpinApplication:
    trigger = document["trigger"]
    base = trigger.get("base", "/").rstrip("/")
    tables = document.get("component", ())
    is_http = trigger["type"] == "http"
    routes = [
        HttpRoute(base + table["trigger"]["route"], _component(table["id"], table), _wagi(table["trigger"]))
        for table in (tables if is_http else ())
    ]
    return SpinApplication(
        manifest_version=1,
        name=document["name"],
        triggers=(trigger["type"],),
        routes=tuple(routes),
        commands=tuple(_component(table["id"], table) for table in tables if trigger["type"] == "command"),
    )


def _component(name: str, table: Mapping[str, Any]) -> SpinComponent:
    source = table["source"]
    if not isinstance(source, str):
        raise ShimError(f"component `{name}` comes from {source}; this node fetches no components, put it in the image")
    files = tuple((entry, None) if isinstance(entry, str) else _placement(entry) for entry in table.get("files", ()))
    environment = {key: str(value) for key, value in table.get("environment", {}).items()}
    return SpinComponent(name, source, environment, files, bool(table.get("exclude_files")))


def _placement(entry: Mapping[str, str]) -> tuple[str, str | None]:
    return entry["source"], entry["destination"]


def _wagi(trigger: Mapping[str, Any]) -> str | None:
    executor = trigger.get("executor") or {}
    if executor.get("type") != "wagi":
        return None
    return str(executor.get("argv", DEFAULT_ARGV))
