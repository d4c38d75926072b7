"""Whether a shim can run what a workload of the spec names; all problems at once, before anything is made."""

from __future__ import annotations

from pathlib import Path

from aks_wasm.errors import Problem, SpecInvalid, UsageError
from aks_wasm.shims.catalogue import Shim
from aks_wasm.spec.models import Workload
from aks_wasm.wasm.inspect import inspect
from aks_wasm.wasm.spin_manifest import load
from aks_wasm.wasm.suitability import Host, Use, app_problems, module_problems


def host_of(shim: Shim) -> Host | None:
    """Return what a shim can run; None when we do not know, as with custom shims."""
    if shim.runs is None:
        return None
    return Host(
        name=f"`{shim.name}` {shim.version} ({shim.engine})",
        spin_manifest=shim.runs.spin_manifest,
        triggers=shim.runs.triggers,
        wasip1=shim.runs.wasip1,
        components=shim.runs.components,
        wasi_http=shim.runs.wasi_http,
    )


def workload_problems(workload: Workload, field: str, shim: Shim, base: Path) -> list[Problem]:
    """Find what is wrong with a workload's files, and why the shim cannot run them.

    Args:
        workload: As the spec has it.
        field: Its place in the file, for example `workloads.0`.
        shim: What is to run it.
        base: The folder that paths are relative to.
    """
    use = Use(field, workload.kind, exposed=workload.expose != "none")
    host = host_of(shim)
    try:
        if workload.source is not None:
            app = load(base / workload.source)
            return app_problems(app, host, use) if host else []
        if workload.module is not None:
            file = inspect(base / workload.module)
            return module_problems(file, host, use) if host else []
    except SpecInvalid as error:
        return [
            Problem(f"{field}.source", f"{problem.field}: {problem.message}", problem.hint)
            for problem in error.problems
        ]
    except UsageError as error:
        return [Problem(f"{field}.{'source' if workload.source else 'module'}", error.message, error.hint)]
    return []
