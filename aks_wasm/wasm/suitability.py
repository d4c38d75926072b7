"""Whether a shim can run a module or a Spin application: imports, component or module, manifest version, triggers.

Answers demand 43 of shared/facts/demands.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aks_wasm.errors import Problem, UsageError
from aks_wasm.wasm.inspect import WasmFile, inspect
from aks_wasm.wasm.spin_manifest import SpinApp, SpinComponent, SpinTrigger

_COMMAND_MODULES = {"p0": ("wasi_unstable",), "p1": ("wasi_snapshot_preview1", "wasi_unstable")}
# What Spin gives to core modules beside WASI (fermyon/spin crates/componentize/src/module_info.rs, abi_conformance).
_SPIN_MODULES = (
    "wasi_snapshot_preview1",
    "wasi-outbound-http",
    "outbound-redis",
    "outbound-pg",
    "outbound-mysql",
    "key-value",
    "spin-config",
    "canonical_abi",
    "llm",
    "sqlite",
)
_SPIN_PACKAGES = ("wasi:", "fermyon:spin", "spin:", "wasi_snapshot_preview1")
_SPIN_EXPORTS = ("handle-http-request", "handle-redis-message")


@dataclass(frozen=True)
class Runs:
    """What a shim can run.

    Attributes:
        spin_manifest: Versions of Spin manifests; () when it runs none.
        triggers: Spin trigger types.
        wasip1: WASI p1 command modules.
        components: WASI p2 command components.
        wasi_http: Components that export `wasi:http/incoming-handler`.
    """

    spin_manifest: tuple[int, ...] = ()
    triggers: tuple[str, ...] = ()
    wasip1: bool = False
    components: bool = False
    wasi_http: bool = False


@dataclass(frozen=True)
class Host:
    """A shim. `name` is for messages, for example "`spin` v0.25.1 (Spin 4.0.1)"."""

    name: str
    runs: Runs


@dataclass(frozen=True)
class Use:
    """How the spec wants the workload to run.

    Attributes:
        field: The workload's place in the file, for example `workloads.0`.
        kind: `service` runs on, `job` ends.
        exposed: Whether something should answer at its port.
    """

    field: str
    kind: Literal["service", "job"] = "service"
    exposed: bool = True


def module_problems(file: WasmFile, host: Host, use: Use) -> list[Problem]:
    """Find why a shim cannot run a single module or component as it is meant."""
    place = f"{use.field}.module"
    if not (host.runs.wasip1 or host.runs.components or host.runs.wasi_http):
        hint = "name its Spin manifest with `source`, or take the shim `wasmtime`" if host.runs.spin_manifest else None
        return [Problem(place, f"{host.name} does not run single modules", hint)]
    if file.kind == "module":
        return _core_problems(file, host, use, place)
    return _component_problems(file, host, use, place)


def app_problems(app: SpinApp, host: Host, use: Use) -> list[Problem]:
    """Find why a shim cannot run a Spin application as it is meant; its modules are looked into where they exist."""
    place = f"{use.field}.source"
    if not host.runs.spin_manifest:
        return [Problem(place, f"{host.name} does not run Spin applications", "take the shim `spin`")]
    found = []
    if app.version not in host.runs.spin_manifest:
        found.append(
            Problem(
                place,
                f"`{app.path.name}` is a manifest of version {app.version}, which {host.name} cannot read",
                "take a newer version of the shim, or write the manifest in version 1",
            )
        )
    for kind in dict.fromkeys(trigger.type for trigger in app.triggers):
        if kind not in host.runs.triggers:
            known = ", ".join(host.runs.triggers)
            found.append(Problem(place, f"{host.name} has no trigger `{kind}`", f"it has {known}"))
    found += _fit_of_triggers(app, use, place)
    for component in app.components:
        source = app.source_path(component)
        if source is not None:
            found += _spin_component_problems(app, component, host, place)
    return found


def _fit_of_triggers(app: SpinApp, use: Use, place: str) -> list[Problem]:
    kinds = {trigger.type for trigger in app.triggers}
    if use.kind == "job" and kinds - {"command"}:
        other = sorted(kinds - {"command"})[0]
        hint = "make it `kind: service`, or use the trigger `command`"
        return [Problem(place, f"a job ends, but the trigger `{other}` waits for ever", hint)]
    if use.kind == "service" and kinds == {"command"}:
        return [Problem(place, "the trigger `command` runs once and ends", "make it `kind: job`")]
    if use.kind == "service" and use.exposed and "http" not in kinds:
        return [Problem(place, "nothing in it answers HTTP, yet it is exposed", "set `expose: none`")]
    return []


def _core_problems(file: WasmFile, host: Host, use: Use, place: str) -> list[Problem]:
    name = file.path.name
    if not host.runs.wasip1:
        return [Problem(place, f"`{name}` is a core module, {host.name} runs components only", _COMPONENT_HINT)]
    found = []
    known = _COMMAND_MODULES["p1"]
    unknown = [one for one in file.import_modules if one not in known]
    if unknown:
        found.append(Problem(place, f"`{name}` imports {_some(unknown)}, which {host.name} does not have", _hint(file)))
    if not file.exports_start:
        found.append(Problem(place, f"`{name}` exports no `_start`, so it is no command", "build it as a command"))
    if use.kind == "service" and use.exposed:
        found.append(
            Problem(
                place,
                f"`{name}` is a WASI p1 command, which cannot listen at a port, yet it is exposed",
                "set `expose: none`, make it `kind: job`, or wrap it in a Spin manifest with the WAGI executor",
            )
        )
    return found


def _component_problems(file: WasmFile, host: Host, use: Use, place: str) -> list[Problem]:
    name = file.path.name
    if file.http_handler:
        if not host.runs.wasi_http:
            return [Problem(place, f"`{name}` handles HTTP, which {host.name} does not do", "take the shim `wasmtime`")]
        if use.kind == "job":
            return [Problem(place, f"a job ends, but `{name}` serves HTTP", "make it `kind: service`")]
        return []
    if not host.runs.components:
        return [Problem(place, f"`{name}` is a component, {host.name} runs core modules only", _MODULE_HINT)]
    found = []
    if not file.exports_start:
        found.append(Problem(place, f"`{name}` exports neither `wasi:cli/run` nor an HTTP handler"))
    unknown = [one for one in file.imports if not one.startswith("wasi:")]
    if unknown:
        found.append(Problem(place, f"`{name}` imports {_some(unknown)}, which {host.name} does not have"))
    return found


def _spin_component_problems(app: SpinApp, component: SpinComponent, host: Host, place: str) -> list[Problem]:
    source = app.source_path(component)
    if source is None:
        return []
    try:
        file = inspect(source)
    except UsageError as error:
        return [Problem(place, error.message, error.hint)]
    if file.kind == "component":
        unknown = [one for one in file.imports if not one.startswith(_SPIN_PACKAGES)]
    else:
        unknown = [one for one in file.import_modules if one not in _SPIN_MODULES and ":" not in one]
    found = []
    if unknown:
        found.append(Problem(place, f"`{component.source}` imports {_some(unknown)}, which {host.name} does not have"))
    for trigger in app.triggers:
        if trigger.component == component.id:
            found += _trigger_problems(file, component, trigger, place)
    return found


def _trigger_problems(file: WasmFile, component: SpinComponent, trigger: SpinTrigger, place: str) -> list[Problem]:
    name = component.source
    if trigger.type == "http" and trigger.executor == "wagi":
        if file.kind == "component":
            return [Problem(place, f"`{name}` is a component, the WAGI executor runs core modules", _MODULE_HINT)]
        if trigger.entrypoint not in file.exports:
            return [Problem(place, f"`{name}` does not export `{trigger.entrypoint}`, which WAGI calls")]
    elif trigger.type == "http" and not file.http_handler and not set(_SPIN_EXPORTS) & set(file.exports):
        return [
            Problem(
                place,
                f"`{name}` exports no HTTP handler",
                'a command that writes its answer to stdout runs with `executor = { type = "wagi" }`',
            )
        ]
    elif trigger.type == "command" and not file.exports_start:
        return [Problem(place, f"`{name}` is no command, so the trigger `command` cannot run it")]
    return []


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _hint(file: WasmFile) -> str:
    if any(name in ("env", "go", "gojs", "wbg") for name in file.import_modules):
        return "it was built for a browser or for Node.js; build it for wasm32-wasip1"
    return "build it for plain wasm32-wasip1"


_COMPONENT_HINT = "make a component of it: `wasm-tools component new`"
_MODULE_HINT = "build it for wasm32-wasip1"
