"""Looks into the spec's modules and applications: whether their shims can run them, ours and those of preview pools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.shims.catalogue import Shim, preview_shim
from aks_wasm.spec.models import Workload
from aks_wasm.steps.wanted import Wanted
from aks_wasm.wasm.inspect import WasmFile, inspect
from aks_wasm.wasm.spin_manifest import SpinApp, load
from aks_wasm.wasm.suitability import Host, Use, app_problems, module_problems


def look_into_modules(wanted: Wanted) -> Wanted:
    """Return what is wanted with `beyond_preview` filled in.

    Raises:
        SpecInvalid: A file is missing or is not WebAssembly, or a shim can't run it; every problem at once.
    """
    problems: list[Problem] = []
    beyond: set[str] = set()
    for index, workload in enumerate(wanted.spec.workloads):
        shim = next((s for s in wanted.shims if s.name == workload.shim.partition("@")[0]), None)
        if shim is None or workload.image is not None:
            continue
        field = f"workloads.{index}"
        try:
            content = _read(workload)
        except SpecInvalid as error:
            problems += [replace(p, field=f"{field}.source: {p.field}".rstrip(": ")) for p in error.problems]
            continue
        except UsageError as error:
            place = f"{field}.source" if workload.source else f"{field}.module"
            problems.append(Problem(place, error.message, error.hint))
            continue
        problems += _problems(content, shim, workload, field)
        brought = preview_shim(shim)
        if brought is not None and _problems(content, brought, workload, field):
            beyond.add(workload.name)
    if problems:
        raise SpecInvalid(None, problems)
    return replace(wanted, beyond_preview=frozenset(beyond))


def _read(workload: Workload) -> SpinApp | WasmFile:
    return load(Path(workload.source)) if workload.source else inspect(Path(workload.module or ""))


def _problems(content: SpinApp | WasmFile, shim: Shim, workload: Workload, field: str) -> list[Problem]:
    if shim.runs is None:  # a custom shim: only its author knows
        return []
    engine = f" ({shim.engine})" if shim.engine else ""
    host = Host(f"`{shim.name}` {shim.version}{engine}", shim.runs)
    use = Use(field, workload.kind, workload.expose != "none")
    if isinstance(content, SpinApp):
        return app_problems(content, host, use)
    return module_problems(content, host, use)
