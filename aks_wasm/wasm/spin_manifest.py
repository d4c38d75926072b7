"""Spin application manifests, versions 1 and 2, read strictly: every problem at once.

The fields are those of fermyon/spin, crates/manifest/src/schema/{v1,v2,common}.rs (2025).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.wasm import spin_fields

_KEBAB = re.compile(r"^[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z][a-zA-Z0-9]*)*$")
_EXECUTORS = ("spin", "http", "wagi")


@dataclass(frozen=True)
class SpinFile:
    """A file or folder that a component sees. `destination` is None for a path or glob that keeps its place."""

    source: str
    destination: str | None = None


@dataclass(frozen=True)
class SpinComponent:
    """A module of an application.

    Attributes:
        id: Its name in the manifest.
        source: Its file as the manifest writes it; None when it comes from a URL or a registry.
        remote: Where else it comes from (`url`, `digest`, or `registry`, `package`, `version`).
        environment: What it gets as environment.
        files: What it sees of the file system.
        exclude_files: Globs of what it does not see.
    """

    id: str
    source: str | None
    remote: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[SpinFile, ...] = ()
    exclude_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpinTrigger:
    """What starts a component.

    Attributes:
        type: `http`, `command`, `redis`, ...
        component: The component's id.
        route: For http; None for a private route and for other types.
        executor: For http: `http` (a component's own handler), `spin` (version 1's word for it) or `wagi`.
        entrypoint: The function a WAGI executor calls.
        argv: The arguments a WAGI executor gives, as one string.
    """

    type: str
    component: str
    route: str | None = None
    executor: Literal["http", "spin", "wagi"] = "http"
    entrypoint: str = "_start"
    argv: str = "${SCRIPT_NAME} ${ARGS}"


@dataclass(frozen=True)
class SpinApp:
    """A manifest that has been read.

    Attributes:
        path: The manifest's file.
        version: 1 or 2.
        name: The application's name.
        components: In their order.
        triggers: In their order.
        base: What version 1 puts before every route.
        document: The manifest as TOML gives it.
    """

    path: Path
    version: Literal[1, 2]
    name: str
    components: tuple[SpinComponent, ...]
    triggers: tuple[SpinTrigger, ...]
    base: str = "/"
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def component(self, component_id: str) -> SpinComponent | None:
        """Return the component of that id, or None."""
        return next((one for one in self.components if one.id == component_id), None)

    def source_path(self, component: SpinComponent) -> Path | None:
        """Return where a component's file is, or None when it is not a file."""
        return None if component.source is None else self.path.parent / component.source


def load(path: Path) -> SpinApp:
    """Read a manifest; whether the files it names exist is not looked at.

    Raises:
        UsageError: There is no such file, or it is not TOML.
        SpecInvalid: It is not a Spin manifest; every problem at once.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no Spin manifest `{path}`",
            code="ManifestNotFound",
            hint="`source` names a spin.toml, relative to the file it is written in",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"`{path}` is not TOML: {error}", code="ManifestNotToml") from error
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror or error}", code="ManifestUnreadable") from error
    return parse(document, path)


def parse(document: Mapping[str, Any], path: Path) -> SpinApp:
    """Read a manifest that is TOML already.

    Raises:
        SpecInvalid: It is not a Spin manifest; every problem at once.
    """
    problems: list[Problem] = []
    version = document.get("spin_manifest_version", document.get("spin_version"))
    if version == "1":
        app = _version_1(document, path, problems)
    elif version == 2 and version is not True:
        app = _version_2(document, path, problems)
    else:
        said = "is missing" if version is None else f"is {version!r}"
        hint = 'write `spin_manifest_version = 2`, or `= "1"` for the older form'
        raise SpecInvalid(str(path), [Problem("spin_manifest_version", f"it {said}", hint)])
    if not app.components:
        problems.append(Problem("component", "there is none"))
    if not app.triggers:
        problems.append(Problem("trigger", "nothing starts a component"))
    if problems:
        raise SpecInvalid(str(path), problems)
    return app


def _version_1(document: Mapping[str, Any], path: Path, problems: list[Problem]) -> SpinApp:
    spin_fields.check(document, spin_fields.MANIFEST_V1, "", problems)
    trigger = document.get("trigger")
    trigger = trigger if isinstance(trigger, Mapping) else {}
    kind = str(trigger.get("type", ""))
    if not kind:
        problems.append(Problem("trigger.type", "is missing"))
    components, triggers = [], []
    for number, raw in enumerate(spin_fields.tables(document.get("component"))):
        place = f"component.{number}"
        spin_fields.check(raw, spin_fields.COMPONENT_V1, place, problems)
        component = _component(str(raw.get("id", "")), raw, place, problems)
        components.append(component)
        own = raw.get("trigger")
        own = own if isinstance(own, Mapping) else {}
        triggers.append(_trigger(kind, component.id, own, f"{place}.trigger", problems))
    _no_twins([component.id for component in components], problems)
    base = str(trigger.get("base", "/"))
    name = str(document.get("name", ""))
    return SpinApp(path, 1, name, tuple(components), tuple(triggers), base, document)


def _version_2(document: Mapping[str, Any], path: Path, problems: list[Problem]) -> SpinApp:
    spin_fields.check(document, spin_fields.MANIFEST_V2, "", problems)
    application = document.get("application")
    application = application if isinstance(application, Mapping) else {}
    spin_fields.check(application, spin_fields.APPLICATION_V2, "application", problems)
    components: list[SpinComponent] = []
    raw_components = document.get("component")
    for key, raw in (raw_components if isinstance(raw_components, Mapping) else {}).items():
        place = f"component.{key}"
        if not _KEBAB.match(key):
            problems.append(Problem(place, "an id is lower-case words with dashes between them"))
        if spin_fields.is_table(raw, place, problems):
            spin_fields.check(raw, spin_fields.COMPONENT_V2, place, problems)
            components.append(_component(key, raw, place, problems))
    triggers = _triggers_2(document, components, problems)
    return SpinApp(
        path,
        2,
        str(application.get("name", "")),
        tuple(components),
        tuple(triggers),
        _global_base(application),
        document,
    )


def _global_base(application: Mapping[str, Any]) -> str:
    settings = application.get("trigger")
    http = settings.get("http") if isinstance(settings, Mapping) else None
    return str(http.get("base", "/")) if isinstance(http, Mapping) else "/"


def _triggers_2(
    document: Mapping[str, Any], components: list[SpinComponent], problems: list[Problem]
) -> list[SpinTrigger]:
    triggers: list[SpinTrigger] = []
    raw_triggers = document.get("trigger")
    for kind, entries in (raw_triggers if isinstance(raw_triggers, Mapping) else {}).items():
        for number, raw in enumerate(spin_fields.tables(entries)):
            place = f"trigger.{kind}.{number}"
            target = raw.get("component")
            if isinstance(target, Mapping):  # a component written in the place of its name
                inline = f"inline-{kind}-{number}"
                spin_fields.check(target, spin_fields.COMPONENT_V2, f"{place}.component", problems)
                components.append(_component(inline, target, f"{place}.component", problems))
                target = inline
            if not isinstance(target, str):
                problems.append(Problem(f"{place}.component", "is missing"))
                continue
            if target not in {component.id for component in components}:
                problems.append(Problem(f"{place}.component", f"there is no component `{target}`"))
            triggers.append(_trigger(kind, target, raw, place, problems))
    return triggers


def _component(component_id: str, raw: Mapping[str, Any], place: str, problems: list[Problem]) -> SpinComponent:
    source = raw.get("source")
    remote: dict[str, str] = {}
    if isinstance(source, Mapping):
        remote = {str(key): str(value) for key, value in source.items()}
        spin_fields.check_remote(remote, f"{place}.source", problems)
        source = None
    files = []
    for entry in raw.get("files", ()) if isinstance(raw.get("files", ()), list | tuple) else ():
        if isinstance(entry, Mapping):
            spin_fields.check(entry, spin_fields.FILE_PLACEMENT, f"{place}.files", problems)
            files.append(SpinFile(str(entry.get("source", "")), str(entry.get("destination", ""))))
        else:
            files.append(SpinFile(str(entry)))
    environment = raw.get("environment")
    return SpinComponent(
        id=component_id,
        source=source if isinstance(source, str) else None,
        remote=remote,
        environment={str(k): str(v) for k, v in environment.items()} if isinstance(environment, Mapping) else {},
        files=tuple(files),
        exclude_files=tuple(map(str, raw.get("exclude_files", ()))),
    )


def _trigger(kind: str, component: str, raw: Mapping[str, Any], place: str, problems: list[Problem]) -> SpinTrigger:
    if kind != "http":
        return SpinTrigger(kind, component)
    route = raw.get("route")
    private = isinstance(route, Mapping) and route.get("private") is True
    if not private and not (isinstance(route, str) and route.startswith("/")):
        problems.append(Problem(f"{place}.route", "should be a path that starts with `/`, or `{ private = true }`"))
    executor = raw.get("executor")
    executor = executor if isinstance(executor, Mapping) else {}
    spin_fields.check(executor, spin_fields.EXECUTOR, f"{place}.executor", problems)
    name = executor.get("type", "http")
    if name not in _EXECUTORS:
        problems.append(Problem(f"{place}.executor.type", f"`{name}` is not one of {', '.join(_EXECUTORS)}"))
        name = "http"
    return SpinTrigger(
        kind,
        component,
        route=route if isinstance(route, str) else None,
        executor=name,
        entrypoint=str(executor.get("entrypoint", "_start")),
        argv=str(executor.get("argv", "${SCRIPT_NAME} ${ARGS}")),
    )


def _no_twins(ids: list[str], problems: list[Problem]) -> None:
    for twin in sorted({one for one in ids if ids.count(one) > 1}):
        problems.append(Problem("component", f"there are two of the id `{twin}`"))
